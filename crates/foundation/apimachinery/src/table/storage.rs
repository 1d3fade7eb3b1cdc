//! Volumes.

use serde_json::{Value, json};

use super::view::{View, list, scalar};

pub(super) fn cell(view: &View<'_>, column: &str) -> Option<Value> {
    let bound = !view.text("spec.volumeName").is_empty();
    let flag = |path: &str| view.at(path) == &Value::Bool(true);
    Some(match (view.kind(), column) {
        ("PersistentVolume" | "PersistentVolumeClaim", "Status") => {
            json!(if view.deleting() {
                "Terminating"
            } else {
                view.text("status.phase")
            })
        }
        ("PersistentVolumeClaim", "Volume") => json!(view.text("spec.volumeName")),
        ("PersistentVolumeClaim", "Capacity") if bound => {
            json!(scalar(view.at("status.capacity.storage")))
        }
        ("PersistentVolumeClaim", "Access Modes") if bound => {
            json!(access_modes(view.at("status.accessModes")))
        }
        ("PersistentVolumeClaim", "Capacity" | "Access Modes") => json!(""),
        ("PersistentVolume", "Capacity") => json!(scalar(view.at("spec.capacity.storage"))),
        ("PersistentVolume", "Access Modes") => json!(access_modes(view.at("spec.accessModes"))),
        ("PersistentVolume", "Reclaim Policy") => {
            json!(view.text("spec.persistentVolumeReclaimPolicy"))
        }
        ("PersistentVolume", "Claim") => match view.at("spec.claimRef") {
            Value::Null => json!(""),
            claim => json!(format!("{}/{}", scalar(&claim["namespace"]), scalar(&claim["name"]))),
        },
        ("PersistentVolume", "Reason") => json!(view.text("status.reason")),
        (_, "StorageClass") => json!(view.text("spec.storageClassName")),
        (_, "VolumeAttributesClass") => {
            json!(view.text_or("spec.volumeAttributesClassName", "<unset>"))
        }
        (_, "VolumeMode") => json!(view.text_or("spec.volumeMode", "<unset>")),
        ("StorageClass", "Provisioner") => json!(view.text("provisioner")),
        ("StorageClass", "ReclaimPolicy") => json!(view.text_or("reclaimPolicy", "Delete")),
        ("StorageClass", "VolumeBindingMode") => {
            json!(view.text_or("volumeBindingMode", "Immediate"))
        }
        ("StorageClass", "AllowVolumeExpansion") => json!(flag("allowVolumeExpansion")),
        ("CSINode", "Drivers") => json!(view.list("spec.drivers").len()),
        ("CSIDriver", "AttachRequired") => {
            json!(view.at("spec.attachRequired") != &Value::Bool(false))
        }
        ("CSIDriver", "PodInfoOnMount") => json!(flag("spec.podInfoOnMount")),
        ("CSIDriver", "StorageCapacity") => json!(flag("spec.storageCapacity")),
        ("CSIDriver", "RequiresRepublish") => json!(flag("spec.requiresRepublish")),
        ("CSIDriver", "TokenRequests") => {
            let audiences: Vec<String> = view
                .list("spec.tokenRequests")
                .iter()
                .map(|one| scalar(&one["audience"]))
                .collect();
            json!(if audiences.is_empty() {
                "<unset>".to_owned()
            } else {
                audiences.join(",")
            })
        }
        ("CSIDriver", "Modes") => {
            json!(
                view.list("spec.volumeLifecycleModes")
                    .iter()
                    .map(scalar)
                    .collect::<Vec<_>>()
                    .join(",")
            )
        }
        ("VolumeAttachment", "Attacher") => json!(view.text("spec.attacher")),
        ("VolumeAttachment", "PV") => json!(view.text("spec.source.persistentVolumeName")),
        ("VolumeAttachment", "Node") => json!(view.text("spec.nodeName")),
        ("VolumeAttachment", "Attached") => json!(flag("status.attached")),
        ("VolumeAttributesClass", "DriverName") => json!(view.text("driverName")),
        _ => return None,
    })
}

/// In a fixed order, abbreviated.
fn access_modes(modes: &Value) -> String {
    const SHORT: [(&str, &str); 4] = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let has = |mode: &str| list(modes).iter().any(|known| known == mode);
    SHORT
        .iter()
        .filter(|(mode, _)| has(mode))
        .map(|(_, short)| *short)
        .collect::<Vec<_>>()
        .join(",")
}

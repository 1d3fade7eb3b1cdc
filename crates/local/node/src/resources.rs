//! Resource amounts as the downward API gives them.

use k8s_openapi::api::core::v1::{Container, Pod, ResourceFieldSelector};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// The value of a `resourceFieldRef`: the amount divided by the divisor, rounded up. Without a limit the node's
/// own amount counts, as in a cluster. `None` for a resource that cannot be asked for.
pub(crate) fn field_value(field: &ResourceFieldSelector, container: &Container, pod: &Pod) -> Option<String> {
    let named = field.container_name.as_deref().and_then(|name| {
        let spec = pod.spec.as_ref()?;
        spec.containers
            .iter()
            .chain(spec.init_containers.iter().flatten())
            .find(|other| other.name == name)
    });
    let resources = named.unwrap_or(container).resources.as_ref();
    let (list, resource) = field.resource.split_once('.')?;
    let (limits, requests) = (
        resources.and_then(|all| all.limits.as_ref()),
        resources.and_then(|all| all.requests.as_ref()),
    );
    let declared = match list {
        "limits" => limits.and_then(|all| all.get(resource)),
        "requests" => requests
            .and_then(|all| all.get(resource))
            .or_else(|| limits.and_then(|all| all.get(resource))),
        _ => return None,
    };
    let amount = match (declared, list, resource) {
        (Some(quantity), ..) => milli(quantity)?,
        (None, "limits", "cpu") => std::thread::available_parallelism().map_or(1, usize::from) as i128 * 1000,
        (None, "limits", "memory") => memory_total_bytes()? * 1000,
        (None, ..) => 0,
    };
    let divisor = field
        .divisor
        .as_ref()
        .and_then(milli)
        .filter(|divisor| *divisor > 0)
        .unwrap_or(1000);
    Some(((amount + divisor - 1) / divisor).to_string())
}

/// A quantity in thousandths; `None` when it cannot be read.
pub(crate) fn milli(quantity: &Quantity) -> Option<i128> {
    let text = quantity.0.trim();
    let split = text
        .find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-'))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let scale: f64 = match suffix {
        "n" => 1e-6,
        "u" => 1e-3,
        "m" => 1.0,
        "" => 1e3,
        "k" => 1e6,
        "M" => 1e9,
        "G" => 1e12,
        "T" => 1e15,
        "P" => 1e18,
        "Ki" => 1024.0 * 1e3,
        "Mi" => 1024.0_f64.powi(2) * 1e3,
        "Gi" => 1024.0_f64.powi(3) * 1e3,
        "Ti" => 1024.0_f64.powi(4) * 1e3,
        "Pi" => 1024.0_f64.powi(5) * 1e3,
        exponent => 10_f64.powi(exponent.strip_prefix(['e', 'E'])?.parse().ok()?) * 1e3,
    };
    let value = number.parse::<f64>().ok()? * scale;
    (value.abs() < 1e30).then_some(value.ceil() as i128)
}

fn memory_total_bytes() -> Option<i128> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<i128>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_thousandths() {
        for (text, expect) in [
            ("100m", 100),
            ("1", 1000),
            ("1.5", 1500),
            ("64Mi", 67_108_864_000),
            ("2k", 2_000_000),
            ("1e3", 1_000_000),
        ] {
            assert_eq!(milli(&Quantity(text.to_owned())), Some(expect), "{text}");
        }
        assert_eq!(milli(&Quantity("much".to_owned())), None);
    }
}

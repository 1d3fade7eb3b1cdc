use std::sync::Arc;

use cluster::{Kind, ObjectKey};
use k8s_openapi::api::core::v1::ConfigMap;

use super::super::graph::Owner;
use super::*;
use OwnerState::{Absent, Present, WaitsForDependents};

fn item(uid: &str, owners: &[&str]) -> Item {
    let owner = |uid: &&str| Owner {
        api_version: "v1".into(),
        kind: "ConfigMap".into(),
        name: (*uid).into(),
        uid: (*uid).into(),
        blocks: true,
    };
    Item {
        kind: Arc::new(Kind::of::<ConfigMap>()),
        key: ObjectKey::new("default", uid),
        uid: uid.into(),
        revision: "1".into(),
        references: Vec::new(),
        owners: owners.iter().map(owner).collect(),
        finalizers: Vec::new(),
        is_going: false,
    }
}

fn going(mut item: Item, finalizer: &str) -> Item {
    item.is_going = true;
    item.finalizers = vec![finalizer.into()];
    item
}

fn uids(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn an_item_lives_as_long_as_one_owner_does() {
    for (owners, expected) in [
        (&[Present][..], Verdict::Keep),
        (&[Present, Present], Verdict::Keep),
        (&[Absent], Verdict::Delete(Propagation::Background)),
        (&[Absent, Absent], Verdict::Delete(Propagation::Background)),
        (&[Absent, Present], Verdict::DropOwners(uids(&["o0"]))),
        (&[Present, WaitsForDependents], Verdict::DropOwners(uids(&["o1"]))),
        (&[WaitsForDependents], Verdict::Delete(Propagation::Background)),
        (&[], Verdict::Keep),
    ] {
        let names: Vec<_> = (0..owners.len()).map(|number| format!("o{number}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        assert_eq!(decide(&item("x", &names), owners, &[]), expected, "{owners:?}");
    }
}

#[test]
fn waiting_is_handed_down_but_not_round_a_circle() {
    let middle = item("middle", &["top"]);
    let leaf = item("leaf", &["middle"]);
    let verdict = decide(&middle, &[WaitsForDependents], std::slice::from_ref(&leaf));
    assert_eq!(verdict, Verdict::Delete(Propagation::Foreground));
    let circle = going(leaf, FOREGROUND);
    let verdict = decide(&middle, &[WaitsForDependents], &[circle]);
    assert_eq!(verdict, Verdict::Delete(Propagation::Background));
}

#[test]
fn a_foreground_deletion_ends_when_nothing_blocks_it() {
    let top = going(item("top", &[]), FOREGROUND);
    assert_eq!(decide(&top, &[], &[]), Verdict::Unblock);
    let leaf = item("leaf", &["top"]);
    assert_eq!(
        decide(&top, &[], std::slice::from_ref(&leaf)),
        Verdict::LookAt(uids(&["leaf"]))
    );
    let mut gone_soon = leaf.clone();
    gone_soon.is_going = true;
    assert_eq!(decide(&top, &[], &[gone_soon]), Verdict::Keep);
    let mut lax = leaf;
    lax.owners[0].blocks = false;
    assert_eq!(decide(&top, &[], &[lax]), Verdict::Unblock);
}

#[test]
fn orphans_lose_their_owner_before_it_goes() {
    let top = going(item("top", &[]), ORPHAN);
    let verdict = decide(&top, &[], &[item("leaf", &["top"])]);
    assert_eq!(verdict, Verdict::Orphan(uids(&["leaf"])));
}

#[test]
fn a_plain_deletion_is_left_alone() {
    let top = going(item("top", &["owner"]), "example.com/own");
    assert_eq!(decide(&top, &[Absent], &[]), Verdict::Keep);
}

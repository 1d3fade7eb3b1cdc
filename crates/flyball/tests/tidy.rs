//! The house keeps itself tidy: arrows between rooms point down, and every room is on the map.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The floors from the ground up. A room may use rooms of lower floors, and of its own where the table says so.
const FLOORS: [(&str, Neighbours); 5] = [
    ("crates/foundation", Neighbours::Allowed),
    ("crates/edges", Neighbours::Allowed),
    ("crates/loops", Neighbours::Forbidden),
    ("crates/local", Neighbours::Allowed),
    ("crates/flyball", Neighbours::Forbidden),
];

#[derive(PartialEq, Eq, Clone, Copy)]
enum Neighbours {
    Allowed,
    Forbidden,
}

struct Room {
    folder: String,
    floor: usize,
    uses: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn rooms() -> BTreeMap<String, Room> {
    let mut rooms = BTreeMap::new();
    for (floor, (folder, _)) in FLOORS.iter().enumerate() {
        let path = root().join(folder);
        let manifests = match path.join("Cargo.toml").exists() {
            true => vec![path.join("Cargo.toml")],
            false => fs::read_dir(&path)
                .unwrap_or_else(|error| panic!("{folder}: {error}"))
                .map(|entry| entry.expect("a readable folder").path().join("Cargo.toml"))
                .filter(|manifest| manifest.exists())
                .collect(),
        };
        for manifest in manifests {
            let text = fs::read_to_string(&manifest).expect("a readable manifest");
            let folder = manifest
                .parent()
                .and_then(Path::file_name)
                .expect("a folder")
                .to_string_lossy();
            let room = Room {
                folder: folder.into_owned(),
                floor,
                uses: dependencies(&text),
            };
            rooms.insert(package_name(&text), room);
        }
    }
    rooms
}

fn package_name(manifest: &str) -> String {
    let line = manifest
        .lines()
        .find(|line| line.starts_with("name = "))
        .expect("a package name");
    line.trim_start_matches("name = ").trim_matches('"').to_owned()
}

/// Names under `[dependencies]`; what only tests need may point anywhere.
fn dependencies(manifest: &str) -> Vec<String> {
    manifest
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['=', '.', ' ']).next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn arrows_between_rooms_point_down() {
    let rooms = rooms();
    assert!(rooms.len() >= 10, "the rooms were not found");
    for (name, room) in &rooms {
        for (used, target) in room.uses.iter().filter_map(|used| Some((used, rooms.get(used)?))) {
            let neighbours = FLOORS[room.floor].1 == Neighbours::Allowed;
            let down = target.floor < room.floor || (target.floor == room.floor && neighbours);
            assert!(
                down,
                "{name} ({}) must not use {used} ({})",
                FLOORS[room.floor].0, FLOORS[target.floor].0
            );
        }
    }
}

#[test]
fn foundation_knows_no_async_runtime_and_no_client() {
    const ABSENT: [&str; 7] = ["tokio", "futures", "hyper", "axum", "kube", "k8s-openapi", "reqwest"];
    for (name, room) in rooms().iter().filter(|(_, room)| room.floor == 0) {
        let found: Vec<_> = room
            .uses
            .iter()
            .filter(|used| ABSENT.contains(&used.as_str()))
            .collect();
        assert!(found.is_empty(), "{name} uses {found:?}");
    }
}

#[test]
fn every_room_is_on_the_map() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    for (name, room) in rooms() {
        let entry = format!("`{}`", room.folder);
        assert!(map.contains(&entry), "ARCHITECTURE.md has no {entry} ({name})");
    }
}

#[test]
fn every_problem_code_is_explained() {
    let page = fs::read_to_string(root().join("docs/problems.md")).expect("docs/problems.md");
    let mut pending = vec![root().join("crates")];
    let mut codes = 0;
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(
                fs::read_dir(&path)
                    .expect("a folder")
                    .map(|entry| entry.expect("an entry").path()),
            );
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source file");
        for code in codes_in(&text) {
            codes += 1;
            assert!(
                page.contains(&format!("## {code}\n")),
                "{}: {code} is not in docs/problems.md",
                path.display()
            );
        }
    }
    assert!(codes > 0, "no problem code was found at all");
}

/// Codes as they stand in the sources: a string of `FB` and four digits.
fn codes_in(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("\"FB").filter_map(|(at, _)| {
        let code = text.get(at + 1..at + 7)?;
        let closed = text.as_bytes().get(at + 7) == Some(&b'"');
        (closed && code[2..].bytes().all(|byte| byte.is_ascii_digit())).then_some(code)
    })
}

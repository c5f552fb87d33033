//! The rooms of the source: `src/lib.rs` lists them from the ground up, and no room
//! knows one above it.

use std::{collections::BTreeSet, fs, path::Path};

use crate::tidy::{code, is_test_module, sources};

/// The rooms, in the order of `src/lib.rs`.
fn rooms() -> Vec<String> {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let modules = lib.lines().filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod "));
    modules.filter_map(|line| line.strip_suffix(';')).map(str::to_owned).collect()
}

/// The room that a file is in.
fn room(path: &str) -> &str {
    let path = path.strip_prefix("src/").unwrap();
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The command is a crate of its own, above the house.
fn is_command(path: &str) -> bool {
    path.starts_with("src/bin/")
}

/// What stands right behind each `crate::` of `code`, also in braces.
fn named(code: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for (at, mark) in code.match_indices("crate::") {
        let rest = &code[at + mark.len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut is_first = true;
            let mut name = String::new();
            for char in list.chars() {
                match char {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => is_first = true,
                    ':' if depth == 0 => is_first = false,
                    _ if depth == 0 && is_first && !char.is_whitespace() => name.push(char),
                    _ => (),
                }
                if !is_first || char == ',' {
                    named.extend(Some(std::mem::take(&mut name)).filter(|name| !name.is_empty()));
                }
            }
            named.extend(Some(name).filter(|name| !name.is_empty()));
        } else {
            let is_part = |char: char| char.is_alphanumeric() || char == '_';
            named.insert(rest.chars().take_while(|char| is_part(*char)).collect());
        }
    }
    named
}

#[test]
fn names_are_found_in_lists_and_alone() {
    let code = "use crate::{a::{b, c::{self, d}}, e,\n f::G};\nuse crate::h::i;\nlet x = crate::j();";
    assert_eq!(named(code).into_iter().collect::<Vec<_>>(), ["a", "e", "f", "h", "j"]);
}

#[test]
fn no_room_knows_one_above_it() {
    let rooms = rooms();
    let floor = |name: &str| rooms.iter().position(|room| room == name);
    let mut upward = Vec::new();
    for (path, text) in
        sources(&["src"]).iter().filter(|(path, _)| !is_test_module(path) && !is_command(path))
    {
        // The top of the house may name them all.
        let here = if path == "src/lib.rs" { rooms.len() } else { floor(room(path)).expect(path) };
        let code = code(text).collect::<Vec<_>>().join("\n");
        for name in named(&code) {
            // What `src/lib.rs` names again is for users: a room says where it is.
            let there = floor(&name).unwrap_or(rooms.len());
            if there > here {
                upward.push(format!("{path} names {name}"));
            }
        }
    }
    assert!(upward.is_empty(), "{upward:#?}");
}

#[test]
fn every_file_is_in_a_room() {
    let rooms = rooms();
    let paths = sources(&["src"]);
    let lost: Vec<_> = paths
        .iter()
        .map(|(path, _)| path)
        .filter(|path| {
            *path != "src/lib.rs" && !is_command(path) && !rooms.iter().any(|name| name == room(path))
        })
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
}

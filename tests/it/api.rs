//! What users can name: every public item of the source, as `tests/it/api.txt` has it, so
//! that no change of it goes unseen. After one that is meant:
//!
//! ```text
//! REVIEWED=1 cargo test --test it the_public_api
//! ```

use std::{fs, path::Path};

use crate::tidy::{code, is_test_module, sources};

/// The public items of one file, each on a line, behind what they are in.
fn items(text: &str) -> Vec<String> {
    let lines: Vec<&str> = code(text).collect();
    let mut found = Vec::new();
    // The `impl`, the enum or the trait that the line is in.
    let mut owner = String::new();
    let mut lines = lines.into_iter().peekable();
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        if line == "}" {
            owner.clear();
        }
        let is_in_list = owner.starts_with("pub enum") || owner.starts_with("pub trait");
        let is_outermost = !line.starts_with(' ');
        let is_listed = is_in_list && line.starts_with("    ") && !line.starts_with("     ");
        let is_item = trimmed.starts_with("pub ") || (is_listed && !trimmed.starts_with(['#', '}', ')']));
        let is_impl = is_outermost && trimmed.starts_with("impl") && !trimmed.starts_with("impl_");
        if !is_item && !is_impl {
            continue;
        }
        let mut item = trimmed.to_owned();
        let is_open = |item: &str| item.matches('(').count() > item.matches(')').count();
        while is_open(&item) || !item.ends_with(['{', ';', ',', '}']) {
            let Some(next) = lines.next() else { break };
            item = format!("{item} {}", next.trim());
        }
        let item = item.trim_end_matches([' ', '{', ';', ',']).to_owned();
        if is_outermost {
            // A trait of somebody else is public where its type is.
            let is_public = is_item || item.contains(" for ");
            found.extend(Some(item.clone()).filter(|_| is_public));
            owner = item;
        } else {
            found.push(format!("    {item}"));
        }
    }
    found
}

/// All that `src` makes public, by file. Files that make nothing public have no
/// heading.
fn api() -> String {
    let mut api = String::new();
    for (path, text) in sources(&["src"]).iter().filter(|(path, _)| !is_test_module(path)) {
        let is_exported =
            |item: &String| item.trim_start().starts_with("pub ") && !item.starts_with("pub mod");
        let items = items(text);
        if items.iter().any(is_exported) {
            api += &format!("{path}\n{}\n\n", items.join("\n"));
        }
    }
    api
}

#[test]
fn items_are_found_with_what_they_are_in() {
    let text = "pub struct A {\n    pub b: u8,\n    c: u8,\n}\nimpl A {\n    pub fn d(\n        self,\n    ) -> u8 {\n        7\n    }\n    \
                pub(crate) fn e() {}\n}\npub enum F {\n    /// G.\n    G,\n    H { i: u8 },\n}\nstruct J;\n";
    let found = [
        "pub struct A",
        "    pub b: u8",
        "    pub fn d( self, ) -> u8",
        "pub enum F",
        "    G",
        "    H { i: u8 }",
    ];
    assert_eq!(items(text), found);
}

#[test]
fn the_public_api_is_the_one_that_was_reviewed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/api.txt");
    let now = api();
    if std::env::var_os("REVIEWED").is_some() {
        fs::write(&path, &now).unwrap();
    }
    let reviewed = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    let changed: Vec<_> = now
        .lines()
        .filter(|line| !reviewed.lines().any(|known| known == *line))
        .map(|line| format!("+ {line}"))
        .chain(
            reviewed
                .lines()
                .filter(|line| !now.lines().any(|known| known == *line))
                .map(|line| format!("- {line}")),
        )
        .collect();
    assert!(now == reviewed, "the public API has changed:\n{}", changed.join("\n"));
}

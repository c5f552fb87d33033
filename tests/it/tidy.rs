//! Tests of the repository: what is where, and that the documentation says what the
//! source says. They hold in an unpacked package too, but for what only
//! a checkout has.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

mod docs;

/// What may be at the top level of a checkout.
const TOP_LEVEL: [&str; 16] = [
    ".ci",
    ".gitattributes",
    ".gitignore",
    ".sqlx",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "clippy.toml",
    "examples",
    "rustfmt.toml",
    "sqlx.toml",
    "src",
    "tests",
];

/// Where the source may do what the rest of it must not, by the beginnings of
/// paths.
const BOUNDARIES: [(&[&str], &[&str]); 9] = [
    (&["sqlx"], &["src/outbox/"]),
    (
        &["reqwest"],
        &[
            "src/sink/http",
            "src/sink/twilio",
            "src/sink/sendgrid",
            "src/sink/webhook",
            "src/sink/heartbeat.rs",
        ],
    ),
    (&["tokio::spawn", "thread::spawn", ".spawn("], &["src/dispatcher/", "src/host/thread.rs"]),
    // In `queue`, a flush waits for room on its caller's behalf.
    // The command is a program of its own.
    (&["thread::sleep", "time::sleep"], &["src/dispatcher/", "src/queue/mod.rs", "src/operate/", "src/bin/"]),
    // An event's own time, and a header that names a time of day.
    (
        &["SystemTime::now"],
        &[
            "src/dispatcher/",
            "src/host/id.rs",
            "src/layer/mod.rs",
            "src/layer/panic.rs",
            "src/sink/http.rs",
            "src/operate/",
            "src/bin/",
        ],
    ),
    // `now_v7` takes a lock that a forked child may find locked for ever.
    (&["Uuid::new_v4", " rand::"], &["src/dispatcher/", "src/outbox/", "src/host/id.rs"]),
    (&["Uuid::now_v7()", "LazyLock"], &[]),
    // The same of what is made once: in a child by `fork::Lazy`, or of `PerProcess`.
    (
        &["get_or_init("],
        &[
            "src/host/fork.rs",
            "src/host/thread.rs",
            "src/dispatcher/starts.rs",
            "src/layer/panic.rs",
            // One of each client, and of each callsite.
            "src/sink/http.rs",
            "src/queue/storm.rs",
        ],
    ),
    (&["expose("], &["src/host/secret.rs", "src/outbox/fleet/settings.rs", "src/sink/"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Rust file below `directories`, with its path from the root.
pub(crate) fn sources(directories: &[&str]) -> Vec<(String, String)> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() => walk(&path, found),
                Some(extension) if extension == "rs" => found.push(path),
                Some(_) | None => (),
            }
        }
    }
    let mut found = Vec::new();
    directories.iter().for_each(|directory| walk(&root().join(directory), &mut found));
    found.sort();
    assert!(!found.is_empty(), "no source in {directories:?}");
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// The lines of `text` that are compiled into the crate: no comments, and
/// nothing after `#[cfg(test)]` but the modules it leaves out.
pub(crate) fn code(text: &str) -> impl Iterator<Item = &str> {
    let tests = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..tests].lines().filter(|line| !line.trim_start().starts_with("//"))
}

pub(crate) fn is_test_module(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path == "src/sink/wire.rs"
}

#[test]
fn every_source_file_says_first_what_it_is() {
    for (path, text) in sources(&["src", "tests", "examples"]) {
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//! ") && first.len() > "//! x".len(), "{path} has no header");
    }
}

#[test]
fn no_source_file_has_400_lines() {
    let mut long = sources(&["src", "tests", "examples"]);
    long.retain(|(_, text)| text.lines().count() >= 400);
    let long: Vec<_> = long.into_iter().map(|(path, text)| (path, text.lines().count())).collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn each_part_of_the_source_keeps_to_its_own_business() {
    let mut strangers = Vec::new();
    for (path, text) in sources(&["src"]).iter().filter(|(path, _)| !is_test_module(path)) {
        for (words, homes) in BOUNDARIES {
            let at_home = homes.iter().any(|home| path.starts_with(home));
            let found = |line: &&str| words.iter().any(|word| line.contains(word));
            if let Some(line) = code(text).find(found).filter(|_| !at_home) {
                strangers.push(format!("{path}: {}", line.trim()));
            }
        }
    }
    assert!(strangers.is_empty(), "{strangers:#?}");
}

#[test]
fn every_home_of_a_boundary_exists() {
    let paths: Vec<_> = sources(&["src"]).into_iter().map(|(path, _)| path).collect();
    for home in BOUNDARIES.iter().flat_map(|(_, homes)| *homes) {
        assert!(paths.iter().any(|path| path.starts_with(home)), "{home}");
    }
}

#[test]
fn a_checkout_has_nothing_but_what_belongs_there() {
    if !root().join(".git").exists() {
        return;
    }
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(root()).args(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let tracked = git(&["ls-files"]);
    let top: BTreeSet<&str> = tracked.lines().filter_map(|path| path.split('/').next()).collect();
    let strangers: Vec<_> = top.iter().filter(|name| !TOP_LEVEL.contains(name)).collect();
    assert!(strangers.is_empty(), "{strangers:?}");
    assert_eq!(git(&["ls-files", "--cached", "--ignored", "--exclude-standard"]), "", "tracked, but ignored");
}

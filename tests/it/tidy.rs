//! Tests of the repository: what is where, and that the README says what the
//! source says. They hold in an unpacked package too, but for what only
//! a checkout has.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tracing_alert::{AlertLayer, Builder, DropReason, EMAIL_DEADLINE, MemorySink, SMS_DEADLINE, SendError};
use tracing_subscriber::prelude::*;

use crate::support::rows;

/// What may be at the top level of a checkout.
const TOP_LEVEL: [&str; 15] = [
    ".ci",
    ".gitattributes",
    ".gitignore",
    ".sqlx",
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
const BOUNDARIES: [(&[&str], &[&str]); 7] = [
    (&["sqlx"], &["src/store/"]),
    (&["reqwest"], &["src/sink/http", "src/sink/twilio", "src/sink/sendgrid"]),
    (&["tokio::spawn", "thread::spawn", ".spawn("], &["src/dispatcher/", "src/thread.rs"]),
    // In `queue`, a flush waits for room on its caller's behalf.
    (&["thread::sleep", "time::sleep"], &["src/dispatcher/", "src/queue.rs"]),
    // An event's own time, and a header that names a time of day.
    (&["SystemTime::now"], &["src/dispatcher/", "src/layer.rs", "src/panic.rs", "src/sink/http.rs"]),
    // A delivery's key is drawn with its row.
    (&["Uuid::new_v4", "Uuid::now_v7", "rand::"], &["src/dispatcher/", "src/store/"]),
    (&["expose("], &["src/secret.rs", "src/sink/"]),
];

/// Numbers that the README tells: where they are, and what it says.
const NUMBERS: [(&str, &str, &str); 20] = [
    ("src/queue.rs", "MOST_EVENTS: usize = 8_192;", "8,192 events"),
    ("src/queue.rs", "MOST_BYTES: usize = 8 * 1024 * 1024;", "8 MiB"),
    ("src/store/memory.rs", "MOST_BYTES: usize = 32 * 1024 * 1024;", "held 32 MiB"),
    ("src/store/mod.rs", "SAMPLES_PER_NOTICE: usize = 100;", "of more than 100 the others are only counted"),
    ("src/store/mod.rs", "MOST_INCIDENTS: usize = 500;", "More than 500 open incidents"),
    (
        "src/incident/mod.rs",
        "QUIET_AFTER: Duration = Duration::from_secs(30 * 60);",
        "after 30 min without an event",
    ),
    ("src/storm.rs", "DEFAULT_RATE: u32 = 100;", "and the count is told | `100` |"),
    ("src/config/mod.rs", "SMS_SEGMENTS_PER_DAY: u32 = 60;", "at most 60 segments a day"),
    ("src/panic.rs", "COMMIT_TIMEOUT: Duration = Duration::from_millis(250);", "at most 250 ms"),
    ("src/dispatcher/exit.rs", "EXIT_TIMEOUT: Duration = Duration::from_secs(2);", "at most 2 s"),
    ("src/dispatcher/mod.rs", "LEASE: Duration = Duration::from_secs(70);", "lease of 70 s"),
    ("src/dispatcher/lane.rs", "MOST_FAILURES: u32 = 5;", "5 times in a row"),
    ("src/render/sms.rs", "MAX_SEGMENTS: u32 = 2;", "at most 2 segments"),
    ("src/panic.rs", "SPANS_TIMEOUT: Duration = Duration::from_millis(100);", "100 ms for its spans"),
    ("src/render/email.rs", "MAX_ENTRIES: usize = 25;", "25 incidents"),
    ("src/trouble.rs", "PAUSE: Duration = Duration::from_secs(60);", "at most one a minute"),
    (
        "src/store/upkeep.rs",
        "KEPT_DELIVERED: Duration = Duration::from_secs(7 * 24 * 60 * 60);",
        "after 7 days",
    ),
    ("src/store/upkeep.rs", "KEPT_DEAD: Duration = Duration::from_secs(30 * 24 * 60 * 60);", "after 30 days"),
    ("src/store/upkeep.rs", "FILE_CAP_BYTES: u64 = 64 * 1024 * 1024;", "64 MiB"),
    ("src/store/upkeep.rs", "ROOM_PERCENT: u64 = 80;", "80 %"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Rust file below `directories`, with its path from the root.
fn sources(directories: &[&str]) -> Vec<(String, String)> {
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
fn code(text: &str) -> impl Iterator<Item = &str> {
    let tests = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..tests].lines().filter(|line| !line.trim_start().starts_with("//"))
}

fn is_test_module(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path == "src/sink/wire.rs"
}

/// What stands between the first line `open` of `text` and the next "```".
fn block<'a>(text: &'a str, open: &str) -> Vec<&'a str> {
    text.lines().skip_while(|line| *line != open).skip(1).take_while(|line| *line != "```").collect()
}

/// The first example in the docs of a source file.
fn doc_example(source: &str, mark: &str) -> String {
    let lines = source.lines().map(str::trim).filter_map(|line| line.strip_prefix(mark));
    let docs = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n");
    block(&docs, "```no_run").join("\n")
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
fn the_readme_is_short_and_opens_with_the_example_of_the_docs() {
    let readme = read("README.md");
    assert!(readme.lines().count() <= 180, "{} lines", readme.lines().count());
    let example = block(&readme, "```rust,no_run").join("\n");
    assert!(example.contains("AlertLayer::from_env()"), "{example}");
    assert_eq!(doc_example(&read("src/lib.rs"), "//!"), example);
    assert_eq!(doc_example(&read("src/layer.rs"), "///"), example);
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
fn the_readme_has_every_variable_and_no_other() {
    let readme = read("README.md");
    let table: BTreeSet<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once('|'))
        .flat_map(|(cell, _)| cell.split('`'))
        .filter(|word| ["ALERT_", "TWILIO_", "SENDGRID_"].iter().any(|prefix| word.starts_with(prefix)))
        .collect();
    let source = read("src/config/env.rs");
    let list = source.split_once("const VARIABLES").unwrap().1.split_once("];").unwrap().0;
    let known: BTreeSet<&str> =
        list.lines().filter_map(|line| line.trim().strip_prefix("(\"")?.split('"').next()).collect();
    assert!(known.len() > 10, "{known:?}");
    assert_eq!(table, known);
}

#[test]
fn the_readme_has_every_setter_and_the_defaults() {
    let readme = read("README.md");
    let source = read("src/config/builder.rs");
    let setters = source.lines().filter_map(|line| line.trim().strip_prefix("pub fn ")?.split_once('('));
    for (setter, _) in setters.filter(|(_, rest)| rest.starts_with("self,") || rest.starts_with("mut self")) {
        assert!(readme.contains(&format!("`{setter}`")), "{setter}");
    }
    let switch = |is_on| if is_on { "on" } else { "off" }.to_owned();
    for (variable, default) in [
        ("ALERT_LEVEL", Builder::DEFAULT_LEVEL.to_string()),
        ("ALERT_SPAN_LEVEL", Builder::DEFAULT_SPAN_LEVEL.to_string()),
        ("ALERT_PANICS", switch(Builder::DEFAULT_PANICS)),
        ("ALERT_REDACTION", switch(Builder::DEFAULT_REDACTION)),
        ("ALERT_SETTLE", format!("{:?}", Builder::DEFAULT_SETTLE)),
    ] {
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{variable}` |"))).unwrap();
        assert_eq!(row.split('|').nth(3).map(str::trim), Some(format!("`{default}`").as_str()), "{row}");
    }
}

#[test]
fn the_readme_names_every_reason_of_a_loss() {
    let readme = read("README.md");
    for reason in DropReason::ALL {
        assert!(readme.contains(&format!("\n| `{reason:?}` | ")), "{reason:?}");
    }
}

#[test]
fn the_readmes_numbers_are_those_of_the_source() {
    let readme = read("README.md").split_whitespace().collect::<Vec<_>>().join(" ");
    for (path, source, told) in NUMBERS {
        let defined = sources(&["src"]).into_iter().any(|(at, text)| {
            // A file may have become a directory of the same name.
            at.starts_with(path.trim_end_matches("mod.rs")) && text.contains(&format!("const {source}"))
        });
        assert!(defined, "{path} has no {source}");
        assert!(readme.contains(told), "{told}");
    }
    let deadlines = [SMS_DEADLINE, EMAIL_DEADLINE].map(|deadline| deadline.as_secs() / 3_600);
    assert_eq!(deadlines, [1, 24]);
    assert!(readme.contains("an hour for an SMS, a day for a mail"));
}

/// They are run against a database with a dead delivery in it.
#[test]
fn the_readmes_queries_work() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("alerts.db");
    let layer = AlertLayer::builder()
        .database(&database)
        .settle(Duration::ZERO)
        .panics(false)
        .sink(MemorySink::failing_with([SendError::rejected("no such number")]), ["on-call"])
        .build()
        .unwrap();
    let handle = layer.handle();
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || tracing::error!("payment failed"));
    assert!(handle.shutdown(Duration::from_secs(20)).is_complete());

    let readme = read("README.md");
    let id = rows(&database, "SELECT public_id FROM notice").remove(0);
    let delivery = rows(&database, "SELECT id FROM delivery").remove(0);
    let mut found = Vec::new();
    for part in readme.split("```sql\n").skip(1) {
        for query in part.split_once("```").unwrap().0.split(";\n").filter(|query| !query.trim().is_empty()) {
            let query =
                query.replace("'7K3Q'", &format!("'{id}'")).replace("id = 17", &format!("id = {delivery}"));
            found.push(rows(&database, &query).len());
        }
    }
    // Nothing is pending, one is dead, one event is told; then the dead one is
    // revived.
    assert_eq!(found, [0, 1, 1, 0]);
    assert_eq!(rows(&database, "SELECT state, count(*) FROM delivery"), ["pending|1"]);
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

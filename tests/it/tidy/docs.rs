//! Tests of the README and of the pages in `src/docs`: they say what the source says.

use std::{collections::BTreeSet, fs};

use tracing_alert::{Builder, EMAIL_DEADLINE, SMS_DEADLINE, SMS_SEGMENTS_PER_DAY, notice::DropReason};

use super::{code, read, root, sources};

/// Numbers that are told: where they are, and which page of `src/docs` says what.
const NUMBERS: [(&str, &str, &str, &str); 38] = [
    ("src/queue/mod.rs", "MAX_EVENTS: usize = 8_192;", "guarantees.md", "8,192 events"),
    ("src/queue/mod.rs", "MAX_BYTES: usize = 8 * 1024 * 1024;", "guarantees.md", "8,192 events, 8 MiB"),
    ("src/outbox/memory.rs", "MAX_BYTES: usize = 32 * 1024 * 1024;", "guarantees.md", "held 32 MiB"),
    (
        "src/outbox/mod.rs",
        "SAMPLES_PER_NOTICE: usize = 100;",
        "guarantees.md",
        "of more than 100 the others are only counted",
    ),
    ("src/outbox/mod.rs", "MAX_INCIDENTS: usize = 500;", "grouping.md", "More than 500 open incidents"),
    (
        "src/policy/incident/mod.rs",
        "QUIET_AFTER: Duration = Duration::from_secs(30 * 60);",
        "grouping.md",
        "after 30 min without an event",
    ),
    (
        "src/queue/storm.rs",
        "DEFAULT_RATE: u32 = 100;",
        "settings_code.md",
        "the rest are only counted | `100` |",
    ),
    (
        "src/policy/incident/hold.rs",
        "FIRST_HOLD: Duration = Duration::from_secs(30 * 60);",
        "grouping.md",
        "then silence for | 30 min | 1 h |",
    ),
    (
        "src/policy/incident/hold.rs",
        "ANEW_AFTER: Duration = Duration::from_secs(18 * 60 * 60);",
        "grouping.md",
        "After 18 hours without an event",
    ),
    (
        "src/policy/incident/mod.rs",
        "SAME_WITHIN: Duration = Duration::from_secs(7 * 24 * 60 * 60);",
        "grouping.md",
        "If it comes back within a week",
    ),
    ("src/capture/trail.rs", "MAX_BREADCRUMBS: usize = 64;", "settings_details.md", "the last 64 events"),
    (
        "src/event/breadcrumb.rs",
        "MAX_BREADCRUMB_BYTES: usize = 3 * 512 * 1024;",
        "guarantees.md",
        "2 MiB of breadcrumbs",
    ),
    ("src/capture/trail.rs", "MAX_DEPTH: usize = 64;", "guarantees.md", "64 spans deep"),
    (
        "src/capture/spans.rs",
        "LEVEL_BUCKETS: [usize; 3] = [128, 1_024, 4_096];",
        "guarantees.md",
        "41,984 open spans",
    ),
    ("src/capture/spans.rs", "MAX_LONG_BYTES: usize = 4 * 1024 * 1024;", "guarantees.md", "11 MiB"),
    ("src/config/mod.rs", "SMS_SEGMENTS_PER_DAY: u32 = 60;", "grouping.md", "at most 60 segments a day"),
    (
        "src/layer/panic.rs",
        "COMMIT_TIMEOUT: Duration = Duration::from_millis(250);",
        "guarantees.md",
        "at most 250 ms",
    ),
    ("src/queue/exit.rs", "EXIT_TIMEOUT: Duration = Duration::from_secs(2);", "guarantees.md", "at most 2 s"),
    ("src/dispatcher/mod.rs", "LEASE: Duration = Duration::from_secs(70);", "operating.md", "lease of 70 s"),
    ("src/dispatcher/lane.rs", "MAX_FAILURES: u32 = 5;", "settings_details.md", "5 times in a row"),
    ("src/policy/budget.rs", "MAX_SEGMENTS: u32 = 2;", "guarantees.md", "at most 2 segments"),
    ("src/render/email.rs", "MAX_ENTRIES: usize = 25;", "guarantees.md", "25 incidents"),
    ("src/render/email.rs", "MAX_BODY_BYTES: usize = 64 * 1024;", "guarantees.md", "64 KB have no room"),
    (
        "src/dispatcher/flush.rs",
        "MEMORY_PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });",
        "guarantees.md",
        "or a minute after the layer",
    ),
    (
        "src/host/trouble.rs",
        "PAUSE: Duration = Duration::from_secs(60);",
        "operating.md",
        "at most once a minute",
    ),
    (
        "src/outbox/upkeep.rs",
        "KEPT_DELIVERED: Duration = Duration::from_secs(7 * 24 * 60 * 60);",
        "guarantees.md",
        "after 7 days",
    ),
    (
        "src/outbox/upkeep.rs",
        "KEPT_DEAD: Duration = Duration::from_secs(30 * 24 * 60 * 60);",
        "guarantees.md",
        "after 30 days",
    ),
    ("src/outbox/upkeep.rs", "FILE_CAP_BYTES: u64 = 64 * 1024 * 1024;", "guarantees.md", "64 MiB"),
    ("src/outbox/upkeep.rs", "ROOM_PERCENT: u64 = 80;", "guarantees.md", "80 %"),
    ("src/config/mod.rs", "SMS_SEGMENTS_PER_DAY: u32 = 60;", "../../README.md", "at most 60 segments a day"),
    (
        "src/queue/exit.rs",
        "EXIT_TIMEOUT: Duration = Duration::from_secs(2);",
        "../../README.md",
        "at most 2 s",
    ),
    (
        "src/layer/panic.rs",
        "COMMIT_TIMEOUT: Duration = Duration::from_millis(250);",
        "../../README.md",
        "at most 250 ms",
    ),
    (
        "src/policy/outage.rs",
        "PATIENCE: Duration = Duration::from_secs(2);",
        "fleet.md",
        "not answer for 2 s",
    ),
    ("src/policy/outage.rs", "MAX_STAGGER: Duration = Duration::from_secs(20);", "fleet.md", "at most 20 s"),
    ("src/policy/outage.rs", "FIRST_TELLERS: u32 = 3;", "fleet.md", "three of the instances at once"),
    (
        "src/policy/outage.rs",
        "MAIL_DELAY: Duration = Duration::from_secs(10 * 60);",
        "fleet.md",
        "still away after 10 minutes",
    ),
    ("src/outbox/fleet/mod.rs", "IDLE: Duration = Duration::from_secs(10);", "fleet.md", "not used for 10 s"),
    (
        "src/outbox/failover/mod.rs",
        "PROBE_PAUSE: Duration = Duration::from_secs(30);",
        "operating.md",
        "every 30 s",
    ),
];

/// The README has fewer words.
const MAX_README_WORDS: usize = 1_500;

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
fn the_readme_is_short_and_opens_with_the_example_of_the_docs() {
    let readme = read("README.md");
    let words = readme.split_whitespace().count();
    assert!(words < MAX_README_WORDS, "{words} words");
    let example = block(&readme, "```rust,no_run").join("\n");
    assert!(example.contains("AlertLayer::from_env()"), "{example}");
    assert_eq!(doc_example(&read("src/lib.rs"), "//!"), example);
    assert_eq!(doc_example(&read("src/layer/mod.rs"), "///"), example);
}

/// The text of a page of `src/docs`, with its line breaks as spaces.
fn page(name: &str) -> String {
    read(&format!("src/docs/{name}")).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The names of all pages.
fn pages() -> Vec<String> {
    let entries = fs::read_dir(root().join("src/docs")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_page_is_part_of_the_documentation() {
    let (root, docs) = (read("src/lib.rs"), read("src/docs.rs"));
    for name in pages() {
        assert!(docs.contains(&format!("include_str!(\"docs/{name}\")")), "{name}");
        // A block that is marked so is never compiled.
        let text = read(&format!("src/docs/{name}"));
        assert!(!text.lines().any(|line| line.starts_with("```") && line.contains("ignore")), "{name}");
    }
    let settings = read("src/docs/settings.md");
    assert!(root.contains("include_str!(\"docs/settings.md\")"), "the guide lacks the settings");
    assert!(
        read("README.md").contains(&settings),
        "the README's settings are not those of src/docs/settings.md"
    );
}

#[test]
fn the_readmes_pictures_are_of_a_message_that_was_reviewed() {
    let readme = read("README.md");
    let message = read("tests/snapshots/first.txt");
    let (sms, mail) = message.split_once("\n\n").unwrap();
    let blocks: Vec<&str> =
        readme.split("```text\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks[0].trim_end(), sms);
    let mut rest = mail;
    for part in blocks[1].trim_start_matches("Subject: ").split("…\n").filter(|part| !part.is_empty()) {
        let (_, after) = rest.split_once(part).unwrap_or_else(|| panic!("no mail has {part:?}"));
        rest = after;
    }
}

#[test]
fn every_file_that_the_readme_or_a_page_names_exists() {
    let readme = read("README.md");
    let links = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let mut named: Vec<(String, String)> = links
        .filter(|link| !link.starts_with("https://"))
        .map(|link| ("README.md".to_owned(), link.to_owned()))
        .collect();
    for name in pages() {
        let text = read(&format!("src/docs/{name}"));
        let words = text.split('`').filter(|word| !word.contains(char::is_whitespace));
        let paths = words
            .filter(|word| ["src/", "tests/", "examples/", ".ci/"].iter().any(|it| word.starts_with(it)));
        named.extend(paths.map(|path| (name.clone(), path.to_owned())));
    }
    assert!(named.len() > 30, "{named:?}");
    // A package has no `.ci`.
    named.retain(|(_, path)| !path.starts_with(".ci/") || root().join(".git").exists());
    named.retain(|(_, path)| !root().join(path).exists());
    assert!(named.is_empty(), "{named:?}");
}

/// Comments, blank lines and tests do not count.
#[test]
fn the_tour_is_as_long_as_it_says() {
    let tour = read("src/docs/the_idea.md");
    let files: BTreeSet<&str> =
        tour.split('`').filter(|word| word.ends_with(".rs") && *word != "src/lib.rs").collect();
    let lines = |path: &&str| code(&read(path)).filter(|line| !line.trim().is_empty()).count();
    let lines: usize = files.iter().map(lines).sum();
    assert!(
        (3_000..4_000).contains(&lines) && page("the_idea.md").contains("some 3,500 lines of code"),
        "{lines}"
    );
}

#[test]
fn the_settings_have_every_variable_and_no_other() {
    let settings = read("src/docs/settings.md");
    let table: BTreeSet<&str> = settings
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once('|'))
        .flat_map(|(cell, _)| cell.split('`'))
        .filter(|word| ["ALERT_", "TWILIO_", "SENDGRID_"].iter().any(|prefix| word.starts_with(prefix)))
        .collect();
    let source = read("src/config/env/table.rs");
    let known: BTreeSet<&str> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Variable::new(\"")?.split('"').next())
        .collect();
    assert!(known.len() > 10, "{known:?}");
    assert_eq!(table, known);
}

/// In commands, units and manifests, too, which nobody compiles.
#[test]
fn every_variable_that_a_page_names_is_one() {
    let source = read("src/config/env/table.rs");
    let is_known =
        |name: &str| source.contains(&format!("Variable::new(\"{}\"", name.trim_end_matches("_FILE")));
    let texts = pages().into_iter().map(|name| (read(&format!("src/docs/{name}")), name));
    let mut unknown = Vec::new();
    for (text, name) in texts.chain([(read("README.md"), "README.md".to_owned())]) {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let ours = words.filter(|word| {
            ["ALERT_", "TWILIO_", "SENDGRID_"].iter().any(|owner| word.starts_with(owner) && word != owner)
        });
        // What Kubernetes sets for a service.
        let wrong = ours.filter(|word| !is_known(word) && *word != "ALERT_PORT");
        unknown.extend(wrong.map(|word| format!("{name}: {word}")));
    }
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn the_settings_have_every_setter_and_the_defaults() {
    let settings = read("src/docs/settings.md") + &read("src/docs/settings_code.md");
    let source = read("src/config/builder.rs")
        + &read("src/config/builder/delivery.rs")
        + &read("src/config/builder/links.rs")
        + &read("src/config/builder/webhooks.rs")
        + &read("src/config/builder/fleet.rs");
    let setters = source.lines().filter_map(|line| line.trim().strip_prefix("pub fn ")?.split_once('('));
    for (setter, _) in setters.filter(|(_, rest)| rest.starts_with("self,") || rest.starts_with("mut self")) {
        assert!(settings.contains(&format!("`{setter}`")), "{setter}");
    }
    let switch = |is_on| if is_on { "on" } else { "off" }.to_owned();
    for (variable, default) in [
        ("ALERT_LEVEL", Builder::DEFAULT_LEVEL.to_string()),
        ("ALERT_SPAN_LEVEL", Builder::DEFAULT_SPAN_LEVEL.to_string()),
        ("ALERT_BREADCRUMBS", Builder::DEFAULT_BREADCRUMBS.to_string()),
        ("ALERT_PANICS", switch(Builder::DEFAULT_PANICS)),
        ("ALERT_REDACTION", switch(Builder::DEFAULT_REDACTION)),
        ("ALERT_SMS_SEGMENTS", SMS_SEGMENTS_PER_DAY.to_string()),
        ("ALERT_CRASH_LOOPS", switch(Builder::DEFAULT_CRASH_LOOPS)),
        ("ALERT_SMS_FIELDS", switch(Builder::DEFAULT_SMS_FIELDS)),
        ("ALERT_SETTLE", format!("{:?}", Builder::DEFAULT_SETTLE)),
    ] {
        let row = settings.lines().find(|line| line.starts_with(&format!("| `{variable}` |"))).unwrap();
        assert_eq!(row.split('|').nth(3).map(str::trim), Some(format!("`{default}`").as_str()), "{row}");
    }
}

#[test]
fn the_guarantees_name_every_reason_of_a_loss() {
    let guarantees = read("src/docs/guarantees.md");
    for reason in DropReason::ALL {
        assert!(guarantees.contains(&format!("\n| `{reason:?}` | ")), "{reason:?}");
    }
}

#[test]
fn the_numbers_that_are_told_are_those_of_the_source() {
    for (path, source, name, told) in NUMBERS {
        let defined = sources(&["src"]).into_iter().any(|(at, text)| {
            // A file may have become a directory of the same name.
            at.starts_with(path.trim_end_matches("mod.rs")) && text.contains(&format!("const {source}"))
        });
        assert!(defined, "{path} has no {source}");
        assert!(page(name).contains(told), "{name} does not say {told}");
    }
    let deadlines = [SMS_DEADLINE, EMAIL_DEADLINE].map(|deadline| deadline.as_secs() / 3_600);
    assert_eq!(deadlines, [1, 24]);
    for name in ["guarantees.md", "../../README.md"] {
        assert!(page(name).contains("an hour for an SMS, a day for a mail"), "{name}");
    }
}

#[test]
fn the_lines_of_stderr_that_are_explained_are_those_of_the_source() {
    let texts = sources(&["src"]).into_iter().filter(|(path, _)| !super::is_test_module(path));
    // What a string continues on the next line is one text.
    let squeezed = |text: String| text.replace("\\\n", "").split_whitespace().collect::<Vec<_>>().join(" ");
    let source: String = texts.map(|(_, text)| squeezed(text)).collect();
    let operating = read("src/docs/operating.md");
    let rows = operating
        .lines()
        .skip_while(|line| *line != "# On stderr")
        .skip_while(|line| !line.starts_with("|---"));
    let rows: Vec<&str> = rows.skip(1).take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 15, "{rows:?}");
    for row in rows {
        let line = row.split('|').nth(1).unwrap();
        for part in line.split('`').skip(1).step_by(2).flat_map(|line| line.split('…')) {
            assert!(source.contains(part.trim()), "nothing says {part:?}");
        }
    }
}

/// Whoever wants to know something asks the command: the tables may change with any version.
#[test]
fn no_page_has_users_write_sql() {
    for name in pages() {
        assert!(!read(&format!("src/docs/{name}")).contains("```sql"), "{name}");
    }
    assert!(!read("README.md").contains("```sql"));
}

//! How well events are grouped as people group them: corpora are fed in order, callsite
//! by callsite, and each line counts in the group that it had at the time.
//!
//! Of each corpus a part was kept out when the rules were made: the last kind of three in
//! `fingerprints.txt`, all of `fingerprints_held_out.txt`, and the callsites that are
//! marked in `callsites.txt`.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// A line of a corpus.
struct Line {
    callsite: String,
    group: String,
    message: String,
    fields: Vec<Field>,
    is_kept_out: bool,
}

/// `group | message`: the callsite is the first part of the group's name.
fn by_kind(text: &'static str, keeps_out: impl Fn(usize) -> bool) -> Vec<Line> {
    let mut kind = 0;
    let mut lines = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if line.starts_with('#') {
            kind += 1;
            continue;
        }
        let (group, message) = line.split_once(" | ").unwrap_or_else(|| panic!("no group: {line}"));
        let callsite = group.split('-').next().unwrap_or_default().to_owned();
        lines.push(Line {
            callsite,
            group: group.to_owned(),
            message: message.replace("\\n", "\n"),
            fields: Vec::new(),
            is_kept_out: keeps_out(kind),
        });
    }
    lines
}

/// `callsite | group | message`.
fn by_callsite(text: &'static str) -> Vec<Line> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let line = |line: &'static str| {
        let parts: Vec<_> = line.splitn(3, " | ").collect();
        let [callsite, group, message] = parts[..] else { panic!("no group: {line}") };
        let is_kept_out = callsite.ends_with('!');
        Line {
            callsite: callsite.to_owned(),
            group: group.to_owned(),
            message: message.replace("\\n", "\n"),
            fields: Vec::new(),
            is_kept_out,
        }
    };
    lines.map(line).collect()
}

/// Under a line `@ callsite`, `group<tab>message<tab>field=value…`.
fn with_fields(text: &'static str) -> Vec<Line> {
    let meant = |text: &str| text.replace("\\\\", "\u{1}").replace("\\n", "\n").replace('\u{1}', "\\");
    let mut callsite = "";
    let mut lines = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix("@ ") {
            callsite = name.trim_start_matches("callsite ").trim();
            continue;
        }
        let mut parts = line.split('\t');
        let group = format!("{callsite} {}", parts.next().unwrap_or_default());
        let message = meant(parts.next().unwrap_or_default());
        let fields = parts.filter_map(|part| part.split_once('='));
        let fields = fields.map(|(name, value)| Field::new(name, Value::Str(meant(value)))).collect();
        lines.push(Line { callsite: callsite.to_owned(), group, message, fields, is_kept_out: false });
    }
    lines
}

/// Pairs of lines.
#[derive(Default)]
struct Score {
    right: f64,
    missed: f64,
    wrong: f64,
}

impl Score {
    fn precision(&self) -> f64 {
        self.right / (self.right + self.wrong)
    }

    fn f1(&self) -> f64 {
        2.0 * self.right / (2.0 * self.right + self.missed + self.wrong)
    }
}

/// How well the groups of `lines` at the time are those that people make.
fn score(name: &str, lines: &[&Line]) -> Score {
    let mut learned: BTreeMap<Fingerprint, Learned> = BTreeMap::new();
    let mut open = BTreeSet::new();
    let placed: Vec<_> = lines
        .iter()
        .map(|line| {
            let panic = line.callsite.starts_with("panic");
            let keys = keys(
                &Event {
                    target: line.callsite.clone().into(),
                    fields: line.fields.clone(),
                    panic,
                    ..event(&line.message)
                },
                "app",
                None,
            );
            let group = keys.said.and_then(|said| learned.entry(said.callsite).or_default().note(&said, 1).0);
            let own = if open.contains(&keys.own) { keys.own } else { group.unwrap_or(keys.own) };
            open.insert(own);
            own
        })
        .collect();
    let mut score = Score::default();
    for (at, line) in lines.iter().enumerate() {
        for (before, other) in lines[..at].iter().enumerate() {
            match (line.group == other.group, placed[at] == placed[before]) {
                (true, true) => score.right += 1.0,
                (true, false) => score.missed += 1.0,
                (false, true) => {
                    score.wrong += 1.0;
                    if name != "unseen" {
                        println!("together: {}\n          {}", other.message, line.message);
                    }
                }
                (false, false) => (),
            }
        }
    }
    let groups: BTreeSet<_> = lines.iter().map(|line| &line.group).collect();
    println!(
        "{name}: {} lines, {} groups: precision {:.3}, recall {:.3}, F1 {:.3}",
        lines.len(),
        groups.len(),
        score.precision(),
        score.right / (score.right + score.missed),
        score.f1()
    );
    score
}

#[test]
fn events_are_grouped_as_people_group_them() {
    let corpora = [
        (
            "kinds",
            by_kind(include_str!("../../../../tests/it/corpus/fingerprints.txt"), |kind| kind % 3 == 0),
            0.85,
        ),
        (
            "kept out",
            by_kind(include_str!("../../../../tests/it/corpus/fingerprints_held_out.txt"), |_| true),
            0.9,
        ),
        // Names of all sorts: what is learned costs its first incidents.
        ("callsites", by_callsite(include_str!("../../../../tests/it/corpus/callsites.txt")), 0.7),
        // Written by somebody else, when the rules were made anew; the last 40 later.
        ("more", by_callsite(include_str!("../../../../tests/it/corpus/callsites_more.txt")), 0.88),
        ("with fields", with_fields(include_str!("../../../../tests/it/corpus/callsites_fields.txt")), 0.83),
        (
            "more with fields",
            with_fields(include_str!("../../../../tests/it/corpus/callsites_fields_more.txt")),
            0.81,
        ),
    ];
    for (name, lines, least) in &corpora {
        for is_kept_out in [false, true] {
            let part: Vec<_> = lines.iter().filter(|line| line.is_kept_out == is_kept_out).collect();
            if part.is_empty() {
                continue;
            }
            let name = format!("{name}{}", if is_kept_out { ", kept out" } else { "" });
            let score = score(&name, &part);
            assert!(score.precision() >= 0.95, "{name}: precision {}", score.precision());
            assert!(score.f1() >= *least, "{name}: F1 {}", score.f1());
        }
    }
    let kept_out = corpora.iter().flat_map(|(_, lines, _)| lines).filter(|line| line.is_kept_out);
    let all = score("all that was kept out", &kept_out.collect::<Vec<_>>());
    assert!(all.precision() >= 0.95 && all.f1() >= 0.8, "{} {}", all.precision(), all.f1());
}

/// Written by somebody else, when the rules were done. Nobody who writes rules has opened
/// it: what goes wrong in it is not shown.
#[test]
fn events_of_unseen_callsites_are_grouped_as_people_group_them() {
    let lines = with_fields(include_str!("../../../../tests/it/corpus/callsites_unseen.txt"));
    let score = score("unseen", &lines.iter().collect::<Vec<_>>());
    assert!(score.precision() >= 0.95 && score.f1() >= 0.85, "{} {}", score.precision(), score.f1());
}

/// One callsite that says everything, like a handler of all errors.
#[test]
fn a_callsite_that_says_everything_keeps_problems_apart() {
    let kinds = by_kind(include_str!("../../../../tests/it/corpus/fingerprints.txt"), |_| false);
    let sites = by_callsite(include_str!("../../../../tests/it/corpus/callsites.txt"));
    let same = |line: Line| Line { callsite: "everything".to_owned(), ..line };
    let lines: Vec<_> = kinds.into_iter().chain(sites).map(same).collect();
    let score = score("everything", &lines.iter().collect::<Vec<_>>());
    assert!(score.precision() >= 0.95, "{}", score.precision());
}

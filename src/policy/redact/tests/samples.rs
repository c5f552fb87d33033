//! What is learned from: the words of the corpora's lines, and which of them are secrets.

use std::ops::Range;

use super::{
    corpora::{corpus, plain, secrets, unescaped},
    default,
};
use crate::policy::redact::{doubt, reader::Reader, view::View};

/// A word that may be a secret.
pub(super) struct Sample {
    /// Where its evidence is.
    pub(super) slots: Vec<u32>,
    pub(super) is_secret: bool,
    /// How likely that is: certain, unless others teach it (`learn`).
    pub(super) likely: f32,
    /// Of which kind its line is.
    pub(super) kind: u64,
    /// How much is learned from it: less from the other words of a line with a secret, as who
    /// is meant may be one, too; more from lines without one, as most are.
    pub(super) weight: f32,
}

pub(super) fn samples(names: &[&str]) -> Vec<Sample> {
    names.iter().flat_map(|name| samples_of(name)).collect()
}

fn samples_of(name: &str) -> Vec<Sample> {
    let is_first = ["secrets", "secrets_held_out", "harmless", "harmless_held_out"].contains(&name);
    let meant: fn(&str) -> String = if is_first { plain } else { unescaped };
    let has_secret = name.starts_with("secrets");
    let corpus = corpus(&format!("{name}.txt"));
    let lines = corpus.lines().filter(|line| !line.starts_with('#')).enumerate();
    let read = lines.flat_map(|(number, line)| {
        let (kind, text) = match line.split_once('\t') {
            Some(pair) if has_secret || !is_first => pair,
            _ => ("", line),
        };
        // Lines of the first corpora say of no kind: those that stand together are of one.
        let kind = if is_first { hash(&format!("{name} {}", number / 12)) } else { hash(kind) };
        let secrets = if has_secret { secrets(text, meant) } else { Vec::new() };
        let text = meant(text);
        if text.starts_with('@') {
            return Vec::new();
        }
        // Both as it is and as `Debug` shows it.
        let mut all = words(&text, &secrets, has_secret, kind);
        let shown = format!("{text:?}");
        if shown.len() > text.len() + 2 {
            let secrets: Vec<_> = secrets.iter().map(|secret| escaped(secret)).collect();
            all.extend(words(&shown, &secrets, has_secret, kind));
        }
        all
    });
    read.collect()
}

fn escaped(text: &str) -> String {
    let shown = format!("{text:?}");
    shown[1..shown.len() - 1].to_owned()
}

fn hash(kind: &str) -> u64 {
    kind.bytes().fold(7, |hash: u64, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte))) / 16
}

fn words(text: &str, secrets: &[String], has_secret: bool, kind: u64) -> Vec<Sample> {
    let policy = default();
    let view = View::folded(text);
    let secrets = secrets.iter().map(|secret| View::folded(secret).text.into_owned());
    let places: Vec<Range<usize>> = secrets
        .filter(|secret| !secret.is_empty())
        .flat_map(|secret| {
            let places = view.text.match_indices(&secret).map(|(at, it)| at..at + it.len());
            places.collect::<Vec<_>>()
        })
        .collect();
    let told = Reader::new(&view.text, false, &policy).told();
    let word = |(range, slots): (Range<usize>, _)| {
        let shared =
            |place: &Range<usize>| place.end.min(range.end).saturating_sub(place.start.max(range.start));
        let is_secret = places.iter().any(|place| 2 * shared(place) > range.len());
        let weight = match (has_secret, is_secret) {
            (true, true) => 1.0,
            (true, false) => 0.5,
            (false, _) => 1.6,
        };
        Sample { slots, is_secret, likely: f32::from(u8::from(is_secret)), kind, weight }
    };
    doubt::evidence(&view.text, &told).into_iter().map(word).collect()
}

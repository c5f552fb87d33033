//! What doubt learns from some kinds holds for others, and its weights are those that are
//! learned from all.
//!
//! It is learned as logistic regression does, in steps as Adagrad takes them, always in the
//! same order. After a change of what is evidence, or of the corpora, the second test says
//! which weights there should be.

use std::{collections::BTreeSet, ops::Range};

use super::{
    cleaned,
    corpora::{corpus, plain, secrets, unescaped},
    default,
};
use crate::policy::redact::{
    Policy,
    clean::clean,
    doubt,
    reader::Reader,
    view::View,
    weights::{self, SLOT_BITS, THRESHOLD},
};

/// A line of the corpora.
struct Line {
    fold: usize,
    has_secret: bool,
    words: Vec<Word>,
}

/// What it says of a word that may be a secret.
struct Word {
    slots: Vec<usize>,
    is_secret: bool,
}

impl Line {
    /// Learns less from the other words of a line with a secret: who is meant may be one, too.
    fn step(&self, word: &Word) -> f64 {
        if self.has_secret && !word.is_secret { 0.5 } else { 1.0 }
    }
}

/// All lines of the corpora that those who write rules have seen. Lines of one kind are in
/// one fold.
fn lines() -> Vec<Line> {
    CORPORA.iter().flat_map(|name| lines_of(name)).collect()
}

fn lines_of(name: &str) -> Vec<Line> {
    let is_first = ["secrets", "secrets_held_out", "harmless", "harmless_held_out"].contains(&name);
    let meant: fn(&str) -> String = if is_first { plain } else { unescaped };
    let has_secret = name.starts_with("secrets");
    let corpus = corpus(&format!("{name}.txt"));
    let lines = corpus.lines().filter(|line| !line.starts_with('#')).enumerate();
    let read = lines.filter_map(|(number, line)| {
        let (kind, text) = match line.split_once('\t') {
            Some(pair) if has_secret || !is_first => pair,
            _ => ("", line),
        };
        let kind = if is_first { format!("{name} {}", number / 12) } else { kind.to_owned() };
        let secrets = if has_secret { secrets(text, meant) } else { Vec::new() };
        let words = (!text.starts_with('@')).then(|| words(&meant(text), &secrets))?;
        Some(Line { fold: fold(&kind), has_secret, words })
    });
    read.collect()
}

fn fold(kind: &str) -> usize {
    kind.bytes().fold(7, |hash: usize, byte| hash.wrapping_mul(31).wrapping_add(usize::from(byte))) / 16
        % FOLDS
}

fn words(text: &str, secrets: &[String]) -> Vec<Word> {
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
    let words = doubt::evidence(&view.text, &told).into_iter();
    let word = |(range, slots): (Range<usize>, _)| {
        let shared =
            |place: &Range<usize>| place.end.min(range.end).saturating_sub(place.start.max(range.start));
        Word { is_secret: places.iter().any(|place| 2 * shared(place) > range.len()), slots }
    };
    words.map(word).collect()
}

/// The weights of evidence that tell the secrets of `lines` from the other words.
fn learned(lines: &[&Line]) -> Vec<i32> {
    let mut weights = vec![0.0_f64; 1 << SLOT_BITS];
    let mut steps = vec![1e-6_f64; 1 << SLOT_BITS];
    let mut words: Vec<_> =
        lines.iter().flat_map(|line| line.words.iter().map(|word| (word, line.step(word)))).collect();
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    for _ in 0..ROUNDS {
        for last in (1..words.len()).rev() {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            words.swap(last, (random % (last as u64 + 1)) as usize);
        }
        for (word, step) in &words {
            let sum: f64 = word.slots.iter().map(|slot| weights[*slot]).sum();
            let error = (1.0 / (1.0 + (-sum).exp()) - f64::from(u8::from(word.is_secret))) * step;
            for slot in &word.slots {
                let slope = error + 1e-4 * weights[*slot];
                steps[*slot] += slope * slope;
                weights[*slot] -= 0.15 * slope / steps[*slot].sqrt();
            }
        }
    }
    weights.iter().map(|weight| (8.0 * weight).round().clamp(-32.0, 31.0) as i32).collect()
}

fn sum(word: &Word, weights: &[i32]) -> i32 {
    word.slots.iter().map(|slot| weights[*slot]).sum()
}

#[test]
fn what_is_learned_from_some_kinds_holds_for_others() {
    let lines = lines();
    let (mut secrets, mut caught, mut harmless, mut touched) = (0, 0, 0, 0);
    for fold in 0..FOLDS {
        let (held_out, others): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.fold == fold);
        let weights = learned(&others);
        let is_doubtful = |word: &&Word| sum(word, &weights) > THRESHOLD;
        for line in held_out {
            if line.has_secret {
                secrets += line.words.iter().filter(|word| word.is_secret).count();
                caught += line.words.iter().filter(|word| word.is_secret).filter(is_doubtful).count();
            } else {
                harmless += 1;
                touched += usize::from(line.words.iter().any(|word| is_doubtful(&word)));
            }
        }
    }
    println!("{caught} of {secrets} secrets, {touched} of {harmless} harmless lines");
    assert!(100 * caught > 70 * secrets, "{caught} of {secrets}");
    assert!(1000 * touched < 6 * harmless, "{touched} of {harmless}");
}

#[test]
fn the_weights_are_those_that_are_learned_from_all() {
    let lines = lines();
    let weights = learned(&lines.iter().collect::<Vec<_>>());
    let words = || lines.iter().flat_map(|line| &line.words);
    let other = words()
        .filter(|word| {
            let kept: i32 = word.slots.iter().map(|slot| weights::at(*slot)).sum();
            (kept > THRESHOLD) != (sum(word, &weights) > THRESHOLD)
        })
        .count();
    let all = words().count();
    if 100 * other > all {
        let letters = |row: &[i32]| row.iter().map(|weight| weights::letter(*weight)).collect::<String>();
        weights.chunks(128).for_each(|row| println!("    r\"{}\",", letters(row)));
    }
    assert!(100 * other <= all, "{other} of {all} words are judged otherwise");
    let kinds: BTreeSet<_> = lines.iter().map(|line| line.fold).collect();
    assert_eq!(kinds.len(), FOLDS);
}

#[test]
fn a_word_near_a_name_goes_if_nothing_speaks_for_it() {
    for (text, is) in [
        (
            "operator note on the root password, in the vault since May: Lynx_Quartz",
            "operator note on the root password, in the vault since May: [redacted:password]",
        ),
        (
            "login as admin failed, password list had plum.Kettle7 and hawk-Lantern",
            "login as admin failed, password list had [redacted:password] and [redacted:password]",
        ),
    ] {
        assert_eq!(cleaned(text), is);
    }
    for text in [
        "password check took 12 ms in module auth::hasher (worker-7)",
        "password reset mail queued, template reset-mail-v2, attempt 3 of 5",
        "token refresh failed for session of tenant eu-west-1a",
        "the gate is shut since May: Lynx_Quartz",
    ] {
        assert_eq!(cleaned(text), text);
    }
}

#[test]
fn nothing_is_doubted_beside_a_name_that_somebody_vouches_for_or_calls_a_secret() {
    let text = "the root password is in the vault since May: Lynx_Quartz, shelf 4";
    let vouched = Policy::new(true, &[], &["shelf".to_owned()]);
    assert_eq!(clean(text, &vouched), None);
    let own = Policy::new(true, &["vault".to_owned()], &[]);
    assert_eq!(clean("in the vault since May: Lynx_Quartz", &own), None);
}

/// Those that nobody kept from whoever writes rules.
const CORPORA: &[&str] = &[
    "secrets",
    "secrets_held_out",
    "secrets_by_form",
    "secrets_kept",
    "secrets_kept_later",
    "secrets_more",
    "secrets_seen",
    "secrets_wide",
    "harmless",
    "harmless_held_out",
    "harmless_by_form",
    "harmless_kept",
    "harmless_kept_later",
    "harmless_more",
    "harmless_seen",
    "harmless_wide",
];

const FOLDS: usize = 6;
const ROUNDS: usize = 6;

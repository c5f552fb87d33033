//! Finds the secrets in a text, from left to right. How far it looks ahead in
//! vain is bounded, so that time stays linear.

use std::{cell::Cell, ops::Range};

use super::{Policy, card, judge::Form, keys::Key, looked, shapes, value};

/// `text` with its secrets replaced; none if it has none.
pub(super) fn clean(text: &str, policy: &Policy) -> Option<String> {
    let mut clean = policy.without_credentials(text);
    // What was replaced may have kept apart what belongs together.
    for _ in 0..if policy.is_on { MOST_ROUNDS } else { 0 } {
        let Some(cleaner) = once(clean.as_deref().unwrap_or(text), policy) else { break };
        clean = Some(cleaner);
    }
    clean
}

fn once(text: &str, policy: &Policy) -> Option<String> {
    let scan = Scan { text, bytes: text.as_bytes(), policy, run_end: Cell::new(0) };
    let mut clean = String::new();
    let mut at = 0;
    while let Some(Found { range, rule }) = scan.next(at) {
        clean.push_str(&text[at..range.start]);
        clean.push_str(&mark(rule));
        at = range.end;
    }
    (at > 0).then(|| clean + &text[at..])
}

/// What stands for a secret.
pub(super) fn mark(rule: &str) -> String {
    format!("{MARK}{rule}]")
}

/// A secret in a text.
pub(super) struct Found<'a> {
    pub(super) range: Range<usize>,
    pub(super) rule: &'a str,
}

struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    policy: &'a Policy,
    /// Where the last run ends that was looked at.
    run_end: Cell<usize>,
}

impl<'a> Scan<'a> {
    /// The first secret that begins at `at` or later. Whatever it looks at is
    /// ASCII, so that a range's ends are boundaries of characters.
    fn next(&self, mut at: usize) -> Option<Found<'a>> {
        while let Some(byte) = self.bytes.get(at) {
            at = match byte {
                b'[' => self.after_mark(at).unwrap_or(at + 1),
                b'-' => match shapes::private_key(self.text, at) {
                    Some(found) => return Some(found),
                    None => at + 1,
                },
                // The letters of `%3F` are no part of a word.
                b'%' if self
                    .bytes
                    .get(at + 1..at + 3)
                    .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) =>
                {
                    at + 3
                }
                byte if byte.is_ascii_alphanumeric() => {
                    let run = at..self.run_end(at);
                    match self.in_run(&run) {
                        Some(found) => return Some(found),
                        None => run.end,
                    }
                }
                _ => at + 1,
            };
        }
        None
    }

    fn in_run(&self, run: &Range<usize>) -> Option<Found<'a>> {
        let card = || {
            let end = self.bytes[run.start].is_ascii_digit().then(|| card::end(self.text, run.start))??;
            Some(Found { range: run.start..end, rule: card::RULE })
        };
        card().or_else(|| shapes::in_run(self.text, run)).or_else(|| self.pair(run))
    }

    /// The value of the name that `run` is, if it is a secret.
    fn pair(&self, run: &Range<usize>) -> Option<Found<'a>> {
        let (key, form, at) = self.key(run)?;
        let Some(Key::Secret(secret)) = self.policy.key(&self.text[key]) else {
            return None;
        };
        Some(Found { range: value::at(self.text, at, form, &secret)?, rule: secret.rule })
    }

    /// The name that begins with `run`, how its value follows, and where.
    fn key(&self, run: &Range<usize>) -> Option<(Range<usize>, Form, usize)> {
        let key = match self.second_word(run.end) {
            Some(end) => run.start..end,
            None => run.clone(),
        };
        let (form, at) = self.separator(&key)?;
        Some((key, form, at))
    }

    /// Where a name of two words ends, as in `API key: …`.
    fn second_word(&self, end: usize) -> Option<usize> {
        let start = end + 1;
        let second = SECOND_WORDS.iter().filter(|_| self.bytes.get(end) == Some(&b' ')).find(|second| {
            self.at(start, second)
                && !self.bytes.get(start + second.len()).is_some_and(u8::is_ascii_alphanumeric)
        })?;
        Some(start + second.len())
    }

    fn separator(&self, key: &Range<usize>) -> Option<(Form, usize)> {
        let mut at = key.end;
        let before = key.start.checked_sub(1).map(|at| self.bytes[at]);
        let quote = value::quote(self.text, at);
        if let Some(quote) = &quote {
            at = quote.end;
        } else if self.bytes.get(at) == Some(&b']') {
            at += 1;
        } else if let Some(end) = self.after_encoded(at, "5D") {
            at = end;
        } else if let Some(end) = self.after_encoded(at, "22") {
            let end = self.after_encoded(end, "3A")?;
            return Some((Form::Encoded, end));
        }
        let is_closed = at > key.end;
        let is_double = quote.as_ref().is_some_and(|quote| quote.char == b'"');
        if let Some(end) = self.after_encoded(at, "3D") {
            return Some((Form::Encoded, end));
        }
        if let Some(at) = self.named_value(key.start, at) {
            return Some((Form::Assigned, at));
        }
        let gap = at;
        at = self.after_spaces(at);
        let (form, length) = match self.bytes.get(at)? {
            b'=' if self.at(at, "=>") || self.at(at, "==") => (Form::Assigned, 2),
            b'=' => (Form::Assigned, 1),
            b':' if self.at(at, "::") || self.at(at, "://") => return None,
            b':' if self.at(at, ":=") => (Form::Assigned, 2),
            b':' if is_double => (Form::Assigned, 1),
            b':' if before == Some(b':') && self.is_in_arn(key.start) => return None,
            b':' => (Form::Colon, 1),
            // `("name", "value")`
            b',' if is_double && self.opens_tuple(key.start) => (Form::Assigned, 1),
            b'>' if matches!(before, Some(b'<' | b':')) => return Some((Form::Tag, at + 1)),
            b'(' | b'{'
                if !is_closed
                    && self.bytes[key.start].is_ascii_uppercase()
                    && (self.bytes[at] == b'{' || value::content(self.text, at + 1).is_some()) =>
            {
                return Some((Form::Type, at));
            }
            _ if is_closed || at == gap => return None,
            _ if self.is_flag(key.start) => (Form::Flag, 0),
            _ => {
                let at = self.after_filler(at);
                return self.could_be_value(at).then_some((Form::Adjacent, at));
            }
        };
        Some((form, self.after_spaces(at + length)))
    }

    /// Where the value is of a name at `start` that ends at `end`, if it is itself
    /// the value of one: `"name": "…", "value": …`.
    fn named_value(&self, start: usize, end: usize) -> Option<usize> {
        let quotes = ['"', '\'', '\\'];
        let before = self.text[..start].trim_end_matches(quotes).trim_end_matches(' ');
        let before = before.strip_suffix([':', '='])?.trim_end_matches(quotes);
        NAMES.iter().find(|name| ends_with_word(before, name))?;
        let after_quote = |at: usize| value::quote(self.text, at).map_or(at, |quote| quote.end);
        let at = end + usize::from(self.bytes.get(end) == Some(&b','));
        let at = after_quote(at + value::blanks(self.bytes.get(at..)?));
        let at = self.at(at, "value").then(|| after_quote(at + "value".len()))?;
        matches!(self.bytes.get(at), Some(b':' | b'=')).then(|| self.after_spaces(at + 1))
    }

    fn after_encoded(&self, at: usize, hex: &str) -> Option<usize> {
        value::encoded(self.bytes, at, hex)
    }

    /// Whether the name that begins at `start` has one or two dashes before it.
    fn is_flag(&self, start: usize) -> bool {
        let before = &self.text[..start];
        let short = before.strip_suffix('-').unwrap_or("-");
        before.ends_with("--") || short.is_empty() || short.ends_with([' ', '\'', '"', '`'])
    }

    /// Whether the quoted name that begins at `start` is the first of a tuple.
    fn opens_tuple(&self, start: usize) -> bool {
        self.text[..start].trim_end_matches(['"', '\\']).ends_with('(')
    }

    /// Whether a name of Amazon's is before `end`: `arn:aws:…:secret:…`.
    fn is_in_arn(&self, end: usize) -> bool {
        let near = &self.bytes[end.saturating_sub(LONGEST_ARN)..end];
        near.rsplit(|byte| !is_run(*byte) && *byte != b':')
            .next()
            .is_some_and(|name| name.starts_with(b"arn:"))
    }

    /// In `API key provided: …` and `token is …`, a word is between.
    fn after_filler(&self, at: usize) -> usize {
        let filler = FILLERS.iter().find(|filler| self.at(at, filler));
        filler.map_or(at, |filler| self.after_spaces(at + filler.len()))
    }

    /// Whether what is at `at` is no word, as most are.
    fn could_be_value(&self, at: usize) -> bool {
        let word = self.bytes[at..].iter().take(LONGEST_WORD).take_while(|byte| !byte.is_ascii_whitespace());
        value::quote(self.text, at).is_some() || word.clone().any(u8::is_ascii_digit)
    }

    fn at(&self, at: usize, what: &str) -> bool {
        self.bytes.get(at..at + what.len()).is_some_and(|found| found.eq_ignore_ascii_case(what.as_bytes()))
    }

    fn after_spaces(&self, at: usize) -> usize {
        let spaces = self.bytes[at..].iter().take_while(|byte| [b' ', b'\t'].contains(byte)).count();
        looked(spaces);
        at + spaces
    }

    /// Once for each run: there may be many secrets in one.
    fn run_end(&self, at: usize) -> usize {
        if at < self.run_end.get() {
            return self.run_end.get();
        }
        let length = self.bytes[at..].iter().take_while(|byte| is_run(**byte)).count();
        looked(length);
        self.run_end.set(at + length);
        at + length
    }

    /// Where the mark of an earlier redaction ends.
    fn after_mark(&self, at: usize) -> Option<usize> {
        let rule = self.text[at..].strip_prefix(MARK)?;
        let length = rule.bytes().take(LONGEST_RULE).position(|byte| byte == b']')?;
        Some(at + MARK.len() + length + 1)
    }
}

/// Whether `byte` can be inside a name, or inside a token with a shape.
pub(super) fn is_run(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn ends_with_word(text: &str, word: &str) -> bool {
    let bytes = text.as_bytes();
    let start = bytes.len().checked_sub(word.len());
    start.is_some_and(|start| {
        bytes[start..].eq_ignore_ascii_case(word.as_bytes())
            && !start.checked_sub(1).is_some_and(|before| bytes[before].is_ascii_alphanumeric())
    })
}

/// Two are enough for all that is not made to need more.
const MOST_ROUNDS: usize = 4;

pub(super) const MARK: &str = "[redacted:";

/// A name that somebody gave, in lower case, which can be longer.
const LONGEST_RULE: usize = 3 * super::keys::MOST_KEY_BYTES;

/// A random token has a digit before that.
const LONGEST_WORD: usize = 32;

const LONGEST_ARN: usize = 128;

/// With which a name goes on after a space.
const SECOND_WORDS: [&str; 6] = ["key", "id", "string", "code", "number", "phrase"];

/// What is called so has its name in one place and its value in another.
const NAMES: [&str; 5] = ["name", "key", "field", "header", "param"];

const FILLERS: [&str; 7] = ["provided:", "provided", "is", "was", "value", "to", "of"];

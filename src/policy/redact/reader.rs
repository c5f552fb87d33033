//! Reads a text from left to right: its names, what stands between a name and its
//! value, and where else the value of a name may be.
//!
//! Invariant: how far it looks ahead in vain is bounded, so that time is linear.

use std::ops::Range;

use super::{
    Policy, chance, clause,
    clean::{Found, MARK},
    columns, commands, doubt, elsewhere,
    extent::{self, NEAR_BYTES, NEAR_NAME},
    glue::Glue,
    judge::{self, Form},
    keys::{self, Key, Nature, Secret, is_letter, is_one_of, is_wide},
    look, looked, rows, shapes, urls,
    vocabulary::{FILES, SENTENCES},
};

pub(super) struct Reader<'t, 'p> {
    pub(super) text: &'t str,
    pub(super) bytes: &'t [u8],
    /// Where a text that was cut ends; one that was not never does.
    end: usize,
    policy: &'p Policy,
    /// What is a secret by what it looks like, by where it stands, or as somebody says so.
    found: Vec<Found<'p>>,
    /// What is one by its name.
    likely: Vec<Found<'p>>,
    /// What a clause says, which others may know better.
    said: Vec<Found<'p>>,
    /// The names that tell of a secret.
    told: Vec<doubt::Told<'p>>,
    /// Whether somebody vouches for one of its names: then nothing else is doubted.
    is_vouched: bool,
}

impl<'t, 'p> Reader<'t, 'p> {
    pub(super) fn new(text: &'t str, is_cut: bool, policy: &'p Policy) -> Self {
        let end = if is_cut { text.len() } else { usize::MAX };
        Self {
            text,
            bytes: text.as_bytes(),
            end,
            policy,
            found: Vec::new(),
            likely: Vec::new(),
            said: Vec::new(),
            told: Vec::new(),
            is_vouched: false,
        }
    }

    /// The secrets.
    pub(super) fn read(mut self) -> Vec<Found<'p>> {
        self.scan();
        self.likely.append(&mut self.said);
        if self.is_vouched {
            self.found.append(&mut self.likely);
            return self.found;
        }
        doubt::weighed(self.text, self.end, &self.told, self.found, self.likely)
    }

    fn scan(&mut self) {
        let mut at = 0;
        while let Some(byte) = self.bytes.get(at) {
            at = match byte {
                b'[' => self.after_mark(at).unwrap_or(at + 1),
                // The letters of `%3F` are no part of a word.
                b'%' if self
                    .bytes
                    .get(at + 1..at + 3)
                    .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) =>
                {
                    at + 3
                }
                b'<' if self.bytes[at..].starts_with(b"<<<") => self.here(at, at + 3).unwrap_or(at + 3),
                b'<' if self.bytes[at..].starts_with(b"<(echo ") => self.here(at, at + 7).unwrap_or(at + 7),
                b'-' | b'$' | b'{' => self.shape(at..at).unwrap_or(at + 1),
                byte if byte.is_ascii_whitespace() || byte.is_ascii_punctuation() => at + 1,
                _ => {
                    let char = self.text[at..].chars().next().unwrap_or_default();
                    if is_letter(char) { self.run(at) } else { at + char.len_utf8() }
                }
            };
        }
    }

    /// The names that tell of a secret.
    pub(super) fn told(mut self) -> Vec<doubt::Told<'p>> {
        self.scan();
        self.told
    }

    /// Reads the run of letters that begins at `at`, and says where to go on.
    fn run(&mut self, at: usize) -> usize {
        let run = at..self.run_end(at);
        let next = self.shape(run.clone());
        next.or_else(|| self.pair(&run)).unwrap_or(run.end)
    }

    fn shape(&mut self, run: Range<usize>) -> Option<usize> {
        let found = shapes::first(self.text, &run, self.end).or_else(|| {
            let found = urls::first(self.text, &run, self.end)?;
            (!self.has_shape(found.range.start)).then_some(found)
        });
        if let Some(found) = found {
            let next = found.range.end;
            self.found.push(found);
            return Some(next);
        }
        let found =
            commands::all(self.text, &run).into_iter().filter(|found| !self.has_shape(found.range.start));
        self.found.extend(found.collect::<Vec<_>>());
        None
    }

    /// Whether what begins at `at` is known by what it looks like.
    pub(super) fn has_shape(&self, at: usize) -> bool {
        self.bytes.get(at).is_some_and(u8::is_ascii_alphanumeric)
            && shapes::first(self.text, &(at..self.run_end(at)), self.end)
                .is_some_and(|found| found.range.start == at && found.rule != "token")
    }

    fn run_end(&self, at: usize) -> usize {
        let first = self.text[at..].chars().next().is_some_and(is_wide);
        let is_in = |char: char| {
            let is_same = first == is_wide(char);
            is_same && (is_letter(char) || matches!(char, '_' | '-' | '.'))
        };
        let near = &self.text[at..self.text.floor_char_boundary(at + MAX_RUN_BYTES)];
        let length = near.find(|char| !is_in(char)).unwrap_or(near.len());
        let is_rule = |dashes: &[u8]| dashes == b"---";
        let length = self.bytes[at..at + length].windows(3).position(is_rule).unwrap_or(length);
        looked(length);
        // Where no space is between words, a name ends where it is known.
        let length = if first { keys::wide_end(&near[..length]).unwrap_or(length) } else { length };
        at + length.max(1)
    }

    /// The value of the name that `run` is, if it is a secret.
    fn pair(&mut self, run: &Range<usize>) -> Option<usize> {
        let end = run.start + self.text[run.clone()].trim_end_matches(['.', '-']).len();
        // The name of a file is none of a secret.
        if self.text[run.start..end].rsplit_once('.').is_some_and(|(_, extension)| FILES.contains(&extension))
        {
            return None;
        }
        let name = run.start..end;
        let policy = self.policy;
        if !policy.has_names() && !keys::may_tell(&self.text[name.clone()]) && name.len() > 2 {
            return None;
        }
        let near = self.context(name.start);
        let from = end - (end - near).min(self.text[near..end].len());
        let secret = match policy.key(&self.text[from..end], name.start - from) {
            Some(Key::Secret(secret)) => secret,
            None if self.is_in_jwk(&name) => {
                Secret { rule: "private_key", nature: Nature::Random, countable: false }
            }
            Some(Key::Safe) => {
                self.is_vouched = true;
                return None;
            }
            None => return None,
        };
        // A header of somebody's own: `X-Acme-Key`.
        let own = &self.text[name.clone()];
        let is_own = secret.nature == Nature::Random && look::starts_with(own, "x-") && !own.contains("ache");
        let secret = if is_own { Secret { nature: Nature::Weak, ..secret } } else { secret };
        self.told.push(doubt::Told::new(name.clone(), &secret));
        if secret.nature == Nature::Hint {
            self.clause(&name, &secret);
            return rows::bytes(self.text, &name, &secret).map(|range| self.take(range, &secret, run));
        }
        if let Some(range) = elsewhere::named(self.text, &name, &secret) {
            return Some(self.take(range, &secret, run));
        }
        let columns = columns::values(self.text, &name, &secret);
        if !columns.is_empty() {
            for range in columns {
                // A word is what the head of its column says; several may be about it.
                let is_word = secret.nature.is_strong() && !self.text[range.clone()].contains(' ');
                let known = if is_word { &mut self.found } else { self.known(&secret) };
                known.push(Found { range, rule: secret.rule });
            }
            return None;
        }
        let value = self.value(&name, &secret).or_else(|| rows::bytes(self.text, &name, &secret));
        let Some(range) = value else {
            self.clause(&name, &secret);
            return None;
        };

        // What else the line says was not called so, but may be the same.
        self.clause(&name, &secret);
        let mut next = self.take(range.clone(), &secret, run);
        let mut last = range;
        while let Some(range) = self.another(&last, &secret) {
            last = range.clone();
            next = self.take(range, &secret, run);
        }
        Some(next)
    }

    /// Takes what the clause says of the secret that `name` tells of; what another rule
    /// knows better is called by that.
    fn clause(&mut self, name: &Range<usize>, secret: &Secret<'p>) {
        let words = clause::words(self.text, name, secret).into_iter();
        let known = if self.policy.names(secret.rule) { &mut self.found } else { &mut self.said };
        known.extend(words.map(|range| Found { range, rule: secret.rule }));
    }

    /// Whether `name` is that of a private part of a key in JSON, as RFC 7518 has it.
    fn is_in_jwk(&self, name: &Range<usize>) -> bool {
        let near = || {
            &self.text[self.text.ceil_char_boundary(name.start.saturating_sub(8 * NEAR_BYTES))..name.start]
        };
        ["d", "p", "q", "dp", "dq", "qi", "k"].contains(&&self.text[name.clone()])
            && self.at(name.end, "\"")
            && near().contains("\"kty\"")
    }

    fn take(&mut self, range: Range<usize>, secret: &Secret<'p>, run: &Range<usize>) -> usize {
        let next = if range.start >= run.end { range.end } else { run.end };
        self.known(secret).push(Found { range, rule: secret.rule });
        next
    }

    /// Where what is called `secret` is kept: nobody doubts what somebody named.
    fn known(&mut self, secret: &Secret<'p>) -> &mut Vec<Found<'p>> {
        if self.policy.names(secret.rule) { &mut self.found } else { &mut self.likely }
    }

    /// Where the words begin that lead up to `at` with single spaces between: they
    /// may belong to its name, as in `API key`.
    fn context(&self, at: usize) -> usize {
        let from = self.text.ceil_char_boundary(at.saturating_sub(NEAR_NAME / 2));
        let near = &self.text[from..at];
        let length = near
            .chars()
            .rev()
            .take_while(|char| *char == ' ' || *char == '\'' || is_letter(*char))
            .map(char::len_utf8)
            .sum::<usize>();
        at - length
    }

    /// What is looked at of what begins at `at`.
    fn near(&self, at: usize) -> &str {
        &self.text[at..self.text.floor_char_boundary(at + NEAR_BYTES)]
    }

    /// Where the value of `name` is, if it is a secret and stands behind it.
    fn value(&self, name: &Range<usize>, secret: &Secret<'_>) -> Option<Range<usize>> {
        let (form, at) = self.glue(name, secret)?;
        // `NAME= OTHER=…` gives it none.
        if self.bytes[..at].ends_with(b"= ")
            && self.near(at).split_whitespace().next().is_some_and(|word| {
                let is_own = word.split('=').next().is_some_and(|name| {
                    name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
                });
                is_own && look::is_pair(word)
                    || self.bytes[at - 3..].first().is_some_and(u8::is_ascii_alphabetic)
                        && is_one_of(word, SENTENCES)
            })
        {
            return None;
        }
        looked(NEAR_NAME);
        match form {
            Glue::Tag => elsewhere::tagged(self.text, at, secret),
            Glue::Type => extent::typed(self.text, at, secret),
            Glue::Block => self.judged(extent::block(self.text, name.start, at)?, secret),
            Glue::NextLine => {
                let near = self.near(at);
                let rule = near.len()
                    - near
                        .trim_start_matches(|char: char| {
                            "-=> \n\r$".contains(char) || !char.is_ascii() && !char.is_alphanumeric()
                        })
                        .len();
                let at = at + rule;
                let item = self.after_item(at);
                let is_below = self.is_indented(name.start, at) || item > at;
                let at = item;
                let first = self.near(at).split_whitespace().next().unwrap_or_default();
                if is_below && first.ends_with(':') {
                    return elsewhere::below(self.text, at, secret);
                }
                let near = self.near(at);
                let answer = near.lines().next().unwrap_or_default().trim();
                let word = answer.trim_matches(['"', '\'', '`']);
                let is_quoted = secret.nature.is_strong() && answer.starts_with(['"', '\'']);
                let is_code = matches!(secret.nature, Nature::Digits(_) | Nature::Random);
                looked(answer.len());
                let is_value =
                    look::is_mixed(word) || look::is_joined(word) || is_below || is_quoted || is_code;
                if !is_value || word.ends_with([':', '=']) || look::is_pair(word) {
                    return None;
                }
                let range = extent::secret_at(self.text, at, Form::Colon, secret)?;
                let line = self.text[range.end..].lines().next().unwrap_or_default();
                looked(line.len().min(NEAR_BYTES));
                line.trim_matches(['"', '\'', ' ', '\t', '\r', '`']).is_empty().then_some(range)
            }
            // A shape says more than a word that may be there by chance.
            Glue::Direct(form)
                if (form == Form::Adjacent || secret.nature == Nature::Random) && self.has_shape(at) =>
            {
                None
            }
            Glue::Direct(Form::Colon) => {
                let word = self.near(at).split([' ', ':', '\n']).next().unwrap_or_default();
                let skipped = if is_one_of(word, &["old", "new", "current"]) {
                    self.after_spaces(
                        at + word.len() + usize::from(self.bytes.get(at + word.len()) == Some(&b':')),
                    )
                } else {
                    at
                };
                let is_near = self.bytes[at - 1] == b':';
                extent::secret_at(self.text, skipped, Form::Colon, secret).filter(|range| {
                    let value = &self.text[range.clone()];
                    let (before, after) = (&self.text[..name.start], &self.text[range.end..]);
                    let is_line = (before.is_empty() || before.ends_with(['\n', '{', ',']))
                        && (after.is_empty() || after.starts_with(['\n', '\r', '}']));
                    // What was looked at for so long is no name: time would not be linear.
                    let is_long = value.len() > NEAR_BYTES;
                    let first = value.split(' ').next().unwrap_or_default();
                    is_long || !is_near || is_line || !is_name(first) || chance::is_phrase(value)
                })
            }
            Glue::Direct(form) => extent::secret_at(self.text, at, form, secret),
        }
    }

    fn judged(&self, range: Range<usize>, secret: &Secret<'_>) -> Option<Range<usize>> {
        let text = &self.text[range.clone()];
        let start = range.start + text.len() - text.trim_start().len();
        let range = start..start + text.trim().len();
        judge::is_secret(&self.text[range.clone()], judge::Shape::Quoted, Form::Assigned, secret)
            .then_some(range)
    }

    /// Whether the line of `at` is indented more than that of `name`.
    fn is_indented(&self, name: usize, at: usize) -> bool {
        let indent = |at: usize| {
            let near = &self.bytes[at.saturating_sub(NEAR_BYTES)..at];
            let line = near.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
            line.iter().take_while(|byte| **byte == b' ' || **byte == b'\t').count()
        };
        indent(at) > indent(name)
    }

    /// What a shell's `<<<` or `<(echo …)` gives to a program that asks for a password, behind
    /// `start`.
    fn here(&mut self, at: usize, start: usize) -> Option<usize> {
        let from = self.text.ceil_char_boundary(at.saturating_sub(NEAR_BYTES));
        let line = self.text[from..at].rsplit('\n').next().unwrap_or_default();
        let asks = ["pass", "stdin", "login", "auth", "token", "secret", "kinit", "cryptsetup", "sudo"];
        looked(line.len());
        asks.iter().any(|word| line.contains(word)).then_some(())?;
        let secret = Secret { rule: "password", nature: Nature::Strong, countable: false };
        let mut start = self.after_spaces(start);
        while self.at(start, "-n ") || self.at(start, "-e ") {
            start = self.after_spaces(start + 3);
        }
        let range = extent::secret_at(self.text, start, Form::Assigned, &secret)?;
        let next = range.end;
        self.found.push(Found { range, rule: "password" });
        Some(next)
    }

    /// Where the mark of an earlier redaction ends.
    fn after_mark(&self, at: usize) -> Option<usize> {
        let rule = self.text[at..].strip_prefix(MARK)?;
        let length = rule.bytes().take(MAX_RULE).position(|byte| byte == b']')?;
        Some(at + MARK.len() + length + 1)
    }
}

/// Whether `text` may be the next name in a row of them: `user:password:base_dn`.
fn is_name(text: &str) -> bool {
    let is_of = |is_case: fn(char) -> bool| {
        text.trim_end_matches(':').chars().all(|char| is_case(char) || "-_':".contains(char))
    };
    is_of(char::is_lowercase) || is_of(char::is_uppercase)
}

/// A longer run of letters is read in parts.
const MAX_RUN_BYTES: usize = 256;

/// A name that somebody gave, in lower case, which can be longer.
const MAX_RULE: usize = 3 * keys::MAX_KEY_BYTES;

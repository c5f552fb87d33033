//! What varies in a message, replaced: `order 17 failed` and `order 18 failed`
//! become the same text.
//!
//! A scanner, not a list of regular expressions: one pass, in time linear in the
//! message. Numbers that say what happened (`HTTP 404`, `os error 13`) and names
//! with digits in them (`utf8`, `a::b2()`) stay.
//! Invariant: pure; what was masked once is masked.

use std::borrow::Cow;

use super::{number, shape};

/// Stands for everything that varies: whether it was a number, a UUID or a quoted
/// text tells nobody what failed.
pub(crate) const MASK: char = '*';

/// The first two lines of `message` that say something, with a [`MASK`] for each
/// part that varies.
pub(crate) fn mask(message: &str) -> Cow<'_, str> {
    let message = message.trim_start();
    let capped = message.get(..message.floor_char_boundary(MAX_BYTES)).unwrap_or_default();
    let mut lines = capped.lines().map(str::trim).filter(|line| !line.is_empty());
    let head = match (lines.next(), lines.next()) {
        (first, None) => Cow::Borrowed(first.unwrap_or_default()),
        (first, Some(second)) => Cow::Owned(format!("{}\n{second}", first.unwrap_or_default())),
    };
    let masked = Scanner::new(&head).run();
    if masked == head { head } else { Cow::Owned(masked) }
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    out: String,
    /// What the word before makes of the value after it.
    after: After,
    /// For `"`, `'` and `\"`, where the quotation that was looked at last closes,
    /// so that nothing is searched twice.
    closes: [Option<usize>; 3],
}

/// What a word says about the value that follows.
#[derive(Clone, Copy, Default)]
struct After {
    code: Code,
    /// A text in quotation marks is no value: it says what happened, or names a
    /// part of a schema.
    speaks: bool,
}

/// Whether a number says what happened.
#[derive(Clone, Copy, Default, PartialEq)]
enum Code {
    #[default]
    No,
    /// As after `status`, whatever stands between.
    Yes,
    /// As in `os error 13`, but not in `Error: 13 jobs failed`.
    Adjacent,
    /// As in `returned 503`, if it is an HTTP status of an error.
    Status,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        let out = String::with_capacity(text.len());
        Self { text, bytes: text.as_bytes(), at: 0, out, after: After::default(), closes: [None; 3] }
    }

    fn run(mut self) -> String {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'"' | b'\'' if !self.is_apostrophe(self.at) => self.quote(byte),
                b'[' => match shape::bracketed_address(&self.bytes[self.at..]) {
                    Some(length) => self.mask(self.at + length),
                    None => self.separator(),
                },
                b'#' if self.is_digit(self.at + 1) && self.after.code == Code::No => self.at += 1,
                _ if self.is_chunk(self.at) => self.chunk(),
                _ => self.separator(),
            }
        }
        self.out
    }

    /// Replaces everything up to `end`; of a list of values one mask remains.
    fn mask(&mut self, end: usize) {
        let list = self.out.strip_suffix(", ").or_else(|| self.out.strip_suffix(','));
        match list.filter(|list| list.ends_with(MASK)).map(str::len) {
            Some(length) => self.out.truncate(length),
            None => self.out.push(MASK),
        }
        self.at = end;
        self.after = After::default();
    }

    /// Keeps everything up to `end`.
    fn keep(&mut self, end: usize) {
        self.out.push_str(self.text.get(self.at..end).unwrap_or_default());
        self.at = end;
    }

    /// Keeps one character between words.
    fn separator(&mut self) {
        let character = self.text.get(self.at..).and_then(|rest| rest.chars().next());
        match character {
            Some(' ' | '[') => (),
            Some(':' | '=' | '(' | '"' | '\'' | '\\' | '#' | '-' | '/') => {
                if self.after.code == Code::Adjacent && character != Some('=') {
                    self.after.code = Code::No;
                }
            }
            _ => self.after = After::default(),
        }
        self.keep(self.at + character.map_or(1, char::len_utf8));
    }

    /// A text in quotation marks is a value, but for one that speaks.
    fn quote(&mut self, mark: u8) {
        let is_escaped = self.at > 0 && self.bytes[self.at - 1] == b'\\';
        let kind = match (mark, is_escaped) {
            (b'"', false) => 0,
            (b'\'', _) => 1,
            _ => 2,
        };
        let goes_on = self.at > 0 && self.is_alphanumeric(self.at - 1) || self.out.ends_with(MASK);
        let opens = mark == b'"' || !goes_on;
        let close = match self.closes[kind] {
            Some(known) if known >= self.at => known,
            _ if opens => {
                let close = (self.at + 1..self.bytes.len()).find(|&at| self.closes_at(at, mark, is_escaped));
                *self.closes[kind].insert(close.unwrap_or(usize::MAX))
            }
            _ => usize::MAX,
        };
        let is_kept = self.after.speaks || self.after.code == Code::Yes || self.is_key_or_line(close);
        if !opens || close == self.at || close == usize::MAX || is_kept {
            self.separator();
        } else {
            self.mask(close + 1);
        }
    }

    /// Whether what is quoted up to `close` is a key of JSON, or a whole line.
    fn is_key_or_line(&self, close: usize) -> bool {
        let next = self.bytes.get(close.saturating_add(1));
        let is_key = next == Some(&b':') && self.out.trim_end_matches([' ', '\\']).ends_with(['{', ',']);
        let begins = self.at == 0 || self.bytes[self.at - 1] == b'\n';
        is_key || (begins && next.is_none_or(|&next| next == b'\n'))
    }

    fn closes_at(&self, at: usize, mark: u8, is_escaped: bool) -> bool {
        if self.bytes[at] != mark {
            return false;
        }
        if mark == b'\'' {
            return !self.is_alphanumeric(at + 1);
        }
        let escapes = self.bytes[..at].iter().rev().take_while(|&&byte| byte == b'\\').count();
        (escapes % 2 == 1) == is_escaped
    }

    /// What is written without a space, a comma, a bracket or a quotation mark.
    fn chunk(&mut self) {
        let start = self.at;
        let end = (start..self.bytes.len()).find(|&at| !self.is_chunk(at)).unwrap_or(self.bytes.len());
        // What follows a mask is the rest of something.
        if !self.out.ends_with(MASK) {
            let chunk = self.text.get(start..end).unwrap_or_default();
            if let Some(length) = shape::whole(chunk) {
                let padding = self.bytes[start + length..].iter().take_while(|&&byte| byte == b'=').count();
                return self.mask(start + length + padding);
            }
            let is_signed = matches!(self.bytes[start], b'-' | b'+');
            if is_signed && self.is_digit(start + 1) && self.after.code == Code::No {
                self.at += 1;
            }
        }
        while self.at < end {
            if shape::is_word(self.bytes[self.at]) { self.word() } else { self.separator() }
        }
    }

    /// Letters, digits and underscores.
    fn word(&mut self) {
        let start = self.at;
        let length = self.bytes[start..].iter().take_while(|&&byte| shape::is_word(byte)).count();
        let end = start + length;
        let word = self.text.get(start..end).unwrap_or_default();
        if let Some(length) = shape::url(&self.bytes[start..], length) {
            return self.mask(start + length);
        }
        if let Some(length) = shape::http_version(self.text.get(start..).unwrap_or_default()) {
            self.keep(start + length);
            self.after = After { code: Code::Yes, speaks: false };
            return;
        }
        if matches!(word, "true" | "false") && (self.out.ends_with('=') || self.out.ends_with(": ")) {
            return self.mask(end);
        }
        let last_part = start + word.rfind('_').map_or(0, |at| at + 1);
        let begins_uuid = number::uuid(&self.bytes[last_part..]).is_some();
        if !begins_uuid && !word.bytes().any(|byte| byte.is_ascii_digit()) {
            self.keep(end);
            self.after = after(word);
            return;
        }
        let is_path = self.text[..start].ends_with("::") || self.text[end..].starts_with("::");
        if shape::is_name(word) || (is_path && !self.is_digit(start)) {
            self.keep(end);
            self.after = After::default();
            return;
        }
        while self.at < end {
            if self.bytes[self.at] == b'_' { self.keep(self.at + 1) } else { self.part() }
        }
    }

    /// A part of a word between underscores.
    fn part(&mut self) {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().take_while(|&&byte| shape::is_word(byte) && byte != b'_').count();
        let part = self.text.get(self.at..self.at + length).unwrap_or_default();
        if let Some(length) = number::uuid(rest).or_else(|| number::time(rest)).or_else(|| number::ipv4(rest))
        {
            return self.mask(self.at + length);
        }
        if is_code(self.after.code, part) {
            self.keep(self.at + length);
            self.after = After::default();
            return;
        }
        if self.is_digit(self.at) {
            return self.mask(self.at + number::quantity(rest));
        }
        let letters = part.bytes().take_while(|byte| !byte.is_ascii_digit()).count();
        if letters == length || shape::is_name(part) {
            self.keep(self.at + length);
            self.after = after(part);
        } else if part.is_ascii() && (shape::is_hex(part) || goes_on(part, letters)) {
            self.mask(self.at + length);
        } else {
            self.keep(self.at + letters);
            self.mask(self.at + number::quantity(&self.bytes[self.at..]));
        }
    }

    fn is_chunk(&self, at: usize) -> bool {
        let byte = self.bytes[at];
        shape::is_word(byte) || b"-.:/@%+~\\".contains(&byte) || (byte == b'\'' && self.is_apostrophe(at))
    }

    /// As in `can't`.
    fn is_apostrophe(&self, at: usize) -> bool {
        self.bytes[at] == b'\'' && at > 0 && self.is_alphanumeric(at - 1) && self.is_alphanumeric(at + 1)
    }

    fn is_alphanumeric(&self, at: usize) -> bool {
        self.bytes.get(at).is_some_and(u8::is_ascii_alphanumeric)
    }

    fn is_digit(&self, at: usize) -> bool {
        self.bytes.get(at).is_some_and(u8::is_ascii_digit)
    }
}

/// Whether letters follow the digits that follow the first `letters` of `part`.
fn goes_on(part: &str, letters: usize) -> bool {
    part.bytes().skip(letters).any(|byte| !byte.is_ascii_digit())
}

/// Whether `value` is a code that says what happened.
fn is_code(code: Code, value: &str) -> bool {
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    let is_upper = value.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    match code {
        Code::No => false,
        Code::Yes | Code::Adjacent if is_number => value.len() <= 5,
        Code::Yes | Code::Adjacent => is_upper && value.len() <= 10,
        Code::Status => is_number && value.len() == 3 && matches!(value.as_bytes()[0], b'4' | b'5'),
    }
}

/// What `word` makes of the value after it.
fn after(word: &str) -> After {
    let word = word.rsplit('_').next().unwrap_or_default();
    let lower = word.to_ascii_lowercase();
    let code = match lower.as_str() {
        "code" | "status" | "errno" | "sqlstate" | "exit" | "signal" | "http" | "ora" => Code::Yes,
        "error" => Code::Adjacent,
        "returned" | "responded" | "response" | "answered" | "replied" => Code::Status,
        _ if word.ends_with("Code") || word.ends_with("Status") => Code::Yes,
        _ => Code::No,
    };
    let speaks = matches!(
        lower.as_str(),
        "cause" | "description" | "detail" | "details" | "err" | "kind" | "message" | "msg" | "reason"
    );
    let is_schema = matches!(
        lower.as_str(),
        "column" | "constraint" | "field" | "function" | "index" | "relation" | "schema" | "table" | "type"
    );
    After { code, speaks: speaks || is_schema || lower.ends_with("error") }
}

/// No more of a message is looked at.
const MAX_BYTES: usize = 1024;

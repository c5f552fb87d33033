//! What varies in a message, replaced: `order 17 failed` and `order 18 failed`
//! become the same text.
//!
//! A scanner, not a list of regular expressions: one pass, in time linear in the
//! message. Numbers that say what happened (`HTTP 404`, `os error 13`) and names
//! with digits in them (`utf8`, `a::b2()`) stay.
//!
//! Only what is surely a value is replaced: two problems in one incident hide one of
//! them, and what else varies is learned ([`learned`](super::learned)). So short texts in
//! quotation marks, names, hosts and routes stay.
//! Invariant: pure; what was masked once is masked.

use std::borrow::Cow;

use super::{
    after::{After, Code, after, is_code},
    lines, lists, number, shape, url, vocabulary,
};

/// Stands for everything that varies: whether it was a number, a UUID or a quoted
/// text tells nobody what failed.
pub(crate) const MASK: char = '*';

/// The lines of `message` that say what happened, with a [`MASK`] for each part that
/// varies.
pub(crate) fn mask(message: &str) -> Cow<'_, str> {
    let mut masked: Vec<String> = Vec::new();
    for line in lines::telling(message) {
        let line = lists::collapsed(Scanner::new(line).run());
        if masked.last() != Some(&line) {
            masked.push(line);
        }
    }
    let masked = masked.join("\n");
    let message = message.trim();
    if masked == message { Cow::Borrowed(message) } else { Cow::Owned(masked) }
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
    is_sql: bool,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        let out = String::with_capacity(text.len());
        let is_sql = vocabulary::is_sql(text);
        Self { text, bytes: text.as_bytes(), at: 0, out, after: After::default(), closes: [None; 3], is_sql }
    }

    fn run(mut self) -> String {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'"' | b'\'' if !self.is_apostrophe(self.at) => self.quote(byte),
                b'[' => match shape::bracketed(&self.bytes[self.at..]) {
                    Some(length) => self.mask(self.at + length),
                    None => self.separator(),
                },
                // As in `Key (username)=(ann)`.
                b'(' if self.out.ends_with(")=") => {
                    let close = self.bytes[self.at..].iter().position(|&byte| byte == b')');
                    self.separator();
                    self.mask(close.map_or(self.bytes.len(), |length| self.at - 1 + length));
                }
                b'#' if self.is_digit(self.at + 1) && self.after.code == Code::No => self.at += 1,
                _ if self.is_chunk(self.at) => self.chunk(),
                _ => self.separator(),
            }
        }
        self.out
    }

    /// Replaces everything up to `end`; of a list of values one mask remains.
    fn mask(&mut self, end: usize) {
        // As in `blk_-17`.
        if self.out.ends_with("_-") {
            self.out.pop();
        }
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
        self.after = self.after.behind(character);
        self.keep(self.at + character.map_or(1, char::len_utf8));
    }

    /// A text in quotation marks is a value where the words before it say so, or where
    /// it looks like one. Else it is read as what is not in quotation marks.
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
        let inner = self.text.get(self.at + 1..close).unwrap_or_default();
        let inner = if is_escaped { inner.strip_suffix('\\').unwrap_or(inner) } else { inner };
        if opens && !inner.is_empty() && self.is_value(inner, mark) {
            self.mask(close + 1);
        } else {
            self.separator();
        }
    }

    /// Whether `inner`, between two of `mark`, is a value.
    fn is_value(&self, inner: &str, mark: u8) -> bool {
        let before = self.out.trim_end_matches('\\');
        // As in `{"user":"ann"}` and `User { login: "ann" }`.
        let is_named = before.trim_end().ends_with(':') && !inner.contains(' ') && {
            let key = before.trim_end().trim_end_matches(['"', ':', '\\']);
            vocabulary::is_who(&vocabulary::last_word(key).to_ascii_lowercase())
        };
        self.after.is_given
            || is_named
            || vocabulary::names_type(before)
            || (mark == b'\'' && self.is_sql && SQL_BEFORE.iter().any(|end| before.ends_with(end)))
            || (inner.len() <= MAX_LOOK
                && (inner.split([' ', '<', '>', ',']).any(shape::is_mail) || vocabulary::is_media(inner)))
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
        let chunk = self.text.get(start..end).unwrap_or_default();
        let file = chunk.trim_end_matches(['.', ':', '-']);
        let file_at = start + file.rfind(['/', '\\']).map_or(0, |at| at + 1);
        let file_end = start + file.len();
        let is_media = vocabulary::is_media(self.text.get(file_at..file_end).unwrap_or_default());
        while self.at < end {
            if is_media && self.at == file_at && !self.out.ends_with(MASK) {
                self.mask(file_end);
            } else if shape::is_word(self.bytes[self.at]) {
                self.word();
            } else {
                self.separator();
            }
        }
    }

    /// Letters, digits and underscores.
    fn word(&mut self) {
        let start = self.at;
        let length = self.bytes[start..].iter().take_while(|&&byte| shape::is_word(byte)).count();
        let end = start + length;
        let word = self.text.get(start..end).unwrap_or_default();
        if let Some(length) = number::named_date(&self.bytes[start..]) {
            return self.mask(start + length);
        }
        if let Some(length) = shape::url(&self.bytes[start..], length) {
            self.out.push_str(&url::masked(self.text.get(start..start + length).unwrap_or_default()));
            self.at = start + length;
            self.after = After::default();
            return;
        }
        if let Some(end) = self.name_of_somebody(start, end) {
            return self.mask(end);
        }
        if let Some(length) = shape::http_version(self.text.get(start..).unwrap_or_default()) {
            self.keep(start + length);
            self.after = After { code: Code::Yes, ..After::default() };
            return;
        }
        if matches!(word, "true" | "false") && (self.out.ends_with('=') || self.out.ends_with(": ")) {
            return self.mask(end);
        }
        let last_part = start + word.rfind('_').map_or(0, |at| at + 1);
        let begins_uuid = number::uuid(&self.bytes[last_part..]).is_some();
        if !begins_uuid && !word.bytes().any(|byte| byte.is_ascii_digit()) {
            return self.plain(word, end);
        }
        let is_path = self.text[..start].ends_with("::") || self.text[end..].starts_with("::");
        let is_name = shape::is_name(word) && (is_path || self.can_be_here(word));
        if is_name || (is_path && !self.is_digit(start)) {
            self.keep(end);
            self.after = After::default();
            return;
        }
        while self.at < end {
            if self.bytes[self.at] == b'_' { self.keep(self.at + 1) } else { self.part() }
        }
    }

    /// A word without digits.
    fn plain(&mut self, word: &str, end: usize) {
        // What is masked already has its end masked: that is no noun and no verb.
        let is_whole = !self.text[end..].starts_with(MASK);
        if is_whole
            && self.out.ends_with("* ")
            && let Some((stem, ending)) = vocabulary::singular(word)
        {
            self.out.push_str(stem);
            self.out.push_str(ending);
            self.at = end;
        } else if is_whole
            && self.after.is_counted
            && let Some(verb) = vocabulary::singular_verb(word)
        {
            self.out.push_str(verb);
            self.at = end;
        } else {
            let is_counted = self.out.ends_with("* ");
            self.keep(end);
            let is_exit = self.after.code == Code::Exit && word == "with";
            self.after = After { is_counted, ..if is_exit { self.after } else { after(word) } };
            // The headers of an answer vary, and say nothing.
            if word == "MetadataMap" && self.text[end..].starts_with(" {") {
                self.keep(end + 1);
                self.mask(end + 1 + shape::braces(&self.bytes[end + 1..]));
            }
            return;
        }
        self.after = After { is_counted: true, ..After::default() };
    }

    /// Where the name ends that begins at `start`, if the words before it say that it
    /// is somebody's: `for user ann`, `user=ann`, `session:user-ann`, `/home/ann/`.
    fn name_of_somebody(&self, start: usize, end: usize) -> Option<usize> {
        if self.out.ends_with(MASK) {
            return None;
        }
        if HOMES.iter().any(|home| self.out.ends_with(home)) {
            let rest = self.bytes[start..]
                .iter()
                .take_while(|&&byte| shape::is_word(byte) || b"-.@".contains(&byte));
            return Some(start + rest.count());
        }
        let (before, joint) = self.out.split_at_checked(self.out.len().checked_sub(1)?)?;
        let key = vocabulary::last_word(before);
        let ahead = before.strip_suffix(key)?;
        if !vocabulary::is_who(&key.to_ascii_lowercase()) {
            return None;
        }
        let may_name = match joint {
            "=" => true,
            " " => FOR
                .iter()
                .any(|word| ahead.strip_suffix(word).is_some_and(|it| it.is_empty() || it.ends_with(' '))),
            "-" | ":" | "/" => ahead.ends_with([':', '/']),
            _ => false,
        };
        let length = self.bytes[start..]
            .iter()
            .take_while(|&&byte| shape::is_word(byte) || b"-.".contains(&byte))
            .count();
        let name = self.text.get(start..start + length)?.trim_end_matches(['.', '-']);
        let is_called = self.text.get(start + name.len()..)?.starts_with("::");
        (may_name && name.len() >= end - start && !is_called && !vocabulary::is_no_name(name))
            .then_some(start + name.len())
    }

    /// Whether `name`, if it is that of a type, stands where a type can stand.
    fn can_be_here(&self, name: &str) -> bool {
        let lower = name.to_ascii_lowercase();
        if !vocabulary::is_type(&lower) || self.out.ends_with(['`', '<', '&']) {
            return true;
        }
        let before = self.out.trim_end_matches([' ', '(']);
        vocabulary::is_before_type(vocabulary::last_word(before))
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
        if is_code(self.after.code, part)
            && !(self.after.code == Code::Status && self.counts(self.at + length))
        {
            self.keep(self.at + length);
            self.after = After::default();
            return;
        }
        if self.is_digit(self.at) {
            return self.mask(self.at + number::quantity(rest));
        }
        let letters = part.bytes().take_while(|byte| !byte.is_ascii_digit()).count();
        if letters == length || (shape::is_name(part) && self.can_be_here(part)) {
            self.keep(self.at + length);
            self.after = after(part);
        } else if part.is_ascii() && (shape::is_hex(part) || goes_on(part, letters)) {
            self.mask(self.at + length);
        } else {
            self.keep(self.at + letters);
            self.mask(self.at + number::quantity(&self.bytes[self.at..]));
        }
    }

    /// Whether a noun in the plural follows `end`, as in `with 500 rows`.
    fn counts(&self, end: usize) -> bool {
        let rest = self.text.get(end..).and_then(|rest| rest.strip_prefix(' ')).unwrap_or_default();
        let length = rest.bytes().take_while(u8::is_ascii_lowercase).count();
        vocabulary::singular(rest.get(..length).unwrap_or_default()).is_some()
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

/// No longer text in quotation marks is looked into for that.
const MAX_LOOK: usize = 256;

/// Where people's files are.
const HOMES: [&str; 3] = ["/home/", "/Users/", "\\Users\\"];

/// Before `user ann`.
const FOR: [&str; 10] =
    ["for ", "of ", "by ", "as ", "from ", "to ", "against ", "unknown ", "invalid ", "no such "];

/// What stands before a value in SQL.
const SQL_BEFORE: [&str; 10] = ["=", "= ", "(", ",", ", ", "LIKE ", "like ", "> ", "< ", "<> "];

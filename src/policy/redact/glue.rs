//! What stands between a name and its value: closing quotes and brackets, a remark, a
//! separator, words; and where the value is then.

use std::ops::Range;

use super::{
    extent::{NEAR_BYTES, NEAR_NAME},
    judge::Form,
    keys::{Nature, Secret, is_one_of, is_wide},
    look, looked, quotes,
    reader::Reader,
    vocabulary::{FILLERS, HARMLESS_ENDS, OF},
};

/// How a name leads to its value.
pub(super) enum Glue {
    /// The value follows in this form.
    Direct(Form),
    /// `<name>`, to the next tag.
    Tag,
    /// `Name(`, `Name {`.
    Type,
    /// Indented, on the lines behind a `|`.
    Block,
    /// Alone on the next line.
    NextLine,
}

impl Reader<'_, '_> {
    /// What stands between `name` and its value, and where that is.
    pub(super) fn glue(&self, name: &Range<usize>, secret: &Secret<'_>) -> Option<(Glue, usize)> {
        let before = name.start.checked_sub(1).map(|at| self.bytes[at]);
        let is_wide = self.text[name.clone()].starts_with(is_wide);
        // Without spaces, a quote may open the value.
        let is_same = |quote: u8| before.is_some_and(|before| before == quote || before == b'\\');
        let quote = quotes::quote(self.text, name.end).filter(|quote| !is_wide || is_same(quote.char));
        let opening = before.filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
        let is_double = quote.as_ref().is_some_and(|quote| quote.char == b'"');
        let mut at = self.after_closers(quote.as_ref().map_or(name.end, |quote| quote.end), quote.is_some());
        let is_closed = at > name.end;
        // The name of a function, in a list of changes.
        if self.text[..at].ends_with(')') && self.at(at, ": ") && self.text[name.clone()].contains('_') {
            return None;
        }
        let gap = at;
        at = self.after_spaces(at);
        let spaces = at - gap;
        let is_flag = self.is_flag(name.start);
        // `DB_PASSWORD .... value`, `API Key........: value`
        let near = &self.bytes[at.min(self.bytes.len())..];
        let dots = near.iter().take(NEAR_NAME).take_while(|byte| **byte == b'.').count();
        if dots >= 3 {
            let after = self.after_spaces(at + dots);
            if !matches!(self.bytes.get(after), Some(b':' | b'=')) {
                return (after > at + dots).then_some((Glue::Direct(Form::Colon), after));
            }
            at = after;
        }
        if !is_closed && spaces == 0 && is_wide && !matches!(self.bytes.get(at), Some(b':' | b'=')) {
            let is_text =
                self.text[at..].starts_with(|char: char| char < '\u{E00}' || !char.is_alphanumeric());
            return is_text.then_some((Glue::Direct(Form::Colon), at));
        }
        let (form, length) = match self.bytes.get(at)? {
            b'=' => (
                Form::Assigned,
                if self.at(at, "===") {
                    3
                } else {
                    1 + usize::from(matches!(self.bytes.get(at + 1), Some(b'=' | b'>' | b'~')))
                },
            ),
            b'?' if self.at(at, "?=") => (Form::Assigned, 2),
            b'.' if self.at(at, ". \"") && spaces > 0 => (Form::Assigned, 1),
            b'<' if self.at(at, "<- ") => (Form::Assigned, 2),

            b'-' if self.at(at, "->") && before != Some(b'/') => (Form::Assigned, 2),
            // So a runner is told of a variable: `::set-output name=password::…`.
            b':' if self.at(at, "::") && before == Some(b'=') => (Form::Assigned, 2),
            b':' if self.at(at, "::") && !self.at(at, ":: ") || self.at(at, "://") => return None,
            b':' if self.at(at, ":=") => (Form::Assigned, 2),
            b':' if quote.is_some() => {
                let after = self.after_spaces(at + 1);
                let is_text = quotes::quote(self.text, after).is_some()
                    || matches!(self.bytes.get(after), Some(b'[' | b'{' | b'\n' | b'b' | b'\\'));
                (if is_text && is_double { Form::Assigned } else { Form::Colon }, 1)
            }
            b':' if self.at(at, ":: ") => (Form::Assigned, 2),
            b':' if before == Some(b':') && self.is_in_arn(name.start) => return None,
            b':' => (Form::Colon, 1),
            b',' if quote.is_some() && (self.opens(name.start, b"(") || before == Some(b'.'))
                || before == Some(b'{') =>
            {
                let at = self.after_spaces(at + 1);
                return (quotes::quote(self.text, at).is_some()
                    || self.at(at, "<<")
                    || self.at(at, "b\"")
                    || self.at(at, "b'"))
                .then_some((Glue::Direct(Form::Assigned), at));
            }
            b',' if quote.is_some()
                && (is_flag || self.opens(name.start, b"[") && self.is_pair_of_pairs(name.start)) =>
            {
                (Form::Assigned, 1)
            }

            // A group of a regular expression has a name.
            b'>' if ["?P<", "?<"].iter().any(|open| self.text[..name.start].ends_with(open)) => return None,
            b'>' if matches!(before, Some(b'<' | b':')) => return Some((Glue::Tag, at + 1)),
            b'<' if is_closed && quote.is_none() && spaces == 0 => {
                // `<td>password</td><td>…`
                let near = &self.text[at..self.text.floor_char_boundary(at + NEAR_NAME)];
                return Some((Glue::Tag, at + near.find('>')? + 1));
            }
            b'(' | b'{' if !is_closed && spaces <= 1 && !(spaces == 1 && self.bytes[at] == b'(') => {
                return Some((Glue::Type, at));
            }
            b'|' if spaces > 0 && before != Some(b'.') => {
                // The name of a variable heads no column.
                let form = if is_variable(&self.text[name.clone()]) { Form::Colon } else { Form::Adjacent };
                return Some((Glue::Direct(form), self.after_spaces(at + 1)));
            }
            _ if matches!(before, Some(b'<' | b':')) && spaces > 0 && self.is_tag(name.start) => {
                let near = &self.text[at..self.text.floor_char_boundary(at + NEAR_BYTES)];
                let length = near.find(['<', '>'])?;
                return (near.as_bytes()[length] == b'>' && !near[..length].ends_with('/'))
                    .then_some((Glue::Tag, at + length + 1));
            }
            b'\n' if spaces == 0 && quote.is_none() && before != Some(b'/') => {
                return Some((Glue::NextLine, at + 1));
            }
            _ if is_closed && quote.is_none() && !self.text[gap.saturating_sub(1)..].starts_with('>')
                || at == gap =>
            {
                return None;
            }
            // What is a value itself: `spf=pass`.
            _ if before == Some(b'=') && quote.is_none() => return None,
            // How a router says in which way it is written: `password 7 0822455D0A16`.
            b'0'..=b'9'
                if spaces == 1 && secret.nature.is_strong() && self.bytes.get(at + 1) == Some(&b' ') =>
            {
                let after = self.after_spaces(at + 1);
                let word = self.text[after..].split_whitespace().next().unwrap_or_default();
                let is_it = look::is_mixed(word) && word.len() > 7;
                return is_it.then_some((Glue::Direct(Form::Colon), after));
            }
            _ if is_flag => return (spaces == 1).then_some((Glue::Direct(Form::Flag), at)),
            _ if quote.is_some() && self.at(at, "is ") && quotes::quote(self.text, at + 3).is_some() => {
                (Form::Colon, 3)
            }
            _ if quote.is_some() => return None,
            _ if secret.nature.is_strong() && look::starts_with(&self.text[name.clone()], "by") => {
                (Form::Colon, 0)
            }
            _ => {
                let (after, form) = self.after_fillers(at, secret);
                if form == Form::Adjacent {
                    return self.could_be_value(after).then_some((Glue::Direct(form), after));
                }
                at = after;
                (form, 0)
            }
        };
        let end = at + length;
        let mut at = self.after_spaces(end);
        // `<b>Password:</b> value`, and a line that goes on behind a backslash.
        if self.at(at, "</") {
            at = self.after_spaces(self.after_closers(at, false));
        } else if self.at(at, "\\\n") {
            return Some((Glue::Direct(form), self.after_spaces(at + 2)));
        }
        // A quote that closes what the name begins opens no value.
        let closing = quotes::quote(self.text, at).filter(|it| opening == Some(it.char) && quote.is_none());
        if closing.is_some_and(|it| {
            self.bytes.get(it.end).is_none_or(|byte| byte.is_ascii_whitespace() || b"),;]}".contains(byte))
        }) {
            return None;
        }
        let line = self.bytes.get(at..)?;
        let blanks = quotes::blanks(line);
        if matches!(line.first(), Some(b'|' | b'>'))
            && line.iter().skip(1).take(3).find(|byte| !b"-+0123456789".contains(byte)) == Some(&b'\n')
        {
            return Some((Glue::Block, at));
        }
        if blanks > 0 {
            let at = at + blanks;
            let at = if self.at(at, "- ") { at + 2 } else { at };
            return Some((
                if is_double || quotes::quote(self.text, at).is_some() || self.at(at, "string(") {
                    Glue::Direct(form)
                } else {
                    Glue::NextLine
                },
                at,
            ));
        }
        Some((Glue::Direct(form), at))
    }

    /// Behind what closes a name: brackets, an index, `:protected]`.
    fn after_closers(&self, mut at: usize, is_quoted: bool) -> usize {
        for _ in 0..MAX_CLOSERS {
            let rest = &self.bytes[at.min(self.bytes.len())..];
            at += match rest.first() {
                Some(b'<') if rest.get(1) == Some(&b'/') => {
                    match rest.iter().take(16).position(|byte| *byte == b'>') {
                        Some(length) => length + 1,
                        None => return at,
                    }
                }
                Some(b']') => 1,
                Some(b'}') if is_quoted => 1,
                Some(b')')
                    if matches!(rest.get(1), Some(b'=' | b':' | b'.'))
                        || (is_quoted || rest.starts_with(b") = \"")) && rest.get(1) == Some(&b' ') =>
                {
                    1
                }
                Some(b'[') if !is_quoted => {
                    let digits = rest[1..].iter().take(8).take_while(|byte| byte.is_ascii_digit()).count();
                    if rest.get(1 + digits) == Some(&b']') { digits + 2 } else { return at }
                }
                Some(b':') if is_quoted => {
                    let name = rest[1..].iter().take(12).take_while(|byte| byte.is_ascii_lowercase()).count();
                    if name > 0 && rest.get(1 + name) == Some(&b']') { name + 1 } else { return at }
                }
                Some(b'\\') if matches!(rest.get(1), Some(b'=' | b':')) => 1,

                _ => return at,
            };
        }
        at
    }

    /// In `API key provided: …`, `token is …`, `Password for bob: …` and `incorrect
    /// password entered: …`, words are between.
    fn after_fillers(&self, mut at: usize, secret: &Secret<'_>) -> (usize, Form) {
        let near = &self.text[..self.text.floor_char_boundary(at + NEAR_NAME)];
        let is_strong = secret.nature.is_strong() || matches!(secret.nature, Nature::Digits(_));
        let (mut was_of, mut is_owned) = (false, false);
        for index in 0..MAX_FILLERS {
            let rest = &near[at.min(near.len())..];
            let word = rest.split([' ', ':', '=', '\n', '"', '\'', '`']).next().unwrap_or_default();
            looked(word.len());
            let is_filler = is_one_of(word, FILLERS);
            let is_of = is_one_of(word, OF);
            // Who or what it is for, or how it is.
            let is_name = was_of || index == 0 && is_strong && word.chars().all(char::is_alphabetic);
            if !(is_filler || is_of && secret.rule == "password" || is_strong && (is_of || is_name))
                || word.is_empty()
            {
                break;
            }

            let after = at + word.len();
            let next = self.after_spaces(after);
            let is_arrow = next > after && self.at(next, "->");
            if is_filler && (self.bytes.get(next) == Some(&b'=') || is_arrow) {
                return (self.after_spaces(next + 1 + usize::from(is_arrow)), Form::Assigned);
            }
            if self.bytes.get(after) == Some(&b':') {
                // What is only near by has to look the part.
                let form = if is_filler || was_of && secret.rule == "password" {
                    Form::Colon
                } else {
                    Form::Adjacent
                };
                return if self.bytes.get(after + 1).is_some_and(|byte| byte.is_ascii_whitespace()) {
                    (if form == Form::Colon { after + 1 } else { self.after_spaces(after + 1) }, form)
                } else {
                    (at, Form::Adjacent)
                };
            }
            if !is_filler && !is_of && !was_of && index == 0 {
                // Only what a colon follows, or a verb.
                let next =
                    near[after.min(near.len())..].trim_start().split([' ', ':']).next().unwrap_or_default();
                if !is_one_of(next, FILLERS) {
                    break;
                }
            }
            was_of = is_of;
            is_owned = is_of || is_owned && !is_filler;
            at = self.after_spaces(after);
        }
        if is_owned {
            if self.at(at, "= ") {
                return (self.after_spaces(at + 1), Form::Colon);
            }
            // `… for user "ann": …`; without a colon it is said only whose it is.
            let end = quotes::quote(self.text, at).map_or_else(
                || near[at.min(near.len())..].find([':', ' ']).map_or(near.len(), |length| at + length),
                |quote| quotes::quoted_end(near, &quote) + 1,
            );
            let after = self.after_spaces(end + 1);
            let is_other = is_one_of(
                &near[at.min(near.len())..end.min(near.len()).max(at.min(near.len()))],
                HARMLESS_ENDS,
            );
            return if self.at(end, ":") && after > end + 1 && !is_other {
                (after, Form::Colon)
            } else {
                (self.bytes.len(), Form::Adjacent)
            };
        }
        (at, Form::Adjacent)
    }

    /// Whether what is at `at` is no word, as most are.
    fn could_be_value(&self, at: usize) -> bool {
        let word = self
            .bytes
            .get(at..)
            .unwrap_or_default()
            .iter()
            .take(NEAR_NAME / 2)
            .take_while(|byte| !byte.is_ascii_whitespace());
        quotes::quote(self.text, at).is_some()
            || word.clone().any(|byte| byte.is_ascii_digit() || b"!#$%^&*+=~@".contains(byte))
            || self
                .text
                .get(at..)
                .and_then(|rest| rest.split([' ', '\n', '.', ',']).next())
                .map(|word| word.trim_end_matches(['"', '\'', '\\']))
                .is_some_and(|word| look::is_mixed(word) || look::is_joined(word))
    }
}

/// Whether `name` is that of a variable of the environment.
fn is_variable(name: &str) -> bool {
    name.contains('_') && !name.bytes().any(|byte| byte.is_ascii_lowercase())
}

const MAX_CLOSERS: usize = 3;

const MAX_FILLERS: usize = 4;

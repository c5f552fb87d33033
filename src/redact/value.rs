//! Where the value behind a name begins and ends.

use std::ops::Range;

use super::{
    judge::{self, Form, Shape},
    keys::{NEUTRAL_ENDS, Nature, Secret, is_one_of},
    looked,
    scan::is_run,
};

/// A value's place in a text, without its quotes.
pub(super) struct Value {
    range: Range<usize>,
    shape: Shape,
}

/// A quote in a text, escaped as often as its backslashes say.
pub(super) struct Quote {
    pub(super) char: u8,
    backslashes: usize,
    pub(super) end: usize,
}

/// Where the value of `secret` is that begins at `at`; none if nothing there can
/// be one. Its beginning has to tell: how much is looked at in vain is bounded.
pub(super) fn at(text: &str, at: usize, form: Form, secret: &Secret<'_>) -> Option<Range<usize>> {
    let near = &text[..text.floor_char_boundary(at + NEAR_BYTES)];
    let Value { range, shape } = find(near, at, form, secret)?;
    looked(range.len());
    judge::is_secret(&near[range], shape, form, secret)
        .then(|| find(text, at, form, secret))?
        .map(|it| it.range)
}

fn find(text: &str, at: usize, form: Form, secret: &Secret<'_>) -> Option<Value> {
    let bytes = text.as_bytes();
    match form {
        Form::Tag => {
            let end = bytes[at..].iter().position(|byte| *byte == b'<');
            let end = end.map_or(text.len(), |length| at + length);
            looked(end - at);
            return Some(Value { range: at..end, shape: Shape::Quoted });
        }
        Form::Type if bytes[at] == b'(' => return content(text, at + 1),
        Form::Type => return member(text, at, secret),
        Form::Encoded if text[..at].ends_with(['a', 'A']) => return encoded_json(bytes, at),
        Form::Assigned | Form::Encoded | Form::Colon | Form::Flag | Form::Adjacent => (),
    }
    let is_bytes = bytes.get(at) == Some(&b'b') && quote(text, at + 1).is_some();
    let is_some = matches!(secret.nature, Nature::Digits(_)) && text[at..].starts_with("Some(");
    let at = at + usize::from(is_bytes) + if is_some { "Some(".len() } else { 0 };
    if let Some(quote) = quote(text, at) {
        // Prose quotes with other marks than code: "unexpected token: `fn`".
        let is_prose = form == Form::Colon && quote.char != b'"';
        let shape = if is_prose { Shape::Bare } else { Shape::Quoted };
        return Some(Value { range: quote.end..quoted_end(text, &quote), shape });
    }
    if form != Form::Encoded
        && !matches!(secret.nature, Nature::Digits(_))
        && let Some(open) = wrapper(text, at)
    {
        // Prose goes on with a bracket, too: `unexpected token: (`.
        let is_prose = form == Form::Colon && open == at && !secret.nature.is_strong();
        let quote_at = open + 1 + blanks(&bytes[open + 1..]);
        let is_value = !is_prose || quote(text, quote_at).is_some();
        if form == Form::Adjacent || !is_value || judge::is_masked(&text[open..]) {
            return None;
        }
        return Some(Value { range: at..wrapped_end(text, open), shape: Shape::Wrapped });
    }
    let end = match secret.nature {
        Nature::Digits(_) => groups_end(bytes, at),
        nature if nature.is_line() => line_end(text, at),
        Nature::Strong | Nature::Weak | Nature::StrongLine | Nature::WeakLine => bare_end(bytes, at, form),
    };
    looked(end - at);
    (at < end).then_some(Value { range: at..end, shape: Shape::Bare })
}

/// What `Debug` shows of a value at `at`, if that is a text or a row of bytes:
/// `Some("…")`, `[115, 101, …]`.
pub(super) fn content(text: &str, mut at: usize) -> Option<Value> {
    let bytes = text.as_bytes();
    at += blanks(&bytes[at..]);
    for _ in 0..MOST_WRAPPERS {
        let wrapper = WRAPPERS.iter().find(|wrapper| bytes[at..].starts_with(wrapper.as_bytes()));
        at += wrapper.map_or(0, |wrapper| wrapper.len());
        at += blanks(&bytes[at..]);
    }
    let is_bytes = bytes.get(at) == Some(&b'b') && quote(text, at + 1).is_some();
    if let Some(quote) = quote(text, at + usize::from(is_bytes)) {
        return Some(Value { range: quote.end..quoted_end(text, &quote), shape: Shape::Quoted });
    }
    let is_row = |byte: &&u8| byte.is_ascii_digit() || byte.is_ascii_whitespace() || b",\\n".contains(byte);
    let row = bytes.get(at..)?.strip_prefix(b"[")?.iter().take(NEAR_BYTES).take_while(is_row);
    (row.filter(|byte| **byte == b',').count() >= LEAST_BYTES)
        .then(|| Value { range: at..wrapped_end(text, at), shape: Shape::Wrapped })
}

/// The text in the bracket at `open` that a struct with the name of `secret` is
/// about: `ApiKey { id: 17, value: "…" }`.
fn member(text: &str, open: usize, secret: &Secret<'_>) -> Option<Value> {
    let bytes = text.as_bytes();
    let near = &bytes[..bytes.len().min(open + NEAR_BYTES)];
    let starts = (open..near.len()).filter(|at| matches!(bytes[*at], b'{' | b','));
    starts.map(|at| at + 1 + blanks(&bytes[at + 1..])).find_map(|at| {
        let length = bytes[at..].iter().take(MOST_PATH_BYTES).take_while(|byte| is_run(**byte)).count();
        let (name, after) = (&text[at..at + length], at + length + 1);
        let is_its_own = is_one_of(name, &NEUTRAL_ENDS)
            || name == "inner"
            || name == "key" && secret.rule.ends_with("key");
        if !is_its_own || bytes.get(after - 1) != Some(&b':') {
            return None;
        }
        // A parser's tokens have texts, too.
        content(text, after).filter(|Value { range, shape }| {
            let is_token = secret.nature.is_strong() || judge::looks_random(&text[range.clone()]);
            is_token && judge::is_secret(&text[range.clone()], *shape, Form::Type, secret)
        })
    })
}

/// The value at `at` in JSON that is encoded as a part of a URL.
fn encoded_json(bytes: &[u8], at: usize) -> Option<Value> {
    let space = encoded(bytes, at, "20").or_else(|| (bytes.get(at) == Some(&b'+')).then_some(at + 1));
    let at = space.unwrap_or(at);
    let quoted = encoded(bytes, at, "22");
    let start = quoted.unwrap_or(at);
    let is_end = |at: &usize| match quoted {
        Some(_) => {
            let is_quote = encoded(bytes, *at, "22").is_some() && !bytes[..*at].ends_with(b"%5C");
            is_quote || bytes[*at].is_ascii_whitespace() || b"\"&".contains(&bytes[*at])
        }
        None => !bytes[*at].is_ascii_alphanumeric(),
    };
    let end = (start..bytes.len()).find(is_end).unwrap_or(bytes.len());
    looked(end - start);
    (start < end).then_some(Value { range: start..end, shape: Shape::Quoted })
}

/// Where the character ends that `hex` is, percent-encoded once or twice.
pub(super) fn encoded(bytes: &[u8], at: usize, hex: &str) -> Option<usize> {
    let rest = bytes.get(at..)?.strip_prefix(b"%")?;
    let rest = rest.strip_prefix(b"25").unwrap_or(rest);
    let is_it = rest.get(..hex.len()).is_some_and(|found| found.eq_ignore_ascii_case(hex.as_bytes()));
    is_it.then(|| bytes.len() - rest.len() + hex.len())
}

/// The quote that stands at `at`.
pub(super) fn quote(text: &str, at: usize) -> Option<Quote> {
    let rest = text.as_bytes().get(at..)?;
    let backslashes = rest.iter().take_while(|byte| **byte == b'\\').count();
    looked(backslashes);
    let char = *rest.get(backslashes).filter(|byte| matches!(byte, b'"' | b'\'' | b'`'))?;
    Some(Quote { char, backslashes, end: at + backslashes + 1 })
}

/// Where the text in `quote` ends; one that is cut ends with the text.
fn quoted_end(text: &str, quote: &Quote) -> usize {
    let bytes = text.as_bytes();
    let mut backslashes = 0;
    for (at, byte) in bytes.iter().enumerate().skip(quote.end) {
        looked(1);
        // A quote inside is escaped once more, and so are its backslashes.
        if *byte == quote.char && backslashes % (2 * (quote.backslashes + 1)) == quote.backslashes {
            return at - quote.backslashes;
        }
        backslashes = if *byte == b'\\' { backslashes + 1 } else { 0 };
    }
    text.len()
}

/// The bracket that opens a value as `Debug` shows it: `Some("…")`, `[…]`.
fn wrapper(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_path = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'<' | b'>');
    let path = bytes[at..].iter().take(MOST_PATH_BYTES).take_while(is_path).count();
    let name = text[at..at + path].rsplit("::").next().unwrap_or_default();
    if path > 0 && !name.starts_with(|char: char| char.is_ascii_uppercase()) {
        return None;
    }
    let open = at + path + usize::from(path > 0 && text[at + path..].starts_with(" {"));
    matches!(bytes.get(open), Some(b'(' | b'[' | b'{')).then_some(open)
}

/// Where what is in the bracket at `open` ends, with it; what is cut ends with
/// the text.
fn wrapped_end(text: &str, open: usize) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (open, 0_usize);
    while let Some(byte) = bytes.get(at) {
        looked(1);
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            b'"' | b'\\' => match quote(text, at) {
                Some(quote) if quote.char == b'"' => at = quoted_end(text, &quote) + quote.backslashes,
                Some(quote) => at = quote.end - 1,
                None => at = after_backslashes(bytes, at) - 1,
            },
            _ => (),
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// Where a value ends that nothing encloses: at white space, or at a mark that
/// is followed by something else, not by more of it.
fn bare_end(bytes: &[u8], start: usize, form: Form) -> usize {
    let is_break = |at: usize| bytes.get(at).is_none_or(u8::is_ascii_whitespace);
    let is_end = |at: usize| {
        let next = at + 1;
        let is_last = || {
            let is_stop = matches!(bytes.get(next), Some(b'.' | b':')) && is_break(next + 1);
            is_break(next) || is_stop || bytes.get(next).copied().is_some_and(is_mark)
        };
        match bytes[at] {
            b'%' => form == Form::Encoded && encoded(bytes, at, "26").is_some(),
            b'.' | b':' => is_break(next),
            b',' | b';' | b'&' => is_last() || is_name(&bytes[next..]),
            byte => byte.is_ascii_whitespace() || is_mark(byte) && is_last(),
        }
    };
    (start..bytes.len()).find(|at| is_end(*at)).unwrap_or(bytes.len())
}

/// Where the rest of a line ends, but for the quote or the break that is
/// escaped in it.
fn line_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let mut inside = None;
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        at = match (byte, quote(text, at)) {
            (b'\n' | b'\r', _) => break,
            (_, Some(quote)) if inside == Some(quote.char) => {
                inside = None;
                quote.end
            }
            (_, Some(quote)) if inside.is_none() && bytes[at - 1] == b'=' => {
                inside = Some(quote.char);
                quote.end
            }
            (_, Some(_)) if inside.is_none() => break,
            (_, Some(quote)) => quote.end,
            (b'\\', None) => {
                let after = after_backslashes(bytes, at);
                if matches!(bytes.get(after), Some(b'n' | b'r')) {
                    break;
                }
                after
            }
            (_, None) => at + 1,
        }
    }
    start + text[start..at].trim_end().len()
}

fn after_backslashes(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take_while(|byte| **byte == b'\\').count()
}

/// Where groups of digits and capitals end, as numbers are printed.
fn groups_end(bytes: &[u8], start: usize) -> usize {
    let group = |at: usize| bytes[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let mut end = start + group(start);
    while bytes.get(end).is_some_and(|byte| matches!(byte, b' ' | b'-')) {
        let next = end + 1..end + 1 + group(end + 1);
        let is_group = !bytes[next.clone()].iter().any(u8::is_ascii_lowercase)
            && bytes[next.clone()].iter().any(u8::is_ascii_digit);
        if !is_group {
            break;
        }
        end = next.end;
    }
    end
}

fn is_mark(byte: u8) -> bool {
    matches!(byte, b',' | b';' | b'&' | b')' | b']' | b'}' | b'>' | b'|' | b'"' | b'\'' | b'`' | b'\\')
}

/// Whether `bytes` begin with a name and what assigns to it.
fn is_name(bytes: &[u8]) -> bool {
    let name = bytes.iter().take(MOST_PATH_BYTES).take_while(|byte| is_run(**byte)).count();
    name > 0 && matches!(bytes.get(name), Some(b'=' | b':' | b'['))
}

/// How much of `bytes` is white space, and breaks of lines that are escaped.
pub(super) fn blanks(bytes: &[u8]) -> usize {
    let bytes = &bytes[..bytes.len().min(NEAR_BYTES)];
    let mut at = 0;
    loop {
        let spaces = bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        looked(spaces);
        at += spaces;
        let after = after_backslashes(bytes, at);
        looked(after - at);
        if after == at || bytes.get(after) != Some(&b'n') {
            return at;
        }
        at = after + 1;
    }
}

const MOST_PATH_BYTES: usize = 64;

/// How much of a value is looked at, to tell whether it is a secret.
const NEAR_BYTES: usize = 256;

/// What `Debug` shows around a text that may be missing, or borrowed.
const WRAPPERS: [&str; 5] = ["Some(", "Ok(", "Owned(", "Borrowed(", "Zeroizing("];

/// More are around no text.
const MOST_WRAPPERS: usize = 3;

/// A shorter row of numbers is no key.
const LEAST_BYTES: usize = 8;

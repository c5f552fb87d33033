//! Where a value begins and ends: in quotes of any kind, in brackets, in a tag, in
//! an indented block, to the end of a line, or bare.
//!
//! Invariant: what is opened and not closed ends with the text, which may be cut.

use std::ops::Range;

use super::{
    judge::{self, Form, Shape},
    keys::{Nature, Secret, is_one_of},
    look, looked, phrase,
    quotes::{after_backslashes, blanks, prefixed_quote, quote, quoted_end, wrapped_end},
    vocabulary::NEUTRAL_ENDS,
};

/// A value's place in a text, without its quotes.
#[derive(Debug)]
pub(super) struct Value {
    pub(super) range: Range<usize>,
    pub(super) shape: Shape,
}

/// Where the value of `secret` is that begins at `at`; none if what is there is
/// none. Its beginning has to tell: how much is looked at in vain is bounded.
pub(super) fn secret_at(text: &str, at: usize, form: Form, secret: &Secret<'_>) -> Option<Range<usize>> {
    let near = &text[..text.floor_char_boundary(at + NEAR_BYTES)];
    let Value { range, shape } = find(near, at, form, secret)?;
    judge::is_secret(&near[range], shape, form, secret).then_some(())?;
    let Value { range, shape } = find(text, at, form, secret)?;
    let goes_on = shape == Shape::GoesOn && matches!(form, Form::Assigned | Form::Colon);
    let is_phrase = goes_on && secret.rule == "password";
    let end = if is_phrase { phrase::end(text, &range, secret.nature.is_strong()) } else { range.end };
    Some(range.start..end)
}

fn find(text: &str, at: usize, form: Form, secret: &Secret<'_>) -> Option<Value> {
    let bytes = text.as_bytes();
    let is_digits = matches!(secret.nature, Nature::Digits(_));
    let at = after_opener(text, at);
    // Of a list of codes, each is taken for itself.
    let at = if is_digits && bytes.get(at) == Some(&b'[') { at + 1 + blanks(&bytes[at + 1..]) } else { at };
    if let Some(quote) = prefixed_quote(text, at) {
        // Prose quotes with other marks than code: "unexpected token: `fn`".
        let is_prose = form == Form::Colon
            && quote.char != b'"'
            && !secret.nature.is_strong()
            && secret.rule != "password";
        let range = quote.end..quoted_end(text, &quote);
        return Some(Value { range, shape: if is_prose { Shape::Bare } else { Shape::Quoted } });
    }
    if form == Form::Type && bytes.get(at) != Some(&b'[') {
        return None;
    }
    if let Some(range) = braced(text, at).filter(|_| form == Form::Assigned) {
        return Some(Value { range, shape: Shape::Quoted });
    }
    if let Some(open) = wrapper(text, at).filter(|_| !is_digits && form != Form::Adjacent) {
        let end = wrapped_end(text, open);
        return (!look::is_masked(&text[open..])).then_some(Value { range: at..end, shape: Shape::Wrapped });
    }
    let end = match secret.nature {
        Nature::Digits(_) => groups_end(bytes, at),
        nature if nature.is_line() && form == Form::Assigned => line_end(&text[..next_name(text, at)], at),
        nature if nature.is_line() && form != Form::Adjacent => line_end(text, at),
        _ if form == Form::Colon && secret.rule == "signature" => line_end(text, at),
        _ => hex_end(bytes, at).unwrap_or_else(|| bare_end(bytes, at)),
    };
    looked(end - at);
    // What a colon follows is a label, if it is nothing that could be a token.
    if form == Form::Adjacent && bytes.get(end) == Some(&b':') && !look::looks_random(&text[at..end]) {
        return None;
    }
    if look::is_count(&text[at..text.floor_char_boundary(end + 16)]) {
        return None;
    }
    let shape = if goes_on(bytes, end) { Shape::GoesOn } else { Shape::Bare };
    (at < end).then_some(Value { range: at..end, shape })
}

/// The text in braces at `at`, as ODBC quotes what has a `;` or a brace itself.
fn braced(text: &str, at: usize) -> Option<Range<usize>> {
    let near = &text[at..text.floor_char_boundary(at + NEAR_BYTES)];
    let inner = near.strip_prefix('{')?;
    let mut end = 0;
    loop {
        end += inner[end..].find('}')?;
        if !inner[end + 1..].starts_with('}') {
            break;
        }
        end += 2;
    }
    looked(end);
    let is_text = look::is_mixed(inner[..end].trim_end_matches('}'))
        && !inner[..end].contains(['"', '\'', ':', ','])
        && !inner[..end].ends_with("!r");
    is_text.then_some(at + 1..at + 1 + end)
}

/// Where the next `name=` begins on the line, as in a log's fields.
fn next_name(text: &str, at: usize) -> usize {
    let near = &text[at..text.floor_char_boundary(at + NEAR_BYTES)];
    let line = near.lines().next().unwrap_or_default();
    let names = line.match_indices(' ').find(|(space, _)| {
        let word = line[space + 1..].split(' ').next().unwrap_or_default();
        word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        })
    });
    names.map_or(text.len(), |(space, _)| at + space)
}

/// Whether the sentence goes on behind `end`.
fn goes_on(bytes: &[u8], end: usize) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii() || *byte == b'`';
    bytes.get(end) == Some(&b':') || bytes.get(end) == Some(&b' ') && bytes.get(end + 1).is_some_and(is_word)
}

/// Behind what says how a text is written, or what it is: `<![CDATA[`, `<<`,
/// `string(9) `, `${NAME:`, `Some(` before a number.
fn after_opener(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    let near = &rest[..rest.floor_char_boundary(NEAR_NAME)];
    if let Some(opener) = OPENERS.iter().find(|opener| near.starts_with(*opener)) {
        let at = at + opener.len();
        return at + blanks(&text.as_bytes()[at..]);
    }
    // `!Sub 'text'` is one, `!Ref Name` is not.
    let tag = near.strip_prefix('!').and_then(|rest| rest.split_once(' ')).map(|(tag, _)| tag);
    let is_text = |tag: &&str| {
        tag.len() >= 3 && tag.bytes().all(|byte| byte.is_ascii_alphabetic() || b"-!".contains(&byte))
    };
    if let Some(tag) = tag.filter(is_text) {
        let is_name = ["ref", "env", "secret", "att", "import", "include", "file"]
            .iter()
            .any(|name| tag.to_ascii_lowercase().ends_with(name));
        return if is_name { text.len() } else { at + tag.len() + 2 };
    }
    let tag =
        near.strip_prefix('<').and_then(|rest| rest.split_once('>')).filter(|(tag, _)| TAGS.contains(tag));
    if let Some((tag, _)) = tag {
        return at + tag.len() + 2;
    }
    // `chr "…"`, `(string) (len=12) "…"`, `[1] "…"`, `&anchor "…"`: what it is, then it.
    let kind = near.split(['"', '\n']).next().unwrap_or_default();
    let is_kind = kind.ends_with(' ')
        && kind.len() < near.len()
        && near[kind.len()..].starts_with('"')
        && kind.split_whitespace().all(|word| {
            let is_bracket = word.starts_with(['(', '[']) && word.ends_with([')', ']']);
            is_bracket || word.starts_with('&') || KINDS.contains(&word)
        });
    if is_kind {
        return at + kind.len();
    }
    let name = near.bytes().take_while(u8::is_ascii_alphabetic).count();
    let is_sized = |rest: &str| {
        rest.strip_prefix('(')?
            .trim_start_matches(|char: char| char.is_ascii_digit())
            .strip_prefix(") ")
            .map(str::len)
    };
    if let Some(left) = is_sized(&near[name..]).filter(|_| name > 0) {
        return at + near.len() - left;
    }
    // A variable, and what is used without it.
    let variable = near.strip_prefix("${").and_then(|rest| {
        let end = rest.find(|char: char| !char.is_ascii_alphanumeric() && !"_.?".contains(char))?;
        match rest.as_bytes()[end] {
            b':' => Some(2 + end + 1 + usize::from(rest[end..].starts_with(":-"))),
            b'}' if rest[end..].starts_with("} \"") => Some(2 + end + 2),
            _ => None,
        }
    });
    at + variable.unwrap_or(0)
}

/// The bracket that opens a value as `Debug` shows it: `Some("…")`, `[…]`.
fn wrapper(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_path = |byte: &&u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'<' | b'>' | b'.' | b'%' | b'#')
    };
    let path = bytes[at..].iter().take(NEAR_NAME).take_while(is_path).count();
    looked(path);
    let open = at + path + usize::from(path > 0 && text[at + path..].starts_with(" {"));
    let char = bytes.get(open)?;
    let name = text[at..at + path].rsplit([':', '.', '%', '#']).next().unwrap_or_default();
    let is_type = name.starts_with(|char: char| char.is_ascii_uppercase());
    let is_open = match char {
        b'(' => path == 0 || is_type || quote(text, open + 1 + blanks(bytes.get(open + 1..)?)).is_some(),
        // `{PLAIN}secret` is no struct, and `a[0]` no list.
        b'{' => path == 0 && !is_scheme(&bytes[open + 1..]) || is_type,
        b'[' => path == 0 || is_type,
        _ => false,
    };
    is_open.then_some(open)
}

fn is_scheme(rest: &[u8]) -> bool {
    let name = rest
        .iter()
        .take(16)
        .take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || **byte == b'-')
        .count();
    name > 1 && rest.get(name) == Some(&b'}') && rest.get(name + 1).is_some_and(u8::is_ascii_graphic)
}

/// The text or the bytes in what a type with the name of `secret` shows at `open`:
/// `Token(Some("…"))`, `Key([115, 101, …])`, `ApiKey { id: 17, value: "…" }`.
pub(super) fn typed(text: &str, open: usize, secret: &Secret<'_>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    if bytes[open] == b'(' {
        return secret_at(text, unwrapped(text, open + 1), Form::Type, secret);
    }
    let near = &bytes[..bytes.len().min(open + NEAR_BYTES)];
    let starts = (open..near.len()).filter(|at| matches!(bytes[*at], b'{' | b','));
    starts.map(|at| at + 1 + blanks(&bytes[at + 1..])).find_map(|at| {
        let length = bytes[at..]
            .iter()
            .take(NEAR_NAME)
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
            .count();
        let (name, after) = (&text[at..at + length], at + length + 1);
        let is_own = is_one_of(name, NEUTRAL_ENDS)
            || is_one_of(name, &["inner", "secret", "0"])
            || name == "key" && secret.rule.ends_with("key");
        if !is_own || bytes.get(after - 1) != Some(&b':') {
            return None;
        }
        let range = secret_at(text, unwrapped(text, after), Form::Type, secret)?;
        // A parser's tokens have texts, too.
        (secret.nature.is_strong() || look::looks_random(&text[range.clone()])).then_some(range)
    })
}

/// Where a text begins that may be missing, borrowed or guarded: in `Some(`.
fn unwrapped(text: &str, mut at: usize) -> usize {
    at += blanks(&text.as_bytes()[at..]);
    for _ in 0..MAX_WRAPPERS {
        let wrapper = WRAPPERS
            .iter()
            .find(|wrapper| text[at..].strip_prefix(**wrapper).is_some_and(|rest| rest.starts_with('(')));
        let Some(wrapper) = wrapper else { break };
        at += wrapper.len() + 1;
        at += blanks(&text.as_bytes()[at..]);
    }
    at
}

/// Where a value ends that nothing encloses: at white space, or at a mark that
/// is followed by something else, not by more of it.
pub(super) fn bare_end(bytes: &[u8], start: usize) -> usize {
    let is_break = |at: usize| bytes.get(at).is_none_or(u8::is_ascii_whitespace);
    let is_end = |at: usize| {
        let next = at + 1;
        let is_last = || {
            let is_stop = matches!(bytes.get(next), Some(b'.' | b':')) && is_break(next + 1);
            is_break(next) || is_stop || bytes.get(next).copied().is_some_and(is_mark)
        };
        match bytes[at] {
            b'.' | b':' => is_break(next),
            b'<' => bytes.get(next) == Some(&b'/'),
            b',' if bytes.get(next).is_some_and(|byte| !byte.is_ascii()) => true,
            b',' | b';' | b'&' => is_last() || is_name(&bytes[next..]),
            b'\\' => matches!(bytes.get(next), Some(b'n' | b'r' | b't')) && at > start,
            byte => byte.is_ascii_whitespace() || is_mark(byte) && is_last(),
        }
    };
    (start..bytes.len()).find(|at| is_end(*at)).unwrap_or(bytes.len())
}

/// Where the rest of a line ends, but for the quote or the break that is
/// escaped in it.
pub(super) fn line_end(text: &str, start: usize) -> usize {
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
    looked(at - start);
    start + text[start..at].trim_end().len()
}

/// The block that is indented more than the line of the name that begins at `name`,
/// on the lines behind `at`.
pub(super) fn block(text: &str, name: usize, at: usize) -> Option<Range<usize>> {
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let before = &text[..name];
    let line_start = name - before.bytes().rev().take(NEAR_BYTES).take_while(|byte| *byte != b'\n').count();
    let least = indent(&text[line_start..name]) + 1;
    let (mut from, mut start, mut end) = (at, None, at);
    for (index, line) in text[at..].split_inclusive('\n').enumerate() {
        looked(line.len());
        let (here, is_blank) = (from, line.trim().is_empty());
        from += line.len();
        if index == 0 || is_blank {
            continue;
        }
        if indent(line) < least {
            break;
        }
        start = start.or_else(|| Some(here + indent(line)));
        end = here + line.trim_end().len();
    }
    start.map(|start| start..end)
}

/// Where bytes end that are written in hexadecimal with something between: `1f 88 5e …`.
fn hex_end(bytes: &[u8], start: usize) -> Option<usize> {
    let separator = *bytes.get(start + 2).filter(|byte| b" :-".contains(byte))?;
    let is_byte = |at: usize| {
        bytes.get(at..at + 2).is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit))
            && bytes.get(at + 2).is_none_or(|byte| !byte.is_ascii_alphanumeric())
    };
    let mut end = start;
    while is_byte(end) {
        end += 2;
        if bytes.get(end) == Some(&separator) && is_byte(end + 1) {
            end += 1;
        }
    }
    (end >= start + 3 * MIN_HEX_BYTES).then_some(end)
}

/// Where groups of digits and capitals end, as numbers are printed.
fn groups_end(bytes: &[u8], start: usize) -> usize {
    let group = |at: usize| bytes[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let mut end = start + group(start);
    while bytes.get(end).is_some_and(|byte| matches!(byte, b' ' | b'-' | b'.')) {
        let next = end + 1..end + 1 + group(end + 1);
        let is_same = next.len() == group(start) && bytes[end] == b'-';
        let is_group = (is_same || !bytes[next.clone()].iter().any(u8::is_ascii_lowercase))
            && bytes[next.clone()].iter().any(u8::is_ascii_digit);
        if !is_group {
            break;
        }
        end = next.end;
    }
    end
}

fn is_mark(byte: u8) -> bool {
    matches!(byte, b',' | b';' | b'&' | b')' | b']' | b'}' | b'>' | b'|' | b'"' | b'\'' | b'`' | b'\\' | b'<')
}

/// Whether `bytes` begin with a name and what assigns to it.
fn is_name(bytes: &[u8]) -> bool {
    let is_run = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let name = bytes.iter().take(NEAR_NAME).take_while(is_run).count();
    name > 0 && matches!(bytes.get(name), Some(b'=' | b':' | b'['))
}

/// The longest name or path that is looked at.
pub(super) const NEAR_NAME: usize = 64;

/// How much of a value is looked at, to tell whether it is a secret.
pub(super) const NEAR_BYTES: usize = 256;

/// What `Debug` shows around a text that may be missing, borrowed or guarded.
#[rustfmt::skip]
const WRAPPERS: &[&str] = &["Some", "Ok", "Owned", "Borrowed", "Zeroizing", "Box", "Arc", "Rc", "Cow", "Just", "Secret", "SecretString", "String", "Password", "Token", "Sensitive", "Protected", "Hidden", "Bytes", "Cell", "RefCell", "Mutex"];

/// What a debugger says that a text is.
const KINDS: &[&str] = &["chr", "String", "string", "str", "Some", "Just", "SecureString", "text", "varchar"];

/// What a page shows a value in.
const TAGS: &[&str] =
    &["code", "b", "strong", "em", "kbd", "td", "dd", "span", "tt", "i", "pre", "samp", "mark", "p"];

/// Fewer bytes in a row may be the time of day.
const MIN_HEX_BYTES: usize = 4;

/// More are around no text.
const MAX_WRAPPERS: usize = 4;

/// What stands between a name and a value that says how it is written.
const OPENERS: [&str; 7] = ["<![CDATA[", "<<", "<Buffer ", "[]uint8", "[]byte", "!!str ", "!!binary "];

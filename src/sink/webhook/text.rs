//! What the services share of texts: what may be shown, how much of it, and the
//! markup that is taken out of it.
//!
//! Invariant: pure, and linear in what is shown. Every text is hostile, also after it
//! was rendered: a program may have its own `Render`.

/// `text` as `write` writes each of its characters, in at most `max` units by `size`;
/// cut between two characters, and then marked.
pub(super) fn fit(
    text: &str,
    max: usize,
    write: impl Fn(char, &mut String),
    size: impl Fn(&str) -> usize,
) -> String {
    let mut fitting = String::new();
    let (mut used, mut end) = (0_usize, 0);
    for c in text.chars().filter(|c| is_shown(*c)) {
        let before = fitting.len();
        write(c, &mut fitting);
        used = used.saturating_add(size(&fitting[before..]));
        if used > max {
            fitting.truncate(end);
            fitting.push_str(if max >= size(CUT) { CUT } else { "" });
            return fitting;
        }
        if used.saturating_add(size(CUT)) <= max {
            end = fitting.len();
        }
    }
    fitting
}

/// As it is.
pub(super) fn plain(c: char, to: &mut String) {
    to.push(c);
}

/// For a code block of Markdown, which nothing but its own fence ends. Even there a
/// service may look for names after an `@`.
pub(super) fn code(c: char, to: &mut String) {
    match c {
        '`' => to.push(NO_BACKTICK),
        _ => unaddressed(c, to),
    }
}

/// For a line of Markdown: each sign that could begin a link, a mention, an emoji or
/// a style is escaped.
pub(super) fn markdown(c: char, to: &mut String) {
    if c.is_ascii_punctuation() && !"@.,;'\"/%=?&+$".contains(c) {
        to.push('\\');
    }
    unaddressed(if c == '\n' { ' ' } else { c }, to);
}

/// An `@` that names nobody: what follows it is no name.
fn unaddressed(c: char, to: &mut String) {
    to.push(c);
    if c == '@' {
        to.push(NO_NAME);
    }
}

/// How long `text` is for those who count as JavaScript does: at least as many as its
/// characters.
pub(super) fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Whether a reader may see it: no control character but a line feed and a tab, and
/// nothing that reorders or hides what stands beside it.
fn is_shown(c: char) -> bool {
    match c {
        '\n' | '\t' => true,
        _ => {
            !c.is_control()
                && !matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}')
                && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        }
    }
}

/// Marks where a text was cut.
const CUT: &str = "…";

/// Looks like a backtick, and is none.
const NO_BACKTICK: char = '\u{2cb}';

/// Takes no room, and is part of no name.
pub(super) const NO_NAME: char = '\u{200b}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_marked() {
        let cut = |text, max| fit(text, max, plain, str::len);
        assert_eq!([cut("abc", 3), cut("abcdef", 5), cut("äöü", 5)], ["abc", "ab…", "ä…"]);
        assert_eq!([cut("abc", 2), cut("abc", 0), cut("", 0)], ["", "", ""]);
        assert_eq!(fit("a😀b", 3, plain, utf16), "a…");
    }

    #[test]
    fn what_is_escaped_counts_as_it_is_written() {
        assert_eq!(fit("*_*", 6, markdown, str::len), r"\*\_\*");
        assert_eq!(fit("*_*", 5, markdown, str::len), r"\*…");
    }

    #[test]
    fn code_ends_where_its_fence_stands() {
        assert_eq!(fit("```\n@all", 99, code, str::len), "ˋˋˋ\n@\u{200b}all");
    }
}

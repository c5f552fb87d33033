//! Lists whose elements are the same once they are masked: how many there are says
//! nothing.
//!
//! Invariant: pure, and linear in the text.

use super::mask::MASK;

/// `masked` with one of the elements that follow each other and are the same.
pub(super) fn collapsed(masked: String) -> String {
    if !masked.contains(',') || !masked.contains(MASK) {
        return masked;
    }
    let mut out = String::with_capacity(masked.len());
    let mut open: Vec<Level> = vec![Level::default()];
    for character in masked.chars() {
        match character {
            ',' | ']' | '}' | ')' | '>' => {
                let closes = character != ',';
                if let Some(level) = open.last_mut() {
                    level.end_element(&mut out);
                }
                if closes && open.len() > 1 {
                    open.pop();
                }
                out.push(character);
                if !closes && let Some(level) = open.last_mut() {
                    level.start = out.len();
                }
            }
            '[' | '{' | '(' | '<' => {
                out.push(character);
                open.push(Level { start: out.len(), before: None });
            }
            _ => out.push(character),
        }
    }
    if let [level, ..] = &mut *open {
        level.end_element(&mut out);
    }
    out
}

/// What stands between two brackets, or in none.
#[derive(Default)]
struct Level {
    /// Where the element begins.
    start: usize,
    /// The one before it, and where that ends.
    before: Option<(usize, usize)>,
}

impl Level {
    fn end_element(&mut self, out: &mut String) {
        let element = out.get(self.start..).unwrap_or_default();
        let start = self.start + element.len() - element.trim_start().len();
        let same = self.before.filter(|(from, to)| {
            element.contains(MASK) && out.get(*from..*to).is_some_and(|before| before == element.trim())
        });
        match same {
            Some((_, end)) => out.truncate(end),
            None => self.before = Some((start, out.trim_end().len().max(start))),
        }
    }
}

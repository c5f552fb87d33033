//! Values that are bound to a statement's place-holders and listed behind it:
//! `… WHERE password = $2 … ["bob", "…"]`.
//!
//! Invariant: how far is looked from a name is bounded.

use std::ops::Range;

use super::{
    columns,
    extent::NEAR_BYTES,
    judge::{self, Form, Shape},
    keys::Secret,
    looked, quotes,
};

/// Where the value is that is bound to the place-holder which the column `name` is given.
pub(super) fn value(text: &str, name: &Range<usize>, secret: &Secret<'_>) -> Option<Range<usize>> {
    let from = text.ceil_char_boundary(name.start.saturating_sub(NEAR_BYTES));
    let rest = &text[name.end..text.floor_char_boundary(name.end + 2 * NEAR_BYTES)];
    looked(2);
    let after = rest.trim_start_matches(['"', '`', ']', ' ']);
    let holder = match after.strip_prefix('=') {
        Some(given) => given.trim_start(),
        None if after.starts_with([',', ')']) => {
            let cell = columns::rows_of_list(text, name)?.into_iter().next()?;
            text[cell.start..text.floor_char_boundary(cell.start + NEAR_BYTES)].trim_start()
        }
        None => return None,
    };
    let at = holder.as_ptr() as usize - text.as_ptr() as usize;
    let index = match holder.as_bytes().first()? {
        b'?' => text[from..at].matches('?').count(),
        b'$' => {
            let digits = holder[1..].bytes().take(3).take_while(u8::is_ascii_digit).count();
            holder[1..1 + digits].parse::<usize>().ok()?.checked_sub(1)?
        }
        _ => return None,
    };
    let near = &text[at..text.floor_char_boundary(at + 2 * NEAR_BYTES)];
    looked(near.len());
    let range = match (near.find('['), near.find("arameters: ")) {
        (Some(open), _) => {
            at + open + 1..quotes::wrapped_end(&text[..at + near.len()], at + open).saturating_sub(1)
        }
        (None, Some(list)) => {
            let start = at + list + "arameters: ".len();
            start..start + text[start..at + near.len()].find('\n').unwrap_or(at + near.len() - start)
        }
        _ => return None,
    };
    let cell = columns::cell(text, range.start..range.end.max(range.start), b',', index)?;
    // It is a list of names and their values.
    if text[cell.clone()].trim_start().starts_with('[') {
        return None;
    }
    let trim = [' ', '"', '\''];
    let value = text[cell.clone()].trim_start_matches(trim);
    let start = cell.end - value.len();
    let value = value.split_once('(').map_or(value, |(value, _)| value).trim_end_matches(trim);
    judge::is_secret(value, Shape::Quoted, Form::Assigned, secret).then_some(start..start + value.len())
}

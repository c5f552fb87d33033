//! Values in the column that a name heads: of a statement, of a table's lines.
//!
//! Invariant: how far is looked from a name is bounded.

use std::ops::Range;

use super::{
    extent::NEAR_BYTES,
    judge::{self, Form, Shape},
    keys::{Nature, Secret},
    look, looked, quotes,
};

/// The values in the column that `name` heads: of a list in brackets that another
/// one answers to, or of a table's lines.
pub(super) fn values(text: &str, name: &Range<usize>, secret: &Secret<'_>) -> Vec<Range<usize>> {
    looked(4);
    rows_of_list(text, name)
        .or_else(|| rows_of_table(text, name))
        .or_else(|| rows_of_width(text, name))
        .unwrap_or_default()
        .into_iter()
        .filter_map(|cell| {
            let trim = [' ', '\t', '\r', '"', '\'', '`'];
            let value = text[cell.clone()].trim_start_matches(trim);
            let start = cell.end - value.len();
            let value = value.trim_end_matches(trim);
            let is_it = judge::is_secret(value, Shape::Quoted, Form::Assigned, secret)
                && (secret.rule == "password" && secret.nature.is_strong()
                    || matches!(secret.nature, Nature::Digits(_))
                    || look::is_mixed(value));
            is_it.then_some(start..start + value.len())
        })
        .collect()
}

/// `(user, password) VALUES ('bob', '…'), …` and `(user, password)=(bob, …)`.
fn rows_of_list(text: &str, name: &Range<usize>) -> Option<Vec<Range<usize>>> {
    let bytes = text.as_bytes();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_, \"'`.\n[]".contains(&byte);
    let near = &bytes[name.start.saturating_sub(NEAR_BYTES)..name.start];
    let before = near.iter().rev().take_while(|byte| is_name(**byte)).count();
    let after = bytes[name.end..].iter().take(NEAR_BYTES).take_while(|byte| is_name(**byte)).count();
    looked(before + after);
    let open = name.start.checked_sub(before + 1).filter(|at| bytes[*at] == b'(')?;
    let close = Some(name.end + after).filter(|at| bytes.get(*at) == Some(&b')'))?;
    let index = bytes[open..name.start].iter().filter(|byte| **byte == b',').count();
    let mut rest = text[close + 1..text.floor_char_boundary(close + 4 * NEAR_BYTES)].trim_start();
    if rest.get(..COPY.len()).is_some_and(|found| found.eq_ignore_ascii_case(COPY)) {
        let lines = rest.split('\n').skip(1).take_while(|line| line.contains('\t'));
        let start = |line: &str| line.as_ptr() as usize - text.as_ptr() as usize;
        return Some(
            lines
                .filter_map(|line| cell(text, start(line)..start(line) + line.len(), b'\t', index))
                .collect(),
        );
    }
    let link = ["=", "values", "value", ":", "=>"]
        .iter()
        .find(|link| rest.get(..link.len()).is_some_and(|found| found.eq_ignore_ascii_case(link)))?;
    rest = rest[link.len()..].trim_start();
    let mut cells = Vec::new();
    while rest.starts_with('(') {
        let from = rest.as_ptr() as usize - text.as_ptr() as usize;
        let end = quotes::wrapped_end(&text[..from + rest.len()], from);
        cells.extend(cell(text, from + 1..end.saturating_sub(1).max(from + 1), b',', index));
        rest = text[end..from + rest.len()].trim_start_matches([',', ' ', '\n', '\t']);
    }
    (!cells.is_empty()).then_some(cells)
}

/// Lines of as many cells as the one with the name has.
fn rows_of_table(text: &str, name: &Range<usize>) -> Option<Vec<Range<usize>>> {
    let bytes = text.as_bytes();
    let trim = [' ', '"', '\'', '`'];
    let head = text[..name.start].trim_end_matches(trim);
    let tail = text[name.end..].trim_start_matches(trim);
    let is_separator = |byte: &u8| b",;\t|".contains(byte);
    let (before, after) = (head.bytes().next_back(), tail.bytes().next());
    let is_edge = |byte: Option<u8>| byte.is_none_or(|byte| byte == b'\n' || byte == b'\r');
    let separator = before.filter(is_separator).or_else(|| after.filter(is_separator))?;
    let is_at = |byte: Option<u8>| byte == Some(separator) || is_edge(byte);
    if !is_at(before) || !is_at(after) {
        return None;
    }
    let near = &bytes[name.start.saturating_sub(NEAR_BYTES)..name.start];
    let start = name.start - near.iter().rev().take_while(|byte| **byte != b'\n').count();
    // Most names stand in no head of a table: there is no line behind.
    let head_ends =
        name.end + bytes[name.end..].iter().take(NEAR_BYTES).take_while(|byte| **byte != b'\n').count();
    looked(head_ends - start);
    bytes.get(head_ends).filter(|byte| **byte == b'\n')?;
    let near = &text[start..text.floor_char_boundary(name.end + 4 * NEAR_BYTES)];
    looked(near.len());
    let mut lines = near.split_inclusive('\n');
    let head = lines.next().filter(|line| line.ends_with('\n'))?;
    // Quotes that are not closed in their line enclose no cells.
    let is_even = |line: &str| line.matches('"').count().is_multiple_of(2);
    let count = |line: &str, is_even: bool| {
        let mut is_inside = false;
        line.bytes()
            .filter(|byte| {
                is_inside ^= is_even && *byte == b'"';
                *byte == separator && !is_inside
            })
            .count()
    };
    let index = count(&text[start..name.start], is_even(head));
    let width = count(head, is_even(head));
    let mut at = start + head.len();
    let mut cells = Vec::new();
    for line in lines {
        let range = at..at + line.trim_end_matches(['\n', '\r']).len();
        at += line.len();
        let is_rule = !line.bytes().any(|byte| byte.is_ascii_alphanumeric());
        if count(line, is_even(line)) != width && !is_rule {
            break;
        }
        if !is_rule {
            let is_wide = width > 1 || separator == b'|';
            cells.extend(
                cell(text, range, separator, index)
                    .filter(|cell| is_wide || look::is_mixed(text[cell.clone()].trim_matches(trim))),
            );
        }
    }
    (!cells.is_empty()).then_some(cells)
}

/// What stands below the name in lines of as many columns, with wide gaps between.
fn rows_of_width(text: &str, name: &Range<usize>) -> Option<Vec<Range<usize>>> {
    if !text[name.end..].starts_with("  ") && !text[name.end..].starts_with(['\n', '\r']) {
        return None;
    }
    let near = &text[text.ceil_char_boundary(name.start.saturating_sub(NEAR_BYTES))..name.start];
    let head = near.rsplit('\n').next().unwrap_or_default();
    let rest = &text[name.end..text.floor_char_boundary(name.end + 4 * NEAR_BYTES)];
    looked(head.len() + 1);
    let (tail, rows) = rest.split_once('\n')?;
    let is_column = tail.trim().is_empty() || tail.starts_with("  ");
    if !is_column || !head.contains("  ") && !tail.starts_with("  ") {
        return None;
    }
    looked(rest.len());
    let columns = |line: &'_ str| line.trim().split("  ").filter(|cell| !cell.is_empty()).count();
    // What is said before the table is in its first column.
    let is_shared = !head.is_empty() && !head.ends_with("  ");
    let index = columns(head).saturating_sub(usize::from(is_shared));
    let count = index + 1 + columns(tail);
    let is_rule = |line: &&str| line.bytes().any(|byte| byte.is_ascii_alphanumeric());
    let cells = rows.lines().filter(is_rule).map_while(|row| {
        let cell = row.trim().split("  ").filter(|cell| !cell.is_empty()).nth(index)?.trim();
        let start = cell.as_ptr() as usize - text.as_ptr() as usize;
        (columns(row) == count).then_some(start..start + cell.len())
    });
    let cells: Vec<_> = cells.collect();
    (!cells.is_empty()).then_some(cells)
}

/// The cell with this index of those that `separator` keeps apart in `range`.
fn cell(text: &str, range: Range<usize>, separator: u8, index: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let (mut at, mut start, mut count, mut depth) = (range.start, range.start, 0, 0_usize);
    while at < range.end {
        looked(1);
        match bytes[at] {
            byte if byte == separator && depth == 0 => {
                if count == index {
                    break;
                }
                count += 1;
                start = at + 1;
            }
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b'"' | b'\'' => {
                if let Some(quote) = quotes::quote(text, at) {
                    at = quotes::quoted_end(&text[..range.end], &quote);
                }
            }
            _ => (),
        }
        at += 1;
    }
    (count == index).then_some(start..at.min(range.end))
}

/// Behind which lines of cells follow, in PostgreSQL.
const COPY: &str = "from stdin";

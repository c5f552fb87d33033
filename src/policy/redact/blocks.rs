//! Blocks of keys, from their first line to their last, whatever stands before.

use std::ops::Range;

use super::{issuers::BLOCKS, looked};

/// The block of a key that begins at `at`; one that is cut ends with the text.
pub(super) fn block(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = &text[at..];
    let near = &rest[..rest.floor_char_boundary(MAX_LABEL_BYTES)];
    let (_, _, end) = BLOCKS
        .iter()
        .find(|(begin, label, _)| near.strip_prefix(begin).is_some_and(|after| after.contains(label)))?;
    let end_at = rest.find(end).map(|found| {
        let after = found + end.len();
        let tail = &rest[after..];
        looked(after);
        after
            + tail.find("----").map_or_else(
                || tail.find(['\n', '"', '\'']).unwrap_or(tail.len()),
                |dashes| dashes + tail[dashes..].bytes().take_while(|byte| *byte == b'-').count(),
            )
    });
    // Whoever says what cannot be read names only the first line.
    // A first line that does not end has nothing behind it.
    let head = if begins_with_dashes(rest) { rest[5..].find("-----")? + 10 } else { 0 };
    let tail = &rest[head.min(rest.len())..rest.floor_char_boundary(head + MAX_HEAD_BYTES)];
    let is_key =
        head == 0 || tail.len() < MIN_BODY && !tail.trim().contains([' ', '[', '-']) || has_run(tail);
    is_key.then(|| at..at + end_at.unwrap_or(rest.len()))
}

fn begins_with_dashes(text: &str) -> bool {
    text.starts_with("-----")
}

/// Whether `text` has a piece of base64, or a key's own header.
fn has_run(text: &str) -> bool {
    looked(text.len());
    let is_body = |char: char| char.is_ascii_alphanumeric() || "+/=".contains(char);
    ["Proc-Type", "Version:", "Comment:"].iter().any(|header| text.contains(header))
        || text.split(|char| !is_body(char)).any(|piece| piece.len() >= MIN_BODY)
}

const MAX_LABEL_BYTES: usize = 64;

/// In so much behind a block's first line there is a row of so many letters.
const MAX_HEAD_BYTES: usize = 96;
const MIN_BODY: usize = 16;

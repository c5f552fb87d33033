//! URLs: the host and the route say what was called, the rest for whom.
//!
//! Invariant: pure, and linear in the text.

use super::{mask::MASK, number, shape, vocabulary};

/// `url` with its scheme, host and route; without credentials, port, query and what
/// varies in the route.
pub(super) fn masked(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.split(['?', '#', ';']).next().unwrap_or_default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let mut out = format!("{scheme}://");
    push_host(&mut out, host);
    let mut before = "";
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        out.push('/');
        match is_value(segment) || matches!(before, "home" | "Users") {
            true => out.push(MASK),
            false => out.push_str(segment),
        }
        before = segment;
    }
    out
}

fn push_host(out: &mut String, host: &str) {
    let name = if host.starts_with('[') { "" } else { host.split(':').next().unwrap_or_default() };
    if name.is_empty() || number::ipv4(host.as_bytes()).is_some() {
        out.push_str(if host.is_empty() { "" } else { "*" });
        return;
    }
    let mut masks = false;
    for character in name.chars() {
        let is_digit = character.is_ascii_digit();
        if is_digit && !masks {
            out.push(MASK);
        } else if !is_digit {
            out.push(character.to_ascii_lowercase());
        }
        masks = is_digit;
    }
}

/// Whether a segment of a route varies: an id, a file of a user's.
fn is_value(segment: &str) -> bool {
    let has_digit = segment.bytes().any(|byte| byte.is_ascii_digit());
    let is_hex = shape::is_hex(segment) && has_digit;
    let has_value = |part: &str| part.bytes().any(|byte| byte.is_ascii_digit()) && !shape::is_name(part);
    is_hex
        || segment.contains(['%', '@', '*'])
        || vocabulary::is_media(segment)
        || segment.split(['-', '_', '.', ':', '~', ',']).any(has_value)
}

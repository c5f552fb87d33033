//! Which events are the same.
//!
//! Invariant: pure.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::event::Event;

pub(crate) type Fingerprint = [u8; 8];

/// The same for events that one line of a message may stand for: same callsite,
/// level and message. Fields do not count.
pub(crate) fn fingerprint(event: &Event) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    event.level.as_str().hash(&mut hasher);
    event.target.hash(&mut hasher);
    event.file.hash(&mut hasher);
    event.line.hash(&mut hasher);
    event.panic.hash(&mut hasher);
    event.message.hash(&mut hasher);
    hasher.finish().to_le_bytes()
}

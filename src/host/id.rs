//! Ids that are unique, and greater than those before them.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use uuid::{Builder, Uuid};

/// A UUID of version 7, greater than each one before it in this process. Takes no lock,
/// as `Uuid::now_v7` does: in a forked child nobody might be left to release it.
pub(crate) fn next() -> Uuid {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = u64::try_from(since.as_millis()).unwrap_or(u64::MAX >> COUNT_BITS) << COUNT_BITS;
    let after = |last: u64| last.saturating_add(1).max(now);
    let place = match LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(after(last))) {
        Ok(last) | Err(last) => after(last),
    };
    let mut bytes = Uuid::new_v4().into_bytes();
    let (millis, count) = (place >> COUNT_BITS, place & ((1 << COUNT_BITS) - 1));
    let [_, _, head @ ..] = millis.to_be_bytes();
    let [.., high, low] = count.to_be_bytes();
    for (byte, ordered) in bytes.iter_mut().zip(head.into_iter().chain([high, low])) {
        *byte = ordered;
    }
    Builder::from_bytes(bytes)
        .with_version(uuid::Version::SortRand)
        .with_variant(uuid::Variant::RFC4122)
        .into_uuid()
}

/// The greatest one so far: milliseconds, and how many there were within one.
static LAST: AtomicU64 = AtomicU64::new(0);

/// As many as version 7 has between its time and its variant.
const COUNT_BITS: u32 = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_greater_than_the_one_before_and_says_when_it_was_made() {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let begun = now();
        let ids: Vec<Uuid> = std::iter::repeat_with(next).take(10_000).collect();
        assert!(ids.is_sorted_by(|one, other| one < other));
        assert!(ids.iter().all(|id| id.get_version_num() == 7 && id.get_variant() == uuid::Variant::RFC4122));
        let (seconds, _) = ids[0].get_timestamp().unwrap().to_unix();
        assert!((begun..=now() + 10).contains(&seconds));
    }
}

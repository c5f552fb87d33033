//! What an instance of a fleet does on its own while the fleet's store cannot be reached:
//! how long it waits for another one to tell, and by which id they know each other's
//! messages.
//!
//! When the store is the fault, all instances have it at the same moment, and none can ask
//! the others. So each waits a random time, short with a small probability: the first one's
//! SMS is in the provider's list before most of the others look there for the same id. That
//! is the truncated exponential distribution that feedback suppression in multicast uses.
//!
//! Invariant: pure. The same incident has the same id in every instance, whatever its
//! version.

use std::{hash::Hasher, time::Duration};

use siphasher::sip::SipHasher24;

use super::public_id::spelled;

/// How long the fleet's store may not answer before an instance goes on alone.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// How much longer than [`PATIENCE`] an instance of `fleet` in all waits before it tells by
/// a way that can look up what others told; `random` is from 0 to 1. Of any number of
/// instances hardly one waits less than the time in which a message becomes visible, and
/// one of few does not wait for long. If the number is unknown it is 0.
pub(crate) fn stagger(fleet: u32, random: f64) -> Duration {
    let known = if fleet == 0 { UNKNOWN_FLEET } else { fleet };
    let steepness = f64::from(known).ln() + 1.0;
    let random = if random.is_finite() { random.clamp(0.0, 1.0) } else { 1.0 };
    let share = (random * steepness.exp_m1()).ln_1p() / steepness;
    MAX_STAGGER.mul_f64(share.clamp(0.0, 1.0))
}

/// How much longer than [`PATIENCE`] an instance waits before it tells by a way that cannot
/// look up what others told, like a mail. `position` is its place among the instances: the
/// first ones tell at once, and each recipient gets that many messages.
pub(crate) fn mail_delay(position: u32) -> Duration {
    if position < FIRST_TELLERS { Duration::ZERO } else { MAIL_DELAY }
}

/// The id of an incident that began in the `hour` since the Unix epoch, by what `fingerprint`
/// says: the provider's list may still have the message of an earlier one.
pub(crate) fn public_id(fingerprint: &[u8], hour: u32) -> String {
    let mut hasher = hasher(INCIDENT_KEY);
    hasher.write(&(fingerprint.len() as u64).to_le_bytes());
    hasher.write(fingerprint);
    hasher.write(&hour.to_le_bytes());
    spelled(hasher.finish())
}

/// The id of a message about the incidents of these `ids`, in any order.
pub(crate) fn digest_id<T: AsRef<str>>(ids: impl IntoIterator<Item = T>) -> String {
    let mut ids: Vec<T> = ids.into_iter().collect();
    ids.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
    ids.dedup_by(|one, other| one.as_ref() == other.as_ref());
    let mut hasher = hasher(DIGEST_KEY);
    for id in &ids {
        hasher.write(&(id.as_ref().len() as u64).to_le_bytes());
        hasher.write(id.as_ref().as_bytes());
    }
    spelled(hasher.finish())
}

fn hasher(key: u64) -> SipHasher24 {
    SipHasher24::new_with_keys(key, key)
}

/// Beyond this, waiting costs more than a second message.
const MAX_STAGGER: Duration = Duration::from_secs(20);

/// What a fleet is taken for that was never reached.
pub(crate) const UNKNOWN_FLEET: u32 = 100;

/// Mails cost little, and one instance may be gone.
const FIRST_TELLERS: u32 = 3;

/// By then, the first ones have told, if there are any.
const MAIL_DELAY: Duration = Duration::from_secs(10 * 60);

/// These must never change: old and new versions run side by side.
const INCIDENT_KEY: u64 = 0x0069_6e63_6964_656e;
const DIGEST_KEY: u64 = 0x0000_6469_6765_7374;

#[cfg(test)]
mod tests;

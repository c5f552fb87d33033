//! How the values are written that have no form of their own.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::policy::{incident::Reason, notice::Kind};

/// Bytes, two digits each.
pub(in crate::outbox) mod hex {
    use super::*;

    pub(in crate::outbox::page) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&of(bytes))
    }

    pub(in crate::outbox::page) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<u8>, D::Error> {
        bytes(&String::deserialize(from)?).ok_or_else(|| D::Error::custom("no digits"))
    }

    /// The digits of `bytes`.
    pub(in crate::outbox) fn of(bytes: &[u8]) -> String {
        let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or('0');
        bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }

    /// The bytes with these digits.
    pub(in crate::outbox) fn bytes(digits: &str) -> Option<Vec<u8>> {
        let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
        pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
    }
}

/// What is replaced as a whole: a keeper merges what a row says with what it said.
pub(super) mod whole {
    use serde::de::DeserializeOwned;

    use super::*;

    pub(in crate::outbox::page) fn serialize<T: Serialize, S: Serializer>(
        value: &T,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(&serde_json::to_string(value).map_err(serde::ser::Error::custom)?)
    }

    pub(in crate::outbox::page) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        from: D,
    ) -> Result<T, D::Error> {
        serde_json::from_str(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// A number of events. In a damaged file it may be any, and sums of it must still be
/// ones that a keeper takes.
pub(super) mod count {
    use super::*;

    /// More events than any incident has.
    const MAX_COUNT: u64 = 1 << 40;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
    pub(in crate::outbox::page) fn serialize<S: Serializer>(count: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(i64::try_from(*count).unwrap_or(i64::MAX))
    }

    pub(in crate::outbox::page) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        u64::deserialize(from).map(|count| count.min(MAX_COUNT))
    }
}

/// A length of time, in milliseconds.
pub(super) mod span {
    use std::time::Duration;

    use super::*;

    pub(in crate::outbox::page) fn serialize<S: Serializer>(
        span: &Duration,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_u32(u32::try_from(span.as_millis()).unwrap_or(u32::MAX))
    }

    pub(in crate::outbox::page) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Duration, D::Error> {
        u32::deserialize(from).map(|millis| Duration::from_millis(millis.into()))
    }
}

/// By its name; one that only a newer version knows is as good as the first.
macro_rules! by_name {
    ($module:ident, $of:ty, $name:path, $all:expr) => {
        pub(super) mod $module {
            use super::*;

            pub(in crate::outbox::page) fn serialize<S: Serializer>(
                it: &$of,
                to: S,
            ) -> Result<S::Ok, S::Error> {
                to.serialize_str($name(*it))
            }

            pub(in crate::outbox::page) fn deserialize<'de, D: Deserializer<'de>>(
                from: D,
            ) -> Result<$of, D::Error> {
                let name = String::deserialize(from)?;
                let [first, ..] = $all;
                Ok($all.into_iter().find(|it| $name(*it) == name).unwrap_or(first))
            }
        }
    };
}

by_name!(
    kind,
    Kind,
    Kind::name,
    [Kind::First, Kind::Digest, Kind::Again, Kind::Update, Kind::Reminder, Kind::Quiet, Kind::Health]
);
by_name!(
    reason,
    Reason,
    reason_name,
    [Reason::First, Reason::Again, Reason::Update, Reason::Reminder, Reason::Quiet]
);

fn reason_name(reason: Reason) -> &'static str {
    match reason {
        Reason::First => "first",
        Reason::Again => "again",
        Reason::Update => "update",
        Reason::Reminder => "reminder",
        Reason::Quiet => "quiet",
    }
}

//! How long a certificate is valid: all that is read of it, as TLS has judged it already.
//!
//! RFC 5280, section 4.1: the dates are the fifth field of what is signed. Invariant:
//! pure; of what is no certificate, nothing is said.

use std::time::SystemTime;

use jiff::{civil::DateTime, tz::TimeZone};

/// When the certificate in `der` expires.
pub(super) fn expiry(der: &[u8]) -> Option<SystemTime> {
    let certificate = Fields(der).next_of(SEQUENCE)?;
    let mut signed = Fields(Fields(certificate).next_of(SEQUENCE)?);
    // The version, which the first one does not have, and the serial number.
    let first = signed.next()?;
    if first.0 == VERSION {
        signed.next()?;
    }
    let [_algorithm, _issuer, validity] =
        [signed.next_of(SEQUENCE)?, signed.next_of(SEQUENCE)?, signed.next_of(SEQUENCE)?];
    let mut validity = Fields(validity);
    validity.next()?;
    let (tag, not_after) = validity.next()?;
    time(tag, str::from_utf8(not_after).ok()?)
}

fn time(tag: u8, text: &str) -> Option<SystemTime> {
    let long = match tag {
        // Two digits of a year between 1950 and 2049.
        UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let at = DateTime::strptime("%Y%m%d%H%M%SZ", long).ok()?;
    Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp().into())
}

/// What is left of the fields of a structure in DER.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The next one: its tag and its content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], rest) = self.0.split_first_chunk()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // In so many bytes; no certificate needs more.
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x0f))?;
                let append =
                    |length: usize, byte: &u8| length.saturating_mul(256).saturating_add((*byte).into());
                (bytes.iter().fold(0, append), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The content of the next one, if it has this tag.
    fn next_of(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(until: i32) -> Vec<u8> {
        let mut params = CertificateParams::new(["alerts.example.com".to_owned()]).unwrap();
        params.not_before = date_time_ymd(1987, 6, 5);
        params.not_after = date_time_ymd(until, 2, 3);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn day(of: Option<SystemTime>) -> Option<String> {
        of.map(|at| jiff::Timestamp::try_from(at).unwrap().to_string())
    }

    /// Before 2050 a date has two digits for its year, and later four.
    #[test]
    fn the_end_of_a_certificate_is_read() {
        for year in [1999, 2026, 2049, 2050, 4096] {
            let expiry = day(expiry(&certificate(year)));
            assert_eq!(expiry.as_deref(), Some(&*format!("{year}-02-03T00:00:00Z")));
        }
    }

    #[test]
    fn of_a_certificate_that_is_cut_nothing_is_said() {
        let whole = certificate(2026);
        for length in 0..whole.len() {
            assert_eq!(expiry(&whole[..length]), None, "{length}");
        }
    }

    proptest! {
        #[test]
        fn whatever_it_is_there_is_an_answer(
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            any in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            static WHOLE: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| certificate(2026));
            let mut changed = WHOLE.clone();
            changed[at.index(WHOLE.len())] = byte;
            let _ = (expiry(&changed), expiry(&any));
        }
    }
}

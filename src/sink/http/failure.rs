//! What it means that there is no answer: how far the request came, and what keeps
//! it from going further.
//!
//! Invariant: pure. Only an error before the request was written says that it was
//! not processed; what only a person can mend is told as it is, with the mend.

use std::error::Error;

use super::{Class, Line};
use crate::{policy::send_error::SendError, sink::reason::Scrub};

/// What a proxy of HTTP or SOCKS is said to want.
const UNAUTHORIZED: [&str; 3] =
    ["proxy authorization required", "credentials not accepted", "does not support user/pass authentication"];

pub(super) fn failure(provider: &str, error: reqwest::Error, line: &Line, scrub: &Scrub<'_>) -> SendError {
    let error = error.without_url();
    let theirs = chain(&error);
    let distrust = || Distrust::of(&error, &theirs).filter(|_| error.is_connect());
    let (class, what) = if error.is_builder() {
        (Class::Misconfigured, "the request could not be made".to_owned())
    } else if let Some(distrust) = distrust() {
        (Class::Misconfigured, distrust.of_host(&line.host, by_rustls::date(&error)))
    } else if error.is_connect() && UNAUTHORIZED.iter().any(|text| theirs.contains(text)) {
        (Class::Misconfigured, format!("no connection to {}, which wants other credentials", line.host))
    } else if error.is_connect() {
        (Class::NotProcessed, format!("no connection to {}", line.host))
    } else if error.is_timeout() {
        (Class::Ambiguous, "no answer in time".to_owned())
    } else {
        (Class::Ambiguous, "the connection broke off".to_owned())
    };
    class.error(scrub.reason(&format!("{provider}: {what}"), &theirs), None)
}

/// An error with its sources, each told once.
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let link = error.to_string();
        if !text.contains(&link) {
            text.push_str(": ");
            text.push_str(&link);
        }
        source = error.source();
    }
    text
}

/// Why TLS does not trust the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Distrust {
    Expired,
    NotYetValid,
    OtherName,
    Revoked,
    NoAuthority,
    /// Something that the library's own words tell best.
    Other,
}

impl Distrust {
    /// None if trust is not the trouble. `theirs` is the error with its sources.
    fn of(error: &reqwest::Error, theirs: &str) -> Option<Self> {
        by_rustls::distrust(error).or_else(|| Self::by_text(theirs))
    }

    /// By the words of a system's library, which has no better way to say it.
    fn by_text(theirs: &str) -> Option<Self> {
        let theirs = theirs.to_lowercase();
        let says = |(texts, _): &&(&[&str], Self)| texts.iter().any(|text| theirs.contains(text));
        TEXTS.iter().find(says).map(|(_, distrust)| *distrust)
    }

    /// What is wrong with the certificate of `host`, and the mend. `date` is when it
    /// expired, or will be valid, if that is known.
    fn of_host(self, host: &str, date: Option<String>) -> String {
        let certificate = format!("the certificate of {host}");
        let on = |word: &str| date.map(|date| format!(", {word} {date}")).unwrap_or_default();
        match self {
            Self::Expired => format!(
                "{certificate} has expired{}: is this machine's clock right? If it is, whoever runs that host must \
                 renew it",
                on("on")
            ),
            Self::NotYetValid => {
                format!("{certificate} is not valid yet{}: is this machine's clock right?", on("only from"))
            }
            Self::OtherName => format!(
                "{certificate} is for another host: is the base URL right, or does something in between answer?"
            ),
            Self::Revoked => format!("{certificate} was revoked: whoever runs that host must replace it"),
            Self::NoAuthority => format!(
                "no trust in {certificate}; is its authority missing? Add it to the system's, or by \
                 `root_certificate`"
            ),
            Self::Other => format!("{certificate} is not accepted"),
        }
    }
}

/// What OpenSSL, Apple's library and Windows (by number, as its words are in the
/// user's language) say; the first that is found counts.
#[rustfmt::skip]
const TEXTS: [(&[&str], Distrust); 6] = [
    (&["certificate has expired", "certificate is expired", "os error -2146762495"], Distrust::Expired),
    (&["certificate is not yet valid"], Distrust::NotYetValid),
    (&["hostname mismatch", "ip address mismatch", "certificate name does not match", "os error -2146762481"], Distrust::OtherName),
    (&["certificate revoked", "certificate is revoked", "os error -2146762484", "os error -2146885616"], Distrust::Revoked),
    (&["unable to get local issuer certificate", "unable to get issuer certificate", "self-signed certificate", "self signed certificate",
       "certificate signature failure", "certificate is not trusted", "os error -2146762487", "os error -2146762486"], Distrust::NoAuthority),
    (&["certificate verify failed", "invalid peer certificate"], Distrust::Other),
];

#[cfg(feature = "rustls-no-provider")]
mod by_rustls {
    use std::{error::Error, io};

    use jiff::Timestamp;
    use rustls::CertificateError;

    use super::Distrust;

    pub(super) fn distrust(error: &reqwest::Error) -> Option<Distrust> {
        found(error).map(of)
    }

    /// The end of a certificate that has expired, or the beginning of one that is not
    /// valid yet.
    pub(super) fn date(error: &reqwest::Error) -> Option<String> {
        let (CertificateError::ExpiredContext { not_after: at, .. }
        | CertificateError::NotValidYetContext { not_before: at, .. }) = found(error)?
        else {
            return None;
        };
        let at = Timestamp::from_second(i64::try_from(at.as_secs()).ok()?).ok()?;
        Some(at.strftime("%Y-%m-%d").to_string())
    }

    /// What rustls found, wherever it is among the sources of `error`.
    fn found(error: &reqwest::Error) -> Option<&CertificateError> {
        let mut next: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<rustls::Error>() {
                let rustls::Error::InvalidCertificate(why) = error else { return None };
                return Some(why);
            }
            // What an I/O error was made of is no source of it.
            let made_of = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            next = match made_of {
                Some(error) => Some(error),
                None => error.source(),
            };
        }
        None
    }

    fn of(why: &CertificateError) -> Distrust {
        match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Distrust::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Distrust::NotYetValid
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Distrust::OtherName
            }
            CertificateError::Revoked => Distrust::Revoked,
            // An authority of the same name with another key signed it.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Distrust::NoAuthority,
            _ => Distrust::Other,
        }
    }
}

#[cfg(not(feature = "rustls-no-provider"))]
mod by_rustls {
    use super::Distrust;

    pub(super) fn distrust(_: &reqwest::Error) -> Option<Distrust> {
        None
    }

    pub(super) fn date(_: &reqwest::Error) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests;

//! What the two providers share of HTTP: one bounded exchange, and what its
//! failure means.
//!
//! Runs on the alert thread. Invariant: an exchange ends by itself before
//! [`SEND_TIMEOUT`](crate::SEND_TIMEOUT), makes one request, holds a bounded part
//! of the answer, and leaves no URL in an error.

use std::{
    error::Error as _,
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use reqwest::{
    Client, RequestBuilder, Response, StatusCode, Url,
    header::{ACCEPT, HeaderMap, RETRY_AFTER},
    redirect,
};

use super::{SendError, reason::Scrub};
use crate::secret::Secret;

/// From the name's look-up to the end of the TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The whole exchange. Shorter than the dispatcher's own limit, so that it is
/// known which part of the exchange took too long.
pub(crate) const TOTAL_TIMEOUT: Duration = Duration::from_secs(25);
const _: () = assert!(TOTAL_TIMEOUT.as_secs() < crate::SEND_TIMEOUT.as_secs());

/// Long enough for the messages of one incident. Not longer, because a request
/// on a connection that the provider just closed may have to be repeated.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// More of an answer is not read, as a rule.
const LONGEST_BODY: usize = 64 * 1024;

/// The end of a body that was cut is not shown: it may be half of something that
/// is to be removed.
const UNSHOWN_TAIL: usize = 512;

/// Longer wishes of a provider are cut, shorter ones lengthened.
const SHORTEST_WISH: Duration = Duration::from_secs(1);
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);
/// Stricter, because it rests on two clocks.
const LONGEST_RATE_LIMIT: Duration = Duration::from_secs(15 * 60);

/// What is to be done after an answer: [`SendError`] without its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    NotProcessed,
    /// [`Class::NotProcessed`], and not before this has passed.
    Resting(Duration),
    Ambiguous,
    Rejected,
    RecipientRefused,
    Misconfigured,
}

impl Class {
    /// The error of this class; the longer of both wishes is told.
    pub(crate) fn error(self, reason: String, wish: Option<Duration>) -> SendError {
        match self {
            Self::NotProcessed => SendError::NotProcessed { reason, retry_after: wish },
            Self::Resting(pause) => SendError::NotProcessed { reason, retry_after: wish.max(Some(pause)) },
            Self::Ambiguous => SendError::Ambiguous { reason, retry_after: wish },
            Self::Rejected => SendError::Rejected { reason },
            Self::RecipientRefused => SendError::RecipientRefused { reason },
            Self::Misconfigured => SendError::Misconfigured { reason },
        }
    }

    /// What the status of an answer means where nothing better is known; a
    /// success is one that the provider does not give. RFC 9110, section 15.
    pub(crate) fn of(status: StatusCode) -> (Self, &'static str) {
        match status.as_u16() {
            300..=399 => (Self::Misconfigured, "redirected elsewhere, is the base URL right?"),
            401 | 403 => (Self::Misconfigured, "the credentials were refused"),
            402 => (Self::Misconfigured, "payment required"),
            404 | 405 | 410 => (Self::Misconfigured, "no such resource, is the base URL right?"),
            407 => (Self::Misconfigured, "the proxy wants credentials"),
            451 => (Self::Misconfigured, "unavailable for legal reasons"),
            // The server did not get the whole request, did not want it so
            // early, or did not want it yet: in no case did it act on it.
            408 => (Self::NotProcessed, "the request took too long"),
            425 => (Self::NotProcessed, "too early"),
            429 => (Self::NotProcessed, "too many requests"),
            413 => (Self::Rejected, "the message is too large"),
            400..=499 => (Self::Rejected, "the request was refused"),
            500..=599 => (Self::Ambiguous, "the server failed"),
            200..=299 => (Self::Ambiguous, "somebody else's answer, is the base URL right?"),
            _ => (Self::Ambiguous, "an answer that is none"),
        }
    }
}

/// A client that is made at the first request, because making it reads the
/// system's certificates.
pub(crate) struct Http {
    /// The provider's name, for the reasons of errors.
    provider: &'static str,
    client: OnceLock<Client>,
}

impl Http {
    pub(crate) fn new(provider: &'static str) -> Self {
        Self { provider, client: OnceLock::new() }
    }

    /// Makes the request that `build` gives and reads the answer.
    ///
    /// # Errors
    ///
    /// When there is no answer. One whose body breaks off is one if its status
    /// says enough; of a refusal, which is final, the lost body may have said
    /// that it is not.
    pub(crate) async fn exchange(
        &self,
        scrub: &Scrub<'_>,
        build: impl FnOnce(&Client) -> RequestBuilder,
    ) -> Result<Answer, SendError> {
        self.exchange_up_to(LONGEST_BODY, scrub, build).await
    }

    /// As [`exchange`](Self::exchange), but reads up to `longest_body` bytes.
    pub(crate) async fn exchange_up_to(
        &self,
        longest_body: usize,
        scrub: &Scrub<'_>,
        build: impl FnOnce(&Client) -> RequestBuilder,
    ) -> Result<Answer, SendError> {
        let failure = |error| failure(self.provider, error, scrub);
        // Mostly for want of descriptors to read the certificates, and those
        // come back.
        let no_client = |error| {
            let ours = format!("{}: no client can be made", self.provider);
            Class::NotProcessed.error(scrub.reason(&ours, &chain(&error)), None)
        };
        let request = build(self.client().map_err(no_client)?).header(ACCEPT, "application/json");
        let mut response = request.send().await.map_err(failure)?;
        let status = response.status();
        let body = match read(&mut response, longest_body).await {
            Ok(body) => body,
            Err(error) if !status.is_success() && Class::of(status).0 == Class::Rejected => {
                let ours =
                    format!("{} (HTTP {}): refused, and why broke off", self.provider, status.as_u16());
                let reason = scrub.reason(&ours, &chain(&error.without_url()));
                return Err(Class::NotProcessed.error(reason, None));
            }
            Err(_) => Vec::new(),
        };
        Ok(Answer { status, headers: std::mem::take(response.headers_mut()), body })
    }

    /// A client that could not be made is tried again at the next request.
    fn client(&self) -> Result<&Client, reqwest::Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = client(CONNECT_TIMEOUT, TOTAL_TIMEOUT)?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// One request per attempt: a redirect would take the credentials elsewhere, and
/// repeating is the dispatcher's business. The system's proxy is honoured.
fn client(connect_timeout: Duration, total_timeout: Duration) -> Result<Client, reqwest::Error> {
    Client::builder()
        .user_agent(user_agent())
        .connect_timeout(connect_timeout)
        .timeout(total_timeout)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .build()
}

fn user_agent() -> String {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("tracing-alert/{} ({os} {arch}) rust", env!("CARGO_PKG_VERSION"))
}

async fn read(response: &mut Response, longest_body: usize) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = longest_body - body.len();
        if chunk.len() > room {
            body.extend_from_slice(&chunk[..room]);
            body.truncate(longest_body - UNSHOWN_TAIL);
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What it means that there is no answer: only an error before the request was
/// written says that it was not processed.
fn failure(provider: &str, error: reqwest::Error, scrub: &Scrub<'_>) -> SendError {
    let error = error.without_url();
    let (class, what) = if error.is_builder() {
        (Class::Misconfigured, "the request could not be made")
    } else if error.is_connect() || error.is_dns() {
        (Class::NotProcessed, "no connection")
    } else if error.is_timeout() {
        (Class::Ambiguous, "no answer in time")
    } else {
        (Class::Ambiguous, "the connection broke off")
    };
    class.error(scrub.reason(&format!("{provider}: {what}"), &chain(&error)), None)
}

/// An error with its sources, each told once.
fn chain(error: &reqwest::Error) -> String {
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

/// A provider's answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Its first part, if it is long.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// How long the provider asks to be left alone.
    pub(crate) fn wish(&self) -> Option<Duration> {
        self.wish_at(SystemTime::now())
    }

    fn wish_at(&self, now: SystemTime) -> Option<Duration> {
        let text = |name: &str| self.headers.get(name)?.to_str().ok().map(str::trim);
        let retry_after = text(RETRY_AFTER.as_str()).and_then(|text| retry_after(text, now));
        let reset = text("x-ratelimit-reset").filter(|_| self.status == StatusCode::TOO_MANY_REQUESTS);
        retry_after.or_else(|| rate_limit_reset(reset?, now))
    }
}

/// RFC 9110, section 10.2.3: seconds or a date. What is neither is no wish.
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let wish = match seconds(text) {
        Some(wish) => wish,
        None => {
            let date = jiff::fmt::rfc2822::parse(text).ok()?;
            SystemTime::from(date.timestamp()).duration_since(now).unwrap_or_default()
        }
    };
    Some(wish.clamp(SHORTEST_WISH, LONGEST_RETRY_AFTER))
}

/// The second, counted from 1970, at which requests are taken again ("Rate
/// Limits" of the SendGrid v3 API).
fn rate_limit_reset(text: &str, now: SystemTime) -> Option<Duration> {
    let since_1970 = now.duration_since(UNIX_EPOCH).ok()?;
    let wish = seconds(text)?.saturating_sub(since_1970);
    Some(wish.clamp(SHORTEST_WISH, LONGEST_RATE_LIMIT))
}

fn seconds(text: &str) -> Option<Duration> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

/// What is wrong with a base URL.
pub(crate) fn base_url_fault(text: &str) -> Option<&'static str> {
    match Url::parse(text) {
        Err(_) => Some("is not a URL"),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => Some("is neither http nor https"),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => Some("has credentials in it"),
        Ok(url) if url.query().is_some() || url.fragment().is_some() => Some("has a query or a fragment"),
        Ok(_) => None,
    }
}

/// The host of a base URL: all of it that is shown.
pub(crate) fn host(base_url: &str) -> String {
    let host = Url::parse(base_url).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.unwrap_or_else(|| "[not a URL]".to_owned())
}

/// True if there is something in `secret`, and only what a header takes.
pub(crate) fn is_credential(secret: &Secret) -> bool {
    !secret.is_blank() && secret.expose().bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests;

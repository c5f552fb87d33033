//! What the sinks share of HTTP: one bounded exchange, and what its
//! failure means.
//!
//! Runs on the alert thread. Invariant: an exchange ends by itself before
//! [`SEND_TIMEOUT`](crate::SEND_TIMEOUT), makes one request, holds a bounded part
//! of the answer, and leaves no URL in an error.

use std::{
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{ACCEPT, HeaderMap, RETRY_AFTER},
    redirect,
};

use super::reason::Scrub;
use crate::{
    host::{secret::Secret, thread::Role, time::from_millis, unwind::caught},
    policy::send_error::SendError,
};

mod connection;
pub(crate) use connection::{Connection, Names, connection_setters};

#[cfg(feature = "cli")]
mod certificate;
#[cfg(feature = "cli")]
mod hops;

mod failure;
use failure::{chain, failure};

mod proxy;
use proxy::Hop;
pub(crate) use proxy::Proxy;

mod tls;

#[cfg(feature = "postgres")]
pub(crate) use reqwest::Url;

#[cfg(feature = "webhook")]
mod url;
#[cfg(feature = "webhook")]
pub(crate) use url::secrets;

/// From the name's look-up to the end of the TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The whole exchange. Shorter than the dispatcher's own limit, so that it is
/// known which part of the exchange took too long.
pub(crate) const TOTAL_TIMEOUT: Duration = Duration::from_secs(25);
const _: () = assert!(TOTAL_TIMEOUT.as_secs() < super::SEND_TIMEOUT.as_secs());

/// Long enough for the messages of one incident. Not longer, because a request
/// on a connection that the provider just closed may have to be repeated.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// More of an answer is not read, as a rule.
const MAX_BODY: usize = 64 * 1024;

/// The end of a body that was cut is not shown: it may be half of something that
/// is to be removed.
const UNSHOWN_TAIL: usize = 512;

/// Longer wishes of a provider are cut, shorter ones lengthened.
const MIN_WISH: Duration = Duration::from_secs(1);
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);
/// Stricter, because it rests on two clocks.
const MAX_RATE_LIMIT: Duration = Duration::from_secs(15 * 60);

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
            300..=399 => (Self::Misconfigured, "redirected elsewhere; is the base URL right?"),
            401 | 403 => (Self::Misconfigured, "the credentials were refused"),
            402 => (Self::Misconfigured, "payment required"),
            404 | 405 | 410 => (Self::Misconfigured, "no such resource; is the base URL right?"),
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
            200..=299 => (Self::Ambiguous, "not the provider's answer; is the base URL right?"),
            _ => (Self::Ambiguous, "an unexpected HTTP status"),
        }
    }
}

/// A client that is made at the first request, because making it reads the
/// system's certificates.
pub(crate) struct Http {
    /// The provider's name, for the reasons of errors.
    provider: &'static str,
    pub(crate) connection: Connection,
    line: OnceLock<Line>,
}

/// A client, and what it connects to.
struct Line {
    client: Client,
    /// What cannot be reached if it cannot connect: the provider's host, and the
    /// proxy's if there is one on the way.
    host: String,
    /// The proxy's.
    credentials: Vec<Secret>,
}

impl Http {
    pub(crate) fn new(provider: &'static str, connection: Connection) -> Self {
        Self { provider, connection, line: OnceLock::new() }
    }

    /// What an answer may echo and nobody else may read, beyond the settings: the
    /// credentials of the environment's proxy.
    pub(crate) fn credentials(&self) -> &[Secret] {
        self.line.get().map_or(&[], |line| &line.credentials)
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
        self.exchange_up_to(MAX_BODY, scrub, build).await
    }

    /// As [`exchange`](Self::exchange), but reads up to `longest_body` bytes.
    pub(crate) async fn exchange_up_to(
        &self,
        longest_body: usize,
        scrub: &Scrub<'_>,
        build: impl FnOnce(&Client) -> RequestBuilder,
    ) -> Result<Answer, SendError> {
        Role::Own.play_all(self.exchange_unheard(longest_body, scrub, build)).await
    }

    async fn exchange_unheard(
        &self,
        longest_body: usize,
        scrub: &Scrub<'_>,
        build: impl FnOnce(&Client) -> RequestBuilder,
    ) -> Result<Answer, SendError> {
        let line = self.line(scrub)?;
        let scrub = &scrub.and(&line.credentials);
        let failure = |error| failure(self.provider, error, line, scrub);
        let request = build(&line.client).header(ACCEPT, "application/json");
        let mut response = request.send().await.map_err(failure)?;
        let status = response.status();
        let body = match read(&mut response, longest_body).await {
            Ok(body) => body,
            Err(error) if !status.is_success() && Class::of(status).0 == Class::Rejected => {
                let ours = format!(
                    "{} (HTTP {}): refused, but the connection broke before the reason came",
                    self.provider,
                    status.as_u16()
                );
                let reason = scrub.reason(&ours, &chain(&error.without_url()));
                return Err(Class::NotProcessed.error(reason, None));
            }
            Err(_) => Vec::new(),
        };
        Ok(Answer { status, headers: std::mem::take(response.headers_mut()), body })
    }

    /// A client that could not be made is tried again at the next request.
    fn line(&self, scrub: &Scrub<'_>) -> Result<&Line, SendError> {
        if let Some(line) = self.line.get() {
            return Ok(line);
        }
        let line = line(&self.connection, CONNECT_TIMEOUT, TOTAL_TIMEOUT).map_err(|(class, what)| {
            class.error(
                scrub.reason(&format!("{}: the HTTP client cannot be built", self.provider), &what),
                None,
            )
        })?;
        Ok(self.line.get_or_init(|| line))
    }
}

/// One request per attempt: a redirect would take the credentials elsewhere, and
/// repeating is the dispatcher's business. The system's proxy is honoured, but for
/// what is on this machine.
fn line(
    connection: &Connection,
    connect_timeout: Duration,
    total_timeout: Duration,
) -> Result<Line, tls::Fault> {
    // Mostly for want of descriptors, and those come back.
    let failed = |error: reqwest::Error| (Class::NotProcessed, chain(&error.without_url()));
    let mut builder = Client::builder()
        // Whatever features of HTTP the host asks of its own client.
        .http1_only()
        .user_agent(user_agent())
        .connect_timeout(connect_timeout)
        .timeout(total_timeout)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false);
    let hop = match &connection.proxy {
        _ if connection.is_local() => {
            builder = builder.no_proxy();
            None
        }
        Some(proxy) => {
            builder = builder.proxy(reqwest::Proxy::all(proxy.url.expose()).map_err(failed)?);
            proxy.hop.clone()
        }
        None => Hop::of_environment(&connection.base_url).map_err(|name| {
            let what =
                format!("{name} is not the URL of a proxy: give one like http://proxy.example.com:3128");
            (Class::Misconfigured, what)
        })?,
    };
    let needs_tls = connection.is_https() || hop.as_ref().is_some_and(|hop| hop.is_https);
    let builder = tls::set_up(builder, needs_tls, &connection.roots)?;
    // A program may have turned on a feature of reqwest with which that panics.
    let client = caught(|| builder.build())
        .ok_or_else(|| (Class::Misconfigured, tls::NO_PROVIDER.to_owned()))?
        .map_err(failed)?;
    let host = connection.host();
    Ok(match hop {
        None => Line { client, host, credentials: Vec::new() },
        Some(Hop { shown, credentials, .. }) => {
            Line { client, host: format!("{host} through the proxy {shown}"), credentials }
        }
    })
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

/// The time of day, by which a provider's entries are dated.
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
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
        self.wish_at(now())
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
            from_millis(date.timestamp().as_millisecond()).duration_since(now).unwrap_or_default()
        }
    };
    Some(wish.clamp(MIN_WISH, MAX_RETRY_AFTER))
}

/// The second, counted from 1970, at which requests are taken again ("Rate
/// Limits" of the SendGrid v3 API).
fn rate_limit_reset(text: &str, now: SystemTime) -> Option<Duration> {
    let since_1970 = now.duration_since(UNIX_EPOCH).ok()?;
    let wish = seconds(text)?.saturating_sub(since_1970);
    Some(wish.clamp(MIN_WISH, MAX_RATE_LIMIT))
}

fn seconds(text: &str) -> Option<Duration> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

/// True if there is something in `secret`, and only what a header takes.
pub(crate) fn is_credential(secret: &Secret) -> bool {
    !secret.is_blank() && secret.expose().bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests;

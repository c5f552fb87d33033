//! The way to a provider, hop by hop: for the command, which says where it ends.
//!
//! Invariant: nothing is sent but a request without credentials.

use std::{
    net::SocketAddr,
    time::{Duration, Instant, SystemTime},
};

use jiff::Timestamp;
use reqwest::{Response, Url, header::DATE};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use super::{CONNECT_TIMEOUT, Http, certificate::expiry, failure, proxy::Hop, tls};
use crate::{
    host::{thread::Role, time::from_millis},
    policy::send_error::SendError,
    sink::{
        finding::{Finding, Verdict},
        reason::Scrub,
    },
};

/// By how much a clock may be wrong: a certificate's times, and those of a provider's
/// entries, are compared with it.
const MAX_SKEW: Duration = Duration::from_secs(60);

/// A certificate with less time than this should have been renewed: by then most are.
const EXPIRES_SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// What is connected to.
struct Place {
    /// Host and port.
    address: String,
    /// The same as it is shown.
    shown: String,
    /// The proxy, if it is one.
    proxy: Option<String>,
    /// Whether its address may be told.
    is_secret: bool,
}

impl Place {
    /// What is said of its addresses.
    fn told(&self, addresses: &[SocketAddr]) -> String {
        match addresses {
            [_] if self.is_secret => "it has an address".to_owned(),
            many if self.is_secret => format!("it has {} addresses", many.len()),
            [first] => first.ip().to_string(),
            [first, more @ ..] => format!("{} and {} more", first.ip(), more.len()),
            [] => String::new(),
        }
    }
}

impl Http {
    /// Looks the host up, connects, and asks for the root of it. `of` is the sink's name.
    pub(crate) async fn hops(&self, of: &str, scrub: &Scrub<'_>) -> Vec<Finding> {
        Role::Own.play_all(self.hops_unheard(of, scrub)).await
    }

    async fn hops_unheard(&self, of: &str, scrub: &Scrub<'_>) -> Vec<Finding> {
        let mut hops = Vec::new();
        let place = match self.place() {
            Ok(found) => found,
            Err(name) => {
                let says = format!("{name} is not the URL of a proxy");
                hops.push(Finding::bad(of, "proxy", says, "give one like http://proxy.example.com:3128"));
                return hops;
            }
        };
        if let Some(by) = &place.proxy {
            hops.push(Finding::good(of, "proxy", format!("the way is through {by}")));
        }
        let start = Instant::now();
        let addresses = match resolved(&place.address).await {
            Ok(addresses) => addresses,
            Err(why) => {
                let mend = "check its URL, and this machine's name servers (/etc/resolv.conf)";
                let says = format!("{} is not found: {why}", place.shown);
                hops.push(Finding::bad(of, "name resolution", says, mend).since(start));
                return hops;
            }
        };
        hops.push(Finding::good(of, "name resolution", place.told(&addresses)).since(start));
        let start = Instant::now();
        if let Err(why) = connected(&addresses).await {
            let mend = "let the firewall pass connections to it, or give a proxy by HTTPS_PROXY";
            let says = format!("no connection to {}: {why}", place.shown);
            hops.push(Finding::bad(of, "connection", says, mend).since(start));
            return hops;
        }
        hops.push(Finding::good(of, "connection", &*place.shown).since(start));
        hops.extend(self.first_request(of, scrub).await);
        hops
    }

    /// The TLS handshake, and what the server's clock says.
    async fn first_request(&self, of: &str, scrub: &Scrub<'_>) -> Vec<Finding> {
        let is_https = self.connection.is_https();
        let what = if is_https { "TLS" } else { "HTTP" };
        let start = Instant::now();
        let response = match self.ask_for_root(scrub).await {
            Ok(response) => response,
            Err(error) => {
                let mend = "see `tls` among the crate's pages";
                return vec![Finding::failed(of, what, &error, mend).since(start)];
            }
        };
        let first = match is_https {
            true => trusted(of, tls::certificate(&response).and_then(expiry), super::now()),
            false if self.connection.is_local() => Finding::good(of, what, "not encrypted"),
            false => {
                let says = "not encrypted: anybody on the way can read the credentials, and the messages";
                Finding::warning(of, what, says, "give an https URL")
            }
        };
        let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
        let theirs = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
        let theirs = theirs.map(|at| from_millis(at.timestamp().as_millisecond()));
        let mut found = vec![first.since(start)];
        found.extend(theirs.map(|theirs| clock(of, theirs, super::now())));
        found
    }

    async fn ask_for_root(&self, scrub: &Scrub<'_>) -> Result<Response, SendError> {
        let line = self.line(scrub)?;
        let scrub = &scrub.and(&line.credentials);
        let answer = line.client.head(self.root()).send().await;
        answer.map_err(|error| failure(self.provider, error, line, scrub))
    }

    /// The root of the host. What else is in a URL that is a secret is told nobody yet.
    fn root(&self) -> String {
        let connection = &self.connection;
        let whole = Url::parse(&connection.base_url).ok().filter(|_| connection.shown_host.is_some());
        let origin = whole.map(|url| url.origin().ascii_serialization());
        origin.unwrap_or_else(|| connection.url("/"))
    }

    fn place(&self) -> Result<Place, &'static str> {
        let connection = &self.connection;
        let hop = match &connection.proxy {
            _ if connection.is_local() => None,
            Some(proxy) => proxy.hop.clone(),
            None => Hop::of_environment(&connection.base_url)?,
        };
        if let Some(hop) = hop {
            let (address, shown) = (hop.shown.clone(), hop.shown.clone());
            return Ok(Place { address, shown, proxy: Some(hop.shown), is_secret: false });
        }
        let url = Url::parse(&connection.base_url).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default().to_owned();
        let port = url.and_then(|url| url.port_or_known_default()).unwrap_or(443);
        let address = format!("{host}:{port}");
        let shown = connection.shown_host.map_or_else(|| address.clone(), str::to_owned);
        Ok(Place { address, shown, proxy: None, is_secret: connection.shown_host.is_some() })
    }
}

/// The addresses of a host, of which there is at least one.
async fn resolved(place: &str) -> Result<Vec<SocketAddr>, String> {
    let found = timeout(CONNECT_TIMEOUT, lookup_host(place)).await.map_err(|_| NO_ANSWER.to_owned())?;
    let addresses: Vec<_> = found.map_err(|error| error.to_string())?.collect();
    if addresses.is_empty() { Err("it has no address".to_owned()) } else { Ok(addresses) }
}

async fn connected(addresses: &[SocketAddr]) -> Result<(), String> {
    let connected = timeout(CONNECT_TIMEOUT, TcpStream::connect(addresses)).await;
    connected.map_err(|_| NO_ANSWER.to_owned())?.map(drop).map_err(|error| error.to_string())
}

const NO_ANSWER: &str = "no answer in time";

/// A certificate that TLS took, and until when it will.
fn trusted(of: &str, expiry: Option<SystemTime>, now: SystemTime) -> Finding {
    let Some(expiry) = expiry else { return Finding::good(of, "TLS", "the certificate is trusted") };
    let left = expiry.duration_since(now).unwrap_or_default();
    let date = Timestamp::try_from(expiry).map(|at| at.strftime("%Y-%m-%d").to_string()).unwrap_or_default();
    if left >= EXPIRES_SOON {
        return Finding::good(of, "TLS", format!("the certificate is trusted until {date}"));
    }
    let says = match left.as_secs() / (24 * 60 * 60) {
        0 => format!("the certificate is trusted, but expires within a day, on {date}"),
        1 => format!("the certificate is trusted, but expires in a day, on {date}"),
        days => format!("the certificate is trusted, but expires in {days} days, on {date}"),
    };
    Finding::warning(of, "TLS", says, "have whoever runs that host renew it: nothing is sent afterwards")
}

/// Whether our clock is right, if theirs is.
fn clock(of: &str, theirs: SystemTime, ours: SystemTime) -> Finding {
    let (skew, word) = match ours.duration_since(theirs) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    let says = format!("{} s {word} the provider's", skew.as_secs());
    match skew > MAX_SKEW {
        true => Finding::bad(of, "clock", says, "set this machine's clock, by NTP"),
        false => Finding::new(of, "clock", Verdict::Good, says),
    }
}

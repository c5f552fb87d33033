//! The way to a provider, hop by hop: for the command, which says where it ends.
//!
//! Invariant: nothing is sent but a request without credentials.

use std::time::{Duration, Instant};

use reqwest::{Method, Url, header::DATE};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use super::{CONNECT_TIMEOUT, Http, proxy::Hop};
use crate::{
    host::{thread::Role, time::from_millis},
    sink::{
        finding::{Finding, Verdict},
        reason::Scrub,
    },
};

/// By how much a clock may be wrong: a certificate's times, and those of a provider's
/// entries, are compared with it.
const MAX_SKEW: Duration = Duration::from_secs(60);

impl Http {
    /// Looks the host up, connects, and asks for the root of it. `of` is the sink's name.
    pub(crate) async fn hops(&self, of: &str, scrub: &Scrub<'_>) -> Vec<Finding> {
        Role::Own.play_all(self.hops_unheard(of, scrub)).await
    }

    async fn hops_unheard(&self, of: &str, scrub: &Scrub<'_>) -> Vec<Finding> {
        let mut hops = Vec::new();
        let (place, by) = match self.place() {
            Ok(found) => found,
            Err(name) => {
                let says = format!("{name} is not the URL of a proxy");
                hops.push(Finding::bad(of, "proxy", says, "give one like http://proxy.example.com:3128"));
                return hops;
            }
        };
        if let Some(by) = &by {
            hops.push(Finding::good(of, "proxy", format!("the way is through {by}")));
        }
        let start = Instant::now();
        let found = timeout(CONNECT_TIMEOUT, lookup_host(&place)).await;
        let addresses: Vec<_> = match found {
            Ok(Ok(found)) => found.collect(),
            Ok(Err(error)) => {
                hops.push(nowhere(of, &place, &error.to_string()).since(start));
                return hops;
            }
            Err(_) => {
                hops.push(nowhere(of, &place, "no answer in time").since(start));
                return hops;
            }
        };
        let Some(first) = addresses.first() else {
            hops.push(nowhere(of, &place, "it has no address").since(start));
            return hops;
        };
        let says = match addresses.len() {
            1 => first.ip().to_string(),
            many => format!("{} and {} more", first.ip(), many.saturating_sub(1)),
        };
        hops.push(Finding::good(of, "name resolution", says).since(start));
        let start = Instant::now();
        let connected = timeout(CONNECT_TIMEOUT, TcpStream::connect(addresses.as_slice())).await;
        let why = match connected {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("no answer in time".to_owned()),
        };
        if let Some(why) = why {
            let mend = "let the firewall pass connections to it, or give a proxy by HTTPS_PROXY";
            let says = format!("no connection to {place}: {why}");
            hops.push(Finding::bad(of, "connection", says, mend).since(start));
            return hops;
        }
        hops.push(Finding::good(of, "connection", &*place).since(start));
        hops.extend(self.first_request(of, scrub).await);
        hops
    }

    /// The TLS handshake, and what the server's clock says.
    async fn first_request(&self, of: &str, scrub: &Scrub<'_>) -> Vec<Finding> {
        let what = if self.connection.is_https() { "TLS" } else { "HTTP" };
        let start = Instant::now();
        let url = self.connection.url("/");
        match self.exchange(scrub, |client| client.request(Method::HEAD, url)).await {
            Err(error) => {
                vec![Finding::failed(of, what, &error, "see `tls` among the crate's pages").since(start)]
            }
            Ok(answer) => {
                let says =
                    if self.connection.is_https() { "the certificate is trusted" } else { "not encrypted" };
                let mut found = vec![Finding::good(of, what, says).since(start)];
                let date = answer.headers.get(DATE).and_then(|date| date.to_str().ok());
                let theirs = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
                if let Some(theirs) = theirs {
                    found.push(clock(of, from_millis(theirs.timestamp().as_millisecond()), super::now()));
                }
                found
            }
        }
    }

    /// What is connected to, as host and port, and the proxy if it is one.
    fn place(&self) -> Result<(String, Option<String>), &'static str> {
        let connection = &self.connection;
        let hop = match &connection.proxy {
            _ if connection.is_local() => None,
            Some(proxy) => proxy.hop.clone(),
            None => Hop::of_environment(&connection.base_url)?,
        };
        if let Some(hop) = hop {
            return Ok((hop.shown.clone(), Some(hop.shown)));
        }
        let url = Url::parse(&connection.base_url).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default().to_owned();
        let port = url.and_then(|url| url.port_or_known_default()).unwrap_or(443);
        Ok((format!("{host}:{port}"), None))
    }
}

fn nowhere(of: &str, place: &str, why: &str) -> Finding {
    let mend = "check the base URL, and this machine's name servers (/etc/resolv.conf)";
    Finding::bad(of, "name resolution", format!("{place} is not found: {why}"), mend)
}

/// Whether our clock is right, if theirs is.
fn clock(of: &str, theirs: std::time::SystemTime, ours: std::time::SystemTime) -> Finding {
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

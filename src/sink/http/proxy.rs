//! The proxy on the way to a provider: the one that is set, or the environment's.
//!
//! Invariant: what is shown of a proxy is its host and port.

use std::env;

use base64::{Engine, prelude::BASE64_STANDARD};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use crate::host::secret::Secret;

/// Where the environment names the proxy for https, in this order; that for http
/// has `HTTP_PROXY` in the first two places.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// A proxy that a setter named.
pub(crate) struct Proxy {
    pub(super) url: Secret,
    /// None if it cannot be used.
    pub(super) hop: Option<Hop>,
}

impl Proxy {
    pub(crate) fn new(url: impl Into<String>) -> Self {
        let url = Secret::new(url);
        let any = Matcher::builder().all(url.expose()).build();
        let is_taken = reqwest::Proxy::all(url.expose()).is_ok();
        let hop = "https://any".parse().ok().and_then(|any_host| any.intercept(&any_host));
        Self { hop: hop.filter(|_| is_taken).as_ref().map(Hop::of), url }
    }
}

/// A proxy, as the next hop on the way to a provider.
#[derive(Clone)]
pub(super) struct Hop {
    /// Its host and port.
    pub(super) shown: String,
    pub(super) is_https: bool,
    /// The password, and the login as a header has it.
    pub(super) credentials: Vec<Secret>,
}

impl Hop {
    /// The proxy that the environment names for `base_url`: the one that reqwest
    /// takes, which asks the same matcher.
    ///
    /// # Errors
    ///
    /// If it names one that cannot be used, which reqwest would pass over; with the
    /// name of the variable.
    pub(super) fn of_environment(base_url: &str) -> Result<Option<Self>, &'static str> {
        let Ok(destination) = base_url.parse() else { return Ok(None) };
        if let Some(intercept) = Matcher::from_system().intercept(&destination) {
            return Ok(Some(Self::of(&intercept)));
        }
        let is_http = base_url.starts_with("http:");
        let names = VARIABLES.into_iter().map(|name| match name {
            "HTTPS_PROXY" if is_http => "HTTP_PROXY",
            "https_proxy" if is_http => "http_proxy",
            other => other,
        });
        let mut set = names.filter_map(|name| Some((name, env::var(name).ok()?)));
        let Some((name, url)) = set.find(|(_, url)| !url.is_empty()) else { return Ok(None) };
        let is_usable = Matcher::builder().all(url).build().intercept(&destination).is_some();
        let excepted = ["NO_PROXY", "no_proxy"].iter().find_map(|name| env::var(name).ok());
        let for_others = Matcher::builder().all("http://any").no(excepted.unwrap_or_default()).build();
        let is_excepted = for_others.intercept(&destination).is_none();
        if is_usable || is_excepted { Ok(None) } else { Err(name) }
    }

    fn of(intercept: &Intercept) -> Self {
        let uri = intercept.uri();
        let scheme = uri.scheme_str().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(match scheme {
            "http" => 80,
            "https" => 443,
            _ => 1080,
        });
        let mut credentials = Vec::new();
        if let Some(login) = intercept.basic_auth().and_then(|header| header.to_str().ok()) {
            let login = login.trim_start_matches("Basic ");
            credentials.push(Secret::new(login.trim_end_matches('=')));
            let plain = BASE64_STANDARD.decode(login).ok().and_then(|plain| String::from_utf8(plain).ok());
            credentials.extend(plain.as_ref().and_then(|plain| plain.split_once(':')).map(secret_of));
        }
        credentials.extend(intercept.raw_auth().map(secret_of));
        credentials.retain(|secret| !secret.is_blank());
        let shown = format!("{}:{port}", uri.host().unwrap_or_default());
        Self { shown, is_https: scheme == "https", credentials }
    }
}

/// The password, or, if there is none, what stands for both: a token, as a rule.
fn secret_of((user, password): (&str, &str)) -> Secret {
    Secret::new(if password.is_empty() { user } else { password })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(url: &str) -> Option<(String, bool, Vec<String>)> {
        let hop = Proxy::new(url).hop?;
        let credentials = hop.credentials.iter().map(|secret| secret.expose().to_owned()).collect();
        Some((hop.shown, hop.is_https, credentials))
    }

    #[test]
    fn a_proxy_is_shown_by_host_and_port() {
        assert_eq!(hop("http://proxy.example/"), Some(("proxy.example:80".into(), false, vec![])));
        assert_eq!(hop("proxy.example:3128"), Some(("proxy.example:3128".into(), false, vec![])));
        assert_eq!(hop("https://proxy.example"), Some(("proxy.example:443".into(), true, vec![])));
        assert_eq!(hop("socks5h://127.0.0.1"), Some(("127.0.0.1:1080".into(), false, vec![])));
        assert_eq!(hop("socks5://[::1]:9"), Some(("[::1]:9".into(), false, vec![])));
    }

    #[test]
    fn its_credentials_are_known_in_each_spelling() {
        let (shown, _, credentials) = hop("http://bob:hunter%202@proxy.example").unwrap();
        assert_eq!(
            (shown.as_str(), credentials),
            ("proxy.example:80", vec!["Ym9iOmh1bnRlciAy".into(), "hunter 2".into()])
        );
        let (shown, _, credentials) = hop("socks5h://bob:hunter2@proxy.example").unwrap();
        assert_eq!((shown.as_str(), credentials), ("proxy.example:1080", vec!["hunter2".to_owned()]));
        for url in ["http://t0ken@proxy.example", "http://t0ken:@proxy.example"] {
            assert_eq!(hop(url).unwrap().2, ["dDBrZW46", "t0ken"]);
        }
        assert_eq!(hop("socks5://t0ken@proxy.example").unwrap().2, ["t0ken"]);
    }

    #[test]
    fn what_is_no_proxy_is_none() {
        for bad in ["", "http://", "ftp://proxy.example", "http://proxy example", "/etc/proxy", "socks5h://"]
        {
            assert_eq!(hop(bad), None, "{bad}");
        }
    }
}

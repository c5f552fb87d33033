//! How a provider is reached: its base URL, the proxy on the way, and whom TLS
//! trusts.
//!
//! Invariant: credentials leave the machine in the clear only by consent, and
//! what is on this machine is reached without a proxy.

use std::net::IpAddr;

use reqwest::Url;

use super::{proxy::Proxy, tls};
use crate::{error::Problem, host::secret::Secret};

/// The settings of a sink's connection.
pub(crate) struct Connection {
    pub(crate) base_url: String,
    /// Whether an http URL of another host is meant.
    pub(crate) allows_http: bool,
    pub(crate) proxy: Option<Proxy>,
    /// More certificate authorities, each in PEM.
    pub(crate) roots: Vec<Vec<u8>>,
    /// What is shown for the host, if not the host.
    pub(crate) shown_host: Option<&'static str>,
}

/// What a provider's settings are called, and how its URLs begin.
pub(crate) struct Names {
    /// The setting that holds the base URL.
    pub(crate) base_url: &'static str,
    pub(crate) default: &'static str,
    /// The first segments of the API's path.
    pub(crate) api: [&'static str; 2],
}

impl Connection {
    pub(crate) fn new(base_url: &str) -> Self {
        Self {
            base_url: base_url.to_owned(),
            allows_http: false,
            proxy: None,
            roots: Vec::new(),
            shown_host: None,
        }
    }

    /// The URL of `path`, which begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url.trim_end_matches('/'))
    }

    /// All that can be known to be wrong without connecting.
    pub(crate) fn problems(&self, names: &Names) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some((what, mend)) = base_url_fault(&self.base_url, self.allows_http, names) {
            problems.push(Problem::new(names.base_url, what, mend));
        }
        problems.extend(self.other_problems());
        problems
    }

    /// What is wrong with all but the URL.
    pub(crate) fn other_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.proxy.as_ref().is_some_and(|proxy| proxy.hop.is_none()) {
            let mend = "give one like http://proxy.example.com:3128 or socks5h://127.0.0.1:1080";
            problems.push(Problem::new("proxy", "is not the URL of a proxy", mend));
        }
        if let Some(what) = self.roots.iter().find_map(|pem| tls::root_fault(pem)) {
            let mend = "give what stands between -----BEGIN CERTIFICATE----- and the END, with both";
            problems.push(Problem::new("root_certificate", what, mend));
        }
        problems
    }

    /// What keeps a URL of http or https from being used as it is.
    #[cfg(feature = "webhook")]
    pub(crate) fn transport_fault(&self) -> Option<(&'static str, String)> {
        transport_fault(&Url::parse(&self.base_url).ok()?, self.allows_http)
    }

    /// What nobody else may read.
    pub(crate) fn credentials(&self) -> impl Iterator<Item = &Secret> {
        self.proxy.iter().filter_map(|proxy| proxy.hop.as_ref()).flat_map(|hop| &hop.credentials)
    }

    pub(super) fn is_local(&self) -> bool {
        Url::parse(&self.base_url).is_ok_and(|url| is_loopback(&url))
    }

    pub(super) fn is_https(&self) -> bool {
        Url::parse(&self.base_url).is_ok_and(|url| url.scheme() == "https")
    }

    /// The provider's host, and its port if that is not the usual one: all of the
    /// base URL that is shown.
    pub(crate) fn host(&self) -> String {
        if let Some(shown) = self.shown_host {
            return shown.to_owned();
        }
        let Ok(url) = Url::parse(&self.base_url) else { return "[not a URL]".to_owned() };
        let host = url.host_str().unwrap_or("[not a URL]");
        url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

/// The setters of a sink's connection, for an `impl` of one that has it in `http`;
/// `$provider` is whom it reaches. `on the way to` it: without the one for its host.
macro_rules! connection_setters {
    ($provider:literal) => {
        $crate::sink::http::connection_setters!(on the way to $provider);

        /// Another host than [`DEFAULT_BASE_URL`](Self::DEFAULT_BASE_URL): that of
        /// a region, or a test server.
        #[must_use]
        pub fn base_url(mut self, url: impl Into<String>) -> Self {
            self.http.connection.base_url = url.into();
            self
        }
    };
    (on the way to $provider:literal) => {
        /// Lets its URL be one of `http`, although it is not on this machine: anybody on the
        /// way can read the credentials, and the messages.
        #[must_use]
        pub fn allow_http(mut self, is_allowed: bool) -> Self {
            self.http.connection.allows_http = is_allowed;
            self
        }

        #[doc = concat!("Reaches ", $provider, " through a proxy, whatever `NO_PROXY` says: `http`, `https`,")]
        /// `socks4`, `socks4a`, `socks5` or `socks5h`, like
        /// `http://user:password@proxy.example.com:3128`. Without it, the environment's
        /// proxy is used (`HTTPS_PROXY` or `ALL_PROXY`, but for hosts in `NO_PROXY`). What
        /// is on this machine is reached directly.
        #[must_use]
        pub fn proxy(mut self, url: impl Into<String>) -> Self {
            self.http.connection.proxy = Some($crate::sink::http::Proxy::new(url));
            self
        }

        /// Trusts a certificate authority of your own, too, or several: in PEM.
        #[must_use]
        pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
            self.http.connection.roots.push(pem.into());
            self
        }
    };
}
pub(crate) use connection_setters;

/// What is wrong with a base URL, and the mend.
fn base_url_fault(text: &str, allows_http: bool, names: &Names) -> Option<(&'static str, String)> {
    let example = || format!("give one like {}, or none", names.default);
    let Ok(url) = Url::parse(text) else {
        return Some(("is not a URL", example()));
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Some(("is neither http nor https", example()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some(("has credentials in it", example()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Some(("has a query or a fragment", example()));
    }
    if has_path_of_api(&url, names.api) {
        let mend = format!("leave out /{} and what follows, which is added to it", names.api[0]);
        return Some(("has the path of the API in it", mend));
    }
    transport_fault(&url, allows_http)
}

/// What keeps `url` from being used as it is, and the mend.
fn transport_fault(url: &Url, allows_http: bool) -> Option<(&'static str, String)> {
    if url.scheme() == "https" && !tls::IS_COMPILED_IN {
        return Some(("is https, but no TLS is compiled in", tls::MEND.to_owned()));
    }
    if url.scheme() == "http" && !is_loopback(url) && !allows_http {
        let mend = "give one that begins with https, or consent: ALERT_ALLOW_HTTP=on, in code \
                    `allow_http(true)` before the sink is added";
        return Some((
            "is http to another host, which lets anybody on the way read the credentials",
            mend.into(),
        ));
    }
    None
}

/// True if the path ends with the beginning of the API's, which would double it.
fn has_path_of_api(url: &Url, [first, second]: [&str; 2]) -> bool {
    let path = url.path().split('/').filter(|segment| !segment.is_empty()).collect::<Vec<_>>();
    path.iter().enumerate().any(|(at, segment)| {
        let is_next = |next: &&str| next.eq_ignore_ascii_case(second);
        segment.eq_ignore_ascii_case(first) && path.get(at + 1).is_none_or(is_next)
    })
}

fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests;

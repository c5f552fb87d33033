//! [`Heartbeat`]: a URL that is called as long as alerts would arrive, so that somebody
//! notices if it is not.
//!
//! Runs on the alert thread. Invariant: shows nothing of its URL, and sends nothing of an
//! event.

use std::{fmt, time::Duration};

use reqwest::Url;

use super::{
    http::{Class, Connection, Http, secrets},
    reason::Scrub,
};
use crate::{error::Fault, host::secret::Secret, policy::send_error::SendError};

/// What is called, and how it hears of trouble.
pub(crate) struct Heartbeat {
    url: Result<Url, Fault>,
    /// Where trouble is told; [`None`] if the service has nothing for it.
    fail_url: Option<Url>,
    secrets: Vec<Secret>,
    http: Http,
}

impl Heartbeat {
    /// Takes a URL in which `{host}` may stand for this machine's name.
    pub(crate) fn new(given: &str) -> Self {
        let host = hostname::get().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self::on(given, &host)
    }

    fn on(given: &str, host: &str) -> Self {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let host: String = host.chars().map(|c| if is_plain(c) { c } else { '-' }).collect();
        let given = given.trim().replace("{host}", &host);
        let (knows_trouble, text) = match given.strip_prefix(PREFIX) {
            Some(text) => (true, text),
            None => (false, &*given),
        };
        let url = parsed(text);
        let base_url = url.as_ref().map(Url::to_string).unwrap_or_default();
        let knows_trouble =
            knows_trouble || url.as_ref().is_ok_and(|url| url.host_str() == Some(PUBLIC_HOST));
        let fail_url = url.as_ref().ok().filter(|_| knows_trouble).map(|url| {
            let mut fail_url = url.clone();
            fail_url.set_path(&format!("{}/fail", url.path().trim_end_matches('/')));
            fail_url
        });
        let secrets = url.as_ref().map(secrets).unwrap_or_default();
        let mut connection = Connection::new(&base_url);
        connection.shown_host = Some("its host");
        Self { url, fail_url, secrets, http: Http::new(NAME, connection) }
    }

    /// What is wrong with the URL.
    pub(crate) fn fault(&self) -> Option<Fault> {
        let transport = || self.http.connection.transport_fault();
        match &self.url {
            Err(fault) => Some(fault.clone()),
            Ok(_) => transport().map(|(what, mend)| Fault::new(format!("the URL {what}")).mend(mend)),
        }
    }

    /// What no event may show.
    pub(crate) fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    /// Lets the URL be one of http to another machine.
    pub(crate) fn allow_http(&mut self, is_allowed: bool) {
        self.http.connection.allows_http = is_allowed;
    }

    /// Says that all is well, or, where that can be said, that there is `trouble`.
    ///
    /// # Errors
    ///
    /// When nobody took the call; with a line for an operator.
    pub(crate) async fn beat(&self, trouble: Option<String>) -> Result<(), String> {
        let url = match &trouble {
            None => self.url.as_ref().ok(),
            Some(_) => self.fail_url.as_ref(),
        };
        let Some(url) = url else { return Ok(()) };
        let host = url.host_str().unwrap_or_default();
        let scrub = Scrub { secrets: self.secrets.iter().collect(), words: vec![(host, "[host]")] };
        let answer = self.http.exchange(&scrub, |client| match trouble {
            None => client.get(url.clone()).timeout(TIMEOUT),
            Some(trouble) => client.post(url.clone()).timeout(TIMEOUT).body(trouble),
        });
        let status = answer.await.map_err(|error| reason_of(&error).to_owned())?.status;
        if status.is_success() {
            return Ok(());
        }
        let (_, meaning) = Class::of(status);
        Err(format!("{NAME} (HTTP {}): {meaning}", status.as_u16()))
    }
}

fn parsed(text: &str) -> Result<Url, Fault> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| {
        Fault::new("is not a URL of https").mend("give one like https://hc-ping.com/ and the id of a check")
    })
}

fn reason_of(error: &SendError) -> &str {
    match error {
        SendError::NotProcessed { reason, .. }
        | SendError::Ambiguous { reason, .. }
        | SendError::Rejected { reason }
        | SendError::RecipientRefused { reason }
        | SendError::Misconfigured { reason } => reason,
    }
}

impl fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heartbeat").field("knows_trouble", &self.fail_url.is_some()).finish_non_exhaustive()
    }
}

const NAME: &str = "heartbeat";

/// Where healthchecks.io takes calls: <https://healthchecks.io/docs/http_api/>.
const PUBLIC_HOST: &str = "hc-ping.com";

/// Before the URL of a healthchecks of one's own.
const PREFIX: &str = "healthchecks+";

/// Calls are short, and the next one comes soon.
const TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_name_has_its_place() {
        let heartbeat = Heartbeat::on("https://hc-ping.com/{host}?from={host}", "web 1/ä.example");
        assert_eq!(
            heartbeat.url.unwrap().as_str(),
            "https://hc-ping.com/web-1--.example?from=web-1--.example"
        );
        let fail_url = heartbeat.fail_url.unwrap();
        assert_eq!(fail_url.as_str(), "https://hc-ping.com/web-1--.example/fail?from=web-1--.example");
    }

    #[test]
    fn only_who_knows_trouble_hears_of_it() {
        let fail_url = |given| Heartbeat::on(given, "").fail_url.map(|url| url.to_string());
        assert_eq!(fail_url("https://uptime.example.com/api/push/abc?status=up"), None);
        assert_eq!(fail_url("https://hc-ping.com.example.com/abc"), None);
        let own = fail_url("healthchecks+http://127.0.0.1:8000/ping/abc/");
        assert_eq!(own.as_deref(), Some("http://127.0.0.1:8000/ping/abc/fail"));
    }

    #[test]
    fn its_url_is_shown_nowhere() {
        let id = "2c9e3b1a-5d1f-4b1e-9a57-aaaaaaaaaaaa";
        let heartbeat = Heartbeat::on(&format!("https://hc-ping.com/{id}"), "");
        assert!(!format!("{heartbeat:?}").contains("aaaa"));
        let secrets: Vec<_> = heartbeat.secrets().iter().map(|secret| secret.expose().to_owned()).collect();
        assert_eq!(secrets, [format!("hc-ping.com/{id}"), id.to_owned()]);
        for bad in ["", "hc-ping.com/abc", "ftp://example.com/abc"] {
            let fault = Heartbeat::on(bad, "").fault().unwrap();
            assert!(!format!("{fault:?}").contains("abc"), "{fault:?}");
        }
        assert!(Heartbeat::on("http://example.com/abc", "").fault().is_some());
        assert_eq!(Heartbeat::on("http://127.0.0.1:9/abc", "").fault(), None);
    }
}

//! The URL of a webhook: which service is behind it, and what of it is a secret.
//!
//! Invariant: pure; what is said of a wrong URL shows nothing of it.

use reqwest::Url;

use crate::{error::Fault, host::secret::Secret, sink::http::secrets};

/// Whose webhook it is, which says what is posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Slack,
    Discord,
    Teams,
    Mattermost,
    Ntfy,
    PagerDuty,
    Generic,
}

/// Each by what may stand before its URL, with a plus between.
const PREFIXES: [(&str, Service); 7] = [
    ("slack", Service::Slack),
    ("discord", Service::Discord),
    ("teams", Service::Teams),
    ("mattermost", Service::Mattermost),
    ("ntfy", Service::Ntfy),
    ("pagerduty", Service::PagerDuty),
    ("generic", Service::Generic),
];

/// Each by its public hosts, and by what these end with.
const HOSTS: [(&str, Service); 10] = [
    ("hooks.slack.com", Service::Slack),
    ("hooks.slack-gov.com", Service::Slack),
    ("discord.com", Service::Discord),
    ("discordapp.com", Service::Discord),
    ("logic.azure.com", Service::Teams),
    ("api.powerplatform.com", Service::Teams),
    ("webhook.office.com", Service::Teams),
    ("ntfy.sh", Service::Ntfy),
    ("events.pagerduty.com", Service::PagerDuty),
    ("events.eu.pagerduty.com", Service::PagerDuty),
];

/// A URL that can be posted to.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) service: Service,
    /// Where to.
    pub(super) url: Url,
    /// What is taken from the URL and sent in the body: ntfy's topic, PagerDuty's
    /// routing key.
    pub(super) key: Secret,
    /// What nobody else may read.
    pub(super) secrets: Vec<Secret>,
}

impl Address {
    /// Reads a URL, with or without a prefix.
    ///
    /// # Errors
    ///
    /// When it is none that its service can have.
    pub(super) fn parse(given: &str) -> Result<Self, Fault> {
        let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let (prefix, text) = match given.split_once('+') {
            Some((prefix, url)) if is_word(prefix) && url.starts_with("http") => (Some(prefix), url),
            Some(_) | None => (None, given),
        };
        let Ok(mut url) = Url::parse(text) else {
            return Err(Fault::new("is not a URL").mend(format!("give one like {EXAMPLE}")));
        };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Fault::new("is neither https nor http").mend(format!("give one like {EXAMPLE}")));
        }
        if url.fragment().is_some() {
            return Err(Fault::new("has a # and something behind it, which no server gets")
                .mend("leave that out, or write %23 instead of #"));
        }
        let service = match prefix {
            Some(prefix) => by_prefix(prefix)?,
            None => by_host(url.host_str().unwrap_or_default()),
        };
        let secrets = secrets(&url);
        let key = match service {
            Service::Ntfy => take_topic(&mut url)?,
            Service::PagerDuty => take_routing_key(&mut url)?,
            Service::Discord => {
                // Otherwise it says that it took the message before it did.
                if !url.query_pairs().any(|(name, _)| name == "wait") {
                    url.query_pairs_mut().append_pair("wait", "true");
                }
                String::new()
            }
            Service::Slack | Service::Teams | Service::Mattermost | Service::Generic => String::new(),
        };
        Ok(Self { service, url, key: Secret::new(key), secrets })
    }
}

#[cfg(feature = "cli")]
impl Address {
    /// Whether it is at a host that only its service has.
    pub(super) fn is_at_home(&self) -> bool {
        self.service != Service::Generic && by_host(self.url.host_str().unwrap_or_default()) == self.service
    }
}

fn by_prefix(prefix: &str) -> Result<Service, Fault> {
    let known = PREFIXES.iter().find(|(name, _)| prefix.eq_ignore_ascii_case(name));
    known.map(|(_, service)| *service).ok_or_else(|| {
        let names: Vec<_> = PREFIXES.iter().map(|(name, _)| *name).collect();
        Fault::new("has an unknown prefix before its +")
            .mend(format!("give one of {}, like slack+https://…", names.join(", ")))
    })
}

fn by_host(host: &str) -> Service {
    let is_it = |name: &str| host.strip_suffix(name).is_some_and(|it| it.is_empty() || it.ends_with('.'));
    HOSTS.iter().find(|(name, _)| is_it(name)).map_or(Service::Generic, |(_, service)| *service)
}

/// The last segment of the path: JSON goes to what is before it ("Publish as JSON" of
/// ntfy's documentation).
fn take_topic(url: &mut Url) -> Result<String, Fault> {
    let path = url.path().trim_end_matches('/').to_owned();
    let (before, topic) = path.rsplit_once('/').unwrap_or(("", ""));
    let is_topic = (1..=MAX_TOPIC).contains(&topic.len())
        && topic.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !is_topic {
        let mend = "end it with one of letters, digits, - and _, like https://ntfy.sh/my-secret-topic";
        return Err(Fault::new("has no topic of ntfy").mend(mend));
    }
    url.set_path(&format!("{before}/"));
    Ok(topic.to_owned())
}

fn take_routing_key(url: &mut Url) -> Result<String, Fault> {
    let key = url.query_pairs().find(|(name, _)| name == "routing_key").map(|(_, key)| key.into_owned());
    let is_key = |key: &String| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let Some(key) = key.filter(is_key) else {
        let mend = "give https://events.pagerduty.com/v2/enqueue?routing_key= with the integration key of an \
                    Events API V2 integration";
        return Err(Fault::new("has no routing key").mend(mend));
    };
    url.set_query(None);
    if url.path() == "/" {
        url.set_path("/v2/enqueue");
    }
    Ok(key)
}

const EXAMPLE: &str = "https://hooks.slack.com/services/…";

/// ntfy takes no longer topics.
const MAX_TOPIC: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn service(url: &str) -> Service {
        Address::parse(url).unwrap_or_else(|fault| panic!("{url}: {fault:?}")).service
    }

    #[test]
    fn a_service_is_known_by_its_host() {
        for (url, wanted) in [
            ("https://hooks.slack.com/services/T0/B0/abc", Service::Slack),
            ("https://discord.com/api/webhooks/1/abc", Service::Discord),
            ("https://canary.discord.com/api/webhooks/1/abc", Service::Discord),
            ("https://prod-12.westeurope.logic.azure.com:443/workflows/1?sig=x", Service::Teams),
            ("https://x.environment.api.powerplatform.com:443/powerautomate/1?sig=x", Service::Teams),
            ("https://ntfy.sh/topic", Service::Ntfy),
            ("https://events.eu.pagerduty.com/v2/enqueue?routing_key=ab12", Service::PagerDuty),
            ("https://example.com/hook", Service::Generic),
            // Somebody else's.
            ("https://notdiscord.com/api/webhooks/1/abc", Service::Generic),
            ("https://discord.com.example.com/api/webhooks/1/abc", Service::Generic),
        ] {
            assert_eq!(service(url), wanted, "{url}");
        }
    }

    #[test]
    fn a_service_is_known_by_its_prefix() {
        for (prefix, wanted) in PREFIXES {
            let url = format!("{prefix}+http://127.0.0.1:9/a/topic?routing_key=ab12");
            assert_eq!(service(&url), wanted);
        }
        assert_eq!(service("generic+https://hooks.slack.com/x"), Service::Generic);
        assert_eq!(service("https://example.com/a+http"), Service::Generic);
    }

    #[test]
    fn what_is_sent_in_the_body_is_taken_from_the_url() {
        let ntfy = Address::parse("ntfy+https://:tk_token@push.example.com/my-topic?auth=x").unwrap();
        assert_eq!((ntfy.url.path(), ntfy.key.expose()), ("/", "my-topic"));
        let pager = Address::parse("https://events.pagerduty.com/?routing_key=0123abcd").unwrap();
        assert_eq!(pager.url.as_str(), "https://events.pagerduty.com/v2/enqueue");
        assert_eq!(pager.key.expose(), "0123abcd");
        let discord = Address::parse("https://discord.com/api/webhooks/1/abc?thread_id=7").unwrap();
        assert_eq!(discord.url.query(), Some("thread_id=7&wait=true"));
    }

    #[test]
    fn a_wrong_url_is_told_without_it() {
        for (url, what) in [
            ("", "is not a URL"),
            ("hooks.slack.com/hidden", "is not a URL"),
            ("ftp://example.com/hidden", "is neither https nor http"),
            ("https://example.com/hidden#x", "has a #"),
            ("slak+https://example.com/hidden", "has an unknown prefix"),
            ("https://ntfy.sh/", "has no topic"),
            ("https://ntfy.sh/hid%20den", "has no topic"),
            ("https://events.pagerduty.com/v2/enqueue", "has no routing key"),
            ("https://events.pagerduty.com/v2/enqueue?routing_key=hid-den", "has no routing key"),
        ] {
            let fault = Address::parse(url).unwrap_err();
            assert!(fault.what.starts_with(what), "{url}: {fault:?}");
            assert!(!format!("{fault:?}").contains("hid"), "{fault:?}");
        }
    }
}

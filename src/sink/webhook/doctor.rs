//! What is known of a webhook before an alert depends on it: the shape of its URL, the
//! way to its host, and, of Discord, whether it is there ("Get Webhook with Token").
//!
//! Invariant: nothing is posted, and nothing that is said has a part of the URL.

use std::time::Instant;

use super::{
    WebhookSink,
    address::{Address, Service},
    judge,
};
use crate::{policy::send_error::SendError, sink::finding::Finding};

impl WebhookSink {
    /// Whose webhook it is.
    pub(crate) fn service(&self) -> &'static str {
        self.address.as_ref().map_or("nobody", |address| address.service.name())
    }

    /// Whether a message to it stays open until somebody closes it.
    pub(crate) fn stays_open(&self) -> bool {
        self.address.as_ref().is_ok_and(|address| address.service == Service::PagerDuty)
    }

    /// The hops to TLS: nobody asks for credentials before there is a message.
    pub(crate) async fn hops(&self) -> Vec<Finding> {
        self.http.hops(self.name, &self.scrub()).await
    }

    /// All that can be known of it without a message.
    pub(crate) async fn examine(&self) -> Vec<Finding> {
        let Ok(address) = &self.address else { return Vec::new() };
        let mut found = vec![self.shape(address)];
        if address.service == Service::Generic {
            found.push(self.signature());
        }
        if found.iter().all(Finding::goes_on) {
            found.extend(self.hops().await);
        }
        if found.iter().all(Finding::goes_on) {
            found.push(self.is_there(address).await);
        }
        found
    }

    fn shape(&self, address: &Address) -> Finding {
        let (of, service) = (self.name, address.service.name());
        match address.misshapen() {
            None => Finding::good(of, "URL", format!("one of {service}")),
            Some(mend) if address.is_at_home() => {
                Finding::bad(of, "URL", format!("{service} has no webhooks with such a URL"), mend)
            }
            Some(mend) => Finding::warning(of, "URL", format!("unlike those of {service}"), mend),
        }
    }

    fn signature(&self) -> Finding {
        match self.secret {
            Some(_) => Finding::good(self.name, "signature", "messages are signed"),
            None => Finding::warning(
                self.name,
                "signature",
                "messages are not signed, so their receiver cannot tell whom they are from",
                "set ALERT_WEBHOOK_SECRET, here and at the receiver",
            ),
        }
    }

    /// Whether the service knows it, if that can be asked.
    async fn is_there(&self, address: &Address) -> Finding {
        let (of, start) = (self.name, Instant::now());
        if address.service != Service::Discord {
            let says = "only a message shows whether the URL is accepted: `tracing-alert test --webhook`";
            return Finding::unknown(of, "credentials", says);
        }
        let mut url = address.url.clone();
        url.set_query(None);
        let scrub = self.scrub();
        let found = match self.http.exchange(&scrub, |client| client.get(url)).await {
            Ok(answer) => judge(&answer, address.service, of, &scrub.and(self.http.credentials())),
            Err(error) => Err(error),
        };
        let found = match found {
            Ok(_) => Finding::good(of, "credentials", "the URL is accepted"),
            Err(error @ SendError::Misconfigured { .. }) => {
                Finding::failed(of, "credentials", &error, NEW_URL)
            }
            Err(error) => Finding::unknown(of, "credentials", format!("not known: {error}")),
        };
        found.since(start)
    }
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::Slack => "Slack",
            Self::Discord => "Discord",
            Self::Teams => "Microsoft Teams",
            Self::Mattermost => "Mattermost",
            Self::Ntfy => "ntfy",
            Self::PagerDuty => "PagerDuty",
            Self::Generic => "no known service",
        }
    }
}

impl Address {
    /// How its URL should be, if it is not. What is at another host than the service's
    /// may be anything that takes the same messages.
    fn misshapen(&self) -> Option<&'static str> {
        let segments: Vec<_> = self.url.path().split('/').filter(|segment| !segment.is_empty()).collect();
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let has_query =
            |wanted: &str| self.url.query_pairs().any(|(name, value)| name == wanted && !value.is_empty());
        let (is_right, mend) = match self.service {
            Service::Slack => (
                matches!(segments[..], ["services", _, _, _]),
                "make an Incoming Webhook: its URL is https://hooks.slack.com/services/T…/B…/…",
            ),
            Service::Discord => (
                match segments[..] {
                    ["api", "webhooks", id, _] => is_number(id),
                    ["api", version, "webhooks", id, _] => version.starts_with('v') && is_number(id),
                    _ => false,
                },
                "copy it at Edit Channel, Integrations, Webhooks: it is https://discord.com/api/webhooks/…/…",
            ),
            Service::Teams => (
                has_query("sig") || segments.first() == Some(&"webhookb2"),
                "copy the whole URL of the workflow's trigger, up to the end of sig=…",
            ),
            Service::Mattermost => (
                matches!(segments[..], [.., "hooks", _]),
                "copy it at Integrations, Incoming Webhooks: its path ends with /hooks/…",
            ),
            Service::PagerDuty => (
                self.key.expose().len() == ROUTING_KEY_CHARS && self.url.path() == "/v2/enqueue",
                "give https://events.pagerduty.com/v2/enqueue?routing_key= with the 32 characters of the \
                 integration key",
            ),
            Service::Ntfy | Service::Generic => return None,
        };
        (!is_right && (self.is_at_home() || self.service == Service::Mattermost)).then_some(mend)
    }
}

/// What to do about a URL that is not accepted.
pub(crate) const NEW_URL: &str =
    "make a new webhook where the service has its settings, and set ALERT_WEBHOOK to its URL";

const ROUTING_KEY_CHARS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn is_right(url: &str) -> bool {
        Address::parse(url).unwrap().misshapen().is_none()
    }

    #[test]
    fn a_url_of_a_service_has_the_shape_that_the_service_gives_it() {
        let key = "0123456789abcdef0123456789abcdef";
        for url in [
            "https://hooks.slack.com/services/T0/B0/abc",
            "https://discord.com/api/webhooks/123/abc?thread_id=7",
            "https://discord.com/api/v10/webhooks/123/abc",
            "https://prod-12.westeurope.logic.azure.com:443/workflows/1/triggers/manual/paths/invoke?sp=x&sig=y",
            "https://acme.webhook.office.com/webhookb2/1/IncomingWebhook/2/3",
            "mattermost+https://chat.example.com/team/hooks/abc",
            "https://ntfy.sh/topic",
            &format!("https://events.pagerduty.com/?routing_key={key}"),
            "https://example.com/anything",
            // Somebody else's, who takes the same messages.
            "slack+https://chat.example.com/anything",
            "pagerduty+https://pager.example.com/in?routing_key=short",
        ] {
            assert!(is_right(url), "{url}");
        }
        for url in [
            "https://hooks.slack.com/services/T0/B0",
            "https://hooks.slack.com/workflows/T0/A0/1/abc",
            "https://discord.com/channels/123/456",
            "https://discord.com/api/webhooks/123/abc/slack",
            "https://prod-12.westeurope.logic.azure.com:443/workflows/1/triggers/manual/paths/invoke?sp=x",
            "mattermost+https://chat.example.com/channels/town-square",
            "https://events.pagerduty.com/?routing_key=0123abcd",
            &format!("https://events.pagerduty.com/generic/2010-04-15/create_event.json?routing_key={key}"),
        ] {
            assert!(!is_right(url), "{url}");
        }
    }
}

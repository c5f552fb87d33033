//! The variables of webhooks and of the heartbeat become sinks and a URL to call.
//!
//! Invariant: of an entry no more is shown than its label.

#[cfg(feature = "webhook")]
pub(super) use with::{add_heartbeat, add_webhooks};
#[cfg(not(feature = "webhook"))]
pub(super) use without::{add_heartbeat, add_webhooks};

#[cfg(feature = "webhook")]
mod with {
    use super::super::{clean, table::Variable, variables::Variables};
    use crate::{
        config::Builder,
        error::{Fault, quoted},
        sink::WebhookSink,
    };

    /// Adds each entry of `ALERT_WEBHOOK`, or says what is wrong with it.
    pub(in crate::config::env) fn add_webhooks(mut builder: Builder, vars: &mut Variables) -> Builder {
        let Some(list) = vars.get("ALERT_WEBHOOK") else { return builder };
        let Some(variable) = Variable::named("ALERT_WEBHOOK") else { return builder };
        let secret = vars.get("ALERT_WEBHOOK_SECRET");
        for (index, entry) in clean::entries(&list).0.into_iter().enumerate() {
            match labelled(&entry) {
                Ok((label, url)) => {
                    let sink = WebhookSink::new(label, url)
                        .resolve(builder.webhooks.resolves)
                        .allow_http(builder.allows_http);
                    let sink = match &secret {
                        Some(secret) => sink.secret(secret.as_str()),
                        None => sink,
                    };
                    builder = builder.webhook(sink);
                }
                Err(fault) => {
                    let fault = Fault { what: format!("entry {} {}", index + 1, fault.what), ..fault };
                    vars.add(variable, variable.name, fault, "that entry is ignored");
                }
            }
        }
        builder
    }

    /// The label of an entry, and its URL.
    fn labelled(entry: &str) -> Result<(&str, &str), Fault> {
        match entry.split_once('=').map(|(label, url)| (label.trim(), clean::clean(url).0)) {
            None => Err(Fault::new("has no label before its URL")),
            // The first sign of equality is one of the URL's.
            Some((label, _)) if !WebhookSink::is_label(label) => {
                Err(Fault::new("has no label before its URL"))
            }
            Some((label, "")) => Err(Fault::new(format!("{} has no URL", quoted(label)))),
            Some((label, url)) => match clean::secret_fault(url) {
                Some(fault) => Err(Fault { what: format!("{} {}", quoted(label), fault.what), ..fault }),
                None => Ok((label, url)),
            },
        }
    }

    pub(in crate::config::env) fn add_heartbeat(builder: Builder, vars: &mut Variables) -> Builder {
        match vars.get("ALERT_HEARTBEAT_URL") {
            Some(url) => builder.heartbeat(url),
            None => builder,
        }
    }
}

#[cfg(not(feature = "webhook"))]
mod without {
    use super::super::variables::Variables;
    use crate::config::Builder;

    pub(in crate::config::env) fn add_webhooks(builder: Builder, vars: &mut Variables) -> Builder {
        vars.note_feature("ALERT_WEBHOOK", "webhook", "webhooks are off");
        builder
    }

    pub(in crate::config::env) fn add_heartbeat(builder: Builder, vars: &mut Variables) -> Builder {
        vars.note_feature("ALERT_HEARTBEAT_URL", "webhook", "there is no heartbeat");
        builder
    }
}

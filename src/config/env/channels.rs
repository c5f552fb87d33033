//! The variables of a way to send become a sink with its recipients.
//!
//! Invariant: a sink is added only if all that it needs is set.

use super::variables::Variables;
use crate::{
    config::Builder,
    sink::{SendGridSink, TwilioSink},
};

pub(super) fn add_sms(builder: Builder, vars: &mut Variables) -> Builder {
    let Some(recipients) = vars.recipients(&SMS) else { return builder };
    let account_sid = vars.get("TWILIO_ACCOUNT_SID");
    let (key, secret) = (vars.get("TWILIO_API_KEY"), vars.get("TWILIO_API_KEY_SECRET"));
    let token = vars.get("TWILIO_AUTH_TOKEN");
    let sender = vars.get("TWILIO_SENDER_NUMBER");
    let service = vars.get("TWILIO_MESSAGING_SERVICE_SID");

    let other_half = match (&key, &secret) {
        (Some(_), None) => Some(("TWILIO_API_KEY_SECRET", "TWILIO_API_KEY")),
        (None, Some(_)) => Some(("TWILIO_API_KEY", "TWILIO_API_KEY_SECRET")),
        (Some(_), Some(_)) | (None, None) => None,
    };
    let mut missing = Vec::new();
    if account_sid.is_none() {
        missing.push("TWILIO_ACCOUNT_SID");
    }
    match (other_half, &token) {
        (Some((name, half)), Some(_)) => {
            vars.note(name, format!("is not set, but {half} is: TWILIO_AUTH_TOKEN is used"));
        }
        (Some((name, _)), None) => missing.push(name),
        (None, None) if key.is_none() => missing.push("TWILIO_AUTH_TOKEN"),
        (None, _) => (),
    }
    if sender.is_none() && service.is_none() {
        missing.push("TWILIO_SENDER_NUMBER");
    }
    if vars.lacks(missing, &recipients, &SMS) {
        return builder;
    }

    let account_sid = account_sid.unwrap_or_default();
    let mut sink = match (key, secret) {
        (Some(key), Some(secret)) => TwilioSink::with_api_key(account_sid, key, secret),
        (Some(_), None) | (None, _) => TwilioSink::new(account_sid, token.unwrap_or_default()),
    };
    if let Some(number) = sender {
        sink = sink.sender_number(number);
    }
    if let Some(sid) = service {
        sink = sink.messaging_service_sid(sid);
    }
    if let Some(url) = vars.get("TWILIO_BASE_URL") {
        sink = sink.base_url(url);
    }
    let sink = sink.allow_http(builder.allows_http);
    builder.sms(sink, recipients)
}

pub(super) fn add_email(builder: Builder, vars: &mut Variables) -> Builder {
    let Some(recipients) = vars.recipients(&EMAIL) else { return builder };
    let (api_key, sender) = (vars.get("SENDGRID_API_KEY"), vars.get("SENDGRID_SENDER_EMAIL"));

    let mut missing = Vec::new();
    if api_key.is_none() {
        missing.push("SENDGRID_API_KEY");
    }
    if sender.is_none() {
        missing.push("SENDGRID_SENDER_EMAIL");
    }
    if vars.lacks(missing, &recipients, &EMAIL) {
        return builder;
    }

    let mut sink = SendGridSink::new(api_key.unwrap_or_default(), sender.unwrap_or_default());
    if let Some(url) = vars.get("SENDGRID_BASE_URL") {
        sink = sink.base_url(url);
    }
    let sink = sink.allow_http(builder.allows_http);
    builder.email(sink, recipients)
}

/// The variables of one way to send.
pub(super) struct Channel {
    prefix: &'static str,
    pub(super) recipients: &'static str,
    pub(super) credentials: &'static str,
    pub(super) off: &'static str,
}

impl Channel {
    pub(super) fn owns(&self, name: &str) -> bool {
        name.starts_with(self.prefix) || name == self.recipients
    }
}

pub(super) const SMS: Channel = Channel {
    prefix: "TWILIO_",
    recipients: "ALERT_PHONE",
    credentials: "TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_SENDER_NUMBER",
    off: "SMS is off",
};

pub(super) const EMAIL: Channel = Channel {
    prefix: "SENDGRID_",
    recipients: "ALERT_EMAIL",
    credentials: "SENDGRID_API_KEY and SENDGRID_SENDER_EMAIL",
    off: "e-mail is off",
};

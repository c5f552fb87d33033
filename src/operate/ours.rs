//! [`Ours`]: the sinks of which more can be asked than to send.

use std::sync::Arc;

use super::Finding;
use crate::sink::{DynSink, SendGridSink, TwilioSink, WebhookSink};

/// A sink of this crate.
#[derive(Clone, Copy)]
pub(super) enum Ours<'a> {
    Twilio(&'a TwilioSink),
    SendGrid(&'a SendGridSink),
    Webhook(&'a WebhookSink),
}

impl<'a> Ours<'a> {
    /// None of one that the program has itself.
    pub(super) fn of(sink: &'a Arc<dyn DynSink>) -> Option<Self> {
        let sink = (**sink).as_any();
        let twilio = || sink.downcast_ref().map(Self::Twilio);
        let sendgrid = || sink.downcast_ref().map(Self::SendGrid);
        let webhook = || sink.downcast_ref().map(Self::Webhook);
        twilio().or_else(sendgrid).or_else(webhook)
    }

    /// The way to it, hop by hop, to the last one without a message.
    pub(super) async fn hops(self) -> Vec<Finding> {
        match self {
            Self::Twilio(sink) => sink.hops().await,
            Self::SendGrid(sink) => sink.hops().await,
            Self::Webhook(sink) => sink.hops().await,
        }
    }

    /// All that can be known without a message.
    pub(super) async fn examine(self, recipients: &[String]) -> Vec<Finding> {
        match self {
            Self::Twilio(sink) => sink.examine(recipients).await,
            Self::SendGrid(sink) => sink.examine(recipients).await,
            Self::Webhook(sink) => sink.examine().await,
        }
    }
}

//! [`Webhooks`]: the part of the builder that is about webhooks and the heartbeat.
//!
//! Invariant: a setter only keeps what it is given; `check.rs` judges it.

use std::time::Duration;

use tracing_subscriber::filter::LevelFilter;

use crate::policy::budget::Budget;
#[cfg(feature = "webhook")]
use crate::{
    config::{Builder, Recipients},
    sink::{Heartbeat, WebhookSink},
};

/// What holds for all webhooks, and the heartbeat.
#[derive(Debug)]
pub(in crate::config) struct Webhooks {
    pub(in crate::config) level: Option<LevelFilter>,
    pub(in crate::config) window: Duration,
    pub(in crate::config) budget: Option<Budget>,
    /// Whether the environment has alerts of PagerDuty resolved.
    pub(in crate::config) resolves: bool,
    pub(in crate::config) heartbeat_every: Duration,
    #[cfg(feature = "webhook")]
    pub(in crate::config) heartbeat: Option<Heartbeat>,
}

impl Webhooks {
    /// Two minutes, as for an SMS: some of them wake somebody.
    pub(in crate::config) const DEFAULT_WINDOW: Duration = Duration::from_secs(2 * 60);

    /// Five minutes.
    pub(in crate::config) const DEFAULT_HEARTBEAT_EVERY: Duration = Duration::from_secs(5 * 60);

    pub(super) fn new() -> Self {
        Self {
            level: None,
            window: Self::DEFAULT_WINDOW,
            budget: Some(Budget::EMAIL),
            resolves: true,
            heartbeat_every: Self::DEFAULT_HEARTBEAT_EVERY,
            #[cfg(feature = "webhook")]
            heartbeat: None,
        }
    }
}

#[cfg(feature = "webhook")]
impl Builder {
    /// Two minutes: after a message to a webhook, new incidents wait for their end.
    pub const DEFAULT_WEBHOOK_WINDOW: Duration = Webhooks::DEFAULT_WINDOW;

    /// Five minutes between two calls of the heartbeat.
    pub const DEFAULT_HEARTBEAT_EVERY: Duration = Webhooks::DEFAULT_HEARTBEAT_EVERY;

    /// Posts to a webhook of a chat, a pager or a program of your own. A message is given
    /// up after [`EMAIL_DEADLINE`](crate::EMAIL_DEADLINE). May be called for several with
    /// different labels. Default: none.
    pub fn webhook(self, webhook: WebhookSink) -> Self {
        self.tell(Recipients::by_webhook(webhook))
    }

    /// The lowest level that is sent to webhooks. It can only be stricter than
    /// [`level`](Self::level): the stricter of the two counts. Default: the same as
    /// `level`.
    pub fn webhook_level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.webhooks.level = Some(level.into());
        self
    }

    /// As [`sms_window`](Self::sms_window), for webhooks. Default:
    /// [`DEFAULT_WEBHOOK_WINDOW`](Self::DEFAULT_WEBHOOK_WINDOW).
    pub fn webhook_window(mut self, window: Duration) -> Self {
        self.webhooks.window = window;
        self
    }

    /// How many messages one webhook may get; `None` means any number. Default:
    /// [`Budget::EMAIL`].
    pub fn webhook_budget(mut self, budget: impl Into<Option<Budget>>) -> Self {
        self.webhooks.budget = budget.into();
        self
    }

    /// Calls `url` as long as the store takes writes and no sink fails, so that whoever
    /// waits for the calls can tell that alerts would arrive: healthchecks.io, or any
    /// service that misses them. `{host}` in it stands for this machine's name. The URL is
    /// a secret. The first call is a minute after the start, so that a program that keeps
    /// crashing makes none. If something is wrong, healthchecks.io is told what, at the
    /// same URL with `/fail`; so is one of your own behind `healthchecks+https://…`. Others
    /// get no call then. Default: none.
    pub fn heartbeat(mut self, url: impl AsRef<str>) -> Self {
        let mut heartbeat = Heartbeat::new(url.as_ref());
        heartbeat.allow_http(self.allows_http);
        self.credentials.extend_from_slice(heartbeat.secrets());
        self.webhooks.heartbeat = Some(heartbeat);
        self
    }

    /// How much time is between two calls of the [`heartbeat`](Self::heartbeat): from a
    /// second to a day. Default:
    /// [`DEFAULT_HEARTBEAT_EVERY`](Self::DEFAULT_HEARTBEAT_EVERY).
    pub fn heartbeat_every(mut self, every: Duration) -> Self {
        self.webhooks.heartbeat_every = every;
        self
    }
}

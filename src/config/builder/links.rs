//! The part of the [`Builder`] that is about the links of mails.
//!
//! Invariant: a setter only keeps what it is given; `check.rs` judges it.

use std::{fmt, sync::Arc};

use super::Builder;
use crate::{
    policy::notice::{Notice, Sample},
    render::{OwnLink, Template},
};

/// What a mail calls each link that a template makes.
pub(in crate::config) const LINKS: [&str; 3] = ["logs", "source", "trace"];

/// The links that code makes, with their labels.
#[derive(Default)]
pub(in crate::config) struct OwnLinks(pub(in crate::config) Vec<(String, Arc<OwnLink>)>);

impl fmt::Debug for OwnLinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(label, _)| label)).finish()
    }
}

impl Builder {
    /// A link from a mail to the logs about it: an `https` address, with names in braces
    /// for the values of the event. They may stand in the path, the query and the
    /// fragment, and are encoded there. A mail has no link that lacks a value. Nothing but
    /// mails shows the address. Default: none.
    ///
    /// | in braces | is |
    /// |---|---|
    /// | `app`, `environment`, `version`, `host` | the process that the event is from |
    /// | `file`, `line`, `target`, `message` | of the first event; a file of a library is missing |
    /// | `id` | the incident's id, like `7K3Q` |
    /// | `first_ms`, `last_ms` | when it happened first and last, in milliseconds since the Unix epoch |
    /// | `field:NAME` | the event's field of that name |
    /// | `span:NAME` | the same of its spans, the innermost first |
    ///
    /// ```
    /// # use tracing_alert::AlertLayer;
    /// let builder = AlertLayer::builder()
    ///     .link_logs("https://logs.example.com/search?app={app}&from={first_ms}&to={last_ms}")
    ///     .link_source("https://github.com/example/shop/blob/v{version}/{file}#L{line}")
    ///     .link_trace("https://traces.example.com/trace/{span:trace_id}");
    /// ```
    pub fn link_logs(self, template: impl Into<String>) -> Self {
        self.link_template(0, template.into())
    }

    /// As [`link_logs`](Self::link_logs), to the source.
    pub fn link_source(self, template: impl Into<String>) -> Self {
        self.link_template(1, template.into())
    }

    /// As [`link_logs`](Self::link_logs), to the trace.
    pub fn link_trace(self, template: impl Into<String>) -> Self {
        self.link_template(2, template.into())
    }

    /// One more link from a mail, under a `label` of your own: `url` makes the address
    /// for each kind of event in it. It is left out if it is `None`, or no `https` address
    /// of at most 2,000 bytes. Percent-encode what comes from the event, and do not let it
    /// choose the host. The alert thread calls `url`. May be called several times.
    ///
    /// ```
    /// # use tracing_alert::AlertLayer;
    /// let builder = AlertLayer::builder().link("runbook", |sample, _| {
    ///     let name = sample.event.target.split("::").last()?;
    ///     Some(format!("https://wiki.example.com/runbooks/{name}"))
    /// });
    /// ```
    pub fn link(
        mut self,
        label: impl Into<String>,
        url: impl Fn(&Sample, &Notice) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.own_links.0.push((label.into(), Arc::new(url)));
        self
    }

    /// Sets the template of the link that is called [`LINKS`]`[at]`.
    pub(in crate::config) fn link_template(mut self, at: usize, template: String) -> Self {
        self.link_templates[at] = Some(Template::new(template));
        self
    }
}

//! Pages beside the reference: how to operate it, what it promises, and how it is built.
//!
//! | page | answers |
//! |---|---|
//! | [`settings`] | which variables and methods there are |
//! | [`grouping`] | which errors are the same, and who hears of them when |
//! | [`guarantees`] | what holds, and where it ends |
//! | [`operating`] | where the file is, what stderr says, what a dead delivery is |
//! | [`command`] | the command `tracing-alert`: test, doctor, list, retry, silence |
//! | [`fleet`] | how many instances share PostgreSQL, so that one fault is one message |
//! | [`recipes`] | axum, actix, `log`, cron, Docker, Kubernetes, systemd, Lambda |
//! | [`webhooks`] | Slack, Discord, Teams, Mattermost, ntfy, PagerDuty, your own address, a heartbeat |
//! | [`accounts`] | what has to be ready at Twilio and SendGrid, US registration included |
//! | [`tls`] | which feature a program needs, certificates, proxies |
//! | [`performance`] | what a call costs |
//! | [`platforms`] | where it runs, and how it is tested |
//! | [`the_idea`] | a tour of the source, in the order in which an error travels |
//! | [`the_rest`] | the rest of the source, by topic |

/// Settings, by variable and in code.
///
#[doc = include_str!("docs/settings.md")]
///
#[doc = include_str!("docs/settings_code.md")]
///
#[doc = include_str!("docs/settings_details.md")]
pub mod settings {}

/// Grouping and timing.
///
#[doc = include_str!("docs/grouping.md")]
pub mod grouping {}

/// Guarantees and limits.
///
#[doc = include_str!("docs/guarantees.md")]
pub mod guarantees {}

/// Operating it.
///
#[doc = include_str!("docs/operating.md")]
pub mod operating {}

/// The command `tracing-alert`.
///
#[doc = include_str!("docs/command.md")]
pub mod command {}

/// A fleet: many instances, one message.
///
#[doc = include_str!("docs/fleet.md")]
pub mod fleet {}

/// Recipes.
///
#[doc = include_str!("docs/recipes.md")]
pub mod recipes {}

/// Webhooks and the heartbeat.
///
#[doc = include_str!("docs/webhooks.md")]
pub mod webhooks {}

/// Accounts at Twilio and SendGrid.
///
#[doc = include_str!("docs/accounts.md")]
pub mod accounts {}

/// TLS, certificates and proxies.
///
#[doc = include_str!("docs/tls.md")]
pub mod tls {}

/// Performance.
///
#[doc = include_str!("docs/performance.md")]
pub mod performance {}

/// Platforms, versions and tests.
///
#[doc = include_str!("docs/platforms.md")]
pub mod platforms {}

/// A tour of the source: the idea.
///
#[doc = include_str!("docs/the_idea.md")]
pub mod the_idea {}

/// A tour of the source: the rest, by topic.
///
#[doc = include_str!("docs/the_rest.md")]
pub mod the_rest {}

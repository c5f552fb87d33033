//! [`Builder`] becomes [`Config`], or a list of everything that is wrong.
//!
//! Invariant: what [`Builder::sift`] leaves has no problem: code and environment
//! are held to the same rules, and only differ in what a problem leads to.

#[cfg(feature = "webhook")]
use std::sync::Arc;
use std::{mem, ops::RangeInclusive, path::Path, time::Duration};

use tracing::level_filters::LevelFilter;

use super::{
    Config, EMAIL_DEADLINE, SMS_SEGMENTS_PER_DAY,
    builder::{Builder, LINKS, Webhooks},
    env::is_target,
    recipients::{Defaults, Recipients},
    report::{self, Origin, Report},
};
#[cfg(feature = "webhook")]
use crate::sink::Heartbeat;
use crate::{
    dispatcher::Setup,
    error::{Error, Fault, Problem, shown},
    host::time::spoken,
    outbox::Database,
    policy::{
        budget::Budget,
        redact::{Policy, is_field_name},
        retry::RetryPolicy,
    },
    render::{Clock, DefaultRender, Links, Renderer, Template},
};

impl Builder {
    /// Judges all settings together.
    ///
    /// # Errors
    ///
    /// When at least one setting is wrong, or nobody would be told.
    pub(crate) fn check(self) -> Result<Config, Error> {
        let (config, problems) = self.sifted();
        if problems.is_empty() { Ok(config) } else { Err(Error::Settings(problems)) }
    }

    /// The settings without whatever is wrong, and what that was.
    pub(crate) fn sifted(mut self) -> (Config, Vec<Problem>) {
        let nobody = self.told.is_empty() && !self.is_off();
        let mut problems = mem::take(&mut self.problems);
        problems.extend(self.sift(Origin::Code));
        if nobody {
            problems.push(if self.is_bare { nothing_is_set() } else { nobody_is_told(self.origin) });
        }
        (self.into_config(), problems)
    }

    /// What is odd in the environment and does no harm.
    pub(crate) fn hints(&self) -> &[Problem] {
        &self.hints
    }

    /// True if no alerts at all were asked for.
    pub(super) fn is_off(&self) -> bool {
        let has_own = self.told.iter().any(Recipients::are_own);
        let has_webhook =
            self.webhooks.level != Some(LevelFilter::OFF) && self.told.iter().any(Recipients::are_webhook);
        let is_off = [self.sms_level, self.email_level] == [Some(LevelFilter::OFF); 2];
        let no_way = is_off && !has_own && !has_webhook;
        no_way || self.level.max(self.directives.highest()) == LevelFilter::OFF
    }

    /// Takes out whatever is wrong, and says what that was: a wrong setting
    /// becomes its default, a wrong recipient or sink goes.
    pub(super) fn sift(&mut self, origin: Origin) -> Vec<Problem> {
        let mut report = Report { origin, problems: Vec::new() };
        self.directives.retain(|target| {
            let is_good = is_target(target);
            if !is_good {
                let what = format!("{} is not a target", shown(target));
                report.add(report::LEVEL_FOR, Fault::new(what), "it is ignored");
            }
            is_good
        });
        let names = [
            (&mut self.app_name, report::APP_NAME),
            (&mut self.environment, report::ENVIRONMENT),
            (&mut self.version, report::VERSION),
        ];
        for (name, setting) in names {
            if let Some(wrong) = name.as_deref().and_then(wrong_name) {
                report.add(setting, Fault::new(wrong), "it is ignored");
                *name = None;
            }
        }
        if let Database::File(path) = &self.database
            && let Some(wrong) = path_fault(path)
        {
            report.add(report::DATABASE, wrong, "the default file is used");
            self.database = Database::Default;
        }
        if self.settle > Self::MAX_SETTLE {
            let what = format!("{} is longer than {}", spoken(self.settle), spoken(Self::MAX_SETTLE));
            report.add(
                report::SETTLE,
                Fault::new(what),
                &format!("{} is used", spoken(Self::DEFAULT_SETTLE)),
            );
            self.settle = Self::DEFAULT_SETTLE;
        }
        let windows = [
            (&mut self.sms_window, report::SMS_WINDOW, Self::DEFAULT_SMS_WINDOW),
            (&mut self.email_window, report::EMAIL_WINDOW, Self::DEFAULT_EMAIL_WINDOW),
            (&mut self.webhooks.window, report::WEBHOOK_WINDOW, Webhooks::DEFAULT_WINDOW),
        ];
        for (window, setting, default) in windows {
            if *window > Self::MAX_WINDOW {
                let what = format!("{} is longer than {}", spoken(*window), spoken(Self::MAX_WINDOW));
                report.add(setting, Fault::new(what), &format!("{} is used", spoken(default)));
                *window = default;
            }
        }
        let budgets = [
            (&mut self.sms_budget, report::SMS_BUDGET, Budget::SMS),
            (&mut self.email_budget, report::EMAIL_BUDGET, Budget::EMAIL),
            (&mut self.webhooks.budget, report::WEBHOOK_BUDGET, Budget::EMAIL),
        ];
        for (budget, setting, default) in budgets {
            if let Some(wrong) = budget.as_ref().and_then(wrong_budget) {
                report.add(setting, Fault::new(wrong), "the default is used");
                *budget = Some(default);
            }
        }
        if let Some(segments) = self.sms_segments.filter(|segments| *segments < MIN_SEGMENTS) {
            let what = format!("{segments} a day are too few: one SMS may have two, and a quarter is kept");
            let default = format!("{SMS_SEGMENTS_PER_DAY} is used");
            report.add(report::SMS_SEGMENTS, Fault::new(what), &default);
            self.sms_segments = Some(SMS_SEGMENTS_PER_DAY);
        }
        if let Some(name) = self.timezone.as_deref().filter(|name| Clock::named(name).is_none()) {
            let has_zones = !jiff::tz::db().is_definitively_empty();
            report.add(report::TIMEZONE, wrong_zone(name, has_zones), "times are shown in UTC");
            self.timezone = None;
        }
        for (template, setting) in self.link_templates.iter_mut().zip(report::LINKS) {
            if let Some(fault) = template.as_ref().and_then(Template::fault) {
                report.add(setting, fault, "mails have no such link");
                *template = None;
            }
        }
        if self.storm_rate == 0 {
            let default = format!("{} is used", Self::DEFAULT_STORM_RATE);
            report.add(report::STORM_RATE, Fault::new("with 0 no error would be captured"), &default);
            self.storm_rate = Self::DEFAULT_STORM_RATE;
        }
        if let Some(wrong) = wrong_policy(&self.retry) {
            report.add(report::RETRY, Fault::new(wrong), "the default is used");
            self.retry = RetryPolicy::DEFAULT;
        }
        for (names, setting) in
            [(&mut self.redact_fields, report::REDACT_FIELDS), (&mut self.safe_fields, report::SAFE_FIELDS)]
        {
            names.retain(|name| {
                let is_name = is_field_name(name);
                if !is_name {
                    let what = format!("{} is not a field name", shown(name));
                    report.add(setting, Fault::new(what), "that entry is ignored");
                }
                is_name
            });
        }
        self.sift_heartbeat(&mut report);
        self.sift_fleet(&mut report);
        for mut recipients in mem::take(&mut self.told) {
            let is_twin = self.told.iter().any(|other| other.name() == recipients.name());
            if recipients.sift(is_twin, &mut report) {
                self.told.push(recipients);
            }
        }
        report.problems
    }

    /// Takes out what is wrong with the heartbeat.
    fn sift_heartbeat(&mut self, report: &mut Report) {
        if !HEARTBEATS.contains(&self.webhooks.heartbeat_every) {
            let [given, least, most, default] = [
                self.webhooks.heartbeat_every,
                *HEARTBEATS.start(),
                *HEARTBEATS.end(),
                Webhooks::DEFAULT_HEARTBEAT_EVERY,
            ]
            .map(spoken);
            let what = format!("{given} is not between {least} and {most}");
            report.add(report::HEARTBEAT_EVERY, Fault::new(what), &format!("{default} is used"));
            self.webhooks.heartbeat_every = Webhooks::DEFAULT_HEARTBEAT_EVERY;
        }
        #[cfg(feature = "webhook")]
        if let Some(fault) = self.webhooks.heartbeat.as_ref().and_then(Heartbeat::fault) {
            report.add(report::HEARTBEAT, fault, "there is no heartbeat");
            self.webhooks.heartbeat = None;
        }
    }

    fn into_config(self) -> Config {
        let defaults = Defaults {
            settle: self.settle,
            sms: (self.sms_level, self.sms_window, self.sms_budget),
            sms_segments: self.sms_segments,
            email: (self.email_level, self.email_window, self.email_budget),
            webhook: (self.webhooks.level, self.webhooks.window, self.webhooks.budget),
        };
        let routes = self.told.into_iter().map(|recipients| recipients.into_route(&defaults)).collect();
        let redaction = Policy::new(self.redaction, &self.redact_fields, &self.safe_fields);
        let clock = self.timezone.as_deref().and_then(Clock::named).unwrap_or_default();
        let calendar = clock.calendar();
        let mut links = Links::default();
        for (label, template) in LINKS.into_iter().zip(self.link_templates) {
            template.into_iter().for_each(|template| links.add(label, template));
        }
        self.own_links.0.into_iter().for_each(|(label, own)| links.add_own(&label, own));
        let words = DefaultRender::new(clock)
            .sms_fields(self.sms_fields)
            .links(links)
            .codes(self.fingerprint.is_none());
        Config {
            level: self.level,
            directives: self.directives,
            span_level: self.span_level,
            breadcrumbs: self.breadcrumbs,
            panics: self.panics,
            storm_rate: self.storm_rate,
            wait_for_commit: self.wait_for_commit,
            setup: Setup {
                routes,
                app_name: self.app_name,
                environment: self.environment,
                version: self.version,
                database: self.database,
                ignored: self.ignored,
                fingerprint: self.fingerprint,
                renderer: Renderer::new(words, self.render),
                calendar,
                crash_loops: self.crash_loops,
                retry: self.retry,
                voice: self.voice,
                redaction: redaction.credentials(self.credentials),
                #[cfg(feature = "postgres")]
                fleet: self.fleet.settings(),
                #[cfg(feature = "webhook")]
                heartbeat: self.webhooks.heartbeat.map(|it| (Arc::new(it), self.webhooks.heartbeat_every)),
            },
        }
    }
}

fn wrong_name(name: &str) -> Option<String> {
    if name.trim().is_empty() {
        return Some("is blank".into());
    }
    name.chars().any(char::is_control).then(|| format!("{} has control characters", shown(name)))
}

/// What can be no file's path, whoever gives it. What only the environment gets
/// wrong is judged where it is read.
fn path_fault(path: &Path) -> Option<Fault> {
    let text = path.to_string_lossy();
    let is_url = ["sqlite:", "file:"].iter().any(|scheme| text.starts_with(scheme));
    let fault = |what: &str, mend: &str| Some(Fault::new(what).mend(mend));
    match &*text {
        "" => Some(Fault::new("is blank")),
        _ if is_url => fault("is a URL, not a path", "give only the path"),
        _ if text.starts_with("postgres") && text.contains("://") => {
            fault("is a URL, not a path", "to share PostgreSQL among instances, give it as ALERT_FLEET")
        }
        _ if &*text == "~" || text.starts_with("~/") => {
            fault("begins with ~, which only a shell expands", "write the whole path")
        }
        _ if text.contains(['\n', '\r', '\0']) => fault("has control characters", "leave them out"),
        _ if text.ends_with(['/', '\\']) || matches!(&*text, "." | "..") => {
            fault("is a directory, not a file", "add the name of the file, like alerts.db")
        }
        _ => None,
    }
}

/// What is wrong with the name of a time zone that is not found where there are
/// others, by `has_zones`, or none at all.
pub(super) fn wrong_zone(name: &str, has_zones: bool) -> Fault {
    if has_zones {
        return Fault::new(format!("the system's time zone database has no {}", shown(name)));
    }
    Fault::new("this system has no time zone database")
        .mend("install tzdata, or turn on the feature tzdb-bundle-always of jiff in the program's Cargo.toml")
}

fn wrong_policy(policy: &RetryPolicy) -> Option<String> {
    let RetryPolicy { initial, cap, probe } = *policy;
    if initial.is_zero() || probe.is_zero() {
        return Some(
            "`initial` or `probe` is zero: attempts would follow one another without a pause".into(),
        );
    }
    if cap < initial {
        return Some(format!("`cap`, {}, is shorter than `initial`, {}", spoken(cap), spoken(initial)));
    }
    let longest = cap.max(probe);
    (longest > EMAIL_DEADLINE).then(|| {
        format!(
            "a delay of {} is longer than the longest deadline, {}",
            spoken(longest),
            spoken(EMAIL_DEADLINE)
        )
    })
}

pub(super) fn wrong_budget(budget: &Budget) -> Option<String> {
    let Budget { burst, refill, per_day } = *budget;
    if burst == 0 || per_day == 0 {
        return Some("it allows no message at all".into());
    }
    (refill > MAX_REFILL)
        .then(|| format!("a refill of {} is longer than {}", spoken(refill), spoken(MAX_REFILL)))
}

/// A program that is not set up for alerts, or whose settings got lost.
fn nothing_is_set() -> Problem {
    let what = "alerts are off: no variable is set";
    let mend = "set one of them and its provider (see https://docs.rs/tracing-alert); ALERT_LEVEL=off hides this line";
    Problem::new("ALERT_EMAIL, ALERT_PHONE", what, mend)
}

fn nobody_is_told(origin: Origin) -> Problem {
    match origin {
        Origin::Code => Problem::new("sink", "nobody would be told", "call `sms`, `email` or `sink`"),
        Origin::Environment => Problem::new(
            "ALERT_EMAIL, ALERT_PHONE",
            "nobody would be told: neither SMS nor e-mail is set up completely",
            "set ALERT_EMAIL, SENDGRID_API_KEY and SENDGRID_SENDER_EMAIL, or ALERT_PHONE, \
             TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_SENDER_NUMBER",
        ),
    }
}

/// How often a heartbeat may be called.
const HEARTBEATS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);

/// A budget that takes longer to fill is no budget of a day.
const MAX_REFILL: Duration = Duration::from_secs(24 * 60 * 60);

/// With a quarter kept, enough for one SMS.
const MIN_SEGMENTS: u32 = 4;

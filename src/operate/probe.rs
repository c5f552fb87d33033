//! [`Probe`]: settings and sinks, tried as a program would use them.
//!
//! Invariant: what is said has no credential, and a message is sent by a test only.

use std::{
    ffi::OsString,
    io,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::{runtime::Runtime, time::sleep};

use super::{Finding, Verdict, ours::Ours};
use crate::{
    config::read_settings,
    dispatcher::{Route, Setup, attempt, public_id},
    error::Problem,
    host::time::spoken,
    policy::{
        notice::{Notice, Process},
        send_error::SendError,
    },
    sink::{Accepted, DynSink, Fate, NEW_URL, SendGridSink, TwilioSink, WEBHOOK_PREFIX},
};

/// The settings and sinks of a program.
#[derive(Debug)]
pub struct Probe {
    runtime: Runtime,
    setup: Setup,
    problems: Vec<Problem>,
    hints: Vec<Problem>,
}

/// Which ways to send are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Way {
    /// By Twilio.
    Sms,
    /// By SendGrid.
    Email,
    /// To webhooks.
    Webhook,
}

impl Way {
    /// Whether the sink with this name is one.
    fn has(self, sink: &str) -> bool {
        match self {
            Self::Sms => sink == TwilioSink::NAME,
            Self::Email => sink == SendGridSink::NAME,
            Self::Webhook => sink.starts_with(WEBHOOK_PREFIX),
        }
    }

    /// The setting without which there is none, and what is not sent then.
    fn setting(self) -> (&'static str, &'static str) {
        match self {
            Self::Sms => ("ALERT_PHONE", "no SMS is sent"),
            Self::Email => ("ALERT_EMAIL", "no e-mail is sent"),
            Self::Webhook => ("ALERT_WEBHOOK", "nothing is sent to webhooks"),
        }
    }

    /// Whether a problem with this setting is about it.
    fn owns(self, setting: &str) -> bool {
        let names: &[&str] = match self {
            Self::Sms => &["TWILIO_", "ALERT_PHONE", "ALERT_SMS_"],
            Self::Email => &["SENDGRID_", "ALERT_EMAIL"],
            Self::Webhook => &["ALERT_WEBHOOK"],
        };
        names.iter().any(|name| setting.contains(name))
    }
}

impl Probe {
    /// Reads the settings from these variables.
    ///
    /// # Errors
    ///
    /// If there are no descriptors for a runtime.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let builder = read_settings(variables);
        let hints = builder.hints().to_vec();
        let (config, problems) = builder.sifted();
        Ok(Self { runtime, setup: config.setup, problems, hints })
    }

    /// What is wrong with the settings, or that nothing is.
    pub fn settings(&self) -> Vec<Finding> {
        let mut found: Vec<_> = self.problems.iter().map(of_problem).collect();
        found.extend(
            self.hints.iter().map(|hint| {
                Finding::unknown(SETTINGS, &hint.setting, format!("{}; {}", hint.what, hint.mend))
            }),
        );
        if found.is_empty() {
            found.push(Finding::good(SETTINGS, "variables", self.summary()));
        }
        found
    }

    /// Who is told, each with the name of the sink.
    pub fn recipients(&self) -> Vec<(String, String)> {
        let of = |route: &Route| -> Vec<_> {
            let sink = route.sink.name();
            route.recipients.iter().map(|it| (sink.to_owned(), it.clone())).collect()
        };
        self.setup.routes.iter().flat_map(of).collect()
    }

    fn summary(&self) -> String {
        let ways = self.setup.routes.iter().map(|route| {
            let count = route.recipients.len();
            format!("{count} by {}", route.sink.name())
        });
        format!("recipients: {}", ways.collect::<Vec<_>>().join(", "))
    }

    /// Checks all that can be known of the sinks without sending.
    pub fn examine(&self, mut say: impl FnMut(Finding)) {
        for Route { sink, recipients, .. } in &self.setup.routes {
            let found = self.runtime.block_on(async {
                match Ours::of(sink) {
                    Some(sink) => sink.examine(recipients).await,
                    None => {
                        vec![Finding::unknown(sink.name(), "sink", "nothing is known of it before it sends")]
                    }
                }
            });
            found.into_iter().for_each(&mut say);
        }
    }

    /// Sends a test message by each of these `ways`, or by all that are set up, and says
    /// how each hop went. Asks what became of it for as long as `wait`, if it is to. True
    /// if all that was asked for went well.
    pub fn test(&self, ways: &[Way], wait: Option<Duration>, mut say: impl FnMut(Finding)) -> bool {
        let mut is_well = true;
        let mut note = |finding: Finding| {
            is_well &= matches!(finding.verdict, Verdict::Good | Verdict::Warning);
            say(finding);
        };
        self.missing(ways).into_iter().for_each(&mut note);
        for route in self.routes(ways) {
            self.runtime.block_on(self.try_out(route, wait, &mut note));
        }
        is_well
    }

    /// What keeps these `ways` from being tried.
    fn missing(&self, ways: &[Way]) -> Vec<Finding> {
        let is_meant = |problem: &&Problem| {
            ways.is_empty()
                || ways.iter().any(|way| way.owns(&problem.setting))
                || self.setup.routes.is_empty()
        };
        let mut found: Vec<_> = self.problems.iter().filter(is_meant).map(of_problem).collect();
        for way in ways {
            if !self.routes(&[*way]).any(|_| true) && !self.problems.iter().any(|it| way.owns(&it.setting)) {
                let (setting, effect) = way.setting();
                let mend = format!("set {setting}, and what the table of settings says of it");
                found.push(Finding::bad(SETTINGS, setting, format!("is not set: {effect}"), mend));
            }
        }
        found
    }

    /// Goes each hop to a sink, and then sends to its recipients.
    async fn try_out(&self, route: &Route, wait: Option<Duration>, note: &mut impl FnMut(Finding)) {
        let Route { sink, recipients, .. } = route;
        let ours = Ours::of(sink);
        let says = match ours {
            Some(Ours::Webhook(sink)) => format!("complete; a webhook of {}", sink.service()),
            _ => format!("complete; recipients: {}", recipients.len()),
        };
        note(Finding::good(sink.name(), "settings", says));
        let hops = match ours {
            Some(sink) => sink.hops().await,
            None => Vec::new(),
        };
        let mut goes_on = true;
        // That receipts may not be read is of no matter before somebody waits for them.
        for hop in hops.into_iter().filter(|hop| hop.what != "receipts" || wait.is_some()) {
            goes_on &= hop.goes_on() || hop.what == "receipts" || hop.what == "clock";
            note(hop);
        }
        for recipient in recipients.iter().filter(|_| goes_on) {
            self.send(sink, recipient, wait, note).await;
        }
    }

    fn routes(&self, ways: &[Way]) -> impl Iterator<Item = &Route> {
        let is_meant = |route: &&Route| ways.is_empty() || ways.iter().any(|way| way.has(route.sink.name()));
        self.setup.routes.iter().filter(is_meant)
    }

    async fn send(
        &self,
        sink: &Arc<dyn DynSink>,
        recipient: &str,
        wait: Option<Duration>,
        note: &mut impl FnMut(Finding),
    ) {
        let (of, start, now) = (sink.name(), Instant::now(), SystemTime::now());
        let ours = Ours::of(sink);
        let notice = Arc::new(Notice::trial(self.process(), public_id(), now));
        let sent = attempt(&**sink, recipient, &self.setup.renderer, Arc::clone(&notice)).await;
        let receipt = match sent {
            Ok(receipt) => receipt,
            Err(error) => return note(refused(ours, of, &error).since(start)),
        };
        if let Some(Ours::Webhook(_)) = ours {
            note(Finding::good(of, "credentials", "the URL is accepted").since(start));
        }
        let to = format!("#{} to {recipient}", notice.id);
        let says = match (&receipt.reference, ours) {
            (Some(reference), _) => format!("{to}: {reference}"),
            (None, Some(Ours::Webhook(sink))) if sink.stays_open() => {
                format!("{to}: an alert, which somebody has to resolve there")
            }
            (None, Some(Ours::Webhook(_))) => to,
            (None, _) => format!("{to}: without an id"),
        };
        note(Finding::good(of, "accepted", says).since(start));
        let Some(wait) = wait else { return };
        let accepted = Accepted::new(recipient, receipt.reference.as_deref(), now);
        let start = Instant::now();
        note(arrival(sink, &accepted, wait).await.since(start));
    }

    /// Who is said to have sent it.
    fn process(&self) -> Process {
        Process {
            app: self.setup.app_name.clone().unwrap_or_else(|| "tracing-alert".to_owned()),
            environment: self.setup.environment.clone(),
            version: self.setup.version.clone(),
            host: hostname::get().ok().map(|name| name.to_string_lossy().into_owned()),
            pid: std::process::id(),
        }
    }
}

fn of_problem(problem: &Problem) -> Finding {
    Finding::bad(SETTINGS, &problem.setting, problem.what.clone(), problem.mend.clone())
}

/// Where a message came to its end: a webhook's URL is all that it has of credentials.
fn refused(ours: Option<Ours<'_>>, of: &str, error: &SendError) -> Finding {
    match (ours, error) {
        (Some(Ours::Webhook(_)), SendError::Misconfigured { .. }) => {
            Finding::failed(of, "credentials", error, NEW_URL)
        }
        (Some(Ours::Webhook(_)), _) => {
            Finding::failed(of, "accepted", error, "the words of the service say what; try again later")
        }
        _ => {
            let mend = "the words of the provider say what; `tracing-alert doctor` checks the account";
            Finding::failed(of, "accepted", error, mend)
        }
    }
}

/// What became of an accepted message, as far as anybody says within `wait`.
async fn arrival(sink: &Arc<dyn DynSink>, accepted: &Accepted, wait: Duration) -> Finding {
    let (of, start, ours) = (sink.name(), Instant::now(), Ours::of(sink));
    if let Some(Ours::Webhook(_)) = ours {
        return Finding::good(of, "arrived", "it was accepted; more a webhook does not say");
    }
    let asked = std::slice::from_ref(accepted);
    loop {
        let fate = match ours {
            // It remembers what it was told: here it is asked each time.
            Some(Ours::SendGrid(sink)) => sink.fate_now(accepted).await,
            _ => sink.fates(asked).await.map(|fates| fates.into_iter().next().unwrap_or(Fate::Open)),
        };
        let is_over = start.elapsed() >= wait;
        match fate {
            Ok(Fate::Arrived) => return Finding::good(of, "arrived", format!("to {}", accepted.recipient)),
            Ok(Fate::Failed(error)) => {
                let says = error.cause_of_death();
                return Finding::bad(of, "arrived", says, "the words of the provider say why");
            }
            Ok(Fate::Open) if is_over && matches!(ours, Some(Ours::SendGrid(_))) => {
                let says =
                    "SendGrid took it on, and the address is on no suppression list; more it does not say";
                return Finding::good(of, "arrived", says);
            }
            Ok(Fate::Open) if is_over => {
                let says = format!("nobody said within {}; some phone companies never do", spoken(wait));
                return Finding::unknown(of, "arrived", says);
            }
            Err(error) if is_over => {
                return Finding::unknown(of, "arrived", format!("not known: {error}"));
            }
            Ok(Fate::Open) | Err(_) => sleep(ASK_AGAIN.min(wait)).await,
        }
    }
}

const SETTINGS: &str = "settings";

/// How often the provider is asked what became of a message.
const ASK_AGAIN: Duration = Duration::from_secs(3);

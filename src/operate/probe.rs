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

use super::{Finding, Verdict};
use crate::{
    config::read_settings,
    dispatcher::{Route, Setup, attempt, public_id},
    error::Problem,
    host::time::spoken,
    policy::notice::{Notice, Process},
    sink::{Accepted, DynSink, Fate, SendGridSink, TwilioSink},
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
}

impl Way {
    fn sink(self) -> &'static str {
        match self {
            Self::Sms => TwilioSink::NAME,
            Self::Email => SendGridSink::NAME,
        }
    }

    /// Whether a problem with this setting is about it.
    fn owns(self, setting: &str) -> bool {
        let names = match self {
            Self::Sms => ["TWILIO_", "ALERT_PHONE", "ALERT_SMS_"],
            Self::Email => ["SENDGRID_", "ALERT_EMAIL", "ALERT_EMAIL_"],
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
                match (twilio(sink), sendgrid(sink)) {
                    (Some(sink), _) => sink.examine(recipients).await,
                    (None, Some(sink)) => sink.examine(recipients).await,
                    (None, None) => {
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
        let is_meant = |problem: &&Problem| {
            ways.is_empty()
                || ways.iter().any(|way| way.owns(&problem.setting))
                || self.setup.routes.is_empty()
        };
        self.problems.iter().filter(is_meant).map(of_problem).for_each(&mut note);
        for way in ways {
            if !self.routes(&[*way]).any(|_| true) && !self.problems.iter().any(|it| way.owns(&it.setting)) {
                let (recipients, what) = match way {
                    Way::Sms => ("ALERT_PHONE", "SMS"),
                    Way::Email => ("ALERT_EMAIL", "e-mail"),
                };
                let mend = format!("set {recipients}, and what the table of settings says of it");
                note(Finding::bad(SETTINGS, recipients, format!("is not set: no {what} is sent"), mend));
            }
        }
        for Route { sink, recipients, .. } in self.routes(ways) {
            let all = recipients.len();
            note(Finding::good(sink.name(), "settings", format!("complete; recipients: {all}")));
            let hops = self.runtime.block_on(async {
                match (twilio(sink), sendgrid(sink)) {
                    (Some(sink), _) => sink.hops().await,
                    (None, Some(sink)) => sink.hops().await,
                    (None, None) => Vec::new(),
                }
            });
            // That receipts may not be read is of no matter before somebody waits for them.
            let hops = hops.into_iter().filter(|hop| hop.what != "receipts" || wait.is_some());
            let mut goes_on = true;
            for hop in hops {
                goes_on &= hop.goes_on() || hop.what == "receipts" || hop.what == "clock";
                note(hop);
            }
            for recipient in recipients.iter().filter(|_| goes_on) {
                self.runtime.block_on(self.send(sink, recipient, wait, &mut note));
            }
        }
        is_well
    }

    fn routes(&self, ways: &[Way]) -> impl Iterator<Item = &Route> {
        let names: Vec<_> = ways.iter().map(|way| way.sink()).collect();
        self.setup.routes.iter().filter(move |route| names.is_empty() || names.contains(&route.sink.name()))
    }

    async fn send(
        &self,
        sink: &Arc<dyn DynSink>,
        recipient: &str,
        wait: Option<Duration>,
        note: &mut impl FnMut(Finding),
    ) {
        let (of, start, now) = (sink.name(), Instant::now(), SystemTime::now());
        let notice = Arc::new(Notice::trial(self.process(), public_id(), now));
        let sent = attempt(&**sink, recipient, &self.setup.renderer, Arc::clone(&notice)).await;
        let receipt = match sent {
            Ok(receipt) => receipt,
            Err(error) => {
                let mend = "the words of the provider say what; `tracing-alert doctor` checks the account";
                return note(Finding::failed(of, "accepted", &error, mend).since(start));
            }
        };
        let reference = receipt.reference.clone().unwrap_or_else(|| "without an id".to_owned());
        let says = format!("#{} to {recipient}: {reference}", notice.id);
        note(Finding::good(of, "accepted", says).since(start));
        let Some(wait) = wait else { return };
        let accepted = [Accepted::new(recipient, receipt.reference.as_deref(), now)];
        let start = Instant::now();
        let found = loop {
            let fate = match sendgrid(sink) {
                // It remembers what it was told: here it is asked each time.
                Some(sink) => sink.fate_now(&accepted[0]).await,
                None => {
                    sink.fates(&accepted).await.map(|fates| fates.into_iter().next().unwrap_or(Fate::Open))
                }
            };
            let is_over = start.elapsed() >= wait;
            match fate {
                Ok(Fate::Arrived) => break Finding::good(of, "arrived", format!("to {recipient}")),
                Ok(Fate::Failed(error)) => {
                    let says = error.cause_of_death();
                    break Finding::bad(of, "arrived", says, "the words of the provider say why");
                }
                Ok(Fate::Open) if is_over && sendgrid(sink).is_some() => {
                    let says = "SendGrid took it on, and the address is on no suppression list; more it does not say";
                    break Finding::good(of, "arrived", says);
                }
                Ok(Fate::Open) if is_over => {
                    let says = format!("nobody said within {}; some phone companies never do", spoken(wait));
                    break Finding::unknown(of, "arrived", says);
                }
                Err(error) if is_over => {
                    break Finding::unknown(of, "arrived", format!("not known: {error}"));
                }
                Ok(Fate::Open) | Err(_) => sleep(ASK_AGAIN.min(wait)).await,
            }
        };
        note(found.since(start));
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

fn twilio(sink: &Arc<dyn DynSink>) -> Option<&TwilioSink> {
    (**sink).as_any().downcast_ref()
}

fn sendgrid(sink: &Arc<dyn DynSink>) -> Option<&SendGridSink> {
    (**sink).as_any().downcast_ref()
}

const SETTINGS: &str = "settings";

/// How often the provider is asked what became of a message.
const ASK_AGAIN: Duration = Duration::from_secs(3);

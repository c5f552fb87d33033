//! `test` and `doctor`: a line for each thing that was tried, with the mend.

use std::ffi::OsStr;

use tracing_alert::operate::{Finding, Probe, Verdict, Way, examine_file};

use crate::{
    Failure, args, choose,
    look::{Look, cell},
    settings::Variables,
};

pub(crate) fn test(args: &args::Test, settings: Variables, look: &Look) -> Result<(), Failure> {
    let mut ways = Vec::new();
    ways.extend(args.sms.then_some(Way::Sms));
    ways.extend(args.email.then_some(Way::Email));
    ways.extend(args.webhook.then_some(Way::Webhook));
    let probe = Probe::new(settings)?;
    let mut report = Report::new(look);
    let is_well = probe.test(&ways, args.wait, |finding| report.add(finding));
    report.end(is_well)
}

pub(crate) fn doctor(common: &args::Common, settings: Variables, look: &Look) -> Result<(), Failure> {
    let probe = Probe::new(settings.clone())?;
    let mut report = Report::new(look);
    probe.settings().into_iter().for_each(|finding| report.add(finding));
    if is_of_fleet(common, &settings) {
        fleet(common, &settings).into_iter().for_each(|finding| report.add(finding));
    }
    // Of a fleet, the command may be anywhere; each instance has a file of its own.
    if !common.fleet {
        file(common, &settings, &probe).into_iter().for_each(|finding| report.add(finding));
    }
    probe.examine(|finding| report.add(finding));
    let is_well = report.all.iter().all(|finding| finding.verdict != Verdict::Bad);
    report.end(is_well)
}

/// What is found out of the program's file.
fn file(common: &args::Common, settings: &Variables, probe: &Probe) -> Vec<Finding> {
    match choose::database(common, settings) {
        Ok(path) => examine_file(&path, &probe.recipients()),
        Err(Failure::Say(why)) => {
            let in_memory = settings.get(OsStr::new("ALERT_DATABASE")).is_some_and(|it| it == ":memory:");
            let mend = match in_memory {
                true => "set ALERT_DATABASE to a file, if alerts are to outlive the process",
                false => "start the program once, or name its file by --database",
            };
            vec![Finding::of_file(&why, mend)]
        }
        Err(Failure::Said) => Vec::new(),
    }
}

/// Whether the instances of the program share a store, by the arguments or the settings.
fn is_of_fleet(common: &args::Common, settings: &Variables) -> bool {
    let is_set = |name: &str| settings.get(OsStr::new(name)).is_some_and(|value| !value.is_empty());
    common.fleet || (cfg!(feature = "postgres") && (is_set("ALERT_FLEET") || is_set("ALERT_FLEET_FILE")))
}

#[cfg(feature = "postgres")]
fn fleet(common: &args::Common, settings: &Variables) -> Vec<Finding> {
    tracing_alert::operate::examine_fleet(settings.clone(), common.app.as_deref())
}

#[cfg(not(feature = "postgres"))]
fn fleet(common: &args::Common, settings: &Variables) -> Vec<Finding> {
    let opened = tracing_alert::operate::Database::open_fleet(settings.clone(), common.app.as_deref());
    opened.err().map(|why| Finding::of_fleet(&why.to_string())).into_iter().collect()
}

/// What was found, said at once, or as JSON at the end.
struct Report<'a> {
    look: &'a Look,
    all: Vec<Finding>,
    /// What came of writing.
    written: Result<(), Failure>,
}

impl<'a> Report<'a> {
    fn new(look: &'a Look) -> Self {
        Self { look, all: Vec::new(), written: Ok(()) }
    }

    fn add(&mut self, finding: Finding) {
        if !self.look.is_json && self.written.is_ok() {
            self.written = self.look.say(&self.lines(&finding));
        }
        self.all.push(finding);
    }

    fn lines(&self, finding: &Finding) -> String {
        let mark = match finding.verdict {
            Verdict::Good => self.look.good("✓"),
            Verdict::Warning => "!".to_owned(),
            Verdict::Bad => self.look.bad("✗"),
            _ => "–".to_owned(),
        };
        let took = finding.took.map(|took| format!(" ({} ms)", took.as_millis())).unwrap_or_default();
        let says = cell(&finding.says, 600);
        let line = format!("{mark} {} {}: {says}{took}", finding.of, cell(&finding.what, 60));
        match &finding.mend {
            Some(mend) => format!("{line}\n    → {}", cell(mend, 600)),
            None => line,
        }
    }

    fn end(self, is_well: bool) -> Result<(), Failure> {
        self.written?;
        if self.look.is_json {
            self.look.json(&self.all)?;
        }
        if is_well { Ok(()) } else { Err(Failure::Said) }
    }
}

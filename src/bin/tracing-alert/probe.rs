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
    let in_memory = settings.get(OsStr::new("ALERT_DATABASE")).is_some_and(|it| it == ":memory:");
    let database = choose::database(common, &settings);
    let probe = Probe::new(settings)?;
    let mut report = Report::new(look);
    probe.settings().into_iter().for_each(|finding| report.add(finding));
    match database {
        Ok(path) => {
            examine_file(&path, &probe.recipients()).into_iter().for_each(|finding| report.add(finding));
        }
        Err(Failure::Say(why)) => {
            let mend = match in_memory {
                true => "set ALERT_DATABASE to a file, if alerts are to outlive the process",
                false => "start the program once, or name its file by --database",
            };
            report.add(Finding::of_file(&why, mend));
        }
        Err(Failure::Said) => (),
    }
    probe.examine(|finding| report.add(finding));
    let is_well = report.all.iter().all(|finding| finding.verdict != Verdict::Bad);
    report.end(is_well)
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

//! What is left of a torture is compared: what was known to be committed, what
//! the provider got, and what the file says became of it.

use std::{collections::BTreeMap, fmt::Write};

use super::{
    Torture,
    evidence::{Delivery, Evidence},
};
use crate::provider::PAGE;

/// Promises, and what breaks them.
#[derive(Default)]
struct Broken(BTreeMap<&'static str, Vec<String>>);

impl Broken {
    fn note(&mut self, promise: &'static str, what: impl ToString) {
        self.0.entry(promise).or_default().push(what.to_string());
    }
}

impl Torture {
    /// The figures; fails if a promise is broken.
    pub(super) fn verdict(&self) -> String {
        let mut broken = Broken::default();
        let evidence = self.evidence();
        for body in &evidence.unknown {
            broken.note("what is sent is in the file", body);
        }
        for mail in &evidence.wrong {
            broken.note("a mail shows what it tells, and its number", mail);
        }
        counted(&evidence, &mut broken);
        let expired = self.settled(&evidence, &mut broken);
        conserved(&evidence, &mut broken);
        let duplicates = self.duplicates(&evidence, &mut broken);
        for line in self.read("said").lines().filter(|line| line.contains("tracing-alert: ")) {
            // On a busy machine, a lock may be waited for; that nobody gets it is another line.
            let expected = [
                "keeps failing",
                "its deadline passed",
                "ended undelivered",
                "process; waiting",
                "not sent before the program ended",
            ];
            if !expected.iter().any(|known| line.contains(known)) {
                broken.note("nothing hurts but the provider", line);
            }
        }
        assert!(broken.0.is_empty(), "broken: {:#?}\nTORTURE_SEED={}", broken.0, self.seed);
        self.figures(&evidence, expired).unwrap() + &duplicates
    }

    /// Every delivery ended as it had to. Returns how many SMS are dead.
    fn settled(&self, evidence: &Evidence, broken: &mut Broken) -> usize {
        let mut expired = 0;
        for (key, Delivery { sink, state, last_error, .. }) in &evidence.deliveries {
            match state.as_str() {
                "delivered" if evidence.sent.contains_key(key) => (),
                "delivered" => broken.note("what counts as delivered was sent", format!("{sink} {key}")),
                "dead" if sink == "twilio" && self.leases.aged.contains(key) => expired += 1,
                other => {
                    let what = format!("{sink} {key}: {other}, {last_error}");
                    broken.note("all is delivered but SMS whose hour the clock leapt over", what);
                }
            }
        }
        expired
    }

    /// Each message that came twice has a cause. An SMS is looked up first, so
    /// that the death of a program is none, nor an answer that was cut.
    fn duplicates(&self, evidence: &Evidence, broken: &mut Broken) -> String {
        let times = |keys: &[String], key: &String| keys.iter().filter(|each| *each == key).count();
        let (mut mails, mut sms, mut spared) = (0, 0, 0);
        for (key, sent) in &evidence.sent {
            let again = sent.at.len() - 1;
            let jumped = times(&self.leases.jumped, key);
            let lost = sent.cut + times(&self.leases.stale, key);
            if evidence.deliveries[key].sink == "sendgrid" {
                mails += again;
                if again > lost + jumped {
                    broken.note("a mail comes twice only for a cause", format!("{key}: {again} times"));
                }
            } else {
                sms += again;
                spared += usize::from(lost > 0 && again == 0);
                // What so many others came after is no longer listed.
                let unlisted = sent.at.windows(2).filter(|pair| pair[1] - pair[0] > PAGE).count();
                if again > unlisted + jumped {
                    broken.note("an SMS that was sent is found", format!("{key}: {:?}", sent.at));
                }
            }
        }
        format!("sent more than once: {mails} mails, {sms} SMS; {spared} SMS were found instead")
    }

    fn figures(&self, evidence: &Evidence, expired: usize) -> Result<String, std::fmt::Error> {
        let mut figures = String::new();
        let (lives, kills, ends) = (self.lives, self.kills, self.ends);
        writeln!(figures, "{lives} lives, {kills} killed, {ends} ended by themselves")?;
        let forward = self.jumps.iter().filter(|jump| **jump > 0).count();
        let back = self.jumps.len() - forward;
        writeln!(figures, "{forward} jumps of the clock forward, {back} back, of 3 or 6 hours")?;
        let sum = |tally: &BTreeMap<String, u64>| tally.values().sum::<u64>();
        let counted: u64 = evidence.incidents.values().map(|incident| incident.count).sum();
        let (emitted, acknowledged) = (sum(&evidence.emitted), sum(&evidence.acknowledged));
        let incidents = evidence.incidents.len();
        writeln!(
            figures,
            "{emitted} events, {acknowledged} acknowledged; {counted} told, in {incidents} incidents"
        )?;
        let (seen, kinds) = (evidence.visible.len(), evidence.visible.union(&evidence.crowded).count());
        writeln!(figures, "{seen} of {kinds} kinds could be read, the others counted")?;
        let Evidence { mails, sms, refused, lookups, .. } = evidence;
        let cut: usize = evidence.sent.values().map(|sent| sent.cut).sum();
        let requests = mails + sms + refused;
        writeln!(
            figures,
            "{requests} requests: {refused} refused, {cut} accepted and cut; {lookups} look-ups"
        )?;
        writeln!(figures, "{mails} mails and {sms} SMS sent, {expired} SMS dead after a jump")?;
        let (stale, jumped) = (self.leases.stale.len(), self.leases.jumped.len());
        writeln!(figures, "{stale} leases of the dead ended, {jumped} by a jump")?;
        Ok(figures)
    }
}

/// Every event that was acknowledged is counted, none twice, and its word can be
/// read in a mail, unless that had more to tell than it shows.
fn counted(evidence: &Evidence, broken: &mut Broken) {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for (id, incident) in &evidence.incidents {
        match (&incident.word, incident.about.as_str()) {
            (Some(word), _) => *counts.entry(word).or_default() += incident.count,
            (None, "dead" | "crash_loop") => (),
            (None, about) => broken.note("nothing is lost", format!("{id}: {} {about}", incident.count)),
        }
    }
    let times = |tally: &BTreeMap<String, u64>, word: &str| tally.get(word).copied().unwrap_or(0);
    for (word, acknowledged) in &evidence.acknowledged {
        let count = counts.get(word.as_str()).copied().unwrap_or(0);
        if count < *acknowledged {
            broken.note("what is committed is counted", format!("{word}: {count} of {acknowledged}"));
        }
        if !evidence.visible.contains(word) && !evidence.crowded.contains(word) {
            broken.note("what is committed can be read in a mail that has room for it", word);
        }
    }
    for (word, count) in counts {
        let emitted = times(&evidence.emitted, word);
        if count > emitted {
            broken.note("nothing is counted twice", format!("{word}: {count}, and {emitted} there were"));
        }
    }
}

/// Told and dead together are all there was: by mail always, by SMS but for what
/// the mails told of the end.
fn conserved(evidence: &Evidence, broken: &mut Broken) {
    let mut sums: BTreeMap<(i64, &str, &str), u64> = BTreeMap::new();
    for (key, delivery) in &evidence.deliveries {
        let is_true = delivery.state != "delivered" || evidence.sent.contains_key(key);
        for (incident, count) in delivery.items.iter().filter(|_| is_true) {
            *sums.entry((*incident, &delivery.sink, &delivery.state)).or_default() += count;
        }
    }
    for (id, incident) in &evidence.incidents {
        let sum = |sink, state| sums.get(&(*id, sink, state)).copied().unwrap_or(0);
        let what = || format!("incident {id}, {:?}: {} events", incident.word, incident.count);
        let mailed = sum("sendgrid", "delivered");
        if mailed != incident.count || incident.told.get("sendgrid") != Some(&mailed) {
            broken.note("the mails tell of every event once", format!("{}, {mailed} told", what()));
        }
        let (sms, dead) = (sum("twilio", "delivered"), sum("twilio", "dead"));
        let told = incident.told.get("twilio").copied();
        let is_right = match told {
            Some(told) => (1..=incident.count).contains(&told) && told == sms + dead,
            None => incident.about == "dead" && sms + dead == 0,
        };
        if !is_right {
            let what = format!("{}, {sms} told, {dead} dead, of {told:?}", what());
            broken.note("the SMS tell of every event once, or a mail does", what);
        }
    }
}

//! What is left of a torture: what the programs wrote down, what the file has,
//! and what the provider got.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Torture;
use crate::{
    child::torture::KINDS,
    provider::Request,
    support::{Answer, rows, word},
};

/// How many incidents a mail shows: of more, it tells the number.
const SHOWN: usize = 25;

/// So begins what is said of one.
const CRASH_LOOP: &str = "crash loop";

/// One delivery as the file has it.
pub(super) struct Delivery {
    pub(super) sink: String,
    pub(super) state: String,
    pub(super) last_error: String,
    /// How many events it tells of, by incident.
    pub(super) items: BTreeMap<i64, u64>,
    /// Whether it is about the alerting itself.
    pub(super) is_health: bool,
}

/// One incident as the file has it.
pub(super) struct Incident {
    /// None if it is about the alerting itself, which `about` then says.
    pub(super) word: Option<String>,
    pub(super) about: String,
    pub(super) count: u64,
    /// Whom its events concern: how many each sink's recipient was told of.
    pub(super) told: BTreeMap<String, u64>,
}

/// What the provider got for one delivery.
#[derive(Default)]
pub(super) struct Sent {
    /// For each message that was accepted, how many of its kind were before it.
    pub(super) at: Vec<usize>,
    /// How many of these were accepted and not answered.
    pub(super) cut: usize,
}

/// All of it.
#[derive(Default)]
pub(super) struct Evidence {
    /// How often each word was said.
    pub(super) emitted: BTreeMap<String, u64>,
    pub(super) acknowledged: BTreeMap<String, u64>,
    pub(super) incidents: BTreeMap<i64, Incident>,
    /// By key.
    pub(super) deliveries: BTreeMap<String, Delivery>,
    /// What was accepted, by key.
    pub(super) sent: HashMap<String, Sent>,
    /// Messages that were accepted and that the file does not know.
    pub(super) unknown: Vec<String>,
    /// Mails that show something else than what the file says they tell.
    pub(super) wrong: Vec<String>,
    /// What could be read in mails.
    pub(super) visible: BTreeSet<String>,
    /// What was in mails that had more to tell than they show.
    pub(super) crowded: BTreeSet<String>,
    pub(super) mails: usize,
    pub(super) sms: usize,
    pub(super) refused: usize,
    pub(super) lookups: usize,
}

impl Torture {
    pub(super) fn evidence(&self) -> Evidence {
        let tally = |name: &str| {
            self.read(name).lines().fold(BTreeMap::new(), |mut tally, word| {
                *tally.entry(word.to_owned()).or_default() += 1;
                tally
            })
        };
        let mut evidence = Evidence {
            emitted: tally("emitted"),
            acknowledged: tally("acknowledged"),
            incidents: self.incidents(),
            ..Evidence::default()
        };
        let sms_keys = self.deliveries(&mut evidence);
        for (request, answer) in self.harness.provider.exchanges() {
            if request.is_lookup() {
                evidence.lookups += 1;
            } else if answer.is_sent() {
                evidence.add(&request, &answer, &sms_keys);
            } else {
                evidence.refused += 1;
            }
        }
        evidence
    }

    fn incidents(&self) -> BTreeMap<i64, Incident> {
        let sql = "SELECT id, count, coalesce(about, ''), payload ->> 'message'
                     FROM incident LEFT JOIN first_event ON incident_id = id";
        let incident = |[id, count, about, message]: [&str; 4]| {
            let word = about.is_empty().then(|| words(message).next().unwrap().to_owned());
            let (about, count) = (about.to_owned(), count.parse().unwrap());
            (id.parse().unwrap(), Incident { word, about, count, told: BTreeMap::new() })
        };
        let mut incidents: BTreeMap<i64, _> = self.table(sql, incident).collect();
        let sql = "SELECT incident_id, sink, told FROM standing";
        let told =
            |[id, sink, told]: [&str; 3]| (id.parse().unwrap(), sink.to_owned(), told.parse().unwrap());
        for (id, sink, told) in self.table::<3, (i64, _, _)>(sql, told) {
            incidents.get_mut(&id).unwrap().told.insert(sink, told);
        }
        incidents
    }

    /// Every delivery by its key, and the keys of SMS by [`sms_id`].
    fn deliveries(&self, evidence: &mut Evidence) -> HashMap<String, String> {
        let sql = "SELECT replace(key, '-', ''), sink, state, kind, public_id, coalesce(last_error, ''),
                          (SELECT payload ->> 'message' FROM item LEFT JOIN first_event USING (incident_id)
                            WHERE item.notice_id = notice.id
                            ORDER BY CASE item.data ->> 'reason' WHEN 'first' THEN 0 WHEN 'again' THEN 1 ELSE 2 END,
                                     incident_id
                            LIMIT 1)
                     FROM delivery JOIN notice ON notice.id = delivery.notice_id";
        let mut sms_keys = HashMap::new();
        let delivery = |[key, sink, state, kind, id, last_error, message]: [&str; 7]| {
            let (sink, state) = (sink.to_owned(), state.to_owned());
            if sink == "twilio" {
                sms_keys.insert(sms_id(&format!("{message} #{id}")), key.to_owned());
            }
            let (last_error, is_health) = (last_error.to_owned(), kind == "health");
            (key.to_owned(), Delivery { sink, state, last_error, items: BTreeMap::new(), is_health })
        };
        evidence.deliveries = self.table(sql, delivery).collect();
        let sql =
            "SELECT replace(key, '-', ''), incident_id, count FROM item JOIN delivery USING (notice_id)";
        let item =
            |[key, id, count]: [&str; 3]| (key.to_owned(), id.parse().unwrap(), count.parse().unwrap());
        for (key, incident, count) in self.table(sql, item) {
            evidence.deliveries.get_mut(&key).unwrap().items.insert(incident, count);
        }
        sms_keys
    }

    /// What `row` makes of each row that `sql` gives; its last column may be any
    /// text.
    fn table<const N: usize, T>(
        &self,
        sql: &str,
        mut row: impl FnMut([&str; N]) -> T,
    ) -> impl Iterator<Item = T> {
        let rows = rows(&self.harness.database(), sql);
        rows.into_iter().map(move |line| row(line.splitn(N, '|').collect::<Vec<_>>().try_into().unwrap()))
    }
}

impl Evidence {
    /// A message that was accepted.
    fn add(&mut self, request: &Request, answer: &Answer, sms_keys: &HashMap<String, String>) {
        let (key, before) = if request.is_mail() {
            self.mails += 1;
            (Some(self.read_mail(request)), self.mails - 1)
        } else {
            self.sms += 1;
            (sms_keys.get(&sms_id(&request.text())).cloned(), self.sms - 1)
        };
        let Some(key) = key.filter(|key| self.deliveries.contains_key(key)) else {
            return self.unknown.push(request.body.clone());
        };
        let sent = self.sent.entry(key).or_default();
        sent.at.push(before);
        sent.cut += usize::from(matches!(answer, Answer::SentThenCut));
    }

    /// Reads a mail, and compares it with what the file says that it tells.
    /// Returns its key.
    fn read_mail(&mut self, request: &Request) -> String {
        let mail = request.json();
        let key = mail["personalizations"][0]["custom_args"]["delivery"].as_str().unwrap().replace('-', "");
        let text = mail["content"][0]["value"].as_str().unwrap();
        // That names an error which it does not count.
        let lines = text.lines().filter(|line| !line.contains(CRASH_LOOP));
        let seen: BTreeSet<_> = lines.flat_map(words).map(str::to_owned).collect();
        if let Some(delivery) = self.deliveries.get(&key) {
            let of = |id: &i64| self.incidents[id].word.clone();
            let told: BTreeSet<_> = delivery.items.keys().filter_map(of).collect();
            let events: u64 = delivery.items.values().sum();
            let reason = text.lines().next().unwrap_or_default();
            let is_right = shows(reason, events) || delivery.is_health;
            if !is_right || !seen.is_subset(&told) || (delivery.items.len() <= SHOWN && seen != told) {
                self.wrong.push(format!("{key}: {events} events, {told:?}\n{text}"));
            }
            if delivery.items.len() > SHOWN {
                self.crowded.extend(told);
            }
        }
        self.visible.extend(seen);
        key
    }
}

/// Whether a mail's first line says that there were so many events that its
/// reader did not know of; of none it need not speak.
fn shows(reason: &str, events: u64) -> bool {
    let number = match events {
        0 => return true,
        1 => return reason.contains("once") || reason.split(' ').any(|part| part == "1"),
        1000.. => format!("{},{:03}", events / 1000, events % 1000),
        few => few.to_string(),
    };
    reason.split(|c: char| !(c.is_ascii_digit() || c == ',')).any(|part| part == number)
}

/// What tells an SMS from the others: its first word and the notice's id, of
/// which there are not enough. A crash loop names an error, and another one if it comes back.
fn sms_id(text: &str) -> String {
    let id = text.rsplit('#').next().unwrap_or_default();
    let first = words(text).next().unwrap_or_default();
    let before = text.split(first).next().unwrap_or_default();
    format!("{} {id}", if before.contains(CRASH_LOOP) { CRASH_LOOP } else { first })
}

/// The words that stand for errors.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_word = |part: &&str| (0..KINDS).any(|kind| word(kind) == *part);
    text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| part.starts_with('q')).filter(is_word)
}

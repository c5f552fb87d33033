//! What is left of a torture is compared: what was known to be committed, what
//! the provider got, and what the file says became of it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt::Write,
};

use super::Torture;
use crate::{
    child::torture::WORD,
    provider::{PAGE, Request},
    support::{Answer, rows},
};

/// One delivery as the file has it.
struct Delivery {
    sink: String,
    state: String,
    last_error: String,
}

/// What the provider got for one delivery.
#[derive(Default)]
struct Sent {
    /// For each message that was accepted, how many of its kind were before it.
    at: Vec<usize>,
    /// How many of these were accepted and not answered.
    cut: usize,
}

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
        let (deliveries, sms_keys) = self.deliveries();

        let mut sent: HashMap<String, Sent> = HashMap::new();
        let mut told: HashMap<String, HashSet<String>> = HashMap::new();
        let (mut mails, mut sms, mut failed) = (0, 0, 0);
        let exchanges = self.harness.provider.exchanges();
        for (request, answer) in exchanges.iter().filter(|(request, _)| !request.is_lookup()) {
            if !answer.is_sent() {
                failed += 1;
                continue;
            }
            let (key, before) = if request.is_mail() {
                let (key, words) = mail(request);
                for word in words {
                    told.entry(word).or_default().insert(key.clone());
                }
                (Some(key), &mut mails)
            } else {
                (sms_keys.get(&sms_id(&request.text())).cloned(), &mut sms)
            };
            match key.filter(|key| deliveries.contains_key(key)) {
                Some(key) => {
                    let sent = sent.entry(key).or_default();
                    sent.at.push(*before);
                    sent.cut += usize::from(matches!(answer, Answer::SentThenCut));
                }
                None => broken.note("what is sent is in the file", &request.body),
            }
            *before += 1;
        }

        let acknowledged: BTreeSet<String> = self.read("acknowledged").lines().map(str::to_owned).collect();
        for word in acknowledged.iter().filter(|word| !told.contains_key(*word)) {
            broken.note("what is committed is told", word);
        }
        for (word, keys) in told.iter().filter(|(_, keys)| keys.len() > 1) {
            broken.note("an event is in one message", format!("{word} in {keys:?}"));
        }
        let mut expired = 0;
        for (key, delivery) in &deliveries {
            let Delivery { sink, state, last_error } = delivery;
            match state.as_str() {
                "delivered" if sent.contains_key(key) => (),
                "delivered" => broken.note("what counts as delivered was sent", format!("{sink} {key}")),
                "dead" if sink == "twilio" && self.leases.aged.contains(key) => expired += 1,
                other => {
                    let what = format!("{sink} {key}: {other}, {last_error}");
                    broken.note("all is delivered but SMS whose hour the clock leapt over", what);
                }
            }
        }
        let duplicates = self.duplicates(&deliveries, &sent, &mut broken);
        for line in self.read("said").lines().filter(|line| line.contains("tracing-alert: ")) {
            let is_expected = ["fails again and again", "its deadline passed", "ended undelivered"]
                .iter()
                .any(|known| line.contains(known));
            if !is_expected {
                broken.note("nothing hurts but the provider", line);
            }
        }
        assert!(broken.0.is_empty(), "broken: {:#?}\nTORTURE_SEED={}", broken.0, self.seed);

        let mut figures = String::new();
        let (lives, kills, ends) = (self.lives, self.kills, self.ends);
        let jumps = self.jumps.iter().filter(|jump| **jump > 0).count();
        let lookups = exchanges.iter().filter(|(request, _)| request.is_lookup()).count();
        writeln!(figures, "{lives} lives, {kills} killed, {ends} ended by themselves").unwrap();
        writeln!(
            figures,
            "{jumps} jumps of the clock forward, {} back, of 3 or 6 hours",
            self.jumps.len() - jumps
        )
        .unwrap();
        writeln!(figures, "{} events acknowledged, {} told", acknowledged.len(), told.len()).unwrap();
        let cut: usize = sent.values().map(|sent| sent.cut).sum();
        writeln!(
            figures,
            "{} requests: {failed} refused, {cut} accepted and cut; {lookups} look-ups",
            exchanges.len() - lookups
        )
        .unwrap();
        writeln!(figures, "{mails} mails and {sms} SMS sent, {expired} SMS dead after a jump").unwrap();
        let stale = self.leases.stale.len();
        writeln!(figures, "{stale} leases of the dead ended, {} by a jump", self.leases.jumped.len())
            .unwrap();
        figures + &duplicates
    }

    /// Every delivery by its key, and the keys of SMS by [`sms_id`].
    fn deliveries(&self) -> (HashMap<String, Delivery>, HashMap<String, String>) {
        let sql = "SELECT lower(hex(key)), sink, state, public_id, coalesce(last_error, ''),
                          (SELECT payload ->> 'message' FROM event
                            WHERE event.notice_id = notice.id ORDER BY event.id LIMIT 1)
                     FROM delivery JOIN notice ON notice.id = delivery.notice_id";
        let mut deliveries = HashMap::new();
        let mut sms_keys = HashMap::new();
        for row in rows(&self.harness.database(), sql) {
            let [key, sink, state, id, last_error, message] = row.splitn(6, '|').collect::<Vec<_>>()[..]
            else {
                panic!("{row}");
            };
            let (sink, state) = (sink.to_owned(), state.to_owned());
            let is_sms = sink == "twilio";
            deliveries.insert(key.to_owned(), Delivery { sink, state, last_error: last_error.to_owned() });
            if is_sms {
                sms_keys.insert(sms_id(&format!("{message} #{id}")), key.to_owned());
            }
        }
        (deliveries, sms_keys)
    }

    /// Each message that came twice has a cause. An SMS is looked up first, so
    /// that the death of a program is none, nor an answer that was cut.
    fn duplicates(
        &self,
        deliveries: &HashMap<String, Delivery>,
        sent: &HashMap<String, Sent>,
        broken: &mut Broken,
    ) -> String {
        let times = |keys: &[String], key: &String| keys.iter().filter(|each| *each == key).count();
        let (mut mails, mut sms, mut spared) = (0, 0, 0);
        for (key, sent) in sent {
            let Some(delivery) = deliveries.get(key) else { continue };
            let again = sent.at.len() - 1;
            let jumped = times(&self.leases.jumped, key);
            let lost = sent.cut + times(&self.leases.stale, key);
            if delivery.sink == "sendgrid" {
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
}

/// The key of a mail, and the words in it.
fn mail(request: &Request) -> (String, Vec<String>) {
    let mail = request.json();
    let key = mail["personalizations"][0]["custom_args"]["delivery"].as_str().unwrap().replace('-', "");
    (key, words(mail["content"][0]["value"].as_str().unwrap()).map(str::to_owned).collect())
}

/// What tells an SMS from the others: its first word and the notice's id, of
/// which there are not enough.
fn sms_id(text: &str) -> String {
    let id = text.rsplit('#').next().unwrap_or_default();
    format!("{} {id}", words(text).next().unwrap_or_default())
}

/// The words that stand for errors.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| word.starts_with(WORD))
}

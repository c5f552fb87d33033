//! Whether SendGrid sends anything to an address: it accepts mail to one that is on a
//! suppression list, and drops it ("Suppressions" of the v3 API). It says of no single
//! mail that it arrived, but for a paid add-on.
//!
//! Invariant: nothing is asked before a mail was accepted, and one address at most in
//! [`PAUSE`]; an address that stayed clean is not asked after for a day.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use reqwest::{StatusCode, Url};
use serde_json::Value;

use super::{
    super::{Accepted, Fate, http::Class, reason::Scrub},
    SendGridSink, errors, meaning,
};
use crate::{
    host::time::{Saturating, from_millis},
    policy::send_error::SendError,
};

/// An address that was on a list before is found at once, a bounce within minutes.
pub(super) const ASKS_AFTER: &[Duration] =
    &[Duration::from_secs(60), Duration::from_secs(11 * 60), Duration::from_secs(61 * 60)];

/// How long an answer holds, until there were as many as [`ASKS_AFTER`] has.
const PAUSE: Duration = Duration::from_secs(9 * 60);
/// How long it holds then.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// SendGrid's clock and ours may differ as much.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// More addresses are not remembered: they are asked after more often.
const MAX_KNOWN: usize = 256;

/// The lists, each with what it says of an address.
const LISTS: [(&str, &str); 5] = [
    ("suppression/bounces", "a mail to it bounced"),
    ("suppression/invalid_emails", "it is not a valid address"),
    ("suppression/spam_reports", "its owner reported a mail as spam"),
    ("asm/suppressions/global", "its owner unsubscribed from all mail"),
    // What was blocked once is sent again next time: an entry is one mail's fate.
    (BLOCKS, "the receiving server blocked the mail"),
];
const BLOCKS: &str = "suppression/blocks";

/// What was found out of an address.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    asked_at: Option<SystemTime>,
    times: usize,
    entries: Vec<Entry>,
}

/// An address on a list.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) is_block: bool,
    created_at: Option<SystemTime>,
    pub(super) reason: String,
}

impl Known {
    /// Whether what was found still holds at `now`.
    fn holds(&self, now: SystemTime) -> bool {
        let is_settled = self.times >= ASKS_AFTER.len() && self.entries.is_empty();
        let holds_for = if is_settled { A_DAY } else { PAUSE };
        self.asked_at.is_some_and(|at| at <= now && now < at.later(holds_for))
    }

    /// What that means for a mail.
    fn fate(&self, accepted_at: SystemTime) -> Fate {
        let is_of_it = |entry: &&Entry| {
            let is_later = entry.created_at.is_none_or(|at| at >= accepted_at.earlier(CLOCK_SKEW));
            !entry.is_block || is_later
        };
        match self.entries.iter().find(is_of_it) {
            Some(entry) => Fate::Failed(SendError::rejected(&entry.reason)),
            None => Fate::Open,
        }
    }
}

impl SendGridSink {
    pub(super) async fn ask(&self, accepted: &[Accepted], now: SystemTime) -> Result<Vec<Fate>, SendError> {
        let mut found: HashMap<&str, Known> = HashMap::new();
        for Accepted { recipient, .. } in accepted {
            if found.contains_key(recipient.as_str()) {
                continue;
            }
            let known = self.known(recipient);
            let known = if known.holds(now) {
                known
            } else {
                // A day later, it begins anew.
                let times = if known.times >= ASKS_AFTER.len() { 1 } else { known.times + 1 };
                let known = Known { asked_at: Some(now), times, entries: self.entries(recipient).await? };
                self.remember(recipient, known.clone());
                known
            };
            found.insert(recipient, known);
        }
        let fate = |it: &Accepted| {
            found.get(it.recipient.as_str()).map_or(Fate::Open, |known| known.fate(it.accepted_at))
        };
        Ok(accepted.iter().map(fate).collect())
    }

    /// What became of a mail, by what the lists say now.
    #[cfg(feature = "cli")]
    pub(crate) async fn fate_now(&self, accepted: &Accepted) -> Result<Fate, SendError> {
        let entries = self.entries(&accepted.recipient).await?;
        Ok(Known { asked_at: None, times: 0, entries }.fate(accepted.accepted_at))
    }

    fn known(&self, address: &str) -> Known {
        let suppressions = self.suppressions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        suppressions.get(address).cloned().unwrap_or_default()
    }

    fn remember(&self, address: &str, known: Known) {
        let mut suppressions = self.suppressions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if suppressions.len() >= MAX_KNOWN {
            suppressions.clear();
        }
        suppressions.insert(address.to_owned(), known);
    }

    /// Asks each list for `address`.
    pub(super) async fn entries(&self, address: &str) -> Result<Vec<Entry>, SendError> {
        let scrub = self.scrub(address);
        let mut entries = Vec::new();
        for (list, why) in LISTS {
            let mut url = Url::parse(&self.http.connection.url(&format!("/v3/{list}")))
                .map_err(|error| SendError::misconfigured(error.to_string()))?;
            if let Ok(mut path) = url.path_segments_mut() {
                path.push(address);
            }
            let answer =
                self.http.exchange(&scrub, |client| client.get(url).bearer_auth(self.api_key.expose()));
            let answer = answer.await?;
            let scrub = scrub.and(self.http.credentials());
            match answer.status {
                StatusCode::NOT_FOUND => (),
                status if status.is_success() => {
                    let body = serde_json::from_slice(&answer.body).unwrap_or_default();
                    entries.extend(listed(&body, list, why, &scrub));
                }
                status => {
                    let (class, meaning) = match meaning(status.as_u16()) {
                        Some(known) => known,
                        None => Class::of(status),
                    };
                    let ours = format!("SendGrid (HTTP {}): {meaning}", status.as_u16());
                    let theirs = errors(&answer.body).unwrap_or_else(|| scrub.excerpt(&answer.body));
                    return Err(class.error(scrub.reason(&ours, &theirs), answer.wish()));
                }
            }
        }
        Ok(entries)
    }
}

/// What a list says: an array of entries, or one if that is what it has.
fn listed(body: &Value, list: &str, why: &str, scrub: &Scrub<'_>) -> Vec<Entry> {
    let all = body.as_array().map_or_else(|| std::slice::from_ref(body), Vec::as_slice);
    let is_entry = |entry: &&Value| {
        entry
            .as_object()
            .is_some_and(|entry| entry.contains_key("email") || entry.contains_key("recipient_email"))
    };
    all.iter().filter(is_entry).map(|entry| {
        let created_at = entry["created"].as_i64().map(|secs| from_millis(secs.saturating_mul(1000)));
        let since = created_at
            .and_then(|at| jiff::Timestamp::try_from(at).ok())
            .map(|at| format!(" since {}", at.strftime("%Y-%m-%d")))
            .unwrap_or_default();
        let ours = if list == BLOCKS {
            format!("SendGrid: {why}")
        } else {
            format!("SendGrid drops all mail to this address{since}, as {why}; take it off the list at Suppressions")
        };
        Entry { is_block: list == BLOCKS, created_at, reason: scrub.reason(&ours, entry["reason"].as_str().unwrap_or_default()) }
    }).collect()
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        sync::{Arc, Mutex},
        thread,
    };

    use super::*;

    const OPS: &str = "ops+night@example.com";
    const NOW: u64 = 1_795_376_463;

    fn at(secs: u64) -> SystemTime {
        from_millis(i64::try_from(secs).unwrap() * 1000)
    }

    fn mail(accepted_at: SystemTime) -> Accepted {
        Accepted::new(OPS, None, accepted_at)
    }

    /// Answers each request by its path, and notes it.
    fn lists(answer: impl Fn(&str) -> (u16, String) + Send + 'static) -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = [0; 4096];
                let length = stream.read(&mut request).unwrap();
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let path = request.split_whitespace().nth(1).unwrap_or_default().to_owned();
                let (status, body) = answer(&path);
                noted.lock().unwrap().push(path);
                let head = format!(
                    "HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                stream.write_all((head + &body).as_bytes()).unwrap();
            }
        });
        (url, asked)
    }

    fn sink(url: &str) -> SendGridSink {
        SendGridSink::new("SG.hunter2", "alerts@example.org").base_url(url)
    }

    #[tokio::test]
    async fn a_clean_address_is_asked_after_three_times_and_then_not_for_a_day() {
        let (url, asked) = lists(|path| (200, if path.contains("/asm/") { "{}" } else { "[]" }.to_owned()));
        let sink = sink(&url);
        let start = at(NOW);
        for (minutes, rounds) in
            [(1, 1), (2, 1), (11, 2), (61, 3), (90, 3), (24 * 60, 3), (26 * 60, 4), (26 * 60 + 10, 5)]
        {
            let now = start + Duration::from_secs(minutes * 60);
            assert_eq!(sink.ask(&[mail(now), mail(start)], now).await, Ok(vec![Fate::Open; 2]));
            assert_eq!(asked.lock().unwrap().len(), rounds * LISTS.len(), "after {minutes} min");
        }
        assert_eq!(asked.lock().unwrap()[0], "/v3/suppression/bounces/ops+night@example.com");
    }

    #[tokio::test]
    async fn a_mail_to_an_address_on_a_list_failed_in_words() {
        let entry = format!(
            r#"[{{"created":{},"email":"{OPS}","reason":"550 5.1.1 no such user {OPS}","status":"5.1.1"}}]"#,
            NOW - 90_000
        );
        let (url, _) = lists(move |path| {
            (
                if path.contains("bounces") { 200 } else { 404 },
                if path.contains("bounces") { entry.clone() } else { String::new() },
            )
        });
        let fates = sink(&url).ask(&[mail(at(NOW))], at(NOW)).await.unwrap();
        let [Fate::Failed(SendError::Rejected { reason })] = &fates[..] else { panic!("{fates:?}") };
        assert_eq!(
            reason,
            "SendGrid drops all mail to this address since 2026-11-21, as a mail to it bounced; \
             take it off the list at Suppressions: 550 5.1.1 no such user [recipient]"
        );
    }

    #[tokio::test]
    async fn what_was_blocked_before_says_nothing_of_the_next_mail() {
        let block = |created: u64| {
            format!(r#"[{{"created":{created},"email":"{OPS}","reason":"greylisted","status":"4.0.0"}}]"#)
        };
        for (created, is_failed) in [(NOW - 600, false), (NOW + 20, true)] {
            let entry = block(created);
            let (url, _) = lists(move |path| {
                (200, if path.contains("blocks") { entry.clone() } else { "[]".to_owned() })
            });
            let fates = sink(&url).ask(&[mail(at(NOW))], at(NOW + 60)).await.unwrap();
            assert_eq!(matches!(fates[..], [Fate::Failed(_)]), is_failed, "{fates:?}");
        }
    }

    #[tokio::test]
    async fn a_key_that_may_not_ask_is_told_and_what_is_no_list_is_none() {
        let (url, _) =
            lists(|_| (403, r#"{"errors":[{"message":"access forbidden","field":null}]}"#.to_owned()));
        let error = sink(&url).ask(&[mail(at(NOW))], at(NOW)).await.unwrap_err();
        assert!(matches!(error, SendError::Misconfigured { .. }), "{error}");
        for body in ["", "null", "7", "<html>", "{}", "[7]", r#"[{"created":"x"}]"#] {
            let (url, _) = lists(move |_| (200, body.to_owned()));
            assert_eq!(sink(&url).ask(&[mail(at(NOW))], at(NOW)).await, Ok(vec![Fate::Open]), "{body}");
        }
    }
}

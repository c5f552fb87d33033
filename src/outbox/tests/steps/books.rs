//! A store's books: where every event is that it took.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{super::*, Counts, SINKS, Side, kind_in};
use crate::outbox::page::{Page, State};

impl Side {
    /// Fails unless every event that was taken is in a message that was settled,
    /// or is pending, or is still to be told.
    pub(in super::super) fn balance(&mut self, page: &Page) -> Result<(), TestCaseError> {
        let mut known = self.settled.clone();
        for (id, incident) in page.incidents.iter() {
            for (recipient, standing) in page.standings_of(*id) {
                prop_assert!(standing.told <= incident.count, "more is told than happened");
                if standing.due_at.is_some() {
                    let who = (kind_of(page, *id), recipient.address.to_string());
                    *known.entry(who).or_default() += incident.count - standing.told;
                }
            }
        }
        for delivery in page.deliveries.values().filter(|it| it.state == State::Pending) {
            for (incident, item) in page.items_of(delivery.notice_id) {
                let who = (kind_of(page, incident), delivery.recipient.address.to_string());
                *known.entry(who).or_default() += item.count;
            }
        }
        let has_mail = self.bench.targets.len() > 1;
        for (who, captured) in &self.captured {
            let known = known.get(who).copied().unwrap_or(0);
            prop_assert!(known <= *captured, "{:?}: {} of {} are told", who, known, captured);
            let is_coverable = has_mail && who.1 == "+1";
            prop_assert!(is_coverable || known == *captured, "{:?}: {} of {} are left", who, known, captured);
            // Less than before, if what was left to the mail comes back.
            self.covered.insert(who.clone(), captured - known);
        }
        Ok(())
    }

    /// Fails unless the store counts its events as they are counted here.
    pub(in super::super) async fn count(&mut self, page: &Page) -> Result<EventCounts, TestCaseError> {
        let mut alive = self.delivered.clone();
        let is_event = |id: &i64| page.incidents.get(id).filter(|it| it.about.is_none());
        for ((id, recipient), standing) in page.standings.iter().filter(|(_, it)| it.due_at.is_some()) {
            let Some(incident) = is_event(id) else { continue };
            let who = (incident.public_id.clone(), recipient.address.to_string());
            *alive.entry(who).or_default() += incident.count - standing.told;
        }
        for delivery in page.deliveries.values().filter(|it| it.state == State::Pending) {
            for (id, item) in page.items_of(delivery.notice_id) {
                let Some(incident) = is_event(&id) else { continue };
                let who = (incident.public_id.clone(), delivery.recipient.address.to_string());
                *alive.entry(who).or_default() += item.count;
            }
        }
        let expected = EventCounts::new(self.events, most(&self.delivered), most(&alive));
        let counted = self.bench.store.events().await.unwrap() + self.past;
        prop_assert_eq!(counted, expected);
        Ok(counted)
    }

    /// What went over to a store that had the incident open has its name there.
    pub(in super::super) fn rename(&mut self, from: &str, to: &str) {
        let asked = self.asked.values_mut().chain(self.deferred_asked.values_mut());
        let all =
            self.claims.iter_mut().chain(&mut self.deferred).chain(asked).flat_map(|(_, counts)| counts);
        all.filter(|(_, incident, _)| incident == from).for_each(|(_, incident, _)| to.clone_into(incident));
        let theirs = self.delivered.extract_if(.., |(incident, _), _| incident == from).collect::<Vec<_>>();
        for ((_, recipient), count) in theirs {
            *self.delivered.entry((to.to_owned(), recipient)).or_default() += count;
        }
    }

    /// Goes on with nothing new, and a provider that takes everything, until
    /// nothing is left to do. Everybody then knows of everything.
    pub(in super::super) async fn drain(&mut self, mut now: SystemTime) -> Result<(), TestCaseError> {
        for _ in 0..500 {
            let mut next: Option<SystemTime> = None;
            for sink in SINKS {
                let told = self.bench.tell_with(&self.channel(sink), false, now).await;
                self.claim(sink, 100, now).await;
                while self.deliver(false, now).await {}
                self.claims.clear();
                let due = self.bench.store.next_due(sink).await.unwrap();
                let ask = self.hear_of_all(sink, now).await;
                next = [next, told.next, due, ask].into_iter().flatten().min();
            }
            match next {
                Some(next) => now = now.max(next),
                None => break,
            }
        }
        // What nobody is to be told of ends, too: a day after any jump of the clock.
        self.bench.persist(&[], now + 24 * HOUR).await;
        self.bench.tell("sms", now + 24 * HOUR).await;
        let page = self.bench.page().await;
        self.balance(&page)?;
        self.count(&page).await?;
        let left = page.standings.values().filter(|it| it.due_at.is_some()).count();
        prop_assert_eq!(left, 0, "something is never told");
        prop_assert_eq!(page.deliveries.iter().count(), 0, "something is never sent");
        for ((kind, recipient), covered) in &self.covered {
            let mail = self.settled.get(&(kind.clone(), "a@b".to_owned()));
            prop_assert!(
                *covered == 0 || mail.is_some(),
                "{}: nobody told {} of {}",
                kind,
                recipient,
                covered
            );
        }
        Ok(())
    }
}

/// The greatest number of each incident.
fn most(counts: &Counts) -> u64 {
    let mut most: BTreeMap<&str, u64> = BTreeMap::new();
    for ((incident, _), count) in counts {
        let known = most.entry(incident).or_default();
        *known = *count.max(known);
    }
    most.values().sum()
}

fn kind_of(page: &Page, incident: i64) -> String {
    match (page.incidents.get(&incident).unwrap().about, page.firsts.get(&incident)) {
        (None, Some(event)) => kind_in(&event.message),
        (Some(About::Loss(_)), _) => "lost".to_owned(),
        (about, _) => format!("{about:?}"),
    }
}

//! Events join their incidents; whoever is concerned gets a standing.

use std::{collections::BTreeMap, time::SystemTime};

use super::{BatchRow, Drawn, FirstBatch, IncidentRow, Page, Recipient, StandingRow};
use crate::{
    event::Event,
    host::time::Saturating,
    outbox::{
        MAX_INCIDENTS, Maker, Target,
        batch::{About, Arrival, overflow},
    },
    policy::incident::{QUIET_AFTER, Standing},
};

/// A target, and what is known of them.
struct Addressee<'a> {
    target: &'a Target,
    recipient: Recipient,
    heard_at: Option<SystemTime>,
    /// Whether there is a message for them that did not leave yet: it takes more.
    has_open_message: bool,
}

impl Page {
    /// Adds the `arrivals` of batch `number` of the maker's run, unless they are here: it
    /// may be that whoever brought them was told of an error, although they were saved.
    /// True if one of them is an error of the program's that nobody silenced.
    pub(in crate::outbox) fn join_once(
        &mut self,
        number: u64,
        mut arrivals: Vec<Arrival<'_>>,
        maker: &Maker<'_>,
        targets: &[Target],
        now: SystemTime,
    ) -> bool {
        let known = self.batches.get(&maker.run).map(|last| last.number);
        if known.is_some_and(|known| known >= number) {
            return arrivals.iter().any(Arrival::is_error);
        }
        self.hold_back(&mut arrivals, now);
        let has_error = arrivals.iter().any(Arrival::is_error);
        match known {
            Some(_) => (),
            None => {
                let counts = arrivals.iter().map(|arrival| (arrival.fingerprint.clone(), arrival.count));
                self.first_batch = Some(FirstBatch { run: maker.run, number, counts: counts.collect() });
            }
        }
        self.batches.insert(maker.run, BatchRow { number, at: now });
        self.join(arrivals, maker, targets, now);
        has_error
    }

    /// Adds `arrivals` to their open incidents, and opens those that are missing: no
    /// more than [`MAX_INCIDENTS`], and what has no room is counted in one for its
    /// level. Each of `targets` whom an incident concerns gets a standing, and those
    /// who were told are told again in time.
    pub(in crate::outbox) fn join(
        &mut self,
        arrivals: Vec<Arrival<'_>>,
        maker: &Maker<'_>,
        targets: &[Target],
        now: SystemTime,
    ) {
        self.close_ended(now);
        let targets: Vec<_> = targets.iter().map(|target| self.addressee(target)).collect();
        let are_open = self.incidents.iter().filter(|(_, incident)| incident.closed_at.is_none());
        let mut open: BTreeMap<_, _> =
            are_open.map(|(id, incident)| (incident.fingerprint.clone(), *id)).collect();
        let mut room = MAX_INCIDENTS.saturating_sub(self.beyond.open.saturating_add(self.count_open()));
        let mut rest = Vec::new();
        for mut arrival in arrivals {
            let learned = self.group(&mut arrival, &open);
            match open.get(&arrival.fingerprint) {
                Some(id) => {
                    self.keep_learned(arrival.said.as_deref(), *id, learned, false);
                    self.count(*id, &arrival, &targets, now);
                }
                None if arrival.about.is_none() && room == 0 => overflow(&mut rest, arrival, now),
                None => {
                    room = room.saturating_sub(usize::from(arrival.about.is_none()));
                    let id = self.open(&arrival, maker, &targets, now);
                    self.keep_learned(arrival.said.as_deref(), id, learned, true);
                    open.insert(arrival.fingerprint, id);
                }
            }
        }
        for arrival in rest {
            match open.get(&arrival.fingerprint) {
                Some(id) => self.count(*id, &arrival, &targets, now),
                None => {
                    self.open(&arrival, maker, &targets, now);
                }
            }
        }
    }

    /// How many incidents of the page are open that are events of one kind.
    pub(in crate::outbox) fn count_open(&self) -> usize {
        let open = self.incidents.values().filter(|it| it.closed_at.is_none() && it.about.is_none());
        open.count()
    }

    /// Closes the incidents that had no event for [`QUIET_AFTER`].
    pub(super) fn close_ended(&mut self, now: SystemTime) {
        let has_ended = |incident: &IncidentRow| {
            incident.closed_at.is_none()
                && incident.last_at.later(QUIET_AFTER) <= now
                && incident.held_until.is_none_or(|until| until <= now)
        };
        let ended = self.incidents.iter().filter(|(_, incident)| has_ended(incident));
        let ended: Vec<_> = ended.map(|(id, _)| *id).collect();
        for incident in ended {
            if let Some(incident) = self.incidents.change(&incident) {
                incident.closed_at = Some(now);
            }
        }
    }

    /// Adds the backtrace to the first event of an open incident, if it has none.
    pub(in crate::outbox) fn add_backtrace(&mut self, fingerprint: &[u8], backtrace: &str) {
        let is_meant = |it: &IncidentRow| it.closed_at.is_none() && it.fingerprint == fingerprint;
        let Some(id) = self.incidents.iter().find(|(_, it)| is_meant(it)).map(|(id, _)| *id) else { return };
        if self.firsts.get(&id).is_some_and(|event| event.backtrace.is_none())
            && let Some(event) = self.firsts.change(&id)
        {
            event.backtrace = Some(backtrace.to_owned());
        }
    }

    fn addressee<'a>(&self, target: &'a Target) -> Addressee<'a> {
        let recipient = Recipient::new(target.sink, &target.recipient);
        let heard_at = self.accounts.get(&recipient).and_then(|account| account.heard_at);
        let has_open_message = self.open_notice(&recipient).is_some();
        Addressee { target, recipient, heard_at, has_open_message }
    }

    fn count(&mut self, id: i64, arrival: &Arrival<'_>, targets: &[Addressee<'_>], now: SystemTime) {
        let Some(incident) = self.incidents.change(&id) else { return };
        incident.count = incident.count.saturating_add(arrival.count);
        incident.last_at = incident.last_at.min(now).max(arrival.last_at);
        incident.pace.add(&arrival.pace, now);
        if let Some(latest) = arrival.latest {
            self.latests.insert(id, latest.bare());
        }
        self.look_sooner(id, targets, now);
        self.concern(id, arrival, targets, now);
    }

    fn open(
        &mut self,
        arrival: &Arrival<'_>,
        maker: &Maker<'_>,
        targets: &[Addressee<'_>],
        now: SystemTime,
    ) -> i64 {
        self.beyond.last_incident = self.beyond.last_incident.saturating_add(1);
        let id = self.beyond.last_incident;
        let incident = IncidentRow {
            public_id: self.draw_for(Drawn::Incident(id), maker),
            fingerprint: arrival.fingerprint.clone(),
            level: arrival.level,
            about: arrival.about,
            run: maker.run,
            process: maker.process.clone(),
            is_new: self.beyond.seen.insert(arrival.fingerprint.clone()),
            count: arrival.count,
            reported: 0,
            opened_at: arrival.first_at.min(now),
            last_at: arrival.last_at,
            closed_at: None,
            held_until: arrival.not_before,
            pace: arrival.pace.clone(),
        };
        self.incidents.insert(id, incident);
        if let Some(event) = arrival.event {
            let mut event = Event::unshared(event);
            if let Some(headline) = &arrival.headline {
                event.message.clone_from(headline);
            }
            self.firsts.insert(id, event);
        }
        if let Some(latest) = arrival.later() {
            self.latests.insert(id, latest.bare());
        }
        self.concern(id, arrival, targets, now);
        id
    }

    /// Gives each target whom `arrival` concerns a standing, unless they have one; one
    /// that was abandoned is taken up again.
    fn concern(&mut self, id: i64, arrival: &Arrival<'_>, targets: &[Addressee<'_>], now: SystemTime) {
        let Some(opened_at) = self.incidents.get(&id).map(|incident| incident.opened_at) else { return };
        for Addressee { target, recipient, heard_at, .. } in targets {
            let key = (id, recipient.clone());
            let known = self.standings.get(&key);
            if arrival.level > target.level || known.is_some_and(|known| known.due_at.is_some()) {
                continue;
            }
            let is_urgent = arrival.about.is_some_and(About::is_urgent);
            let fresh = Standing { is_urgent, ..Standing::fresh(opened_at, arrival.not_before) };
            let due_at = Some(fresh.next(&target.rhythm, *heard_at, now).at());
            let make = || StandingRow { not_before: arrival.not_before, ..StandingRow::default() };
            self.standings.change_or_insert(key, make).due_at = due_at;
        }
    }

    /// Lets those who were told be told again in time, now that there is more. A
    /// look that comes too early decides again; so only an earlier one is noted.
    fn look_sooner(&mut self, id: i64, targets: &[Addressee<'_>], now: SystemTime) {
        let told = self.standings_of(id).filter(|(_, known)| known.told_at.is_some());
        let told: Vec<_> = told.filter_map(|(it, known)| Some((it.clone(), known.due_at?))).collect();
        for (recipient, known) in told {
            let due_at = match targets.iter().find(|addressee| addressee.recipient == recipient) {
                Some(Addressee { target, heard_at, has_open_message: false, .. }) => {
                    let Some(standing) = self.standing(id, &recipient) else { continue };
                    let standing = Standing { is_covered: false, ..standing };
                    standing.next(&target.rhythm, *heard_at, now).at()
                }
                // Of another process's recipient only that process knows the rhythm.
                Some(Addressee { has_open_message: true, .. }) | None => now,
            };
            if due_at < known
                && let Some(standing) = self.standings.change(&(id, recipient))
            {
                standing.due_at = Some(due_at);
            }
        }
    }
}

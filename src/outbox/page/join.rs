//! Events join their incidents; whoever is concerned gets a standing.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use super::{BatchRow, Drawn, FirstBatch, IncidentRow, Page, Recipient, StandingRow};
use crate::{
    event::Event,
    host::time::Saturating,
    outbox::{
        MAX_INCIDENTS, Maker, Target,
        batch::{Arrival, overflow},
    },
    policy::incident::{ANEW_AFTER, QUIET_AFTER, Recent, SAME_WITHIN, Standing, Window},
};
#[cfg(feature = "postgres")]
use crate::{event::to_millis, policy::outage::public_id};

/// A target, and what is known of them.
struct Addressee<'a> {
    target: &'a Target,
    recipient: Recipient,
    window: Window,
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
        let errors = arrivals.iter().filter(|arrival| arrival.is_error());
        let erred_at = errors.map(|arrival| arrival.last_at.min(now)).max();
        let known = self.batches.get(&maker.run).and_then(|last| last.erred_at);
        self.batches.insert(maker.run, BatchRow { number, at: now, erred_at: known.max(erred_at) });
        self.join(arrivals, maker, targets, now);
        has_error
    }

    /// Adds `arrivals` to their open incidents, or to those that ended within
    /// [`SAME_WITHIN`] and come back, and opens those that are missing: no
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
        let targets: Vec<_> = targets.iter().map(|target| self.addressee(target, now)).collect();
        let are_open = self.incidents.iter().filter(|(_, incident)| incident.closed_at.is_none());
        let mut open: BTreeMap<_, _> =
            are_open.map(|(id, incident)| (incident.fingerprint.clone(), *id)).collect();
        let may_return = self.incidents.iter().filter(|(_, incident)| incident.may_return(now));
        let ended: BTreeMap<_, _> =
            may_return.map(|(id, incident)| (incident.fingerprint.clone(), *id)).collect();
        let mut room = MAX_INCIDENTS.saturating_sub(self.beyond.open.saturating_add(self.count_open()));
        let mut rest = Vec::new();
        for mut arrival in arrivals {
            let learned = self.group(&mut arrival, &open);
            match open.get(&arrival.fingerprint) {
                Some(id) => {
                    self.keep_learned(arrival.said.as_deref(), *id, learned, false);
                    self.count(*id, &arrival, arrival.latest, maker, &targets, now);
                }
                None if arrival.about.is_none() && room == 0 => overflow(&mut rest, arrival, now),
                None => {
                    room = room.saturating_sub(usize::from(arrival.about.is_none()));
                    let id = self.begin(&arrival, ended.get(&arrival.fingerprint), maker, &targets, now);
                    self.keep_learned(arrival.said.as_deref(), id, learned, true);
                    open.insert(arrival.fingerprint, id);
                }
            }
        }
        for arrival in rest {
            match open.get(&arrival.fingerprint) {
                Some(id) => self.count(*id, &arrival, arrival.latest, maker, &targets, now),
                None => {
                    self.begin(&arrival, ended.get(&arrival.fingerprint), maker, &targets, now);
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
    pub(in crate::outbox) fn close_ended(&mut self, now: SystemTime) {
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

    fn addressee<'a>(&self, target: &'a Target, now: SystemTime) -> Addressee<'a> {
        let recipient = Recipient::new(target.sink, &target.recipient);
        let account = self.accounts.get(&recipient).cloned().unwrap_or_default();
        let window = Window::of(&account, &target.rhythm, now);
        let has_open_message = self.open_notice(&recipient).is_some();
        Addressee { target, recipient, window, has_open_message }
    }

    fn count(
        &mut self,
        id: i64,
        arrival: &Arrival<'_>,
        latest: Option<&Event>,
        maker: &Maker<'_>,
        targets: &[Addressee<'_>],
        now: SystemTime,
    ) {
        let Some(incident) = self.incidents.change(&id) else { return };
        incident.count = incident.count.saturating_add(arrival.count);
        incident.last_at = incident.last_at.min(now).max(arrival.last_at);
        incident.pace.add(&arrival.pace, now);
        incident.recent.add(arrival.count, maker.calendar.day_of(arrival.last_at.min(now)));
        #[cfg(feature = "postgres")]
        {
            incident.shared.is_due |= maker.is_of_fleet;
        }
        if let Some(latest) = latest {
            self.latests.insert(id, latest.bare());
        }
        self.look_sooner(id, targets, now);
        self.concern(id, arrival, targets, now);
    }

    /// Has the incident that `ended` come back, or opens a new one.
    fn begin(
        &mut self,
        arrival: &Arrival<'_>,
        ended: Option<&i64>,
        maker: &Maker<'_>,
        targets: &[Addressee<'_>],
        now: SystemTime,
    ) -> i64 {
        match ended {
            Some(id) => {
                self.reopen(*id, arrival, maker, now);
                self.count(*id, arrival, arrival.later(), maker, targets, now);
                *id
            }
            None => self.open(arrival, maker, targets, now),
        }
    }

    /// Has an incident come back: whoever was told of it is told that, once they are not
    /// held any more.
    fn reopen(&mut self, id: i64, arrival: &Arrival<'_>, maker: &Maker<'_>, now: SystemTime) {
        let known = self.standings_of(id).filter(|(_, known)| known.told_at.is_some());
        let known: Vec<_> = known.map(|(recipient, _)| (id, recipient.clone())).collect();
        let Some(incident) = self.incidents.change(&id) else { return };
        let begins_anew = incident.last_at.min(now).later(ANEW_AFTER) <= arrival.first_at;
        incident.closed_at = None;
        incident.back_at = Some(arrival.first_at.min(now));
        incident.run = maker.run;
        incident.process = maker.process.clone();
        incident.is_new &= known.is_empty();
        incident.held_until = arrival.not_before;
        if let Some(event) = arrival.event {
            self.firsts.insert(id, Event::unshared(event));
        }
        // What it said last is of the time before.
        self.latests.remove(&id);
        for key in known {
            let is_held = self.standing(id, &key.1).is_some_and(|standing| standing.is_held(now));
            let Some(known) = self.standings.change(&key) else { continue };
            if begins_anew {
                (known.holds, known.hold) = (0, Duration::ZERO);
            }
            known.is_back = begins_anew || !is_held;
            known.not_before = arrival.not_before;
        }
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
        let mut recent = Recent::default();
        recent.add(arrival.count, maker.calendar.day_of(arrival.last_at.min(now)));
        let incident = IncidentRow {
            public_id: self.name_incident(id, arrival, maker),
            fingerprint: arrival.fingerprint.clone(),
            level: arrival.level,
            about: arrival.about,
            run: maker.run,
            process: maker.process.clone(),
            is_new: self.beyond.seen.insert(arrival.fingerprint.clone()),
            count: arrival.count,
            reported: 0,
            is_panic: arrival.event.is_some_and(|event| event.panic),
            opened_at: arrival.first_at.min(now),
            back_at: None,
            last_at: arrival.last_at,
            closed_at: None,
            is_left: false,
            held_until: arrival.not_before,
            pace: arrival.pace.clone(),
            recent,
            spread: None,
            #[cfg(feature = "postgres")]
            shared: super::Shared {
                is_due: maker.is_of_fleet,
                is_learned: arrival.said.is_some(),
                ..super::Shared::default()
            },
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

    /// What people call an incident. In a fleet all instances call it the same, also while
    /// none can ask the others.
    fn name_incident(&mut self, id: i64, arrival: &Arrival<'_>, maker: &Maker<'_>) -> String {
        #[cfg(feature = "postgres")]
        if maker.is_of_fleet {
            return self.derive_for(Drawn::Incident(id), derived_id(arrival), maker);
        }
        #[cfg(not(feature = "postgres"))]
        let _ = arrival;
        self.draw_for(Drawn::Incident(id), maker)
    }

    /// Gives each target whom `arrival` concerns a standing, unless they have one; one
    /// that was abandoned is taken up again.
    fn concern(&mut self, id: i64, arrival: &Arrival<'_>, targets: &[Addressee<'_>], now: SystemTime) {
        for Addressee { target, recipient, window, has_open_message } in targets {
            let key = (id, recipient.clone());
            let known = self.standings.get(&key);
            if arrival.level > target.level || known.is_some_and(|known| known.due_at.is_some()) {
                continue;
            }
            let make = || StandingRow { not_before: arrival.not_before, ..StandingRow::default() };
            self.standings.change_or_insert(key.clone(), make);
            let Some(standing) = self.standing(id, recipient) else { continue };
            // What did not leave may tell of it already.
            let joins = *has_open_message && standing.told_at.is_some();
            let due_at = if joins { now } else { standing.next(&target.rhythm, window, now).at() };
            if let Some(known) = self.standings.change(&key) {
                known.due_at = Some(due_at);
            }
        }
    }

    /// Lets those who were told be told again in time, now that there is more. A
    /// look that comes too early decides again; so only an earlier one is noted.
    fn look_sooner(&mut self, id: i64, targets: &[Addressee<'_>], now: SystemTime) {
        let told = self.standings_of(id).filter(|(_, known)| known.told_at.is_some());
        let told: Vec<_> = told.filter_map(|(it, known)| Some((it.clone(), known.due_at?))).collect();
        for (recipient, known) in told {
            let due_at = match targets.iter().find(|addressee| addressee.recipient == recipient) {
                Some(Addressee { target, window, has_open_message: false, .. }) => {
                    let Some(standing) = self.standing(id, &recipient) else { continue };
                    let standing = Standing { is_covered: false, ..standing };
                    standing.next(&target.rhythm, window, now).at()
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

/// What every instance of a fleet calls what `arrival` opens.
#[cfg(feature = "postgres")]
fn derived_id(arrival: &Arrival<'_>) -> String {
    // What is found at the provider by it is of the same outage, not of this morning.
    let hour = to_millis(arrival.first_at) / (60 * 60 * 1000);
    public_id(&arrival.fingerprint, u32::try_from(hour).unwrap_or_default())
}

impl IncidentRow {
    /// Whether it ended not long ago.
    pub(in crate::outbox) fn may_return(&self, now: SystemTime) -> bool {
        self.closed_at.is_some() && !self.is_left && now <= self.last_at.later(SAME_WITHIN)
    }
}

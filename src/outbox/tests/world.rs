//! A process and the world around it, for hours and days of injected time.

use super::*;
use crate::{
    policy::notice::Notice,
    render::{Renderer, segments},
};

pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const SINKS: [&str; 2] = ["sms", "mail"];

/// What the providers do with a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Provider {
    Up,
    Down,
    /// Nobody knows whether it takes them: it does.
    Mute,
    /// As [`Mute`](Self::Mute), but only with messages that tell of this.
    MuteAbout(&'static str),
    /// The credentials are wrong.
    Refusing,
}

/// A message that was attempted.
pub(super) struct Sent {
    pub(super) at: SystemTime,
    pub(super) sink: &'static str,
    pub(super) is_delivered: bool,
    pub(super) notice: Notice,
}

/// A process, and the world around it.
pub(super) struct World<'a> {
    pub(super) bench: &'a mut Bench,
    /// By sink.
    pub(super) providers: [Provider; 2],
    pub(super) sent: Vec<Sent>,
    /// When there is something to do for which sink.
    next: [Option<SystemTime>; 2],
    /// When it is looked what died, and whether a sink fails.
    look_at: SystemTime,
    /// When a sink will have failed for long enough to be told of, or is looked at again.
    failing_at: [Option<SystemTime>; 2],
}

impl<'a> World<'a> {
    pub(super) fn new(bench: &'a mut Bench) -> Self {
        let providers = [Provider::Up; 2];
        let world = Self {
            bench,
            providers,
            sent: Vec::new(),
            next: [None; 2],
            look_at: t(0),
            failing_at: [None; 2],
        };
        world.bench.targets.iter_mut().for_each(|it| it.rhythm = default_channel(it.sink).rhythm);
        world
    }

    /// The process starts again, and looks at what another one left.
    pub(super) async fn restart(&mut self, is_reopened: bool, now: SystemTime) {
        self.bench.run = Uuid::from_u128(self.bench.run.as_u128() + 1);
        if is_reopened {
            self.bench.reopen().await;
        }
        self.bench.store.reconsider(now).await.unwrap();
    }

    /// Captures `batch` at `now`, and does what is due.
    pub(super) async fn capture(&mut self, batch: &[Captured], now: SystemTime) {
        self.bench.persist(batch, now).await;
        self.work(false, now).await;
    }

    /// What a process does that wakes up: it tells, claims and settles.
    pub(super) async fn work(&mut self, hurried: bool, now: SystemTime) {
        let is_due = |at: &&mut Option<SystemTime>| at.is_some_and(|at| at <= now);
        let failing: Vec<_> = self.failing_at.iter_mut().filter(is_due).collect();
        if self.look_at <= now || !failing.is_empty() {
            failing.into_iter().for_each(|at| *at = Some(now + 10 * MINUTE));
            self.look_at = now + 5 * MINUTE;
            self.tell_of_failing(now).await;
        }
        for (place, sink) in SINKS.into_iter().enumerate() {
            loop {
                let told = self.bench.tell_with(&default_channel(sink), hurried, now).await;
                assert!(told.next.is_none_or(|next| next > now), "the loop would spin");
                let claims = self.bench.store.claim(sink, 4, now + 70 * SETTLE, now).await.unwrap();
                if claims.is_empty() {
                    let due = self.bench.store.next_due(sink).await.unwrap();
                    self.next[place] = [told.next, due].into_iter().flatten().min();
                    break;
                }
                for claim in claims {
                    self.attempt(place, &claim, now).await;
                }
            }
        }
    }

    async fn attempt(&mut self, place: usize, claim: &Claim, now: SystemTime) {
        let (sink, provider) = (SINKS[place], self.providers[place]);
        let store = &mut self.bench.store;
        let notice = store.notice(claim).await.unwrap();
        let due_at = now + (SETTLE * 2u32.pow(claim.attempt.min(9))).min(15 * MINUTE);
        let is_mute = match provider {
            Provider::Mute => true,
            Provider::MuteAbout(what) => notice.samples.iter().any(|it| it.event.message.contains(what)),
            Provider::Up | Provider::Down | Provider::Refusing => false,
        };
        let settled = match provider {
            _ if claim.expires_at <= now => store.bury(claim, "too late", now).await,
            Provider::Refusing => store.release(claim, Some("401"), now + 5 * MINUTE, Some(now)).await,
            Provider::Down | Provider::Mute | Provider::MuteAbout(_) if due_at >= claim.expires_at => {
                store.bury(claim, "too late", now).await
            }
            Provider::Down => store.retry(claim, &SendError::not_processed("503"), due_at, Some(now)).await,
            _ if is_mute => store.retry(claim, &SendError::ambiguous("no answer"), due_at, Some(now)).await,
            Provider::Up | Provider::Mute | Provider::MuteAbout(_) => {
                let cost = segments(&Renderer::default().render(&notice).short);
                store.deliver(claim, None, cost, None, now).await
            }
        };
        assert!(settled.unwrap());
        let is_up = provider == Provider::Up || (matches!(provider, Provider::MuteAbout(_)) && !is_mute);
        let failing_at = &mut self.failing_at[place];
        *failing_at = if is_up { None } else { failing_at.or(Some(now + FAILING_FOR)) };
        let is_delivered = is_up && claim.expires_at > now;
        self.sent.push(Sent { at: now, sink, is_delivered, notice });
    }

    /// Tells the other sink's people of one that fails.
    async fn tell_of_failing(&mut self, now: SystemTime) {
        for sink in SINKS {
            let of_failing = |ill: &Ill| {
                let what = match ill {
                    Ill::Dead(_) => format!("{sink}: dead"),
                    Ill::Failing(_) => format!("{sink}: failing"),
                };
                let captured = captured_at(&what, now);
                let event = Event { target: "tracing_alert".into(), ..captured.event.clone() };
                Captured { about: Some(About::Dead), event, ..captured }
            };
            let bench = &mut *self.bench;
            let others: Vec<_> = bench.targets.iter().filter(|it| it.sink != sink).cloned().collect();
            let maker = Maker {
                new_id: &*bench.new_id,
                run: bench.run,
                process: &bench.process,
                calendar: &bench.calendar,
                is_of_fleet: false,
            };
            let told =
                bench.store.tell_of_sink(sink, true, now - HOUR, of_failing, &maker, &others, now).await;
            told.unwrap();
        }
    }

    /// Lets the time pass until `until`.
    pub(super) async fn pass(&mut self, until: SystemTime) {
        while let Some(next) = self.next_at().filter(|next| *next <= until) {
            self.work(false, next).await;
        }
    }

    fn next_at(&self) -> Option<SystemTime> {
        self.next.into_iter().chain(self.failing_at).flatten().min()
    }

    /// The messages that were delivered through `sink`, when.
    pub(super) fn delivered(&self, sink: &str) -> Vec<&Sent> {
        self.sent.iter().filter(|sent| sent.is_delivered && sent.sink == sink).collect()
    }

    /// How many messages were delivered through `sink` until `until`.
    pub(super) fn count(&self, sink: &str, until: SystemTime) -> usize {
        self.delivered(sink).iter().filter(|sent| sent.at <= until).count()
    }

    /// How many events the messages through `sink` tell of.
    pub(super) fn events(&self, sink: &str) -> u64 {
        let all: u64 = self.delivered(sink).iter().map(|sent| sent.notice.event_count()).sum();
        all - self.about(sink, "") - self.about(sink, "tracing_alert")
    }

    /// How many of them have this target: none if it is the program's own.
    pub(super) fn about(&self, sink: &str, target: &str) -> u64 {
        let samples = self.delivered(sink).into_iter().flat_map(|sent| &sent.notice.samples);
        let starts = samples.filter(|sample| sample.event.target == target);
        starts.map(|sample| sample.count).sum()
    }
}

/// As many errors of one kind.
pub(super) fn errors(count: u64, at: SystemTime) -> [Captured; 1] {
    [Captured { count, ..captured_at("payment failed", at) }]
}

/// An error of a kind of its own.
pub(super) fn kind(number: u64, at: SystemTime) -> Captured {
    let letters: String = number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
    captured_at(&format!("kind {letters}"), at)
}

//! Storms, crash loops and outages, for hours and days: what people get, with
//! the windows and budgets that are the default.

use super::*;
use crate::{
    policy::{budget::day_of, notice::Notice},
    render::{Renderer, segments},
};

const MINUTE: Duration = Duration::from_secs(60);
const SINKS: [&str; 2] = ["sms", "mail"];

/// What the providers do with a message.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Provider {
    Up,
    Down,
    /// Nobody knows whether it takes them: it does.
    Mute,
}

/// A message that was attempted.
struct Sent {
    at: SystemTime,
    sink: &'static str,
    is_delivered: bool,
    notice: Notice,
}

/// A process, and the world around it.
struct World<'a> {
    bench: &'a mut Bench,
    provider: Provider,
    sent: Vec<Sent>,
    /// When there is something to do for which sink.
    next: [Option<SystemTime>; 2],
}

impl<'a> World<'a> {
    fn new(bench: &'a mut Bench) -> Self {
        let world = Self { bench, provider: Provider::Up, sent: Vec::new(), next: [None; 2] };
        world.bench.targets.iter_mut().for_each(|it| it.rhythm = default_channel(it.sink).rhythm);
        world
    }

    /// The process starts again, and looks at what another one left.
    async fn restart(&mut self, is_reopened: bool, now: SystemTime) {
        self.bench.run = Uuid::from_u128(self.bench.run.as_u128() + 1);
        if is_reopened {
            self.bench.reopen().await;
        }
        self.bench.store.reconsider(now).await.unwrap();
        #[cfg(feature = "sqlite")]
        self.bench.start(usize::MAX, now).await;
    }

    /// Captures `batch` at `now`, and does what is due.
    async fn capture(&mut self, batch: &[Captured], now: SystemTime) {
        self.bench.persist(batch, now).await;
        self.work(false, now).await;
    }

    /// What a process does that wakes up: it tells, claims and settles.
    async fn work(&mut self, hurried: bool, now: SystemTime) {
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
                    self.attempt(sink, &claim, now).await;
                }
            }
        }
    }

    async fn attempt(&mut self, sink: &'static str, claim: &Claim, now: SystemTime) {
        let store = &mut self.bench.store;
        let notice = store.notice(claim).await.unwrap();
        let due_at = now + (SETTLE * 2u32.pow(claim.attempt.min(9))).min(15 * MINUTE);
        let settled = match self.provider {
            _ if claim.expires_at <= now => store.bury(claim, "too late", now).await,
            Provider::Up => {
                let cost = segments(&Renderer::default().render(&notice).short);
                store.deliver(claim, None, cost, None, now).await
            }
            _ if due_at >= claim.expires_at => store.bury(claim, "too late", now).await,
            Provider::Down => store.retry(claim, &SendError::not_processed("503"), due_at, None).await,
            Provider::Mute => store.retry(claim, &SendError::ambiguous("no answer"), due_at, None).await,
        };
        assert!(settled.unwrap());
        let is_delivered = self.provider == Provider::Up && claim.expires_at > now;
        self.sent.push(Sent { at: now, sink, is_delivered, notice });
    }

    /// Lets the time pass until `until`.
    async fn pass(&mut self, until: SystemTime) {
        while let Some(next) = self.next.into_iter().flatten().min().filter(|next| *next <= until) {
            self.work(false, next).await;
        }
    }

    /// The messages that were delivered through `sink`, when.
    fn delivered(&self, sink: &str) -> Vec<&Sent> {
        self.sent.iter().filter(|sent| sent.is_delivered && sent.sink == sink).collect()
    }

    /// How many messages were delivered through `sink` until `until`.
    fn count(&self, sink: &str, until: SystemTime) -> usize {
        self.delivered(sink).iter().filter(|sent| sent.at <= until).count()
    }

    /// How many events the messages through `sink` tell of.
    fn events(&self, sink: &str) -> u64 {
        let all: u64 = self.delivered(sink).iter().map(|sent| sent.notice.event_count()).sum();
        all - self.starts(sink)
    }

    /// How many starts in a loop they tell of.
    fn starts(&self, sink: &str) -> u64 {
        let samples = self.delivered(sink).into_iter().flat_map(|sent| &sent.notice.samples);
        let starts = samples.filter(|sample| sample.event.target.is_empty());
        starts.map(|sample| sample.count).sum()
    }
}

/// As many errors of one kind.
fn errors(count: u64, at: SystemTime) -> [Captured; 1] {
    [Captured { count, ..captured_at("payment failed", at) }]
}

/// An error of a kind of its own.
fn kind(number: u64, at: SystemTime) -> Captured {
    let letters: String = number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
    captured_at(&format!("kind {letters}"), at)
}

/// A storm with several kinds for most of an hour, while nothing can be sent;
/// then it can.
async fn outage(bench: &mut Bench, provider: Provider) {
    let mut world = World::new(bench);
    world.provider = provider;
    for minute in 0..50 {
        let now = t(60 * minute);
        world.pass(now).await;
        world.capture(&[kind(minute % 7, now), kind(minute, now)], now).await;
    }
    let end = t(3000);
    world.pass(end).await;
    assert_eq!(world.delivered("sms").len(), 0);
    world.provider = Provider::Up;
    // Until the circuit closes, and all that waits for its next attempt is sent.
    world.pass(end + 20 * MINUTE).await;
    let in_doubt = if provider == Provider::Mute { 3 } else { 0 };
    for sink in SINKS {
        let messages = world.count(sink, end + 20 * MINUTE);
        assert!(messages <= 1 + in_doubt, "{messages} messages by {sink} after the outage");
    }
    if provider == Provider::Down {
        assert_eq!(SINKS.map(|sink| world.events(sink)), [100; 2], "the one message tells everything");
    }
    world.pass(end + 24 * HOUR).await;
    assert_eq!(world.events("mail"), 100, "the count is exact");
}

every_store! {
    async fn after_an_outage_there_is_one_message(bench: &mut Bench) {
        outage(bench, Provider::Down).await;
    }

    async fn after_an_outage_there_are_one_message_and_those_in_doubt(bench: &mut Bench) {
        outage(bench, Provider::Mute).await;
    }

    async fn a_crash_loop_is_one_incident(bench: &mut Bench) {
        let seconds = if matches!(bench.store, Store::Memory(_)) { 3600 } else { 900 };
        let mut world = World::new(bench);
        for second in (0..seconds).step_by(5) {
            world.restart(second % 60 == 0, t(second)).await;
            world.capture(&errors(1, t(second)), t(second)).await;
            world.pass(t(second + 4)).await;
            world.work(true, t(second + 4)).await;
        }
        assert!(world.count("sms", t(600)) <= 2 && world.count("mail", t(600)) <= 2, "a flood");
        world.pass(t(24 * 3600)).await;
        assert!(world.delivered("sms").len() <= 3, "{} SMS", world.delivered("sms").len());
        assert!(world.delivered("mail").len() <= 6, "{} mails", world.delivered("mail").len());
        assert_eq!(world.events("mail"), seconds / 5, "the count is exact");
        // Memory knows of no start before.
        let starts = if matches!(world.bench.store, Store::Memory(_)) { 0 } else { seconds / 5 };
        assert_eq!(world.starts("mail"), starts, "each start counts");
    }

    async fn a_crash_loop_with_another_error_each_time_keeps_to_the_budget(bench: &mut Bench) {
        let seconds = if matches!(bench.store, Store::Memory(_)) { 3600 } else { 900 };
        let mut world = World::new(bench);
        for second in (0..seconds).step_by(10) {
            world.restart(second % 300 == 0, t(second)).await;
            world.capture(&[kind(second, t(second))], t(second)).await;
            world.work(true, t(second)).await;
        }
        let messages = SINKS.map(|sink| world.count(sink, t(3600)));
        assert!(messages[0] <= 3 + 6 && messages[1] <= 10 + 60, "a flood: {messages:?}");
        world.pass(t(24 * 3600)).await;
        assert_eq!(world.events("mail"), seconds / 10, "the count is exact");
    }

    async fn a_million_errors_are_four_messages(bench: &mut Bench) {
        let mut world = World::new(bench);
        for n in 0..100 {
            let now = t(0) + Duration::from_millis(100) * n;
            world.capture(&errors(10_000, now), now).await;
            world.pass(now).await;
        }
        world.pass(t(600)).await;
        let messages = SINKS.map(|sink| world.count(sink, t(600)));
        assert!(messages.iter().all(|count| (1..=2).contains(count)), "a flood: {messages:?}");
        world.pass(t(7200)).await;
        assert_eq!(world.events("mail"), 1_000_000, "the count is exact");
        assert!(SINKS.iter().all(|sink| world.count(sink, t(7200)) <= 3));
    }

    async fn an_error_every_ten_seconds_is_never_silent(bench: &mut Bench) {
        let hours = if matches!(bench.store, Store::Memory(_)) { 24 } else { 2 };
        let mut world = World::new(bench);
        let end = hours * 3600;
        for second in (0..end).step_by(10) {
            world.pass(t(second)).await;
            world.capture(&errors(1, t(second)), t(second)).await;
        }
        world.pass(t(end + 3600)).await;
        let sms = world.delivered("sms");
        assert_eq!((sms[0].at, sms[0].notice.kind), (t(1), Kind::First));
        assert!(sms[1..].iter().all(|sent| sent.notice.kind == Kind::Update), "no reminders by SMS");
        assert!(sms.len() <= 4, "{} SMS", sms.len());
        let mail = world.delivered("mail");
        let longest = mail.windows(2).map(|pair| pair[1].at.duration_since(pair[0].at).unwrap()).max();
        assert!(longest <= Some(4 * HOUR + 10 * SETTLE), "silence for {longest:?}");
        assert!(mail.len() as u64 <= hours / 4 + 5, "{} mails", mail.len());
        let quiet = mail.last().unwrap();
        assert_eq!((quiet.notice.kind, quiet.notice.samples[0].total), (Kind::Quiet, end / 10));
        assert_eq!(quiet.at, t(end - 10) + crate::policy::incident::QUIET_AFTER);
        assert_eq!(mail.iter().filter(|sent| sent.notice.kind == Kind::Quiet).count(), 1);
        assert_eq!(world.events("mail"), end / 10, "the count is exact");
    }

    async fn a_burst_of_seven_is_reported_in_full(bench: &mut Bench) {
        let mut world = World::new(bench);
        for milli in [0, 1, 900, 2000, 3000, 3500, 9000] {
            let now = t(0) + Duration::from_millis(milli);
            world.pass(now).await;
            world.capture(&errors(1, now), now).await;
        }
        world.pass(t(24 * 3600)).await;
        assert_eq!(world.events("mail"), 7, "all seven");
        assert_eq!(SINKS.map(|sink| world.count(sink, t(3600))), [1, 2]);
    }

    async fn random_kinds_keep_to_the_caps(bench: &mut Bench) {
        let mut world = World::new(bench);
        let rounds = if matches!(world.bench.store, Store::Memory(_)) { 100 } else { 8 };
        let mut random = 1_u64;
        for second in 0..rounds {
            let batch: Vec<_> = (0..1000)
                .map(|_| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    kind((random >> 33) % 5000, t(second))
                })
                .collect();
            world.pass(t(second)).await;
            world.capture(&batch, t(second)).await;
        }
        let bytes = match &world.bench.store {
            Store::Memory(memory) => memory.page.bytes(),
            #[cfg(feature = "sqlite")]
            Store::Sqlite(_) => 0,
        };
        assert!(bytes < 16 * 1024 * 1024, "{bytes} bytes in memory");
        if let Some(directory) = &world.bench.directory {
            let files = std::fs::read_dir(directory.path()).unwrap();
            let bytes: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
            assert!(bytes < 20 * 1024 * 1024, "{bytes} bytes on disk");
        }
        world.pass(t(600)).await;
        let messages = SINKS.map(|sink| world.count(sink, t(600)));
        assert!(messages[0] <= 3 && messages[1] <= 3, "a flood: {messages:?}");
        world.pass(t(24 * 3600)).await;
        assert_eq!(world.events("mail"), rounds * 1000, "the count is exact");
    }

    async fn no_day_has_more_sms_than_it_may(bench: &mut Bench) {
        let days = if matches!(bench.store, Store::Memory(_)) { 4 } else { 1 };
        let mut world = World::new(bench);
        let mut captured = 0;
        for minute in (0..days * 1440).step_by(4) {
            let now = t(60 * minute);
            world.pass(now).await;
            let batch = [kind(minute % 16, now), kind(1000 + minute / 40, now)];
            captured += 2;
            world.capture(&batch, now).await;
        }
        let end = t(days * 24 * 3600);
        world.pass(end + 48 * HOUR).await;
        let sms = world.delivered("sms");
        let first_day = day_of(t(0));
        for day in first_day..=day_of(end) {
            let today: Vec<_> = sms.iter().filter(|sent| day_of(sent.at) == day).collect();
            let last = today.iter().filter(|sent| sent.notice.is_last_today).count();
            assert!(today.len() <= 20, "{} SMS on a day", today.len());
            let is_full = day > first_day && day < day_of(end);
            assert!(!is_full || (today.len() >= 15 && last == 1), "{} SMS, {last} say so", today.len());
            assert!(last <= 1, "said {last} times");
        }
        assert_eq!(world.events("mail"), captured, "the count is exact");
    }
}

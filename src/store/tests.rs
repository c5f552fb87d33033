//! What every store does: the same claims, made of each of them.

use std::time::Duration;

use super::*;
use crate::{
    budget::Budget,
    event::{Event, from_millis, tests::event},
    fingerprint::fingerprint,
    incident::Rhythm,
    notice::Kind,
    queue::Permit,
    stats::DropReason,
};

const SETTLE: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn t(seconds: u64) -> SystemTime {
    from_millis(1_700_000_000_000) + Duration::from_secs(seconds)
}

/// A store with what the tests say often.
struct Bench {
    store: Store,
    run: Uuid,
    process: Process,
    targets: Vec<Target>,
    _directory: Option<tempfile::TempDir>,
}

fn target(sink: &'static str, recipient: &str, level: Level) -> Target {
    Target { sink, recipient: recipient.to_owned(), level, rhythm: rhythm(sink) }
}

fn captured(message: &str, level: Level) -> Captured {
    let event = Event { level, ..event(message) };
    Captured {
        fingerprint: fingerprint(&event),
        last_at: event.at,
        count: 1,
        event,
        about: None,
        not_before: None,
        permit: Permit::default(),
    }
}

/// An error that happened at `at`.
fn captured_at(message: &str, at: SystemTime) -> Captured {
    let captured = captured(message, Level::ERROR);
    Captured { last_at: at, event: Event { at, ..captured.event }, ..captured }
}

impl Bench {
    fn new(store: Store, directory: Option<tempfile::TempDir>) -> Self {
        let targets = vec![target("sms", "+1", Level::ERROR), target("mail", "a@b", Level::WARN)];
        let process = Process { app: "MyApp".to_owned(), pid: 7, ..Process::default() };
        Self { store, run: Uuid::from_u128(1), process, targets, _directory: directory }
    }

    async fn persist(&mut self, batch: &[Captured], now: SystemTime) {
        self.persist_with(batch, &Losses::new(), now).await;
    }

    async fn persist_with(&mut self, batch: &[Captured], losses: &Losses, now: SystemTime) {
        let maker = Maker { new_id: &public_id, run: self.run, process: &self.process };
        self.store.persist(batch, losses, &maker, &self.targets, now).await.unwrap();
    }

    async fn tell(&mut self, sink: &'static str, now: SystemTime) -> Told {
        self.tell_with(&channel(sink), false, now).await
    }

    async fn tell_with(&mut self, channel: &Channel, hurried: bool, now: SystemTime) -> Told {
        let maker = Maker { new_id: &public_id, run: self.run, process: &self.process };
        self.store.tell(channel, &maker, hurried, now).await.unwrap()
    }

    /// Tells the inbox of what is dead in `sink`: of how many.
    async fn tell_of_dead(
        &mut self,
        sink: &'static str,
        not_since: SystemTime,
        now: SystemTime,
    ) -> Option<u64> {
        let count = std::cell::Cell::new(0);
        let tell = |dead: &Dead| {
            count.set(dead.count);
            let message = format!("{} for {} in #{}", dead.reason, dead.recipient, dead.public_id);
            Captured { about: Some(About::Dead), ..captured(&message, Level::ERROR) }
        };
        let maker = Maker { new_id: &public_id, run: self.run, process: &self.process };
        let told = self.store.tell_of_dead(sink, not_since, tell, &maker, &self.targets[1..], now).await;
        told.unwrap().then(|| count.get())
    }

    /// Tells what there is to tell, and claims one delivery.
    async fn claim(&mut self, sink: &'static str, now: SystemTime) -> Option<Claim> {
        self.tell(sink, now).await;
        let claims = self.store.claim(sink, 1, now + 70 * SETTLE, now).await.unwrap();
        claims.into_iter().next()
    }

    /// What a claim at `now` has to tell, by message and count.
    async fn told(&mut self, sink: &'static str, now: SystemTime) -> Vec<(String, u64)> {
        let claim = self.claim(sink, now).await.unwrap();
        let notice = self.store.notice(&claim).await.unwrap();
        notice.samples.into_iter().map(|sample| (sample.event.message, sample.count)).collect()
    }
}

/// The first one, always.
fn public_id() -> String {
    "7K3Q".to_owned()
}

/// Without windows and budgets.
fn channel(sink: &'static str) -> Channel {
    Channel { sink, rhythm: rhythm(sink), budget: None, segments_per_day: None, deadline: HOUR }
}

fn rhythm(sink: &str) -> Rhythm {
    match sink {
        "sms" => Rhythm::sms(SETTLE, Duration::ZERO),
        _ => Rhythm::email(SETTLE, Duration::ZERO),
    }
}

/// Makes of each claim one test for each store.
macro_rules! every_store {
    ($(async fn $name:ident($bench:ident: &mut Bench) $body:block)*) => {
        $(async fn $name($bench: &mut Bench) $body)*

        mod memory {
            use super::*;
            $(#[test] fn $name() { check(|| async { Bench::new(Store::Memory(Memory::default()), None) }, async |bench| super::$name(bench).await); })*
        }

        #[cfg(feature = "sqlite")]
        mod sqlite {
            use super::*;
            $(#[test] fn $name() { check(sqlite_bench, async |bench| super::$name(bench).await); })*
        }
    };
}

#[cfg(feature = "sqlite")]
async fn sqlite_bench() -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&directory.path().join("alerts.db")).await.unwrap();
    Bench::new(Store::Sqlite(Box::new(store)), Some(directory))
}

fn check<F: Future<Output = Bench>>(make: impl FnOnce() -> F, claim: impl AsyncFnOnce(&mut Bench)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut bench = make().await;
        claim(&mut bench).await;
        bench.store.shut().await;
    });
}

every_store! {
    async fn an_incident_is_told_when_its_settle_time_ends(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        assert_eq!(bench.tell("sms", t(0)).await, Told { notice: None, next: Some(t(1)) });
        let claim = bench.claim("sms", t(1)).await.unwrap();
        assert_eq!((claim.recipient.as_str(), claim.attempt, claim.expires_at), ("+1", 1, t(3601)));
        assert_eq!(bench.claim("sms", t(1)).await, None);
    }

    async fn who_waits_gets_what_is_new_at_once(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        assert!(bench.tell_with(&channel("sms"), true, t(0)).await.notice.is_some());
        assert!(bench.claim("sms", t(0)).await.is_some());
    }

    async fn a_claimed_delivery_is_not_claimed_again_before_its_lease_ends(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let first = bench.claim("sms", t(1)).await.unwrap();
        assert_eq!(bench.claim("sms", t(70)).await, None);
        let second = bench.claim("sms", t(71)).await.unwrap();
        assert_eq!((second.key, second.attempt, second.token), (first.key, 2, first.token + 1));
    }

    async fn a_late_answer_is_refused(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let first = bench.claim("sms", t(1)).await.unwrap();
        let second = bench.claim("sms", t(71)).await.unwrap();
        assert!(!bench.store.deliver(&first, None, 1, t(72)).await.unwrap());
        assert!(!bench.store.retry(&first, &SendError::not_processed("x"), t(72)).await.unwrap());
        assert!(!bench.store.release(&first, None, t(72)).await.unwrap());
        assert!(!bench.store.bury(&first, "x", t(72)).await.unwrap());
        assert!(bench.store.deliver(&second, Some("SM1"), 1, t(72)).await.unwrap());
        assert!(!bench.store.bury(&second, "x", t(73)).await.unwrap());
    }

    async fn a_retry_is_not_claimed_before_it_is_due(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        assert!(bench.store.retry(&claim, &SendError::not_processed("503"), t(60)).await.unwrap());
        assert_eq!(bench.claim("sms", t(59)).await, None);
        assert_eq!(bench.claim("sms", t(60)).await.unwrap().attempt, 2);
    }

    async fn what_may_have_been_sent_stays_in_doubt(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let mut now = 1;
        for (error, doubted_before) in [
            (SendError::not_processed("503"), false),
            (SendError::ambiguous("cut"), false),
            (SendError::not_processed("503"), true),
            (SendError::not_processed("503"), true),
        ] {
            let claim = bench.claim("sms", t(now)).await.unwrap();
            assert_eq!(claim.is_doubtful, doubted_before, "{claim:?}");
            now += 10;
            assert!(bench.store.retry(&claim, &error, t(now)).await.unwrap());
        }
    }

    async fn a_claim_that_was_released_leaves_no_doubt(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        bench.store.release(&claim, None, t(2)).await.unwrap();
        assert!(!bench.claim("sms", t(2)).await.unwrap().is_doubtful);
    }

    async fn a_claim_that_was_never_answered_leaves_doubt(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        assert!(!bench.claim("sms", t(1)).await.unwrap().is_doubtful);
        assert!(bench.claim("sms", t(71)).await.unwrap().is_doubtful);
    }

    async fn the_dead_are_told_once_and_then_not_before_the_pause_is_over(bench: &mut Bench) {
        for (start, name) in [(0, "a"), (10, "b"), (20, "c")] {
            bench.persist(&[captured(name, Level::ERROR)], t(start)).await;
            let claim = bench.claim("sms", t(start + 1)).await.unwrap();
            bench.store.bury(&claim, "21211", t(start + 2)).await.unwrap();
            if start == 0 {
                assert_eq!(bench.tell_of_dead("sms", t(0), t(3)).await, Some(1));
            }
        }
        assert_eq!(bench.tell_of_dead("sms", t(2), t(30)).await, None);
        assert_eq!(bench.tell_of_dead("mail", t(3), t(30)).await, None);
        assert_eq!(bench.tell_of_dead("sms", t(3), t(31)).await, Some(2));
        assert_eq!(bench.tell_of_dead("sms", t(31), t(99)).await, None);
    }

    async fn a_refused_recipient_gets_no_attempt_until_it_is_long_ago(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        assert!(!bench.store.skip_refused(&claim, t(0), t(1)).await.unwrap());
        bench.store.refuse(&claim, t(2)).await.unwrap();
        bench.store.bury(&claim, "21610", t(2)).await.unwrap();
        assert_eq!(bench.tell_of_dead("sms", t(0), t(2)).await, Some(1));
        bench.persist(&[captured("b", Level::ERROR)], t(10)).await;
        let mail = bench.claim("mail", t(11)).await.unwrap();
        assert!(!bench.store.skip_refused(&mail, t(1), t(11)).await.unwrap());
        let claim = bench.claim("sms", t(11)).await.unwrap();
        assert!(!bench.store.skip_refused(&claim, t(2), t(11)).await.unwrap());
        assert!(bench.store.skip_refused(&claim, t(1), t(11)).await.unwrap());
        assert!(!bench.store.deliver(&claim, None, 1, t(12)).await.unwrap());
        assert_eq!(bench.tell_of_dead("sms", t(9), t(13)).await, None);
    }

    async fn what_tells_of_the_dead_is_not_told_itself(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        bench.store.bury(&claim, "21211", t(2)).await.unwrap();
        let claim = bench.claim("mail", t(2)).await.unwrap();
        assert!(bench.store.deliver(&claim, None, 1, t(2)).await.unwrap());
        assert_eq!(bench.tell_of_dead("sms", t(0), t(3)).await, Some(1));
        let claim = bench.claim("mail", t(4)).await.unwrap();
        let notice = bench.store.notice(&claim).await.unwrap();
        let message = notice.samples[0].event.message.as_str();
        assert_eq!((notice.kind, message), (Kind::Health, "21211 for +1 in #7K3Q"));
        bench.store.bury(&claim, "refused", t(4)).await.unwrap();
        assert_eq!(bench.tell_of_dead("mail", t(0), t(5)).await, None);
    }

    async fn a_released_delivery_keeps_its_attempt(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        assert!(bench.store.release(&claim, Some("401"), t(60)).await.unwrap());
        assert_eq!(bench.claim("sms", t(60)).await.unwrap().attempt, 1);
    }

    async fn what_is_new_joins_a_message_that_did_not_leave(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        bench.persist(&[captured("b", Level::ERROR)], t(0)).await;
        assert_eq!(bench.told("sms", t(1)).await, [("a".to_owned(), 1), ("b".to_owned(), 1)]);
    }

    async fn a_message_that_was_surely_not_sent_takes_all_that_came_since(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let mut now = 1;
        let mut notice = None;
        while now < 3600 {
            let claim = bench.claim("sms", t(now)).await.unwrap();
            assert_eq!(*notice.get_or_insert(claim.notice_id), claim.notice_id);
            assert!(bench.store.retry(&claim, &SendError::not_processed("down"), t(now + 60)).await.unwrap());
            now += 60;
            let name = format!("{now}");
            let batch = [captured_at("a", t(now - 1)), captured_at(&name, t(now - 1))];
            bench.persist(&batch, t(now - 1)).await;
        }
        let told = bench.told("sms", t(now)).await;
        assert_eq!((told.len(), &told[0]), (61, &("a".to_owned(), 61)));
        assert_eq!(bench.claim("sms", t(now)).await, None);
    }

    async fn what_may_have_been_sent_is_not_changed(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let first = bench.claim("sms", t(1)).await.unwrap();
        assert!(bench.store.retry(&first, &SendError::ambiguous("cut"), t(60)).await.unwrap());
        bench.persist(&[captured("b", Level::ERROR)], t(2)).await;
        let second = bench.claim("sms", t(3)).await.unwrap();
        assert_ne!(second.notice_id, first.notice_id);
        let again = bench.claim("sms", t(60)).await.unwrap();
        assert_eq!(bench.store.notice(&again).await.unwrap().samples.len(), 1);
    }

    async fn no_more_than_three_messages_to_one_recipient_are_under_way(bench: &mut Bench) {
        for n in 0..9 {
            bench.persist(&[captured(&format!("{n}"), Level::ERROR)], t(2 * n)).await;
            bench.claim("sms", t(2 * n + 1)).await;
        }
        let claims = bench.store.claim("sms", 99, t(999), t(500)).await.unwrap();
        assert_eq!(claims.len(), 3);
        assert_eq!(bench.tell("sms", t(500)).await.notice, None);
        assert!(bench.store.deliver(&claims[0], None, 1, t(501)).await.unwrap());
        assert_eq!(bench.told("sms", t(501)).await.len(), 6, "what waited is told as soon as it may");
        bench.persist(&[captured("one more", Level::ERROR)], t(502)).await;
        assert_eq!(bench.tell("sms", t(504)).await.notice, None);
        assert!(bench.store.bury(&claims[1], "21211", t(505)).await.unwrap());
        assert_eq!(bench.told("sms", t(505)).await.len(), 1);
    }

    async fn each_recipient_is_told_of_its_own_levels(bench: &mut Bench) {
        bench.persist(&[captured("only a warning", Level::WARN)], t(0)).await;
        assert_eq!(bench.tell("sms", t(0)).await, Told::default());
        bench.persist(&[captured("an error", Level::ERROR)], t(0)).await;
        assert_eq!(bench.told("sms", t(1)).await, [("an error".to_owned(), 1)]);
        assert_eq!(bench.told("mail", t(1)).await, [("only a warning".to_owned(), 1), ("an error".to_owned(), 1)]);
    }

    async fn the_same_event_is_kept_once_and_counted(bench: &mut Bench) {
        let again = Captured { count: 40, ..captured("a", Level::ERROR) };
        bench.persist(&[captured("a", Level::ERROR), again], t(0)).await;
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        let notice = bench.store.notice(&claim).await.unwrap();
        let [sample] = notice.samples.as_slice() else { panic!("{notice:?}") };
        assert_eq!((sample.count, sample.total, notice.unsampled), (42, 42, 0));
        assert_eq!((notice.id.as_str(), &notice.process), ("7K3Q", &bench.process));
    }

    async fn an_incident_is_told_again_with_what_is_new_and_in_all(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("mail", t(1)).await.unwrap();
        bench.store.deliver(&claim, None, 1, t(1)).await.unwrap();
        let many = Captured { count: 99, last_at: t(2), ..captured("a", Level::ERROR) };
        bench.persist(&[many], t(2)).await;
        assert_eq!(bench.claim("mail", t(900)).await, None);
        let claim = bench.claim("mail", t(901)).await.unwrap();
        let notice = bench.store.notice(&claim).await.unwrap();
        assert_eq!((notice.kind, notice.id.as_str()), (Kind::Update, "7K3Q.2"));
        assert_eq!((notice.samples[0].count, notice.samples[0].total), (99, 100));
        bench.store.deliver(&claim, None, 1, t(901)).await.unwrap();
        let end = t(2) + crate::incident::QUIET_AFTER;
        assert_eq!(bench.tell("mail", t(902)).await.next, Some(end));
        let claim = bench.claim("mail", end).await.unwrap();
        let notice = bench.store.notice(&claim).await.unwrap();
        assert_eq!((notice.kind, notice.id.as_str(), notice.event_count()), (Kind::Quiet, "7K3Q.3", 0));
        assert_eq!(bench.tell("mail", end).await.next, None);
    }

    async fn what_ended_begins_anew(bench: &mut Bench) {
        bench.persist(&[Captured { last_at: t(0), ..captured("a", Level::ERROR) }], t(0)).await;
        assert_eq!(bench.told("sms", t(1)).await.len(), 1);
        let later = t(0) + crate::incident::QUIET_AFTER;
        bench.persist(&[Captured { last_at: later, ..captured("a", Level::ERROR) }], later).await;
        let told = bench.told("sms", later + SETTLE).await;
        assert_eq!(told, [("a".to_owned(), 1)]);
    }

    async fn there_are_only_so_many_open_incidents_and_the_rest_is_counted(bench: &mut Bench) {
        let batch: Vec<_> = (0..MOST_INCIDENTS + 20)
            .map(|n| captured(&format!("{n}"), Level::ERROR))
            .chain((0..7).map(|n| captured(&format!("w{n}"), Level::WARN)))
            .collect();
        bench.persist(&batch, t(0)).await;
        let counts = async |bench: &mut Bench, sink| {
            let claim = bench.claim(sink, t(1)).await.unwrap();
            let notice = bench.store.notice(&claim).await.unwrap();
            (notice.samples.len(), notice.event_count())
        };
        assert_eq!(counts(bench, "sms").await, (SAMPLES_PER_NOTICE, 520));
        assert_eq!(counts(bench, "mail").await, (SAMPLES_PER_NOTICE, 527));
    }

    async fn losses_are_told_also_with_no_event(bench: &mut Bench) {
        let losses = Losses::from([(DropReason::QueueFull, 3)]);
        bench.persist_with(&[], &losses, t(0)).await;
        bench.persist_with(&[], &losses, t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        let notice = bench.store.notice(&claim).await.unwrap();
        assert_eq!((notice.losses, notice.samples.len()), (Losses::from([(DropReason::QueueFull, 6)]), 0));
        assert_eq!(notice.kind, Kind::Health);
    }

    async fn pending_counts_what_this_run_asked_for(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        bench.run = Uuid::from_u128(2);
        assert_eq!(bench.store.pending(bench.run, Mark::ALL).await.unwrap(), 0);
        bench.persist(&[captured("b", Level::ERROR)], t(5)).await;
        assert_eq!(bench.store.pending(bench.run, Mark::ALL).await.unwrap(), 2);
        let claim = bench.claim("sms", t(6)).await.unwrap();
        assert_eq!(bench.store.pending(bench.run, Mark::ALL).await.unwrap(), 2);
        bench.store.bury(&claim, "21211", t(7)).await.unwrap();
        assert_eq!(bench.store.pending(bench.run, Mark::ALL).await.unwrap(), 1);
    }

    async fn pending_can_be_asked_up_to_a_mark(bench: &mut Bench) {
        bench.persist(&[captured("a", Level::WARN)], t(0)).await;
        let mark = bench.store.mark().await.unwrap();
        bench.persist(&[captured("b", Level::WARN)], t(5)).await;
        assert_eq!(bench.store.pending(bench.run, mark).await.unwrap(), 1);
        assert_eq!(bench.store.pending(bench.run, Mark::ALL).await.unwrap(), 2);
    }

    async fn a_backtrace_can_come_later(bench: &mut Bench) {
        let captured = captured("a", Level::ERROR);
        let fingerprint = captured.fingerprint;
        bench.persist(&[captured], t(0)).await;
        bench.store.add_backtrace(fingerprint.as_slice(), "0: main\n").await.unwrap();
        bench.store.add_backtrace(fingerprint.as_slice(), "of another").await.unwrap();
        let claim = bench.claim("sms", t(1)).await.unwrap();
        let notice = bench.store.notice(&claim).await.unwrap();
        assert_eq!(notice.samples[0].event.backtrace.as_deref(), Some("0: main\n"));
    }

    async fn what_is_silenced_is_counted_and_told_at_the_end(bench: &mut Bench) {
        let silenced =
            || Captured { not_before: Some(t(3600)), count: 100, ..captured("a", Level::ERROR) };
        bench.persist(&[silenced()], t(0)).await;
        bench.persist(&[silenced()], t(0)).await;
        assert!(bench.tell_with(&channel("sms"), true, t(9)).await.notice.is_none());
        assert_eq!(bench.told("sms", t(3600)).await, [("a".to_owned(), 200)]);
    }

    async fn the_end_of_what_a_clock_ahead_wrote_is_told_in_half_an_hour(bench: &mut Bench) {
        bench.persist(&[captured_at("a", t(36_000))], t(36_000)).await;
        assert_eq!(bench.told("mail", t(36_001)).await, [("a".to_owned(), 1)]);
        bench.persist(&[captured_at("a", t(36_002))], t(36_002)).await;
        bench.store.reconsider(t(0)).await.unwrap();
        assert_eq!(bench.told("mail", t(1800)).await, [("a".to_owned(), 1)]);
        assert_eq!(bench.tell("mail", t(9000)).await, Told::default());
    }

    async fn a_budget_is_kept_and_the_rest_comes_in_one_message(bench: &mut Bench) {
        let limited = Channel { budget: Some(Budget::SMS), ..channel("sms") };
        let mut told = Vec::new();
        for n in (0..1200).step_by(10) {
            bench.persist(&[captured_at(&format!("{n}"), t(n))], t(n)).await;
            bench.tell_with(&limited, false, t(n + 1)).await;
            for claim in bench.store.claim("sms", 9, t(n + 70), t(n + 1)).await.unwrap() {
                told.push(bench.store.notice(&claim).await.unwrap().event_count());
                bench.store.deliver(&claim, None, 1, t(n + 1)).await.unwrap();
            }
        }
        assert_eq!(told.len(), 4, "three at once, then one in ten minutes: {told:?}");
        assert_eq!(told[..3], [1, 1, 1]);
        assert!(told[3] > 50, "{told:?}");
    }

    async fn all_sms_together_cost_no_more_than_they_may(bench: &mut Bench) {
        let limited = Channel { segments_per_day: Some(6), ..channel("sms") };
        let mut sent = 0;
        for n in 0..9 {
            bench.persist(&[captured(&format!("{n}"), Level::ERROR)], t(10 * n)).await;
            bench.tell_with(&limited, false, t(10 * n + 1)).await;
            for claim in bench.store.claim("sms", 9, t(10 * n + 70), t(10 * n + 1)).await.unwrap() {
                bench.store.deliver(&claim, None, 2, t(10 * n + 1)).await.unwrap();
                sent += 1;
            }
        }
        assert_eq!(sent, 3);
    }

    async fn the_longest_due_come_first_and_no_more_than_asked(bench: &mut Bench) {
        for n in 0..5 {
            bench.targets.push(target("sms", &format!("+2{n}"), Level::ERROR));
            bench.persist(&[captured(&format!("{n}"), Level::ERROR)], t(n)).await;
        }
        bench.tell("sms", t(100)).await;
        let claims = bench.store.claim("sms", 3, t(200), t(100)).await.unwrap();
        assert_eq!(claims.len(), 3);
        assert_eq!(bench.store.claim("sms", 9, t(200), t(100)).await.unwrap().len(), 3);
    }
}

//! What every store does: the same claims, made of each of them.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::*;
use crate::{
    event::{from_millis, tests::event},
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
    Target { sink, recipient: recipient.to_owned(), level, deadline: HOUR }
}

/// Another one for every message, whatever varies in it.
fn fingerprint(message: &str, level: Level) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    (message, level.as_str()).hash(&mut hasher);
    u128::from(hasher.finish()).to_le_bytes()
}

fn captured(message: &str, level: Level) -> Captured {
    let event = Event { level, ..event(message) };
    Captured {
        fingerprint: fingerprint(message, level),
        last_at: event.at,
        count: 1,
        event,
        permit: Permit::default(),
    }
}

impl Bench {
    fn new(store: Store, directory: Option<tempfile::TempDir>) -> Self {
        let targets = vec![target("sms", "+1", Level::ERROR), target("mail", "a@b", Level::WARN)];
        let process = Process { app: "MyApp".to_owned(), pid: 7, ..Process::default() };
        Self { store, run: Uuid::from_u128(1), process, targets, _directory: directory }
    }

    async fn persist(&mut self, open: Option<i64>, batch: &[Captured], now: SystemTime) -> i64 {
        self.persist_with(open, batch, &Losses::new(), now).await
    }

    async fn persist_with(
        &mut self,
        open: Option<i64>,
        batch: &[Captured],
        losses: &Losses,
        now: SystemTime,
    ) -> i64 {
        let draft =
            Draft { public_id: "7K3Q", run: self.run, process: &self.process, closes_at: now + SETTLE };
        self.store.persist(batch, losses, open, &draft, &self.targets, now).await.unwrap()
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
            captured(&message, Level::ERROR)
        };
        let draft = Draft { public_id: "9999", run: self.run, process: &self.process, closes_at: now };
        let notice = self.store.tell_of_dead(sink, not_since, tell, &draft, &self.targets[1..], now).await;
        notice.unwrap().map(|_| count.get())
    }

    async fn claim(&mut self, sink: &str, now: SystemTime) -> Option<Claim> {
        let claims = self.store.claim(sink, 1, now + 70 * SETTLE, now).await.unwrap();
        claims.into_iter().next()
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
mod model;
mod upkeep;

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
    async fn a_notice_is_claimed_when_its_settle_time_ends(bench: &mut Bench) {
        bench.persist(None, &[captured("a", Level::ERROR)], t(0)).await;
        assert_eq!(bench.claim("sms", t(0)).await, None);
        assert_eq!(bench.store.next_due("sms").await.unwrap(), Some(t(1)));
        let claim = bench.claim("sms", t(1)).await.unwrap();
        assert_eq!((claim.recipient.as_str(), claim.attempt, claim.expires_at), ("+1", 1, t(3600)));
    }

    async fn a_claimed_delivery_is_not_claimed_again_before_its_lease_ends(bench: &mut Bench) {
        bench.persist(None, &[captured("a", Level::ERROR)], t(0)).await;
        let first = bench.claim("sms", t(1)).await.unwrap();
        assert_eq!(bench.claim("sms", t(70)).await, None);
        let second = bench.claim("sms", t(71)).await.unwrap();
        assert_eq!((second.key, second.attempt, second.token), (first.key, 2, first.token + 1));
    }

    async fn a_late_answer_is_refused(bench: &mut Bench) {
        bench.persist(None, &[captured("a", Level::ERROR)], t(0)).await;
        let first = bench.claim("sms", t(1)).await.unwrap();
        let second = bench.claim("sms", t(71)).await.unwrap();
        assert!(!bench.store.deliver(&first, None, t(72)).await.unwrap());
        assert!(!bench.store.retry(&first, &SendError::not_processed("x"), t(72)).await.unwrap());
        assert!(!bench.store.release(&first, None, t(72)).await.unwrap());
        assert!(!bench.store.bury(&first, "x", t(72)).await.unwrap());
        assert!(bench.store.deliver(&second, Some("SM1"), t(72)).await.unwrap());
        assert!(!bench.store.bury(&second, "x", t(73)).await.unwrap());
    }

    async fn a_retry_is_not_claimed_before_it_is_due(bench: &mut Bench) {
        bench.persist(None, &[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        assert!(bench.store.retry(&claim, &SendError::not_processed("503"), t(60)).await.unwrap());
        assert_eq!(bench.claim("sms", t(59)).await, None);
        assert_eq!(bench.claim("sms", t(60)).await.unwrap().attempt, 2);
    }

    async fn what_may_have_been_sent_stays_in_doubt(bench: &mut Bench) {
        bench.persist(None, &[captured("a", Level::ERROR)], t(0)).await;
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
        bench.persist(None, &[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        bench.store.release(&claim, None, t(2)).await.unwrap();
        assert!(!bench.claim("sms", t(2)).await.unwrap().is_doubtful);
    }

    async fn a_claim_that_was_never_answered_leaves_doubt(bench: &mut Bench) {
        bench.persist(None, &[captured("a", Level::ERROR)], t(0)).await;
        assert!(!bench.claim("sms", t(1)).await.unwrap().is_doubtful);
        assert!(bench.claim("sms", t(71)).await.unwrap().is_doubtful);
    }

    async fn the_dead_are_told_once_and_then_not_before_the_pause_is_over(bench: &mut Bench) {
        for start in [0, 10, 20] {
            bench.persist(None, &[captured("a", Level::ERROR)], t(start)).await;
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
        bench.persist(None, &[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        assert!(!bench.store.skip_refused(&claim, t(0), t(1)).await.unwrap());
        bench.store.refuse(&claim, t(2)).await.unwrap();
        bench.store.bury(&claim, "21610", t(2)).await.unwrap();
        assert_eq!(bench.tell_of_dead("sms", t(0), t(2)).await, Some(1));
        bench.persist(None, &[captured("a", Level::ERROR)], t(10)).await;
        let mail = bench.claim("mail", t(11)).await.unwrap();
        assert!(!bench.store.skip_refused(&mail, t(1), t(11)).await.unwrap());
        let claim = bench.claim("sms", t(11)).await.unwrap();
        assert!(!bench.store.skip_refused(&claim, t(2), t(11)).await.unwrap());
        assert!(bench.store.skip_refused(&claim, t(1), t(11)).await.unwrap());
        assert!(!bench.store.deliver(&claim, None, t(12)).await.unwrap());
        assert_eq!(bench.tell_of_dead("sms", t(9), t(13)).await, None);
    }

    async fn what_tells_of_the_dead_is_not_told_itself(bench: &mut Bench) {
        bench.persist(None, &[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        bench.store.bury(&claim, "21211", t(2)).await.unwrap();
        assert_eq!(bench.tell_of_dead("sms", t(0), t(3)).await, Some(1));
        let claim = bench.claim("mail", t(1)).await.unwrap();
        assert!(bench.store.deliver(&claim, None, t(3)).await.unwrap());
        let claim = bench.claim("mail", t(3)).await.unwrap();
        let notice = bench.store.notice(&claim).await.unwrap();
        assert_eq!((notice.health, notice.samples[0].event.message.as_str()), (true, "21211 for +1 in #7K3Q"));
        bench.store.bury(&claim, "refused", t(4)).await.unwrap();
        assert_eq!(bench.tell_of_dead("mail", t(0), t(5)).await, None);
    }

    async fn a_released_delivery_keeps_its_attempt(bench: &mut Bench) {
        bench.persist(None, &[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        assert!(bench.store.release(&claim, Some("401"), t(60)).await.unwrap());
        assert_eq!(bench.claim("sms", t(60)).await.unwrap().attempt, 1);
    }

    async fn events_join_the_open_notice_until_it_is_claimed(bench: &mut Bench) {
        let first = bench.persist(None, &[captured("a", Level::ERROR)], t(0)).await;
        assert_eq!(bench.persist(Some(first), &[captured("b", Level::ERROR)], t(0)).await, first);
        let claim = bench.claim("mail", t(1)).await.unwrap();
        assert_eq!(bench.store.notice(&claim).await.unwrap().event_count(), 2);
        // Also if the clock says that there was time left.
        assert_ne!(bench.persist(Some(first), &[captured("c", Level::ERROR)], t(0)).await, first);
    }

    async fn events_after_the_settle_time_open_another_notice(bench: &mut Bench) {
        let first = bench.persist(None, &[captured("a", Level::ERROR)], t(0)).await;
        assert_ne!(bench.persist(Some(first), &[captured("b", Level::ERROR)], t(1)).await, first);
    }

    async fn closing_a_notice_makes_it_due(bench: &mut Bench) {
        let notice = bench.persist(None, &[captured("a", Level::ERROR)], t(10)).await;
        bench.store.close(notice, t(10)).await.unwrap();
        assert!(bench.claim("sms", t(10)).await.is_some());
    }

    async fn each_recipient_is_told_of_its_own_levels(bench: &mut Bench) {
        let notice = bench.persist(None, &[captured("only a warning", Level::WARN)], t(0)).await;
        assert_eq!(bench.store.next_due("sms").await.unwrap(), None);
        bench.persist(Some(notice), &[captured("an error", Level::ERROR)], t(0)).await;
        let texts = async |bench: &mut Bench, sink| {
            let claim = bench.claim(sink, t(1)).await.unwrap();
            let notice = bench.store.notice(&claim).await.unwrap();
            notice.samples.into_iter().map(|sample| sample.event.message).collect::<Vec<_>>()
        };
        assert_eq!(texts(bench, "sms").await, ["an error"]);
        assert_eq!(texts(bench, "mail").await, ["only a warning", "an error"]);
    }

    async fn the_same_event_is_kept_once_and_counted(bench: &mut Bench) {
        let again = Captured { count: 40, last_at: t(5), ..captured("a", Level::ERROR) };
        let notice = bench.persist(None, &[captured("a", Level::ERROR), again], t(0)).await;
        bench.persist(Some(notice), &[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        let notice = bench.store.notice(&claim).await.unwrap();
        let [sample] = notice.samples.as_slice() else { panic!("{notice:?}") };
        assert_eq!((sample.count, sample.last_at, notice.unsampled), (42, t(5), 0));
        assert_eq!((notice.id.as_str(), &notice.process), ("7K3Q", &bench.process));
    }

    async fn samples_are_bounded_and_the_rest_is_counted_by_level(bench: &mut Bench) {
        let kept = SAMPLES_PER_NOTICE;
        let mut batch: Vec<_> = (0..kept + 20).map(|n| captured(&format!("{n}"), Level::ERROR)).collect();
        batch.extend((0..7).map(|n| captured(&format!("w{n}"), Level::WARN)));
        bench.persist(None, &batch, t(0)).await;
        let counts = async |bench: &mut Bench, sink| {
            let claim = bench.claim(sink, t(1)).await.unwrap();
            let notice = bench.store.notice(&claim).await.unwrap();
            (notice.samples.len(), notice.unsampled)
        };
        assert_eq!(counts(bench, "sms").await, (kept, 20));
        assert_eq!(counts(bench, "mail").await, (kept, 27));
    }

    async fn losses_are_told_also_with_no_event(bench: &mut Bench) {
        let losses = Losses::from([(DropReason::QueueFull, 3)]);
        let notice = bench.persist_with(None, &[], &losses, t(0)).await;
        bench.persist_with(Some(notice), &[], &losses, t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        let notice = bench.store.notice(&claim).await.unwrap();
        assert_eq!((notice.losses, notice.samples.len()), (Losses::from([(DropReason::QueueFull, 6)]), 0));
    }

    async fn pending_counts_what_this_run_asked_for(bench: &mut Bench) {
        bench.persist(None, &[captured("a", Level::ERROR)], t(0)).await;
        bench.run = Uuid::from_u128(2);
        assert_eq!(bench.store.pending(bench.run, i64::MAX).await.unwrap(), 0);
        bench.persist(None, &[captured("a", Level::ERROR)], t(5)).await;
        assert_eq!(bench.store.pending(bench.run, i64::MAX).await.unwrap(), 2);
        let claim = bench.store.claim("sms", 9, t(90), t(6)).await.unwrap().pop().unwrap();
        assert_eq!(bench.store.pending(bench.run, i64::MAX).await.unwrap(), 2);
        bench.store.bury(&claim, "21211", t(7)).await.unwrap();
        assert_eq!(bench.store.pending(bench.run, i64::MAX).await.unwrap(), 1);
    }

    async fn pending_can_be_asked_up_to_a_notice(bench: &mut Bench) {
        let first = bench.persist(None, &[captured("a", Level::WARN)], t(0)).await;
        bench.persist(None, &[captured("b", Level::WARN)], t(5)).await;
        assert_eq!(bench.store.pending(bench.run, first).await.unwrap(), 1);
    }

    async fn a_backtrace_can_come_later(bench: &mut Bench) {
        let captured = captured("a", Level::ERROR);
        let fingerprint = captured.fingerprint;
        let notice = bench.persist(None, &[captured], t(0)).await;
        bench.store.add_backtrace(notice, &fingerprint, "0: main\n").await.unwrap();
        let claim = bench.claim("sms", t(1)).await.unwrap();
        let notice = bench.store.notice(&claim).await.unwrap();
        assert_eq!(notice.samples[0].event.backtrace.as_deref(), Some("0: main\n"));
    }

    async fn a_loss_is_told_to_everybody(bench: &mut Bench) {
        let losses = Losses::from([(DropReason::QueueFull, 3)]);
        bench.persist_with(None, &[captured("only a warning", Level::WARN)], &losses, t(0)).await;
        assert!(bench.claim("sms", t(1)).await.is_some());
    }

    async fn the_longest_due_come_first_and_no_more_than_asked(bench: &mut Bench) {
        for n in 0..5 {
            bench.persist(None, &[captured("a", Level::ERROR)], t(n)).await;
        }
        let claims = bench.store.claim("sms", 3, t(200), t(100)).await.unwrap();
        assert_eq!(claims.len(), 3);
        let mut expiries: Vec<_> = claims.iter().map(|claim| claim.expires_at).collect();
        expiries.sort();
        assert_eq!(expiries, [t(3600), t(3601), t(3602)]);
    }
}

//! Files that fail, with no time passing.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use sqlx::{ConnectOptions, Connection, Executor, sqlite::SqliteConnectOptions};

use super::*;
use crate::{
    config::Builder,
    event::tests::event,
    host::{permit::Permit, trouble},
    outbox::{Sqlite, Store, StoreError},
    policy::{budget::Budget, fingerprint::Grouping, redact::Policy},
    queue::stats::Counters,
    sink::MemorySink,
};

/// What a dispatcher is made of, and where its file is.
struct Bench {
    setup: Setup,
    counters: Arc<Counters>,
    inbox: Inbox,
    outbox: Outbox,
    directory: tempfile::TempDir,
}

/// Does `work`, of which lines are said that begin so.
fn check(said: &[&str], work: impl AsyncFnOnce(Bench)) {
    let directory = tempfile::tempdir().unwrap();
    let builder = Builder::new().database(directory.path().join("alerts.db"));
    let config = builder.settle(Duration::ZERO).sink(MemorySink::new(), ["on-call"]).check().unwrap();
    let bench = Bench {
        setup: config.setup,
        counters: Arc::default(),
        inbox: Inbox::new(Grouping::new("MyApp".to_owned(), None), Vec::new(), Policy::new(true, &[], &[])),
        outbox: Outbox::default(),
        directory,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    trouble::saying(said, || runtime.block_on(work(bench)));
}

impl Bench {
    fn path(&self) -> PathBuf {
        self.directory.path().join("alerts.db")
    }

    /// Starts the alert thread's work, or starts it again.
    async fn start(&mut self) -> Dispatcher<'_> {
        let counters = Arc::clone(&self.counters);
        Dispatcher::open(&self.setup, counters, &mut self.inbox, &mut self.outbox).await
    }
}

impl Dispatcher<'_> {
    async fn capture(&mut self, message: &str) {
        self.inbox.add(event(message), Permit::default(), &Counters::default());
        self.persist().await;
    }

    fn is_durable(&self) -> bool {
        self.outbox.is_durable()
    }

    /// Makes a message of what there is to tell.
    async fn make(&mut self) {
        self.hurry();
        self.tell().await;
    }

    /// What all messages tell that are in the store, or can be made.
    async fn told(&mut self) -> Vec<String> {
        self.make().await;
        let now = SystemTime::now() + Duration::from_secs(1);
        let mut told = Vec::new();
        for claim in self.outbox.store.claim("memory", 9, now, now).await.unwrap() {
            let notice = self.outbox.store.notice(&claim).await.unwrap();
            told.extend(notice.samples.into_iter().map(|sample| sample.event.message));
        }
        told.sort();
        told
    }
}

/// Holds the file's write lock until it is dropped.
async fn locked(path: &Path) -> sqlx::SqliteConnection {
    let mut holder = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    holder.execute("BEGIN IMMEDIATE").await.unwrap();
    holder
}

#[test]
fn a_locked_file_is_waited_for_and_then_given_up_until_it_is_free() {
    check(
        &["the database failed (it is locked", "the database fails", "the database works"],
        async |mut bench| {
            let path = bench.path();
            let mut dispatcher = bench.start().await;
            let holder = locked(&path).await;
            dispatcher.capture("one").await;
            assert!(dispatcher.is_durable(), "it was not waited for");
            assert!(!dispatcher.outbox.is_outage());
            assert_eq!(dispatcher.inbox.waiting.len(), 1);

            dispatcher.outbox.busy_patience = Duration::ZERO;
            dispatcher.persist().await;
            assert!(!dispatcher.is_durable(), "it is still waited for");
            assert!(dispatcher.outbox.is_outage(), "nobody knows what was spent");
            dispatcher.capture("two").await;
            assert_eq!(dispatcher.inbox.waiting.len(), 0, "memory did not take it");

            dispatcher.probe(true).await;
            assert!(!dispatcher.is_durable(), "it is locked");
            holder.close().await.unwrap();
            dispatcher.probe(true).await;
            assert!(dispatcher.is_durable(), "it is free");
            assert_eq!(dispatcher.told().await, ["one", "two"], "what memory held is not in the file");
        },
    );
}

#[test]
fn a_lock_that_was_over_is_no_reason_to_give_up_at_the_next() {
    check(&["the database is locked", "the database failed (it is locked"], async |mut bench| {
        let path = bench.path();
        let mut dispatcher = bench.start().await;
        dispatcher.capture("one").await;
        let holder = locked(&path).await;
        dispatcher.make().await;
        assert!(dispatcher.outbox.busy.is_some(), "nobody noticed");
        holder.close().await.unwrap();
        dispatcher.make().await;
        assert!(dispatcher.outbox.busy.is_none(), "it was written to");

        let holder = locked(&path).await;
        dispatcher.start_due_deliveries().await;
        assert!(dispatcher.outbox.busy.is_some(), "nobody noticed");
        holder.close().await.unwrap();
        dispatcher.wake_lanes();
        dispatcher.start_due_deliveries().await;
        assert!(dispatcher.outbox.busy.is_none(), "it was claimed from");
        let finished = dispatcher.in_flight.join_next_with_id().await.unwrap();
        dispatcher.finish(finished);
        let holder = locked(&path).await;
        dispatcher.settle_finished().await;
        assert!(dispatcher.outbox.busy.is_some(), "nobody noticed");
        holder.close().await.unwrap();
        dispatcher.settle_finished().await;
        assert!(dispatcher.outbox.busy.is_none(), "it was settled");

        // What only looks leaves no sign that the lock is over.
        let long_ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
        dispatcher.outbox.busy = Some((long_ago(100), long_ago(99)));
        dispatcher.outbox.judge(&StoreError::Busy);
        assert!(dispatcher.is_durable(), "that was another lock");
        dispatcher.outbox.busy = Some((long_ago(11), long_ago(2)));
        dispatcher.outbox.judge(&StoreError::Busy);
        dispatcher.outbox.busy = Some((long_ago(31), long_ago(2)));
        dispatcher.outbox.judge(&StoreError::Busy);
        assert!(!dispatcher.is_durable(), "that was the same one");
    });
}

#[test]
fn a_file_that_is_locked_at_the_start_is_given_up_until_it_is_free() {
    check(&["the database cannot be opened", "the database works"], async |mut bench| {
        bench.start().await.outbox.store.shut().await;
        let holder = locked(&bench.path()).await;
        bench.outbox = Outbox::default();
        bench.outbox.busy_patience = Duration::ZERO;
        let mut dispatcher = bench.start().await;
        dispatcher.capture("one").await;
        assert!(!dispatcher.is_durable());
        holder.close().await.unwrap();
        dispatcher.probe(true).await;
        assert!(dispatcher.is_durable());
        assert_eq!(dispatcher.told().await, ["one"]);
    });
}

/// Windows lets nobody move a file that is open.
#[test]
#[cfg(unix)]
fn what_a_moved_file_held_waits_until_a_file_can_be_made() {
    let said = ["the database fails: it is not a tracing-alert", "the database works"];
    check(&said, async |mut bench| {
        let path = bench.path();
        let mut dispatcher = bench.start().await;
        dispatcher.capture("one").await;
        dispatcher.make().await;
        dispatcher.capture("two").await;
        std::fs::rename(&path, path.with_file_name("moved.db")).unwrap();
        std::fs::create_dir(&path).unwrap();
        dispatcher.probe(true).await;
        assert!(!dispatcher.is_durable());
        dispatcher.probe(true).await;
        assert_eq!(dispatcher.pending(Mark::ALL).await, Some(2), "nobody knows of what waits");
        std::fs::remove_dir(&path).unwrap();
        dispatcher.probe(true).await;
        assert!(dispatcher.is_durable());
        assert_eq!(dispatcher.told().await, ["one", "two"], "it is only in the file that was moved");
    });
}

#[test]
fn a_file_that_fails_again_and_again_has_one_budget() {
    // Of what was spent since it was read last, one that cannot be read says
    // nothing.
    for (is_readable, allowed) in [(true, [1, 0, 0]), (false, [1, 1, 0])] {
        check(&["the database failed (no room)", "the database works"], async |mut bench| {
            let path = bench.path();
            let mut dispatcher = bench.start().await;
            dispatcher.channels[0].budget = Some(Budget::new(2, Duration::from_secs(3600), 9));
            dispatcher.capture("zero").await;
            assert_eq!(dispatcher.told().await, ["zero"]);
            let mut made = Vec::new();
            for kind in ["one", "two", "three"] {
                dispatcher.outbox.judge(&StoreError::Failed("no room".to_owned()));
                if !is_readable {
                    let mut other = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
                    other.execute("ALTER TABLE account RENAME TO gone").await.unwrap();
                    dispatcher.probe(false).await;
                    other.execute("ALTER TABLE gone RENAME TO account").await.unwrap();
                    other.close().await.unwrap();
                }
                dispatcher.probe(false).await;
                assert!(!dispatcher.is_durable());
                dispatcher.capture(kind).await;
                dispatcher.make().await;
                let now = SystemTime::now();
                let claims = dispatcher.outbox.store.claim("memory", 9, now, now).await.unwrap();
                made.push(claims.len());
                for claim in claims {
                    assert!(dispatcher.outbox.store.deliver(&claim, None, 0, None, now).await.unwrap());
                }
                dispatcher.probe(true).await;
                assert!(dispatcher.is_durable());
            }
            assert_eq!(made, allowed, "readable: {is_readable}");
        });
    }
}

#[test]
fn a_defect_of_the_loop_keeps_what_is_only_in_memory() {
    check(&["ALERT_DATABASE", "the database works"], async |mut bench| {
        let path = bench.path();
        std::fs::create_dir(&path).unwrap();
        bench.start().await.capture("one").await;
        let mut dispatcher = bench.start().await;
        assert!(!dispatcher.is_durable());
        std::fs::remove_dir(&path).unwrap();
        dispatcher.probe(false).await;
        assert!(dispatcher.is_durable(), "it was not tried at once");
        assert_eq!(dispatcher.told().await, ["one"]);
    });
}

#[test]
fn what_waits_in_a_file_that_failed_is_pending_and_what_was_sent_is_not() {
    check(&["the database failed (no room)", "the database works"], async |mut bench| {
        let mut dispatcher = bench.start().await;
        dispatcher.capture("one").await;
        dispatcher.make().await;
        let now = SystemTime::now();
        let claim = dispatcher.outbox.store.claim("memory", 9, now, now).await.unwrap().remove(0);
        dispatcher.capture("two").await;
        dispatcher.outbox.judge(&StoreError::Failed("no room".to_owned()));
        dispatcher.capture("three").await;
        assert_eq!(dispatcher.pending(Mark::ALL).await, Some(3), "nobody knows of what is in the file");

        dispatcher.unsettled.push_back(Attempted {
            lane: 0,
            claim,
            result: Ok(Receipt::default()),
            segments: 0,
            is_absent: false,
            is_old: false,
        });
        dispatcher.settle_finished().await;
        assert_eq!(dispatcher.pending(Mark::ALL).await, Some(2), "one was sent");
        dispatcher.probe(true).await;
        dispatcher.settle_finished().await;
        assert_eq!(dispatcher.pending(Mark::ALL).await, Some(2), "one was sent");
        assert_eq!(dispatcher.told().await, ["three", "two"]);
    });
}

/// As when the write-ahead log has the batch, and its sync fails.
#[test]
fn a_batch_that_was_committed_although_it_said_an_error_counts_once() {
    let said = ["the database failed (disk I/O error)", "the database works"];
    for is_closed in [false, true] {
        check(&said, async |mut bench| {
            let path = bench.path();
            let mut dispatcher = bench.start().await;
            dispatcher.capture("one").await;
            dispatcher.capture("two").await;
            let Store::Sqlite(file) = &mut dispatcher.outbox.store else { panic!("no file") };
            file.lies = true;
            for message in ["one", "one", "three"] {
                dispatcher.inbox.add(event(message), Permit::default(), &Counters::default());
            }
            dispatcher.persist().await;
            assert!(!dispatcher.outbox.is_durable());
            // What comes before it is tried again is not of the batch.
            dispatcher.capture("one").await;
            dispatcher.capture("three").await;
            assert_eq!(dispatcher.inbox.waiting.len(), 0, "memory did not take it");
            if is_closed {
                // Another process saw the end of what is in the file.
                let mut other = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
                let close = "UPDATE incident SET data = json_set(data, '$.closed_at', last_at)";
                other.execute(close).await.unwrap();
                other.close().await.unwrap();
            }
            dispatcher.probe(true).await;
            assert!(dispatcher.outbox.is_durable());
            let events = dispatcher.outbox.store.events().await.unwrap();
            assert_eq!(events.committed(), 7, "closed: {is_closed}");
        });
    }
}

mod damage;

//! One decision, one turn: who may write a file, and what counts once.

use sqlx::{ConnectOptions, Connection, Executor, sqlite::SqliteConnectOptions};

use super::*;
use crate::outbox::{batch::arrivals, page::Recipient};

impl Bench {
    fn path(&self) -> PathBuf {
        self.directory.as_ref().unwrap().path().join("alerts.db")
    }

    /// Another process does `sql`.
    async fn meanwhile(&self, sql: &'static str) {
        let mut other = SqliteConnectOptions::new().filename(self.path()).connect().await.unwrap();
        other.execute(sql).await.unwrap();
        other.close().await.unwrap();
    }
}

#[test]
fn a_file_that_a_newer_version_takes_over_while_we_run_is_not_written_to() {
    check(sqlite_bench, async |bench| {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        bench.tell("mail", t(1)).await;
        bench.meanwhile("PRAGMA user_version = 9999").await;
        let error = SendError::not_processed("503");
        let refused = [
            bench.store.claim("mail", 1, t(9), t(2)).await.err(),
            bench.store.retry(&claim, &error, t(9), None).await.err(),
            bench.store.deliver(&claim, None, 1, None, t(2)).await.err(),
            bench.store.charge(&claim, 1, None, t(2)).await.err(),
        ];
        for error in refused {
            assert!(
                matches!(&error, Some(StoreError::Failed(why)) if why.contains("newer version")),
                "{error:?}"
            );
        }
        bench.meanwhile("PRAGMA user_version = 0").await;
        assert!(bench.store.retry(&claim, &error, t(9), None).await.unwrap(), "it was written to");
    });
}

/// Its caller was told of an error, although it was committed.
#[test]
fn an_answer_that_comes_again_counts_once() {
    check(sqlite_bench, async |bench| {
        let account = async |bench: &mut Bench, address| {
            let ledger = bench.store.ledger().await.unwrap();
            ledger
                .accounts
                .get(&Recipient::new("sms", address))
                .map(|account| account.segments.today(&Calendar::default(), t(2)))
        };
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        for _ in 0..3 {
            assert!(bench.store.release(&claim, Some("401"), t(2), None).await.unwrap());
        }
        assert!(!bench.store.deliver(&claim, None, 1, None, t(2)).await.unwrap(), "it was given back");
        let claim = bench.claim("sms", t(2)).await.unwrap();
        assert_eq!((claim.attempt, claim.is_doubtful), (1, false));
        for _ in 0..3 {
            assert!(bench.store.retry(&claim, &SendError::not_processed("503"), t(3), None).await.unwrap());
        }
        let claim = bench.claim("sms", t(3)).await.unwrap();
        assert_eq!((claim.attempt, claim.is_doubtful), (2, false));
        for _ in 0..3 {
            assert!(bench.store.deliver(&claim, Some("SM1"), 2, None, t(4)).await.unwrap());
        }
        assert_eq!(account(bench, "+1").await, Some(2), "it cost once");
        assert!(!bench.store.bury(&claim, "no", t(4)).await.unwrap(), "it was delivered");
        let claim = bench.claim("mail", t(5)).await.unwrap();
        for _ in 0..3 {
            assert!(bench.store.bury(&claim, "no", t(5)).await.unwrap());
        }
        let ledger = bench.store.ledger().await.unwrap();
        assert_eq!(ledger.dead.get(&"mail".to_owned()).unwrap().count, 1, "it died once");
    });
}

#[test]
fn a_batch_that_was_committed_although_it_said_an_error_counts_once() {
    check(sqlite_bench, async |bench| {
        let losses = Losses::from([(DropReason::QueueFull, 3)]);
        let batch = [Captured { count: 5, ..captured("a", Level::ERROR) }];
        let persist = async |bench: &mut Bench, number: u64| {
            let maker = Maker {
                new_id: &*bench.new_id,
                run: bench.run,
                process: &bench.process,
                calendar: &bench.calendar,
                is_of_fleet: false,
            };
            bench.store.persist(number, &batch, &losses, &maker, &bench.targets, t(0)).await
        };
        for number in [1, 2] {
            let Store::Sqlite(file) = &mut bench.store else { panic!("no file") };
            file.lies = true;
            assert!(persist(bench, number).await.is_err());
            persist(bench, number).await.unwrap();
            assert_eq!(bench.store.events().await.unwrap().committed(), 5 * number);
        }
        // Another process's batch of the same number is another one.
        bench.run = Uuid::from_u128(2);
        persist(bench, 1).await.unwrap();
        assert_eq!(bench.store.events().await.unwrap().committed(), 15);
        assert!(bench.claim("mail", t(1)).await.is_some());
    });
}

#[test]
fn of_two_processes_one_tells_of_the_dead() {
    check(sqlite_bench, async |bench| {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        bench.store.bury(&claim, "21211", t(2)).await.unwrap();
        let mut other = Bench::new(open(bench.directory.as_ref().unwrap()).await, None);
        assert_eq!(bench.tell_of_dead("sms", t(0), t(3)).await, Some(1));
        assert_eq!(other.tell_of_dead("sms", t(0), t(3)).await, None);
        other.store.shut().await;
    });
}

#[test]
fn a_reason_of_a_loss_is_known_by_its_name() {
    let losses = Losses::from([(DropReason::MemoryFull, 1)]);
    let arrivals = arrivals(&[], &losses, t(0));
    assert_eq!(arrivals[0].fingerprint, b"\0memory_full");
    let longest = DropReason::ALL.iter().map(|reason| reason.name().len()).max().unwrap();
    assert!(longest + 1 < size_of::<Fingerprint>(), "it may be an event's");
}

#[test]
#[cfg(unix)]
fn a_journal_that_is_left_of_a_file_that_was_put_aside_follows_it() {
    check(sqlite_bench, async |bench| {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let path = bench.path();
        let name = |suffix: &str| path.with_file_name(format!("alerts.db{suffix}"));
        // As if the process had died after the first of the renames.
        let journal = std::fs::read(name("-wal")).unwrap();
        assert!(!journal.is_empty());
        bench.store.shut().await;
        std::fs::rename(&path, name(".damaged-1")).unwrap();
        std::fs::write(name("-wal"), &journal).unwrap();
        bench.reopen().await;
        assert_eq!(bench.store.events().await.unwrap().committed(), 0, "the journal was taken for its own");
        assert_eq!(std::fs::read(name(".damaged-1-wal")).unwrap(), journal);
    });
}

#[test]
fn a_reader_that_stays_is_seen_by_how_the_journal_grows() {
    check(sqlite_bench, async |bench| {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let mut reader = SqliteConnectOptions::new().filename(bench.path()).connect().await.unwrap();
        reader.execute("BEGIN; SELECT count(*) FROM incident").await.unwrap();
        for n in 0..40 {
            let large = captured(&format!("{n} {}", "x".repeat(100 * 1024)), Level::INFO);
            bench.persist(&[large], t(n)).await;
        }
        let held = bench.store.prune(expired(t(0))).await.unwrap().log_bytes;
        reader.close().await.unwrap();
        assert!(held > 4_000_000, "{held} bytes");
        assert!(held < MAX_LOG_BYTES, "nothing to tell of");
    });
}

//! The store of a fleet, in a real PostgreSQL.

use std::sync::{
    LazyLock,
    atomic::{AtomicU32, Ordering},
};

use sqlx::{ConnectOptions, Connection, postgres::PgConnectOptions};

use super::{super::page::hex, *};

/// The script that keeps a cluster as long as a process lives.
#[path = "../../../tests/fleet/keeper.rs"]
#[expect(dead_code, reason = "it serves more tests than these")]
pub(super) mod keeper;
use keeper::Keeper;

/// The cluster of all tests in this process. It ends with the process.
pub(super) static CLUSTER: LazyLock<Keeper> =
    LazyLock::new(|| Keeper::start("keep", &[]).unwrap_or_else(|error| panic!("{error}")));

pub(super) fn options() -> PgConnectOptions {
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", CLUSTER.port);
    let options: PgConnectOptions = url.parse().unwrap();
    options.statement_cache_capacity(0).extra_float_digits(None).disable_statement_logging()
}

/// An instance, with a schema that no other test has.
pub(super) async fn bench() -> Bench {
    instance(&any_schema(), 7)
}

/// One that no other test has.
pub(super) fn any_schema() -> String {
    static LAST: AtomicU32 = AtomicU32::new(0);
    format!("s{}", LAST.fetch_add(1, Ordering::Relaxed))
}

/// The instance with this number, of the fleet in `schema`.
pub(super) fn instance(schema: &str, number: u128) -> Bench {
    later_instance(schema, number, Duration::ZERO)
}

/// The same, for which it is so much later.
pub(super) fn later_instance(schema: &str, number: u128, later: Duration) -> Bench {
    let options = options().options([("tracing_alert.shift", later.as_millis().to_string())]);
    let fleet = Fleet::new(options, schema, "MyApp", Uuid::from_u128(number), t(0));
    Bench::new(Store::Fleet(Box::new(fleet)), None)
}

/// Of an incident of a local store, so many events.
pub(super) fn share(local_id: i64, message: &str, count: u64, at: SystemTime) -> Share {
    let mut local = Page::default();
    let (process, calendar) = (Process::default(), Calendar::default());
    let maker = Maker {
        new_id: &|| "7K3Q".to_owned(),
        run: Uuid::from_u128(9),
        process: &process,
        calendar: &calendar,
        is_of_fleet: true,
    };
    let captured = Captured { count, ..captured_at(message, at) };
    let arrivals = batch::arrivals(std::slice::from_ref(&captured), &Losses::new(), at);
    local.join(arrivals, &maker, &[], at);
    Share { local_id, ..local.shares(1).remove(0) }
}

impl Bench {
    pub(super) async fn hand_over(&mut self, shares: &[Share]) -> Vec<Taken> {
        self.try_hand_over(shares).await.unwrap()
    }

    pub(super) async fn try_hand_over(&mut self, shares: &[Share]) -> Result<Vec<Taken>, StoreError> {
        let maker = Maker {
            new_id: &*self.new_id,
            run: self.run,
            process: &self.process,
            calendar: &self.calendar,
            is_of_fleet: true,
        };
        let Store::Fleet(fleet) = &mut self.store else { panic!("no fleet") };
        fleet.hand_over(shares, &self.targets, &maker).await
    }

    pub(super) async fn look(&mut self, shares: &[i64]) -> Vec<Taken> {
        self.try_look(shares).await.unwrap()
    }

    pub(super) async fn try_look(&mut self, shares: &[i64]) -> Result<Vec<Taken>, StoreError> {
        let Store::Fleet(fleet) = &mut self.store else { panic!("no fleet") };
        let presence = Presence { targets: &self.targets, pause: HOUR, ..Presence::default() };
        Ok(fleet.look(presence, shares, &["sms", "mail"]).await?.outlook.taken)
    }

    pub(super) fn now(&self) -> SystemTime {
        let Store::Fleet(fleet) = &self.store else { panic!("no fleet") };
        fleet.now()
    }
}

pub(super) fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn a_share_that_is_handed_over_twice_is_there_once_and_a_later_one_has_it() {
    run(async {
        let mut bench = bench().await;
        bench.look(&[]).await;
        let now = bench.now();
        for count in [3, 3, 2, 5] {
            let taken = bench.hand_over(&[share(7, "a", count, now)]).await;
            assert_eq!(taken.iter().map(|it| (it.local_id, it.told_at)).collect::<Vec<_>>(), [(7, None)]);
        }
        let page = bench.page().await;
        assert_eq!(page.incidents.values().map(|it| it.count).collect::<Vec<_>>(), [5]);
        let claim = bench.claim("sms", now + 2 * SETTLE).await.unwrap();
        assert!(bench.look(&[7]).await[0].told_at.is_none(), "nobody was sent it yet");
        assert!(bench.store.deliver(&claim, None, 1, None, now + 2 * SETTLE).await.unwrap());
        let told = bench.look(&[7]).await;
        assert!(told[0].told_at.is_some() && told[0].count == 5);
    });
}

#[test]
fn no_statement_stays_with_the_session_that_a_pooler_gives_to_others() {
    run(async {
        let mut bench = bench().await;
        bench.look(&[]).await;
        let now = bench.now();
        bench.hand_over(&[share(1, "a", 1, now)]).await;
        bench.hand_over(&[share(1, "a", 2, now)]).await;
        bench.look(&[1]).await;
        let claim = bench.claim("sms", now + 2 * SETTLE).await.unwrap();
        assert!(bench.store.deliver(&claim, None, 1, None, now + 2 * SETTLE).await.unwrap());
        let Store::Fleet(fleet) = &mut bench.store else { panic!("no fleet") };
        assert!(fleet.sweep().await.unwrap());
        assert_eq!(fleet.named().await, 0);
    });
}

#[test]
fn who_finds_another_instance_opening_the_same_does_not_wait_for_it() {
    run(async {
        let mut bench = bench().await;
        bench.look(&[]).await;
        let Store::Fleet(fleet) = &bench.store else { panic!("no fleet") };
        let schema = fleet.schema().to_owned();
        let shares = [share(1, "a", 1, bench.now())];
        let mut other = options().connect().await.unwrap();
        let mut opening = other.begin().await.unwrap();
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended($1 || ' opens ' || $2, 0))";
        let lock = sqlx::query(lock).bind(schema).bind(hex::of(&shares[0].row.fingerprint));
        lock.execute(&mut *opening).await.unwrap();
        assert!(matches!(bench.try_hand_over(&shares).await, Err(StoreError::Busy)));
        opening.rollback().await.unwrap();
        let taken = bench.hand_over(&shares).await;
        assert_eq!(taken.iter().map(|it| it.count).collect::<Vec<_>>(), [1]);
    });
}

#[test]
fn where_there_are_more_instances_than_connections_for_them_nobody_keeps_one() {
    run(async {
        let mut bench = bench().await;
        let rests = async |bench: &mut Bench| {
            bench.look(&[]).await;
            let Store::Fleet(fleet) = &mut bench.store else { panic!("no fleet") };
            fleet.rest().await
        };
        assert!(rests(&mut bench).await.is_some(), "it is kept for a while");
        // The cluster of the tests has 110 connections.
        bench.execute(
            "INSERT INTO instance (store, looks_at, seen_until)
             SELECT gen_random_uuid(), 0, 9000000000000000 FROM generate_series(1, 60)",
        );
        assert!(rests(&mut bench).await.is_none(), "it is closed at once");
    });
}

#[test]
fn what_was_told_in_an_outage_goes_up_without_more_events_and_is_not_told_again() {
    run(async {
        let mut bench = bench().await;
        bench.look(&[]).await;
        let now = bench.now();
        let (process, calendar) = (Process::default(), Calendar::default());
        let maker = Maker {
            new_id: &|| "7K3Q".to_owned(),
            run: Uuid::from_u128(9),
            process: &process,
            calendar: &calendar,
            is_of_fleet: true,
        };
        let mut local = Page::default();
        let captured = captured_at("a", now);
        let arrivals = batch::arrivals(std::slice::from_ref(&captured), &Losses::new(), now);
        local.join(arrivals, &maker, &bench.targets, now);
        let taken = bench.hand_over(&local.shares(9)).await;
        local.note_taken(&taken, now);
        assert!(local.shares(9).is_empty(), "the fleet has all of it");

        // It cannot be reached now.
        for sink in ["sms", "mail"] {
            assert!(local.tell(&channel(sink), &maker, false, now + SETTLE).is_some());
        }
        let shares = local.shares(9);
        assert_eq!(shares.iter().map(Share::told_here).collect::<Vec<_>>(), [2], "both were told");
        let taken = bench.hand_over(&shares).await;
        local.note_taken(&taken, now + SETTLE);
        assert!(local.shares(9).is_empty(), "the fleet knows it");
        assert!(bench.claim("sms", now + 2 * SETTLE).await.is_none(), "it is not told again");
        assert!(bench.claim("mail", now + 2 * SETTLE).await.is_none());
    });
}

#[test]
fn what_an_instance_sent_alone_is_in_the_fleets_account_once() {
    run(async {
        let mut bench = bench().await;
        bench.look(&[]).await;
        let now = bench.now();
        bench.hand_over(&[share(7, "a", 1, now)]).await;
        let claim = bench.claim("sms", now + 2 * SETTLE).await.unwrap();
        let mut local = Page::default();
        for (segments, sum) in [(2, "2"), (1, "3")] {
            local.note_sent_alone(&claim, segments, now);
            for _ in 0..2 {
                let Store::Fleet(fleet) = &mut bench.store else { panic!("no fleet") };
                fleet.take_spending(&local.spending()).await.unwrap();
                let spent = bench.execute(
                    "SELECT sum((entry ->> 1)::integer) FROM account, jsonb_array_elements(data -> 'segments') entry
                      WHERE sink = 'sms'",
                );
                assert_eq!(spent.trim(), sum);
            }
        }
    });
}

#[test]
fn what_moves_to_another_incident_is_not_counted_twice() {
    run(async {
        let mut bench = bench().await;
        bench.look(&[]).await;
        let now = bench.now();
        let first = bench.hand_over(&[share(7, "a", 100, now)]).await.remove(0);
        // It ended more than a week ago, and is another one when it comes back.
        bench.execute(&format!(
            "UPDATE incident SET data = data || '{{\"closed_at\": 1, \"last_at\": 1}}' WHERE id = {}; \
             UPDATE share SET last_at = 1",
            first.place
        ));
        let second = bench.hand_over(&[share(7, "a", 101, now)]).await.remove(0);
        assert_ne!(first.place, second.place);
        assert_eq!(second.count, 101, "the instance has handed over all it has");
        let page = bench.page().await;
        let counts: Vec<u64> = page.incidents.values().map(|it| it.count).collect();
        assert_eq!(counts, [100, 1]);
    });
}

#[test]
fn nothing_reads_all_of_what_many_instances_counted() {
    run(async {
        let mut bench = bench().await;
        bench.look(&[]).await;
        let now = bench.now();
        bench.hand_over(&[share(1, "a", 1, now)]).await;
        bench.execute(
            "INSERT INTO incident (id, data)
             SELECT 1000000 + n, data || jsonb_build_object('fingerprint', md5(n::text), 'public_id', 'P' || n,
                                                            'closed_at', CASE WHEN n > 400 THEN 1 END)
               FROM incident, generate_series(1, 20000) AS n;
             INSERT INTO share (incident_id, store, local_id, count, first_at, last_at, data)
             SELECT incident.id, md5(n::text)::uuid, 1, 1, share.first_at, share.last_at, share.data
               FROM incident, generate_series(1, 50) AS n, share WHERE closed_at IS NULL AND share.local_id = 1;
             INSERT INTO standing (incident_id, sink, recipient, data)
             SELECT incident.id, sink, recipient, standing.data || '{\"due_at\": null}'
               FROM incident, standing WHERE incident.id > 1000000;
             ANALYZE",
        );
        let before = bench.read_by_scan();
        for count in 2..12 {
            bench.hand_over(&[share(1, "a", count, now)]).await;
            bench.hand_over(&[share(2, &format!("b{count}"), 1, now)]).await;
            bench.look(&[1, 2]).await;
        }
        let claim = bench.claim("sms", now + 2 * SETTLE).await.unwrap();
        bench.store.notice(&claim).await.unwrap();
        assert!(bench.store.deliver(&claim, None, 1, None, now + 2 * SETTLE).await.unwrap());
        let read = bench.read_by_scan() - before;
        assert!(read < 20_000, "{read} rows were read by scans of whole tables");
    });
}

impl Bench {
    /// Runs statements in the schema, by hand.
    pub(super) fn execute(&self, sql: &str) -> String {
        let Store::Fleet(fleet) = &self.store else { panic!("no fleet") };
        let output = std::process::Command::new("psql")
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"])
            .args(["--command", &format!("SET search_path = {}; {sql}", fleet.schema())])
            .arg(format!("postgres://postgres@127.0.0.1:{}/postgres", CLUSTER.port))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// How many rows were read by scans of the tables that grow.
    pub(super) fn read_by_scan(&self) -> i64 {
        let sql = "SELECT pg_sleep(1.2); SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_user_tables \
                   WHERE schemaname = current_schema() AND relname IN ('incident', 'share', 'standing')";
        self.execute(sql).trim().parse().unwrap()
    }
}

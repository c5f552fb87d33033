//! The tests' own means: what they do to a server and to a network is seen there.

use std::{
    io::{BufRead, BufReader},
    net::TcpStream,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use sqlx::{ConnectOptions, Connection, Executor, PgConnection};
use tokio::time::timeout;

use crate::{
    bouncer::Bouncer,
    cluster::{Cluster, schema, shared},
    proxy::{Proxy, Way},
    rows::{code, options, rows, try_rows},
    support::{Harness, PATIENCE, Reaped, eventually},
};

/// Nothing that answers takes as long.
const A_WHILE: Duration = Duration::from_millis(300);

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

async fn connected(url: &str) -> PgConnection {
    options(url).connect().await.unwrap()
}

/// Whether a server behind the connection answers within a while.
async fn answers(connection: &mut PgConnection) -> bool {
    matches!(timeout(A_WHILE, connection.execute("SELECT 1")).await, Ok(Ok(_)))
}

fn nobody_listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_err()
}

#[test]
fn the_shared_cluster_keeps_what_is_committed_and_has_a_programs_limits() {
    let cluster = shared();
    let shown = |name: &str| cluster.admin(&format!("SHOW {name}")).concat();
    let settings = ["fsync", "synchronous_commit", "max_connections", "listen_addresses"].map(shown);
    assert_eq!(settings, ["on", "on", "110", "127.0.0.1"]);
    let own = schema();
    rows(&cluster.url(), &format!("CREATE SCHEMA {own}; CREATE TABLE {own}.t (n int)"));
    assert_ne!(own, schema());
    let role = "SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user";
    assert_eq!(rows(&cluster.url(), role), ["f|f"]);
}

#[test]
fn a_killed_cluster_refuses_and_holds_after_its_restart_what_was_committed() {
    let cluster = Cluster::start();
    rows(&cluster.url(), "CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 7 AS n");
    run(async {
        let mut connection = connected(&cluster.url()).await;
        cluster.kill_hard();
        connection.execute("SELECT 1").await.unwrap_err();
    });
    assert!(!cluster.is_up() && nobody_listens(cluster.port()));
    cluster.restart();
    assert_eq!(rows(&cluster.url(), "SELECT n FROM s.t"), ["7"]);
}

#[test]
fn a_frozen_cluster_accepts_and_answers_nothing_until_it_thaws() {
    let cluster = Cluster::start();
    run(async {
        let mut connection = connected(&cluster.url()).await;
        cluster.freeze();
        let answer = connection.fetch_one("SELECT 1");
        tokio::pin!(answer);
        assert!(timeout(A_WHILE, &mut answer).await.is_err(), "an open session is answered");
        assert!(timeout(A_WHILE, options(&cluster.url()).connect()).await.is_err(), "a new one is, too");
        cluster.thaw();
        timeout(PATIENCE, answer).await.unwrap().unwrap();
    });
}

#[test]
fn a_frozen_cluster_ends_all_the_same() {
    let cluster = Cluster::start();
    let port = cluster.port();
    cluster.freeze();
    drop(cluster);
    assert!(nobody_listens(port));
}

#[test]
fn a_setting_is_in_force_for_who_is_connected() {
    let cluster = Cluster::start();
    run(async {
        let mut connection = connected(&cluster.url()).await;
        cluster.set("default_transaction_read_only", "on");
        let refused = connection.execute("CREATE SCHEMA s").await.unwrap_err();
        assert_eq!(code(&refused), "25006");
    });
    cluster.set("default_transaction_read_only", "off");
    rows(&cluster.url(), "CREATE SCHEMA s");
}

#[test]
fn a_standby_reads_and_takes_nothing_until_it_is_promoted() {
    let cluster = Cluster::start();
    rows(&cluster.url(), "CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 7 AS n");
    cluster.demote();
    let insert = "BEGIN READ WRITE; INSERT INTO s.t VALUES (8); COMMIT";
    assert_eq!(code(&try_rows(&cluster.url(), insert).unwrap_err()), "0A000");
    assert_eq!(code(&try_rows(&cluster.url(), "INSERT INTO s.t VALUES (8)").unwrap_err()), "25006");
    assert_eq!(rows(&cluster.url(), "SELECT n FROM s.t"), ["7"]);
    cluster.promote();
    rows(&cluster.url(), insert);
}

#[test]
fn a_role_has_as_many_connections_as_it_may_have() {
    let cluster = Cluster::start();
    cluster.limit_connections(1);
    run(async {
        let first = connected(&cluster.url()).await;
        assert_eq!(cluster.sessions(), 1);
        let refused = options(&cluster.url()).connect().await.unwrap_err();
        assert_eq!(code(&refused), "53300");
        first.close().await.unwrap();
    });
    eventually("the first is gone", || cluster.sessions() == 0);
    cluster.limit_connections(-1);
    assert!(cluster.is_up());
}

#[test]
fn a_full_disk_refuses_what_needs_room_until_there_is_some() {
    let Some(cluster) = Cluster::on_a_small_disk(120) else { return };
    rows(&cluster.url(), "CREATE SCHEMA s; CREATE TABLE s.t (text text)");
    cluster.fill_disk();
    let insert = "INSERT INTO s.t SELECT repeat('x', 1000) FROM generate_series(1, 500)";
    let refused = try_rows(&cluster.url(), insert).unwrap_err();
    assert_eq!(code(&refused), "53100");
    cluster.make_room();
    rows(&cluster.url(), insert);
}

#[test]
fn a_cluster_ends_with_the_test_that_panics() {
    let mut port = 0;
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let cluster = Cluster::start();
        port = cluster.port();
        std::panic::resume_unwind(Box::new("the test fails"));
    }));
    assert!(panicked.is_err() && port != 0);
    assert!(nobody_listens(port));
}

#[test]
fn a_cluster_ends_with_the_process_that_is_killed() {
    let mut child = Reaped(Harness::new().child("keep-a-cluster").spawn().unwrap());
    let lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port = lines.into_iter().find_map(|line| line.strip_prefix("port ")?.parse().ok()).unwrap();
    assert!(!nobody_listens(port));
    drop(child);
    eventually("the cluster is gone", || nobody_listens(port));
}

#[test]
fn a_bouncer_hands_each_transaction_to_any_of_its_servers() {
    let cluster = Cluster::start();
    let bouncer = Bouncer::before(&cluster);
    assert!(bouncer.shows("CONFIG").iter().any(|line| line.starts_with("pool_mode|transaction")));
    // Nobody has it ignore what a client wants.
    let unwanted = bouncer.url().parse::<sqlx::postgres::PgConnectOptions>().unwrap();
    let refused = run(unwanted.connect()).unwrap_err();
    assert!(refused.to_string().contains("extra_float_digits"), "{refused}");
    run(async {
        let mut first = connected(&bouncer.url()).await;
        let mut second = connected(&bouncer.url()).await;
        first.execute("SET application_name = 'first'").await.unwrap();
        let name = sqlx::raw_sql("SHOW application_name").fetch_one(&mut second).await.unwrap();
        assert_eq!(sqlx::Row::get::<String, _>(&name, 0), "first", "they share one server");
        // One in a transaction has a server for itself.
        first.execute("BEGIN").await.unwrap();
        assert!(answers(&mut second).await);
        assert_eq!(cluster.sessions(), 2);
    });
}

#[test]
fn a_proxy_hands_on_and_counts() {
    let cluster = shared();
    let proxy = Proxy::before(([127, 0, 0, 1], cluster.port()).into());
    run(async {
        let mut connection = connected(&proxy.url(&cluster.url())).await;
        assert!(answers(&mut connection).await);
        assert_eq!((proxy.accepted(), proxy.open()), (1, 1));
        connection.close().await.unwrap();
    });
    eventually("it has ended", || proxy.open() == 0);
    assert_eq!(proxy.accepted(), 1);
}

#[test]
fn a_proxy_freezes_and_thaws() {
    let cluster = shared();
    let proxy = Proxy::before(([127, 0, 0, 1], cluster.port()).into());
    let url = proxy.url(&cluster.url());
    run(async {
        let mut connection = connected(&url).await;
        proxy.goes(Way::Frozen);
        let answer = connection.fetch_one("SELECT 1");
        tokio::pin!(answer);
        assert!(timeout(A_WHILE, &mut answer).await.is_err());
        assert!(timeout(A_WHILE, options(&url).connect()).await.is_err());
        proxy.goes(Way::Open);
        timeout(PATIENCE, answer).await.unwrap().unwrap();
        assert_eq!(proxy.accepted(), 2);
    });
}

#[test]
fn a_proxy_cuts_what_is_open_and_what_is_new() {
    for way in [Way::Cut, Way::Refused] {
        let cluster = shared();
        let proxy = Proxy::before(([127, 0, 0, 1], cluster.port()).into());
        let url = proxy.url(&cluster.url());
        run(async {
            let mut connection = connected(&url).await;
            proxy.goes(way);
            connection.execute("SELECT 1").await.unwrap_err();
            let error = options(&url).connect().await.unwrap_err();
            let is_refused = matches!(&error, sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused);
            assert_eq!(is_refused, way == Way::Refused, "{error:?}");
        });
        assert_eq!((proxy.open(), proxy.accepted()), (0, if way == Way::Cut { 2 } else { 1 }));
        proxy.goes(Way::Open);
        assert_eq!(rows(&url, "SELECT 1"), ["1"]);
    }
}

#[test]
fn a_proxy_delays_both_what_is_asked_and_what_is_answered() {
    let cluster = shared();
    let proxy = Proxy::before(([127, 0, 0, 1], cluster.port()).into());
    run(async {
        let mut connection = connected(&proxy.url(&cluster.url())).await;
        proxy.goes(Way::Delayed(A_WHILE));
        let asked = Instant::now();
        connection.execute("SELECT 1").await.unwrap();
        assert!(asked.elapsed() >= 2 * A_WHILE, "{:?}", asked.elapsed());
    });
}

//! The store of a fleet, in a real PostgreSQL.

use std::sync::{
    LazyLock,
    atomic::{AtomicU32, Ordering},
};

use sqlx::{ConnectOptions, postgres::PgConnectOptions};

use super::*;

/// The script that keeps a cluster as long as a process lives.
#[path = "../../../tests/fleet/keeper.rs"]
#[expect(dead_code, reason = "it serves more tests than these")]
mod keeper;
use keeper::Keeper;

/// The cluster of all tests in this process. It ends with the process.
static CLUSTER: LazyLock<Keeper> =
    LazyLock::new(|| Keeper::start("keep", &[]).unwrap_or_else(|error| panic!("{error}")));

fn options() -> PgConnectOptions {
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", CLUSTER.port);
    let options: PgConnectOptions = url.parse().unwrap();
    options.statement_cache_capacity(0).extra_float_digits(None).disable_statement_logging()
}

/// An instance, with a schema that no other test has.
pub(super) async fn bench() -> Bench {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let schema = format!("s{}", LAST.fetch_add(1, Ordering::Relaxed));
    let fleet = Fleet::new(options(), &schema, "MyApp", Uuid::from_u128(7), t(0));
    Bench::new(Store::Fleet(Box::new(fleet)), None)
}

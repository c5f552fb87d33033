//! The store that all instances of a program share: a schema of a PostgreSQL database.
//!
//! A keeper, as a file is one: it loads what a decision needs (`load`), saves what changed
//! (`save`), claims and counts; the rules are the page's. What many do at once is apart:
//! instances hand over how many events they counted, as sums that only grow (`shares`), and
//! look what became of them (`look`), where they say whom they tell: whoever is named by none
//! of them any more is told no more (`named`).
//! Any instance decides; who decides what a recipient is told has locked that one's row of
//! `account`, and saves that one's rows only. An incident's row is saved by whoever has
//! locked it, and that is rare: its count is the sum of its shares.
//! Invariants: nothing is awaited for longer than [`PATIENCE`]; a connection that did not
//! answer is never used again, and none is kept that is not used. All statements are of
//! explicit transactions and have no name, so that a pooler may be between.

use std::time::{Duration, Instant, SystemTime};

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::time::timeout;
use uuid::Uuid;

use super::StoreError;
use crate::{
    event::from_millis,
    host::time::{Saturating, from_now},
};

/// A statement without a name. The compiler checks it and its arguments, but not its columns.
macro_rules! statement {
    ($query:expr, $sql:literal $(, $argument:expr)*) => {{
        // Never runs: what sqlx 0.9 has checked always has a name. An `EXPLAIN` has one column,
        // whatever those of the statement are called.
        if false {
            drop(sqlx::query_scalar!("EXPLAIN " + $sql $(, $argument)*));
        }
        $query($sql)$(.bind($argument))*.persistent(false)
    }};
}

mod claims;
#[cfg(feature = "cli")]
mod doctor;
mod load;
mod look;
mod named;
#[cfg(feature = "cli")]
mod operate;
mod reads;
mod save;
mod schema;
mod settings;
mod shares;
mod silences;
mod spending;
mod sweep;
mod turn;

pub(crate) use look::{Outlook, Presence, Seen};
pub(crate) use settings::FleetSettings;
#[cfg(all(test, target_os = "linux"))]
pub(super) use shares::ADD;

/// The fleet's store, as one instance uses it.
pub(crate) struct Fleet {
    options: PgConnectOptions,
    schema: String,
    /// The program that the schema has to be of; none if it may be any.
    app: Option<String>,
    /// The local store that is handed over.
    pub(super) store: Uuid,
    connection: Option<PgConnection>,
    used_at: Instant,
    /// The connection is in the middle of something.
    is_broken: bool,
    /// The store that this instance handed over before.
    left: Option<Uuid>,
    /// How the silences were that this instance was told of.
    silences_mark: Option<String>,
    /// Whether the tables are made if they are not there.
    may_make: bool,
    is_foreign: bool,
    /// Which database it is, once the tables are known to be there.
    id: Uuid,
    clock: Clock,
    /// Why the last attempt to reach it failed, how many did in a row, and when the next is.
    outage: Option<(String, u32, Instant)>,
    /// There are more instances than it can have connections for all the time.
    is_crowded: bool,
}

/// What time it is in the database: by its clock as it was read last, and the time that
/// has passed since. This machine's time of day plays no part.
#[derive(Clone, Copy)]
struct Clock {
    read: SystemTime,
    at: Instant,
}

impl Clock {
    async fn read(connection: &mut PgConnection) -> Result<Self, StoreError> {
        // In a transaction, as all that has no name.
        let mut transaction = bounded(connection.begin_with("BEGIN")).await?;
        let read = sqlx::query_scalar(schema::NOW).persistent(false).fetch_one(&mut *transaction);
        let millis: i64 = bounded(read).await?;
        let clock = Self::from(millis);
        bounded(transaction.commit()).await?;
        Ok(clock)
    }
}

/// As it was read a moment before.
impl From<i64> for Clock {
    fn from(millis: i64) -> Self {
        Self { read: from_millis(millis), at: Instant::now() }
    }
}

impl Fleet {
    /// Opens nothing yet. `app` owns the schema: another program's is not written to. Until
    /// the database's clock is read it is `now`.
    pub(crate) fn new(
        options: PgConnectOptions,
        schema: &str,
        app: &str,
        store: Uuid,
        now: SystemTime,
    ) -> Self {
        Self {
            options,
            schema: schema.to_owned(),
            app: Some(app.to_owned()),
            store,
            connection: None,
            used_at: Instant::now(),
            is_broken: false,
            left: None,
            silences_mark: None,
            may_make: true,
            is_foreign: false,
            id: Uuid::nil(),
            clock: Clock { read: now, at: Instant::now() },
            outage: None,
            is_crowded: false,
        }
    }

    /// From now on, the local store `store` is handed over.
    pub(crate) fn set_store(&mut self, store: Uuid) {
        if self.store != store {
            // That one knows of none.
            self.silences_mark = None;
            self.left = Some(self.store).filter(|store| !store.is_nil());
        }
        self.store = store;
    }

    /// The time in the database.
    pub(crate) fn now(&self) -> SystemTime {
        self.clock.read.later(self.clock.at.elapsed())
    }

    /// Whether its schema is none of this program's: only somebody who mends it helps.
    pub(crate) fn is_foreign(&self) -> bool {
        self.is_foreign
    }

    /// Closes a connection that was not used for [`IDLE`], or at once if others need it.
    /// Returns how long that will not be.
    pub(crate) async fn rest(&mut self) -> Option<Duration> {
        self.connection.as_ref()?;
        let idle = self.used_at.elapsed();
        if idle < IDLE && !self.is_crowded {
            return Some(IDLE.saturating_sub(idle));
        }
        self.close().await;
        None
    }

    /// Closes the connection, if there is one.
    pub(crate) async fn close(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.is_broken
        {
            // The server ends it either way.
            drop(timeout(PATIENCE, connection.close()).await);
        }
    }

    /// The connection, which is made if there is none, and the time in the database.
    async fn connected(&mut self) -> Result<&mut PgConnection, StoreError> {
        if std::mem::take(&mut self.is_broken) {
            self.connection = None;
        }
        if self.connection.is_none() {
            if let Some((why, _, again)) = &self.outage
                && *again > Instant::now()
            {
                return Err(StoreError::Unreachable(why.clone()));
            }
            match self.connect().await {
                Ok(connection) => self.connection = Some(connection),
                Err(error) => return Err(self.note_failure(error)),
            }
        }
        if self.clock.at.elapsed() > CLOCK_KEPT {
            self.is_broken = true;
            self.read_clock().await?;
            self.is_broken = false;
        }
        self.used_at = Instant::now();
        match &mut self.connection {
            Some(connection) => Ok(connection),
            None => Err(StoreError::Unreachable("it is not connected".to_owned())),
        }
    }

    /// Connects, reads the clock, and has the tables made if they are not there.
    async fn connect(&mut self) -> Result<PgConnection, StoreError> {
        let mut connection = bounded(PgConnection::connect_with(&self.options)).await?;
        // It may have been replaced meanwhile.
        let prepare = schema::prepare(&mut connection, &self.schema, self.app.as_deref(), self.may_make);
        let prepared = bounded_by(schema::PATIENCE, prepare).await;
        self.is_foreign = matches!(prepared, Err(StoreError::NotOurs(_)));
        let (id, clock) = prepared.map_err(|error| match error {
            StoreError::NotOurs(why) => StoreError::Unreachable(why),
            other => other,
        })?;
        if self.id != id {
            self.silences_mark = None;
        }
        (self.id, self.clock) = (id, clock);
        Ok(connection)
    }

    async fn read_clock(&mut self) -> Result<(), StoreError> {
        if let Some(connection) = &mut self.connection {
            self.clock = Clock::read(connection).await?;
        }
        Ok(())
    }

    /// Notes that it cannot be reached: the next attempt is a little later each time.
    fn note_failure(&mut self, error: StoreError) -> StoreError {
        let StoreError::Unreachable(why) = &error else { return error };
        if self.outage.as_ref().is_some_and(|(_, _, again)| *again > Instant::now()) {
            // It was not tried.
            return error;
        }
        self.connection = None;
        let failures = self.outage.as_ref().map_or(0, |(_, failures, _)| *failures).saturating_add(1);
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures.min(16) - 1));
        let longest = if failures > MANY { LONG_PAUSE } else { PAUSE };
        let jitter = 0.5 + f64::from(Uuid::new_v4().as_fields().0) / f64::from(u32::MAX);
        self.outage = Some((why.clone(), failures, from_now(pause.min(longest).mul_f64(jitter))));
        error
    }

    /// Notes what came of something that was asked of it.
    pub(super) fn note<T>(&mut self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        match done {
            Ok(done) => {
                self.outage = None;
                Ok(done)
            }
            Err(error) => Err(self.note_failure(error)),
        }
    }

    /// What begins each transaction.
    pub(super) fn begin_statement(&self) -> String {
        schema::begin(&self.schema)
    }
}

/// As `work` says, if it does within [`PATIENCE`].
async fn bounded<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
    bounded_by(PATIENCE, async { work.await.meant() }).await
}

async fn bounded_by<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match timeout(patience, work).await {
        Ok(done) => done,
        Err(_) => Err(StoreError::Unreachable(format!("no answer within {patience:?}"))),
    }
}

/// A result of sqlx, as this store means it.
trait Meant<T> {
    fn meant(self) -> Result<T, StoreError>;
}

impl<T> Meant<T> for Result<T, sqlx::Error> {
    fn meant(self) -> Result<T, StoreError> {
        self.map_err(|error| meaning_of(&error))
    }
}

/// What an error of the database means: that a row is refused is no outage.
fn meaning_of(error: &sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|error| error.code());
    match code.as_deref() {
        // Serialization failure, deadlock, lock not available.
        Some("40001" | "40P01" | "55P03") => StoreError::Busy,
        // Data exception, integrity constraint violation.
        Some(code) if code.starts_with("22") || code.starts_with("23") => StoreError::Broken(words(error)),
        // Undefined table, insufficient privilege: somebody has to mend it.
        Some(_) | None => StoreError::Unreachable(words(error)),
    }
}

/// What an error says: never the URL, which sqlx does not repeat.
fn words(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    }
}

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the database's clock is taken to go as this machine's does.
const CLOCK_KEPT: Duration = Duration::from_secs(60);

/// A connection that is not used for so long is closed.
const IDLE: Duration = Duration::from_secs(10);

/// How soon it is tried again after the first failure, and at most; and once it failed
/// [`MANY`] times in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_secs(2);
const LONG_PAUSE: Duration = Duration::from_secs(30);
const MANY: u32 = 100;

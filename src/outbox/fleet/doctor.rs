//! What is known of a fleet's store before an alert depends on it: the way to it, whose it is,
//! and what its role may do.
//!
//! Invariant: nothing is changed, and nothing of the URL is said but its host, its role and
//! its database.

use std::time::{Duration, Instant, SystemTime};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::time::timeout;

use super::{super::StoreError, Fleet, PATIENCE, bounded, schema};
use crate::{event::to_millis, host::time::spoken, sink::Finding};

mod way;
use way::{encryption, pooled, reach, refused};

impl Fleet {
    /// Checks all that can be known without a change; `clock` reads this machine's.
    pub(crate) async fn examine(&mut self, clock: impl Fn() -> SystemTime) -> Vec<Finding> {
        let mut found = Vec::new();
        if reach(&self.options, &mut found).await {
            match self.look_inside(&mut found, clock).await {
                Ok(()) => (),
                Err(error) => found.push(Finding::bad(OF, "answers", error.to_string(), TRY_AGAIN)),
            }
        }
        found
    }

    async fn look_inside(
        &mut self,
        found: &mut Vec<Finding>,
        clock: impl Fn() -> SystemTime,
    ) -> Result<(), StoreError> {
        let start = Instant::now();
        let mut connection = match timeout(PATIENCE, PgConnection::connect_with(&self.options)).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => {
                found.push(refused(&self.options, &error).since(start));
                return Ok(());
            }
            Err(_) => {
                let says = format!("no answer within {}", spoken(PATIENCE));
                found.push(Finding::bad(OF, "credentials", says, TRY_AGAIN).since(start));
                return Ok(());
            }
        };
        found.push(encryption(&self.options));
        let (role, database) = (self.options.get_username(), self.options.get_database());
        let database = database.unwrap_or(role);
        let says = format!("the role {role} may use the database {database}");
        found.push(Finding::good(OF, "credentials", says).since(start));
        found.extend(pooled(&self.options, &mut connection).await);
        let facts = Facts::read(&mut connection, &self.schema).await?;
        let (before, after) = (clock(), clock());
        found.extend(facts.server());
        found.push(facts.limit(role));
        found.push(difference(facts.now_millis, before.max(after)));
        found.extend(self.judge(&mut connection, &facts).await?);
        drop(timeout(PATIENCE, connection.close()).await);
        Ok(())
    }

    /// Whose the schema is, what may be done in it, and who uses it.
    async fn judge(&self, connection: &mut PgConnection, facts: &Facts) -> Result<Vec<Finding>, StoreError> {
        let schema = &self.schema;
        if !facts.has_tables {
            let says = format!("the schema {schema} has no tables of tracing-alert");
            let mend = match (facts.has_schema, facts.may_create) {
                (_, true) => "start a program with this ALERT_FLEET: it makes them".to_owned(),
                (true, false) => {
                    format!("have its owner run: GRANT CREATE, USAGE ON SCHEMA {schema} TO the role")
                }
                (false, false) => {
                    format!("have the database's owner run: CREATE SCHEMA {schema} AUTHORIZATION the role")
                }
            };
            return Ok(vec![Finding::bad(OF, "schema", says, mend)]);
        }
        if let Err(error) = schema::prepare(&mut *connection, schema, self.app.as_deref(), false).await {
            let mend = "set ALERT_FLEET_SCHEMA to the schema of this program, with the version that made it";
            let says = match error {
                StoreError::NotOurs(why) => why,
                other => other.to_string(),
            };
            return Ok(vec![Finding::bad(OF, "schema", says, mend)]);
        }
        let mut turn = bounded(connection.begin_with(AssertSqlSafe(schema::begin(schema)))).await?;
        let meta = statement!(sqlx::query_as::<_, (String, i32)>, "SELECT app, version FROM meta");
        let (app, version) = bounded(meta.fetch_one(&mut *turn)).await?;
        let forbidden = statement!(
            sqlx::query_scalar::<_, String>,
            "SELECT c.relname::text
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname = current_schema()
                AND CASE c.relkind
                        WHEN 'r' THEN NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
                                           AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))
                        WHEN 'v' THEN NOT has_table_privilege(c.oid, 'SELECT')
                        WHEN 'S' THEN NOT has_sequence_privilege(c.oid, 'USAGE')
                        ELSE false END
              ORDER BY 1"
        );
        let forbidden = bounded(forbidden.fetch_all(&mut *turn)).await?;
        let mut found =
            vec![Finding::good(OF, "schema", format!("{schema} is that of {app}, of version {version}"))];
        found.push(match forbidden.first() {
            None => Finding::good(OF, "rights", "the role may read and write all of its tables"),
            Some(first) => Finding::bad(
                OF,
                "rights",
                format!("the role may not do all with {} of its tables, like {first}", forbidden.len()),
                format!(
                    "have their owner run: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO \
                     the role; GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO the role"
                ),
            ),
        });
        if forbidden.is_empty() {
            let seen = statement!(
                sqlx::query_as::<_, (i64, Option<String>)>,
                "SELECT count(*), (SELECT string_agg(name, ', ')
                                     FROM (SELECT coalesce(version, 'no version') || ': ' || count(*) AS name
                                             FROM instance WHERE seen_until > $1
                                            GROUP BY version ORDER BY count(*) DESC, 1 LIMIT 4) versions)
                   FROM instance WHERE seen_until > $1",
                facts.now_millis
            );
            let (instances, versions) = bounded(seen.fetch_one(&mut *turn)).await?;
            found.push(match instances {
                0 => Finding::unknown(OF, "instances", "none is seen: nothing is sent before one starts"),
                1 => Finding::good(OF, "instances", format!("1 is seen ({})", versions.unwrap_or_default())),
                many => Finding::good(
                    OF,
                    "instances",
                    format!("{many} are seen ({})", versions.unwrap_or_default()),
                ),
            });
        }
        bounded(turn.commit()).await?;
        Ok(found)
    }
}

/// What a server says of itself and of the role.
struct Facts {
    now_millis: i64,
    release: String,
    number: i32,
    is_read_only: bool,
    is_superuser: bool,
    /// How many connections the role may have, and has.
    limit: i32,
    used: i64,
    most: i32,
    has_schema: bool,
    has_tables: bool,
    may_create: bool,
}

type FactsRow = (i64, String, i32, bool, bool, i32, i64, i32, bool, bool, bool);

impl Facts {
    async fn read(connection: &mut PgConnection, schema: &str) -> Result<Self, StoreError> {
        let mut turn = bounded(connection.begin_with("BEGIN")).await?;
        let now: i64 =
            bounded(sqlx::query_scalar(schema::NOW).persistent(false).fetch_one(&mut *turn)).await?;
        let facts = statement!(
            sqlx::query_as::<_, FactsRow>,
            "SELECT $2::bigint, current_setting('server_version'), current_setting('server_version_num')::integer,
                    pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean,
                    rolsuper, rolconnlimit,
                    (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usename = current_user),
                    current_setting('max_connections')::integer,
                    EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1),
                    EXISTS (SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = 'meta'),
                    CASE WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1)
                         THEN has_schema_privilege($1, 'CREATE')
                         ELSE has_database_privilege(current_database(), 'CREATE') END
               FROM pg_catalog.pg_roles WHERE rolname = current_user",
            schema,
            now
        );
        let (
            now_millis,
            release,
            number,
            is_read_only,
            is_superuser,
            limit,
            used,
            most,
            has_schema,
            has_tables,
            may_create,
        ) = bounded(facts.fetch_one(&mut *turn)).await?;
        bounded(turn.commit()).await?;
        Ok(Self {
            now_millis,
            release,
            number,
            is_read_only,
            is_superuser,
            limit,
            used,
            most,
            has_schema,
            has_tables,
            may_create,
        })
    }

    /// Which server it is, and whether it takes writes.
    fn server(&self) -> Vec<Finding> {
        let release = self.release.split(' ').next().unwrap_or_default();
        let mut found = vec![match self.number >= OLDEST_SERVER {
            true => Finding::good(OF, "server", format!("PostgreSQL {release}")),
            false => Finding::bad(
                OF,
                "server",
                format!("PostgreSQL {release} is older than what is tested"),
                "use a server of version 14 or later",
            ),
        }];
        if self.is_read_only {
            found.push(Finding::bad(
                OF,
                "writes",
                "it takes none: it is a replica, or read-only",
                "give ALERT_FLEET a name that leads to the primary server",
            ));
        }
        found
    }

    /// How many connections the role may have.
    fn limit(&self, role: &str) -> Finding {
        const WHAT: &str = "connections";
        if self.is_superuser {
            return Finding::warning(
                OF,
                WHAT,
                "the role is a superuser, who is held to no limit and may do anything",
                "give ALERT_FLEET a role of its own: CREATE ROLE alerts LOGIN CONNECTION LIMIT 20",
            );
        }
        let limit = self.limit;
        match i64::from(limit) {
            ..0 => Finding::warning(
                OF,
                WHAT,
                format!(
                    "the role has no limit: when all instances alert at once, they may take all {} of the server",
                    self.most
                ),
                format!("ALTER ROLE {role} CONNECTION LIMIT 20"),
            ),
            most if self.used >= most => Finding::bad(
                OF,
                WHAT,
                format!("the role has {} of the {limit} that it may have", self.used),
                format!("see who holds them in pg_stat_activity, or ALTER ROLE {role} CONNECTION LIMIT …"),
            ),
            _ => {
                Finding::good(OF, WHAT, format!("the role has {} of the {limit} that it may have", self.used))
            }
        }
    }
}

/// How far the clocks are apart.
fn difference(database_millis: i64, here: SystemTime) -> Finding {
    let apart = Duration::from_millis(database_millis.abs_diff(to_millis(here)));
    if apart < CLOCK_TOLERANCE {
        return Finding::good(OF, "clock", "this machine's and the server's agree");
    }
    Finding::warning(
        OF,
        "clock",
        format!("this machine's and the server's are {} apart; the server's counts", spoken(apart)),
        "have both follow a time server (NTP)",
    )
}

const OF: &str = "fleet";
const TRY_AGAIN: &str = "see that the server is not overloaded or starting, and try again";

/// What the tests have run on.
const OLDEST_SERVER: i32 = 140_000;

/// More than a look takes.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

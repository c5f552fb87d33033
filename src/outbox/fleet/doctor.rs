//! What is known of a fleet's store before an alert depends on it: the way to it, whose it is,
//! and what its role may do.
//!
//! Invariant: nothing is changed, and nothing of the URL is said but its host, its role and
//! its database.

use std::time::{Instant, SystemTime};

use sqlx::{
    Connection, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use super::{super::StoreError, Fleet, PATIENCE, bounded, schema, words};
use crate::{event::to_millis, host::time::spoken, sink::Finding};

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
            return Ok(vec![Finding::bad(OF, "schema", error.to_string(), mend)]);
        }
        let mut turn = bounded(connection.begin_with(sqlx::AssertSqlSafe(schema::begin(schema)))).await?;
        let meta = sqlx::query_as::<_, (String, i32)>("SELECT app, version FROM meta");
        let (app, version) = bounded(meta.persistent(false).fetch_one(&mut *turn)).await?;
        let forbidden = sqlx::query_scalar::<_, String>(
            "SELECT c.relname::text
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname = current_schema()
                AND CASE c.relkind
                        WHEN 'r' THEN NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
                                           AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))
                        WHEN 'v' THEN NOT has_table_privilege(c.oid, 'SELECT')
                        WHEN 'S' THEN NOT has_sequence_privilege(c.oid, 'USAGE')
                        ELSE false END
              ORDER BY 1",
        );
        let forbidden = bounded(forbidden.persistent(false).fetch_all(&mut *turn)).await?;
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
            let seen = sqlx::query_as::<_, (i64, Option<String>)>(
                "SELECT count(*), (SELECT string_agg(name, ', ')
                                     FROM (SELECT coalesce(version, 'no version') || ': ' || count(*) AS name
                                             FROM instance WHERE seen_until > $1
                                            GROUP BY version ORDER BY count(*) DESC, 1 LIMIT 4) versions)
                   FROM instance WHERE seen_until > $1",
            );
            let seen = seen.bind(facts.now_millis).persistent(false).fetch_one(&mut *turn);
            let (instances, versions) = bounded(seen).await?;
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
        let facts = sqlx::query_as::<_, FactsRow>(
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
        );
        let facts = facts.bind(schema).bind(now).persistent(false).fetch_one(&mut *turn);
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
        ) = bounded(facts).await?;
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

/// Whether there is a way to the server's port. False if there is no use in going on.
async fn reach(options: &PgConnectOptions, found: &mut Vec<Finding>) -> bool {
    if let Some(socket) = options.get_socket() {
        found.push(Finding::good(OF, "connection", format!("by the socket in {}", socket.display())));
        return true;
    }
    let (host, port) = (options.get_host(), options.get_port());
    if host.starts_with('/') {
        found.push(Finding::good(OF, "connection", format!("by the socket in {host}")));
        return true;
    }
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let start = Instant::now();
    let addresses: Vec<_> = match timeout(PATIENCE, lookup_host((host, port))).await {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    };
    let Some(first) = addresses.first() else {
        let mend = "see that ALERT_FLEET names the host as this machine knows it, and that its DNS answers";
        found.push(Finding::bad(OF, "name resolution", format!("{host} has no address"), mend).since(start));
        return false;
    };
    let names = addresses.iter().map(|it| it.ip().to_string()).collect::<Vec<_>>().join(", ");
    found.push(Finding::good(OF, "name resolution", names).since(start));
    let start = Instant::now();
    let mut why = format!("no answer within {}", spoken(PATIENCE));
    for address in &addresses {
        match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(_)) => {
                found.push(Finding::good(OF, "connection", address.to_string()).since(start));
                return true;
            }
            Ok(Err(error)) => why = error.to_string(),
            Err(_) => (),
        }
    }
    let mend = "see that the server runs, listens at this port, and that no firewall is between";
    found.push(Finding::bad(OF, "connection", format!("{first}: {why}"), mend).since(start));
    false
}

/// What the server, or TLS, said against a connection.
fn refused(options: &PgConnectOptions, error: &sqlx::Error) -> Finding {
    let says = words(error);
    let code = error.as_database_error().and_then(|error| error.code());
    let role = options.get_username();
    match (error, code.as_deref()) {
        (sqlx::Error::Tls(_), _) => Finding::bad(
            OF,
            "TLS",
            says,
            "have the server offer a certificate for this name by an authority that this machine trusts, or name \
             that one by sslrootcert= in ALERT_FLEET",
        ),
        (_, Some("28P01" | "28000")) => Finding::bad(
            OF,
            "credentials",
            says,
            format!(
                "see the password of {role} in ALERT_FLEET (percent-encoded), and the server's pg_hba.conf"
            ),
        ),
        (_, Some("3D000")) => Finding::bad(
            OF,
            "credentials",
            says,
            "name a database that is there at the end of ALERT_FLEET's path",
        ),
        (_, Some("53300")) => {
            let mend = format!("see who holds them in pg_stat_activity, or raise the limit of {role}");
            Finding::bad(OF, "connections", says, mend)
        }
        (_, Some("57P03")) => Finding::bad(OF, "answers", says, TRY_AGAIN),
        _ => Finding::bad(OF, "credentials", says, "the words of the server say what; see its log"),
    }
}

/// Whether others can read along.
fn encryption(options: &PgConnectOptions) -> Finding {
    match options.get_ssl_mode() {
        PgSslMode::VerifyFull => Finding::good(OF, "TLS", "encrypted, with a certificate of this host"),
        PgSslMode::VerifyCa => Finding::good(OF, "TLS", "encrypted, with a certificate of a known authority"),
        PgSslMode::Require => Finding::warning(
            OF,
            "TLS",
            "encrypted, but nobody checks with whom",
            "leave sslmode out of ALERT_FLEET, which means verify-full",
        ),
        // Another host's address would not have passed.
        PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer => {
            Finding::good(OF, "TLS", "not needed: it is on this machine")
        }
    }
}

/// Whether a pooler is between: two connections then have the same server process, one after
/// the other.
async fn pooled(options: &PgConnectOptions, first: &mut PgConnection) -> Option<Finding> {
    let mut second = timeout(PATIENCE, PgConnection::connect_with(options)).await.ok()?.ok()?;
    let pids = [process(first).await, process(&mut second).await];
    drop(timeout(PATIENCE, second.close()).await);
    let [Some(one), Some(other)] = pids else { return None };
    (one == other).then(|| Finding::good(OF, "pooler", "one is between, which is fine in any mode"))
}

async fn process(connection: &mut PgConnection) -> Option<i32> {
    let mut turn = bounded(connection.begin_with("BEGIN")).await.ok()?;
    let pid = sqlx::query_scalar("SELECT pg_backend_pid()").persistent(false).fetch_one(&mut *turn);
    let pid = bounded(pid).await.ok()?;
    bounded(turn.commit()).await.ok()?;
    Some(pid)
}

/// How far the clocks are apart.
fn difference(database_millis: i64, here: SystemTime) -> Finding {
    let apart = std::time::Duration::from_millis(database_millis.abs_diff(to_millis(here)));
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
const CLOCK_TOLERANCE: std::time::Duration = std::time::Duration::from_secs(5);

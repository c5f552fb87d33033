//! The way to a fleet's store: its name, the connection, TLS, and whether a pooler is between.
//!
//! Invariant: nothing of the URL is said but its host and its role.

use std::time::Instant;

use sqlx::{
    Connection, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use super::{
    super::{PATIENCE, bounded, words},
    OF, TRY_AGAIN,
};
use crate::{host::time::spoken, sink::Finding};

/// Whether there is a way to the server's port. False if there is no use in going on.
pub(super) async fn reach(options: &PgConnectOptions, found: &mut Vec<Finding>) -> bool {
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
pub(super) fn refused(options: &PgConnectOptions, error: &sqlx::Error) -> Finding {
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
pub(super) fn encryption(options: &PgConnectOptions) -> Finding {
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
pub(super) async fn pooled(options: &PgConnectOptions, first: &mut PgConnection) -> Option<Finding> {
    let mut second = timeout(PATIENCE, PgConnection::connect_with(options)).await.ok()?.ok()?;
    let pids = [process(first).await, process(&mut second).await];
    drop(timeout(PATIENCE, second.close()).await);
    let [Some(one), Some(other)] = pids else { return None };
    (one == other).then(|| Finding::good(OF, "pooler", "one is between, which is fine in any mode"))
}

async fn process(connection: &mut PgConnection) -> Option<i32> {
    let mut turn = bounded(connection.begin_with("BEGIN")).await.ok()?;
    let pid = statement!(sqlx::query_scalar, "SELECT pg_backend_pid()").fetch_one(&mut *turn);
    let pid = bounded(pid).await.ok()?;
    bounded(turn.commit()).await.ok()?;
    Some(pid)
}

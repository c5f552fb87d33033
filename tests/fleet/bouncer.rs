//! A PgBouncer in transaction mode, which hands each transaction to any of its servers.

use crate::{cluster::Cluster, keeper::Keeper, rows::rows};

/// As Debian has it, with nothing set that would help us.
pub(crate) struct Bouncer {
    keeper: Keeper,
}

impl Bouncer {
    pub(crate) fn before(cluster: &Cluster) -> Self {
        let keeper = Keeper::start("bouncer", &[cluster.port().to_string()]);
        Self { keeper: keeper.unwrap_or_else(|error| panic!("{error}")) }
    }

    /// As [`Cluster::url`], through it.
    pub(crate) fn url(&self) -> String {
        format!("postgres://alerts@127.0.0.1:{}/postgres", self.keeper.port)
    }

    /// What its console answers.
    pub(crate) fn shows(&self, what: &str) -> Vec<String> {
        rows(
            &format!("postgres://postgres@127.0.0.1:{}/pgbouncer", self.keeper.port),
            &format!("SHOW {what}"),
        )
    }
}

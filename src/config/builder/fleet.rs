//! [`Fleet`]: the part of the builder that is about the store that instances share.
//!
//! Invariant: a setter only keeps what it is given; `check.rs` judges it.

use std::time::Duration;

#[cfg(feature = "postgres")]
use crate::{config::Builder, host::secret::Secret, outbox::FleetSettings};

/// Where the instances' store is.
#[derive(Debug)]
pub(in crate::config) struct Fleet {
    pub(in crate::config) schema: String,
    pub(in crate::config) poll: Option<Duration>,
    #[cfg(feature = "postgres")]
    pub(in crate::config) url: Option<Secret>,
}

impl Fleet {
    /// A schema of its own in the program's database.
    pub(in crate::config) const DEFAULT_SCHEMA: &str = "tracing_alert";

    pub(super) fn new() -> Self {
        Self {
            schema: Self::DEFAULT_SCHEMA.to_owned(),
            poll: None,
            #[cfg(feature = "postgres")]
            url: None,
        }
    }

    /// The settings, if there is a URL.
    #[cfg(feature = "postgres")]
    pub(in crate::config) fn settings(self) -> Option<FleetSettings> {
        self.url.map(|url| FleetSettings::new(url, self.schema, self.poll))
    }
}

#[cfg(feature = "postgres")]
impl Builder {
    /// The schema `tracing_alert`.
    pub const DEFAULT_FLEET_SCHEMA: &str = Fleet::DEFAULT_SCHEMA;

    /// The PostgreSQL database that all instances of the program share, so that one fault
    /// in many of them is one message: a URL like
    /// `postgres://alerts:<password>@db.example.com/mydb`, which is a secret. It names the
    /// host; if that is another machine, the connection is encrypted: without `sslmode` as
    /// with `verify-full`. Events are kept in [`database`](Self::database) as well, and
    /// told from there while the fleet's store cannot be reached. [How it
    /// works](crate::docs::fleet). Default: none, and each instance alerts by itself.
    pub fn fleet(mut self, url: impl Into<String>) -> Self {
        let url = Secret::new(url);
        self.credentials.extend(FleetSettings::secrets(&url));
        self.fleet.url = Some(url);
        self
    }

    /// The schema of the [`fleet`](Self::fleet)'s tables: at most 63 lower-case letters,
    /// digits and `_`. Each application has its own. Default:
    /// [`DEFAULT_FLEET_SCHEMA`](Self::DEFAULT_FLEET_SCHEMA).
    pub fn fleet_schema(mut self, schema: impl Into<String>) -> Self {
        self.fleet.schema = schema.into();
        self
    }

    /// How often the [`fleet`](Self::fleet)'s store is asked whether there is anything to
    /// do: from 5 seconds to an hour. A database that stops when nobody uses it needs
    /// a long time. Default: the more instances, the more rarely each of them asks.
    pub fn fleet_poll(mut self, every: Duration) -> Self {
        self.fleet.poll = Some(every);
        self
    }
}

//! The command on a fleet: a real PostgreSQL in a private cluster, and programs that share it.

use std::{
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::{
    program::Program,
    stage::{Ran, Stage, eventually},
};

mod changes;
mod doctor;
mod reading;
mod silences;
mod unusable;

/// What starts servers, and asks them.
#[expect(dead_code, reason = "it serves more tests than these")]
#[path = "../../fleet"]
mod server {
    pub(crate) mod keeper;
    pub(crate) mod rows;
}
pub(crate) use server::{keeper::Keeper, rows::rows};

/// A cluster of its own, a schema in it, and settings of programs that share that.
pub(crate) struct Fleet {
    pub(crate) stage: Stage,
    cluster: Keeper,
    schema: String,
}

impl Fleet {
    pub(crate) fn new() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let cluster = Keeper::start("keep", &[]).unwrap_or_else(|error| panic!("{error}"));
        let schema = format!("alerts_{}", LAST.fetch_add(1, Ordering::Relaxed));
        let mut stage = Stage::new();
        stage.set("ALERT_EMAIL", "");
        stage
            .set("ALERT_FLEET", &format!("postgres://alerts:{PASSWORD}@127.0.0.1:{}/postgres", cluster.port));
        stage.set("ALERT_FLEET_SCHEMA", &schema);
        stage.set("ALERT_FLEET_POLL", "5s");
        let fleet = Self { stage, cluster, schema };
        fleet.admin(&format!("CREATE ROLE alerts LOGIN PASSWORD '{PASSWORD}'"));
        fleet.admin("CREATE ROLE with_password ROLE alerts; ALTER ROLE alerts CONNECTION LIMIT 20");
        fleet.admin("GRANT CREATE ON DATABASE postgres TO alerts");
        fleet
    }

    pub(crate) fn port(&self) -> u16 {
        self.cluster.port
    }

    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    /// Runs `sql` as superuser.
    pub(crate) fn admin(&self, sql: &str) -> Vec<String> {
        let sql = format!("SET search_path = {}; {sql}", self.schema);
        rows(&format!("postgres://postgres@127.0.0.1:{}/postgres", self.cluster.port), &sql)
    }

    /// A program with a file of its own, of this name, once the fleet has seen it.
    pub(crate) fn program(&self, name: &str) -> Program {
        let mut settings = self.stage.settings.clone();
        let file = self.stage.directory().join(format!("{name}.db")).display().to_string();
        settings.retain(|(known, _)| *known != "ALERT_DATABASE");
        settings.push(("ALERT_DATABASE", file));
        let program = Program::start(&settings);
        let count = self.stage.names().iter().filter(|name| name.ends_with(".db")).count().to_string();
        let tables = format!("SELECT count(*) FROM pg_tables WHERE schemaname = '{}'", self.schema);
        eventually("it is seen", || {
            self.admin(&tables) != ["0"] && self.admin("SELECT count(*) FROM instance") == [&*count]
        });
        program
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.stage.command(&[&["--fleet"], arguments].concat())
    }

    /// What the command says of the fleet.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let ran = Ran::of(self.command(arguments).output().unwrap());
        let said = format!("{}{}", ran.text, ran.errors);
        assert!(!said.contains(PASSWORD) && !said.contains("@127.0.0.1"), "the URL is shown: {ran:?}");
        ran
    }

    /// The same as JSON; it has to go well.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let ran = self.run(&[arguments, &["--json"]].concat());
        assert!(ran.is_well, "{arguments:?}: {ran:?}");
        serde_json::from_str(&ran.text).unwrap_or_else(|error| panic!("{error}: {}", ran.text))
    }
}

pub(crate) const PASSWORD: &str = "fleet-password-nobody-may-see";

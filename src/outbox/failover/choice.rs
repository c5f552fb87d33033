//! Which of the default files is this program's.
//!
//! Runs on the alert thread. A choice that fails is made again, as a file that fails
//! is tried again.
//! Invariant: a program that is not known from others gets none.

use std::path::PathBuf;

use crate::{
    host::{executable, trouble},
    outbox::{
        StoreError,
        sqlite::{Place, Program, choose, database_path},
    },
};

/// What there is to choose by.
pub(super) struct Choice {
    /// The file of the first program of the name.
    first: PathBuf,
    program: Program,
    /// What it is called in messages, and its directory after.
    app: String,
}

impl Choice {
    /// Of a program with the `name` that it was given, if any, called `app`.
    ///
    /// # Errors
    ///
    /// If there can be no file; then there is nothing to try again.
    pub(super) fn new(name: Option<&str>, app: &str) -> Result<Self, String> {
        let by_path = || executable::path().map(Program::At);
        let program = name.map(|name| Program::Named(name.to_owned())).or_else(by_path);
        let program =
            program.ok_or("the path of this program cannot be found: set ALERT_APP_NAME to its name")?;
        let first = database_path(app, |name| std::env::var_os(name)).ok_or(
            "the environment names no directory for application state: set ALERT_DATABASE to a writable file",
        )?;
        Ok(Self { first, program, app: app.to_owned() })
    }

    /// Chooses a file that no other program has now, and says so if another of the
    /// name runs.
    pub(super) fn make(&self) -> Result<Place, StoreError> {
        let place = choose(&self.first, &self.program)?;
        if let Some(other) = &place.beside {
            trouble::say(&format!(
                "another program called {} runs ({other}): this one keeps its alerts apart, in {}. Give each a name \
                 by ALERT_APP_NAME: of its own, or the same to share a file",
                self.app,
                place.path.display()
            ));
        }
        Ok(place)
    }
}

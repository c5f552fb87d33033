//! From settings to a running layer.
//!
//! Runs on the caller's thread, once.
//! Invariant: opens no file and no socket, the alert thread does that; but a
//! time zone that is set is looked up.

use std::sync::Arc;

use tracing::level_filters::LevelFilter;

use crate::{
    config::{self, Builder, Config},
    dispatcher::{self, exit},
    error::Error,
    fork::Birth,
    gate::Gate,
    handle::{AlertHandle, Shared},
    layer::AlertLayer,
    panic,
    queue::queue,
    signal::Signal,
    stats::Counters,
    trouble,
};

impl AlertLayer {
    /// The settings of a layer, to be given one by one.
    pub fn builder() -> Builder {
        Builder::new()
    }
}

impl<S> AlertLayer<S> {
    /// A layer with the settings in the process's environment; see the README's
    /// table.
    ///
    /// Cannot fail: what is wrong or missing switches off what needs it, one
    /// line on stderr for each says how to mend it, and the rest works. Returns
    /// at once: files and sockets are the alert thread's business.
    #[must_use = "a layer does nothing until it is given to a subscriber"]
    pub fn from_env() -> Self {
        let (builder, problems) = config::read(std::env::vars_os());
        problems.iter().for_each(|problem| trouble::say(&problem.to_string()));
        match builder.build() {
            Ok(layer) => layer,
            Err(error) => {
                trouble::say(&error.to_string());
                Self::idle()
            }
        }
    }

    /// As [`from_env`](Self::from_env), but does not go on with half of it.
    ///
    /// # Errors
    ///
    /// If a setting is wrong, unknown or missing, or if nobody would be told.
    pub fn try_from_env() -> Result<Self, Error> {
        let (builder, problems) = config::read(std::env::vars_os());
        if problems.is_empty() { builder.build() } else { Err(Error::Settings(problems)) }
    }

    fn start(config: Config) -> Self {
        let ceiling = config.routes.iter().map(|route| route.level).max().unwrap_or(LevelFilter::OFF);
        let level = config.level;
        let span_level = config.span_level;
        let counters = Arc::new(Counters::new(config.storm_rate));
        let (queue, receiver) = queue(Arc::clone(&counters));
        let birth = Birth::here();
        let panics = config.panics;
        let wait_for_commit = config.wait_for_commit;
        let (queue, ended) = match dispatcher::start(config, Arc::clone(&counters), receiver) {
            Ok(ended) => {
                exit::register(birth, queue.downgrade(), Arc::clone(&ended), Arc::clone(&counters));
                (Some(queue), ended)
            }
            Err(error) => {
                trouble::say(&format!("the alert thread cannot be started, so nothing alerts: {error}"));
                // At the same level: what is lost is counted.
                (None, never_started())
            }
        };
        let gate = Gate::new(level, ceiling, span_level);
        let shared = Arc::new(Shared { birth, gate: gate.clone(), counters, queue, ended, wait_for_commit });
        if panics {
            panic::install(&shared);
        }
        Self::new(gate, AlertHandle::new(shared))
    }

    /// A layer that wants nothing.
    fn idle() -> Self {
        let gate = Gate::new(LevelFilter::OFF, LevelFilter::OFF, LevelFilter::OFF);
        let shared = Shared {
            birth: Birth::here(),
            gate: gate.clone(),
            counters: Arc::default(),
            queue: None,
            ended: never_started(),
            wait_for_commit: None,
        };
        Self::new(gate, AlertHandle::new(Arc::new(shared)))
    }
}

/// What stands for an alert thread that there is none of.
fn never_started() -> Arc<Signal<()>> {
    let ended = Signal::new();
    ended.set(());
    Arc::new(ended)
}

impl Builder {
    /// Checks the settings and starts the layer. Returns at once: files and
    /// sockets are the alert thread's business.
    ///
    /// # Errors
    ///
    /// If a setting is wrong, or if nobody would be told; the error names every
    /// such setting.
    pub fn build<S>(self) -> Result<AlertLayer<S>, Error> {
        self.check().map(AlertLayer::start)
    }
}

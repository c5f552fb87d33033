//! From settings to a running layer.
//!
//! Runs on the caller's thread, once.
//! Invariant: opens no file and no socket, the alert thread does that; but a
//! time zone that is set is looked up, and files of credentials are read.

use std::sync::Arc;

use tracing::level_filters::LevelFilter;

use crate::{
    capture::{directives::Directives, gate::Gate, spans::Spans, trail::Trails},
    config::{Builder, Config},
    dispatcher,
    error::{Error, Problem},
    host::{fork::Birth, signal::Signal, trouble},
    layer::{AlertLayer, handle::AlertHandle, hook},
    queue::{exit, queue, shared::Shared, stats::Counters},
};

impl AlertLayer {
    /// Starts a list of settings, each given by a method.
    pub fn builder() -> Builder {
        Builder::new()
    }
}

impl<S> AlertLayer<S> {
    /// A layer with the settings in the process's environment: see
    /// [the table](crate::docs::settings).
    ///
    /// Cannot fail: a setting that is wrong or missing switches off only what needs
    /// it, and a line on stderr says how to fix it. Returns at once: the alert thread
    /// opens files and sockets; only files [of credentials](Builder::from_env) are
    /// read here. To add to the environment in code, use [`Builder::from_env`].
    #[must_use = "a layer does nothing until it is given to a subscriber"]
    pub fn from_env() -> Self {
        Builder::from_env().build_anyway()
    }

    /// As [`from_env`](Self::from_env), but returns what is wrong instead of going on
    /// without it.
    ///
    /// # Errors
    ///
    /// If a setting is wrong or missing, or if nobody would be told. A name that is
    /// close to one of ours is no error, but only a line on stderr: it may belong to
    /// somebody else.
    pub fn try_from_env() -> Result<Self, Error> {
        Builder::from_env().build()
    }

    fn start(config: Config) -> Self {
        if config.setup.routes.is_empty() {
            return Self::idle();
        }
        config.setup.voice.clone().with(|| Self::start_aloud(config))
    }

    fn start_aloud(config: Config) -> Self {
        let ceiling = config.setup.routes.iter().map(|route| route.level).max().unwrap_or(LevelFilter::OFF);
        let (level, directives) = (config.level, config.directives.clone());
        let (breadcrumbs, span_level) = (config.breadcrumbs, config.span_level);
        let counters = Arc::new(Counters::new(config.storm_rate));
        let (queue, receiver) = queue(Arc::clone(&counters));
        let birth = Birth::here();
        let (panics, voice) = (config.panics, config.setup.voice.clone());
        let wait_for_commit = config.wait_for_commit;
        let (queue, ended) = match dispatcher::start(config.setup, Arc::clone(&counters), receiver) {
            Ok(ended) => {
                exit::register(queue.downgrade(), Arc::clone(&ended), Arc::clone(&counters), voice);
                (Some(queue), ended)
            }
            Err(error) => {
                trouble::say(&format!("the alert thread cannot be started, so nothing alerts: {error}"));
                // At the same level: what is lost is counted.
                (None, never_started())
            }
        };
        let gate = Gate::new(level, directives, ceiling, breadcrumbs, span_level);
        let trails = (breadcrumbs != LevelFilter::OFF).then(Trails::new);
        let shared = Arc::new(Shared {
            birth,
            gate: gate.clone(),
            counters,
            queue,
            ended,
            wait_for_commit,
            spans: Spans::new(),
            trails,
        });
        if panics {
            hook::install(&shared);
        }
        Self::new(gate, AlertHandle::new(shared))
    }

    /// A layer that wants nothing.
    fn idle() -> Self {
        let off = LevelFilter::OFF;
        let gate = Gate::new(off, Directives::default(), off, off, off);
        let shared = Shared {
            birth: Birth::here(),
            gate: gate.clone(),
            counters: Arc::default(),
            queue: None,
            ended: never_started(),
            wait_for_commit: None,
            spans: Spans::new(),
            trails: None,
        };
        Self::new(gate, AlertHandle::new(Arc::new(shared)))
    }
}

/// Says each of `problems` to who listens.
fn tell(problems: &[Problem]) {
    problems.iter().for_each(|problem| trouble::say(&problem.to_string()));
}

/// What stands for an alert thread that there is none of.
fn never_started() -> Arc<Signal<()>> {
    let ended = Signal::new();
    ended.set(());
    Arc::new(ended)
}

impl Builder {
    /// Checks the settings and starts the layer. Returns at once: the alert thread
    /// opens files and sockets.
    ///
    /// # Errors
    ///
    /// If a setting is wrong, in code or in the environment, or if nobody would be
    /// told although alerts are not [off](Self::level). The error names every such
    /// setting.
    pub fn build<S>(self) -> Result<AlertLayer<S>, Error> {
        self.voice.clone().with(|| {
            tell(self.hints());
            self.check().map(AlertLayer::start)
        })
    }

    /// As [`build`](Self::build), but cannot fail: a setting that is wrong or missing
    /// switches off only what needs it, and a line on stderr says how to fix it. If
    /// nobody would be told, the layer does nothing.
    #[must_use = "a layer does nothing until it is given to a subscriber"]
    pub fn build_anyway<S>(self) -> AlertLayer<S> {
        self.voice.clone().with(|| {
            tell(self.hints());
            let (config, problems) = self.sifted();
            tell(&problems);
            AlertLayer::start(config)
        })
    }
}

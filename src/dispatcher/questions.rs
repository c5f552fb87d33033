//! [`Questions`]: when a sink is to be asked what became of its messages.

use std::time::{Duration, SystemTime};

/// When the next question is due.
#[derive(Clone, Copy, Debug, Default)]
enum Due {
    /// Something changed: the store has to be asked.
    #[default]
    Unknown,
    Never,
    At(SystemTime),
    /// Who may not ask does not ask.
    Off,
}

/// One sink's questions.
#[derive(Debug, Default)]
pub(super) struct Questions {
    due: Due,
    pub(super) is_asking: bool,
}

impl Questions {
    pub(super) fn may_ask(&self) -> bool {
        !self.is_asking && !matches!(self.due, Due::Off)
    }

    pub(super) fn is_unknown(&self) -> bool {
        matches!(self.due, Due::Unknown)
    }

    pub(super) fn set(&mut self, at: Option<SystemTime>) {
        self.due = at.map_or(Due::Never, Due::At);
    }

    /// Something changed: questions may be due.
    pub(super) fn wake(&mut self) {
        if !matches!(self.due, Due::Off) {
            self.due = Due::Unknown;
        }
    }

    /// Asks nothing any more.
    pub(super) fn give_up(&mut self) {
        self.due = Due::Off;
    }

    /// How long no question is due; none if one is.
    pub(super) fn wait(&self, now: SystemTime) -> Option<Duration> {
        match self.due {
            Due::At(at) => at.duration_since(now).ok().filter(|wait| !wait.is_zero()),
            Due::Unknown | Due::Never | Due::Off => Some(Duration::MAX),
        }
    }
}

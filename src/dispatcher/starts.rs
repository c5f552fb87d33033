//! A program that starts again and again is told of, and not only what each run of
//! it says.
//!
//! A start failed if its process ended after an error with a status that says so, or after
//! a panic; or if it is gone without an end, and an error was the last that was heard of
//! it. Without that, it may have been ended by Ctrl-C or a service manager: nobody can
//! tell that from a fault.
//! A file knows the starts that share it. A fleet knows those whose files were lost: one
//! for each instance that is gone, of the same version, as those of another may have been
//! stopped to be replaced.
//! Invariant: runs that end well never count, nor workers that live, nor those that
//! alert and end beside us.

#[cfg(feature = "sqlite")]
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use tracing::Level;
use uuid::Uuid;

use super::{Dispatcher, tell::public_id};
#[cfg(feature = "sqlite")]
use crate::host::fork::PerProcess;
use crate::{
    event::{Event, Field, Value},
    host::{permit::Permit, time::Saturating},
    outbox::{About, Began, Captured, CrashLoop, LOOP_WINDOW, Maker, Start, StoreError},
    policy::{fingerprint::keys, notice::Process},
    queue::exit,
};

/// The first run of this process: other runs of it are later.
#[cfg(feature = "sqlite")]
static FIRST_RUN: PerProcess<OnceLock<Uuid>> = PerProcess::new();

/// Notes that `run` is one of this process.
#[cfg(feature = "sqlite")]
pub(super) fn note_run(run: Uuid) {
    FIRST_RUN.get().get_or_init(|| run);
}

#[cfg(feature = "sqlite")]
impl Dispatcher<'_> {
    /// Notes that this process has started, in a file that did not know. False if
    /// that is to be tried again.
    pub(super) async fn note_start(&mut self) -> bool {
        if !self.tells_crash_loops {
            return true;
        }
        let age = self.inbox.since.elapsed();
        // An end with nothing to do may not wait until it is noted.
        let is_over = exit::has_begun() && self.counters.captured() == 0;
        if age >= LOOP_WINDOW || is_over {
            return true;
        }
        let now = SystemTime::now();
        // What fails will fail when it matters, and is told of then.
        !matches!(self.judge_starts(self.first_run(), age, now).await, Err(StoreError::Busy))
    }

    /// Notes that this process ends by itself: later it need not say so.
    pub(super) async fn note_end(&mut self) {
        if self.tells_crash_loops && self.upkeep.has_noted && self.inbox.since.elapsed() < LOOP_WINDOW {
            let fails = self.fails();
            drop(self.outbox.store.note_end(self.first_run(), fails, SystemTime::now()).await);
        }
    }

    pub(super) fn first_run(&self) -> Uuid {
        FIRST_RUN.get().get().copied().unwrap_or(self.inbox.run)
    }
}

impl Dispatcher<'_> {
    /// Notes the start `run` of this process, which is so old, and tells of it if too many
    /// failed before it.
    pub(super) async fn judge_starts(
        &mut self,
        run: Uuid,
        age: Duration,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let process = &self.process;
        let maker = Maker {
            new_id: &public_id,
            run: self.inbox.run,
            process,
            calendar: &self.calendar,
            is_of_fleet: self.is_of_fleet,
        };
        let us = Us { process, first_run: run, since: now.earlier(age) };
        let have_failed = |start: &Start| has_failed(start, &us, is_alive);
        let tell = |it: CrashLoop| captured(&it, &process.app, now);
        let began = Began { at: us.since, run };
        if self.outbox.store.note_start(began, have_failed, tell, &maker, &self.targets, now).await? {
            self.tell_at = None;
        }
        Ok(())
    }

    /// Whether this process, which ends, came to a bad end.
    pub(super) fn fails(&self) -> bool {
        match exit::status() {
            Some(status) => self.inbox.has_erred && status != 0,
            None => self.inbox.has_panicked,
        }
    }
}

/// Whether a start came to a bad end before `us` began, as far as we can tell.
fn has_failed(start: &Start, us: &Us<'_>, is_alive: impl Fn(u32) -> bool) -> bool {
    let is_here = us.process.host.as_deref().is_some_and(|host| host == start.host);
    // In a container each process may have the same number.
    let has_our_number = is_here && start.pid == us.process.pid;
    let (may_count, is_gone) = match &start.seen {
        Some(seen) => (seen.version == us.process.version, seen.until <= us.since),
        None => {
            (!has_our_number || start.run < us.first_run, has_our_number || (is_here && !is_alive(start.pid)))
        }
    };
    may_count
        && match start.ended_at {
            Some(at) => at <= us.since,
            None => start.erred_last && is_gone,
        }
}

/// This run, among others.
struct Us<'a> {
    process: &'a Process,
    first_run: Uuid,
    since: SystemTime,
}

#[cfg(unix)]
#[expect(unsafe_code, reason = "the standard library cannot ask whether a process is there")]
pub(crate) fn is_alive(pid: u32) -> bool {
    let Ok(pid) = libc::pid_t::try_from(pid) else { return true };
    // SAFETY: signal 0 is sent to nobody; it only asks.
    let is_there = unsafe { libc::kill(pid, 0) } == 0;
    is_there || std::io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}

#[cfg(windows)]
#[expect(unsafe_code, reason = "the standard library cannot ask whether a process is there")]
pub(crate) fn is_alive(pid: u32) -> bool {
    use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
    use windows_sys::Win32::{
        Foundation::{ERROR_INVALID_PARAMETER, WAIT_OBJECT_0},
        System::Threading::{OpenProcess, PROCESS_SYNCHRONIZE, WaitForSingleObject},
    };
    // SAFETY: it only looks the number up.
    let handle = unsafe { OpenProcess(PROCESS_SYNCHRONIZE, 0, pid) };
    if handle.is_null() {
        let why = std::io::Error::last_os_error().raw_os_error();
        return why != Some(ERROR_INVALID_PARAMETER.cast_signed());
    }
    // SAFETY: the handle was given to us just now, and nobody else closes it.
    let handle = unsafe { OwnedHandle::from_raw_handle(handle) };
    // SAFETY: the handle is open; it does not wait. A process that somebody has a
    // handle of can be opened after its end, which is what it signals.
    unsafe { WaitForSingleObject(handle.as_raw_handle(), 0) != WAIT_OBJECT_0 }
}

/// Nobody knows.
#[cfg(not(any(unix, windows)))]
pub(crate) fn is_alive(_pid: u32) -> bool {
    true
}

fn captured(it: &CrashLoop, app: &str, now: SystemTime) -> Captured {
    let mut event = Event {
        at: it.since,
        level: Level::ERROR,
        // It comes from nowhere in the program.
        target: "".into(),
        message: "crash loop".to_owned(),
        fields: vec![Field::new("starts", Value::Str(explanation(it)))],
        file: None,
        line: None,
        module_path: None,
        thread: None,
        spans: Vec::new(),
        backtrace: None,
        breadcrumbs: Vec::new(),
        panic: false,
    };
    // Whatever the last error is, it is one incident.
    let fingerprint = keys(&event, app, None).own;
    event.message = message(it);
    Captured {
        event,
        fingerprint,
        count: it.starts,
        last_at: now,
        latest: None,
        is_stand_in: false,
        said: None,
        about: Some(About::CrashLoop),
        not_before: None,
        permit: Permit::default(),
    }
}

fn message(it: &CrashLoop) -> String {
    let Some(event) = &it.last_error else {
        return "crash loop, and no run logged why".to_owned();
    };
    let message = event.message.lines().next().unwrap_or_default();
    match event.location().filter(|_| event.panic) {
        Some(place) => format!("crash loop, last panic: {message} at {place}"),
        None => format!("crash loop, last error: {message}"),
    }
}

/// What the phone has no room for.
fn explanation(it: &CrashLoop) -> String {
    let minutes = LOOP_WINDOW.as_secs() / 60;
    format!(
        "{} within {minutes} minutes; all but the last failed: they ended with an error, or were killed after one",
        it.starts
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::tests::event, outbox::Sighting};

    #[test]
    fn only_a_start_that_came_to_a_bad_end_has_failed() {
        let process = Process { host: Some("web-1".to_owned()), pid: 1, ..Process::default() };
        let (before, first_run, later) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let us = Us { process: &process, first_run, since: at(9) };
        let start = |run, host: &str, pid, ended_at| Start {
            run,
            host: host.to_owned(),
            pid,
            at: at(1),
            ended_at,
            erred_last: true,
            seen: None,
        };
        let failed = |start: &Start| has_failed(start, &us, |pid| pid == 7);
        assert!(!failed(&start(before, "web-1", 7, None)), "it is alive");
        assert!(failed(&start(before, "web-1", 8, None)), "it is gone");
        let ended_by_somebody = Start { erred_last: false, ..start(before, "web-1", 8, None) };
        assert!(!failed(&ended_by_somebody), "for all that is known");
        assert!(failed(&start(before, "web-1", 7, Some(at(9)))), "it ended, and another has its number");
        assert!(!failed(&start(before, "web-1", 8, Some(at(10)))), "it began together with us");
        assert!(failed(&start(before, "web-1", 1, None)), "the container started again");
        assert!(!failed(&start(later, "web-1", 1, Some(at(8)))), "another layer of ours");
        assert!(!failed(&start(before, "web-2", 8, None)), "nobody knows");
        assert!(failed(&start(before, "web-2", 8, Some(at(8)))), "it said so");
        let nowhere = Process { host: None, ..process.clone() };
        let us = Us { process: &nowhere, ..us };
        assert!(!has_failed(&start(before, "", 8, None), &us, |_| false), "nobody knows");
    }

    #[test]
    fn a_start_of_another_instance_has_failed_if_it_was_of_the_same_version_and_is_gone() {
        let version = |text: &str| Some(text.to_owned());
        let process = Process { host: Some("web-1".to_owned()), version: version("2"), ..Process::default() };
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let us = Us { process: &process, first_run: Uuid::from_u128(2), since: at(9) };
        let start = |until, of: &str, ended_at, erred_last| Start {
            run: Uuid::from_u128(7),
            host: "web-1".to_owned(),
            pid: process.pid,
            at: at(1),
            ended_at,
            erred_last,
            seen: Some(Sighting { version: version(of), until: at(until) }),
        };
        let failed = |start: Start| has_failed(&start, &us, |_| false);
        assert!(failed(start(9, "2", None, true)));
        assert!(!failed(start(10, "2", None, true)), "it may be there, whatever its number is");
        assert!(!failed(start(9, "1", None, true)), "it may have been replaced");
        assert!(!failed(start(9, "2", None, false)), "for all that is known");
        assert!(failed(start(99, "2", Some(at(9)), false)), "it said so");
        assert!(!failed(start(99, "2", Some(at(10)), false)), "it began together with us");
    }

    #[test]
    fn this_process_is_alive_and_one_that_was_waited_for_is_not() {
        assert!(is_alive(std::process::id()));
        let itself = std::env::current_exe().unwrap();
        let list = std::process::Command::new(itself).args(["--list", "no such test"]).spawn();
        let mut child = list.unwrap();
        child.wait().unwrap();
        // Where a handle of it is open, and where nobody has one any more.
        let pid = child.id();
        assert!(!is_alive(pid));
        drop(child);
        assert!(!is_alive(pid));
    }

    #[test]
    fn the_message_says_what_the_last_run_said() {
        let said = |last_error| message(&CrashLoop { starts: 5, since: SystemTime::UNIX_EPOCH, last_error });
        assert_eq!(said(None), "crash loop, and no run logged why");
        let failed = event("no database\nat all");
        assert_eq!(said(Some(failed)), "crash loop, last error: no database");
        let panicked = Event { panic: true, file: Some("src/a.rs".into()), line: Some(7), ..event("gone") };
        assert_eq!(said(Some(panicked)), "crash loop, last panic: gone at src/a.rs:7");
    }
}

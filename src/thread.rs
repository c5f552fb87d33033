//! Our own threads: named, and deaf to the host's signals.
//!
//! A signal that is meant for the process goes to any thread that does not block
//! it. Ours must not take one that the host waits for by `sigwait`, and a pipe that
//! nobody reads must be an error to us, not the end of the process.

use std::{io, thread::JoinHandle};

/// Starts a thread that blocks the signals of the process; threads and programs
/// that it starts do, too.
///
/// # Errors
///
/// If the process may not have another thread.
pub(crate) fn start<T: Send + 'static>(
    name: String,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let _blocked = Blocked::new();
    std::thread::Builder::new().name(name).spawn(work)
}

/// While it stands, this thread blocks the signals of the process.
struct Blocked {
    #[cfg(unix)]
    before: Option<libc::sigset_t>,
}

impl Blocked {
    #[cfg(unix)]
    #[expect(unsafe_code, reason = "the standard library knows nothing of signals")]
    fn new() -> Self {
        // SAFETY: the set is initialised before it is used, and both sets outlive
        // the calls. What a thread does wrong itself is not blocked: the handler of
        // a stack overflow says so.
        unsafe {
            let mut ours: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&raw mut ours);
            for own in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGABRT]
            {
                libc::sigdelset(&raw mut ours, own);
            }
            let mut before: libc::sigset_t = std::mem::zeroed();
            let is_set = libc::pthread_sigmask(libc::SIG_SETMASK, &raw const ours, &raw mut before) == 0;
            Self { before: is_set.then_some(before) }
        }
    }

    #[cfg(not(unix))]
    fn new() -> Self {
        Self {}
    }
}

#[cfg(unix)]
impl Drop for Blocked {
    #[expect(unsafe_code, reason = "the standard library knows nothing of signals")]
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // SAFETY: the set was given by the same call.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, std::ptr::null_mut()) };
        }
    }
}

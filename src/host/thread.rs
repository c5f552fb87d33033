//! Whose work a thread does; and our own threads: marked, named, and deaf to the
//! host's signals.
//!
//! A signal that is meant for the process goes to any thread that does not block
//! it. Ours must not take one that the host waits for by `sigwait`, and a pipe that
//! nobody reads must be an error to us, not the end of the process.
//! Invariant: what [`Role::here`] and [`name`] do is safe in an allocator that
//! logs, inside themselves, and while the thread's local storage is torn down.

use std::{
    cell::{Cell, OnceCell},
    fmt, io,
    marker::PhantomData,
    pin::pin,
    sync::{Arc, OnceLock},
    thread::JoinHandle,
    time::Duration,
};

use crate::host::{fork::PerProcess, signal::Signal, text, time::from_now};

/// Whose work a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The program's: what is emitted alerts.
    Host,
    /// Code of the program's that works for us, as a sink does: what it emits is
    /// for the other layers, and never alerts. A failing sink would alert about
    /// itself.
    Guest,
    /// Ours: what is emitted reaches no layer.
    Own,
    /// Ours, for a panic that somebody was told of already.
    LookUp,
}

thread_local! {
    // No destructor, so that it can be read while the thread ends. A thread that
    // we did not start has none until it is first asked.
    static ROLE: Cell<Option<Role>> = const { Cell::new(None) };

    /// Whether the thread ends the process, and its name cannot be asked for.
    static IS_SETTLED: Cell<bool> = const { Cell::new(false) };
}

impl Role {
    /// That of this thread, now.
    #[inline]
    pub(crate) fn here() -> Self {
        match ROLE.try_with(Cell::get) {
            Ok(Some(role)) => role,
            Ok(None) => find_out(),
            Err(_) => Self::Host,
        }
    }

    /// Whether what this thread emits may alert.
    pub(crate) fn may_alert_here() -> bool {
        Self::here() == Self::Host
    }

    /// Whether what this thread emits reaches the layers of the program.
    pub(crate) fn is_heard_here() -> bool {
        matches!(Self::here(), Self::Host | Self::Guest)
    }

    /// Has this thread do our work from now on.
    pub(crate) fn set(self) {
        // It has no destructor, so it is always there.
        let _ = ROLE.try_with(|role| role.set(Some(self)));
    }

    /// Has a thread that ends the process, of which nothing is known yet, be the
    /// host's: there it cannot be found out any more.
    pub(crate) fn settle() {
        let _ = ROLE.try_with(|role| {
            if role.get().is_none() {
                role.set(Some(Self::Host));
            }
        });
        let _ = IS_SETTLED.try_with(|is_settled| is_settled.set(true));
    }

    /// Has this thread do such work until what is returned is dropped.
    fn begin(self) -> Acting {
        let before = Self::here();
        self.set();
        Acting { before, stays_here: PhantomData }
    }

    /// Does `act` in this role.
    pub(crate) fn play<T>(self, act: impl FnOnce() -> T) -> T {
        let _acting = self.begin();
        act()
    }

    /// Completes `future`, which is in this role whenever it is polled.
    pub(crate) async fn play_all<F: Future>(self, future: F) -> F::Output {
        let mut future = pin!(future);
        std::future::poll_fn(|context| self.play(|| future.as_mut().poll(context))).await
    }
}

/// Of a thread that we did not mark: the host's, unless it has the name that
/// nobody else can have.
#[cold]
fn find_out() -> Role {
    // Until it is known: an allocator that logs asks while the name is copied.
    Role::Host.set();
    let is_ours =
        SECRET_NAME.latest().and_then(OnceLock::get).is_some_and(|secret| name().as_deref() == Some(secret));
    let role = if is_ours { Role::Own } else { Role::Host };
    role.set();
    role
}

/// Stands while a thread has another role than before.
struct Acting {
    before: Role,
    /// Not another thread's to drop.
    stays_here: PhantomData<*const ()>,
}

impl Drop for Acting {
    fn drop(&mut self) {
        self.before.set();
    }
}

/// While it lives, nothing that this thread emits alerts; other layers see it as
/// usual. Use it in the threads and tasks that a [`Sink`](crate::Sink) starts: without
/// it, an error that they log is an alert about alerting.
///
/// Nothing alerts inside [`Sink::send`](crate::Sink::send) itself, or in the tasks
/// that it gives to `tokio::spawn` and `tokio::task::spawn_blocking`. But what these
/// tasks emit reaches no other layer either, unless they use this.
///
/// ```
/// use tracing_alert::NoAlerts;
///
/// let helper = std::thread::spawn(|| {
///     let _no_alerts = NoAlerts::here();
///     tracing::error!("the pager's battery is low");
/// });
/// # helper.join().unwrap();
/// ```
#[must_use = "alerts are off only while it stands"]
pub struct NoAlerts(Acting);

impl NoAlerts {
    /// Nothing that this thread emits alerts, until what is returned is dropped.
    pub fn here() -> Self {
        Self(Role::Guest.begin())
    }

    /// Nothing that `future` emits alerts, on whichever thread it is polled.
    ///
    /// ```
    /// # async fn connect() {}
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// runtime.spawn(tracing_alert::NoAlerts::during(async {
    ///     connect().await;
    ///     tracing::error!("the pager hung up");
    /// }));
    /// ```
    pub fn during<F: Future>(future: F) -> impl Future<Output = F::Output> {
        Role::Guest.play_all(future)
    }
}

impl fmt::Debug for NoAlerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoAlerts").field("before", &self.0.before).finish()
    }
}

/// The name of this thread; none if it has none, or if its local storage is gone.
pub(crate) fn name() -> Option<Arc<str>> {
    thread_local! {
        static NAME: OnceCell<Option<Arc<str>>> = const { OnceCell::new() };
    }
    let known = NAME.try_with(|known| match known.get() {
        Some(name) => name.clone(),
        None if IS_SETTLED.try_with(Cell::get).unwrap_or(true) => None,
        None => {
            // Nothing is being set meanwhile: an allocator that logs comes here, too.
            let name = std::thread::current().name().map(|name| text::short(name).into());
            drop(known.set(name.clone()));
            name
        }
    });
    known.ok().flatten()
}

/// The name of the alert thread, and how those of its helpers begin. Nothing
/// depends on it: a host's thread may have such a name.
pub(crate) const NAME: &str = "tracing-alert";

static SECRET_NAME: PerProcess<OnceLock<String>> = PerProcess::new();

/// A name for threads that others start for us: whoever has it is ours. `secret`,
/// which nobody else knows, ends it, if it is the first.
#[cfg(feature = "sqlite")]
pub(crate) fn secret_name(secret: impl FnOnce() -> String) -> String {
    SECRET_NAME.get().get_or_init(|| format!("{NAME}-db-{}", secret())).clone()
}

/// As [`start`], and waits until the thread has done `prepare`. The standard library holds
/// a lock while a thread starts: a child that is forked meanwhile could start none.
///
/// # Errors
///
/// As [`start`].
pub(crate) fn start_before_forks<T: Send + 'static>(
    role: Role,
    name: String,
    prepare: impl FnOnce() + Send + 'static,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let begun = Arc::new(Signal::new());
    let begins = Arc::clone(&begun);
    let thread = start(role, name, move || {
        prepare();
        begins.set(());
        work()
    })?;
    let _: Option<()> = begun.wait_until(from_now(MAX_START));
    Ok(thread)
}

/// How long a thread may take to begin, on a machine with much else to do, until the host
/// goes on all the same.
const MAX_START: Duration = Duration::from_millis(200);

/// Starts a thread in `role` that blocks the signals of the process; threads and
/// programs that it starts do, too.
///
/// # Errors
///
/// If the process may not have another thread.
pub(crate) fn start<T: Send + 'static>(
    role: Role,
    name: String,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let _blocked = Blocked::new();
    let work = move || {
        role.set();
        work()
    };
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
            for own in [
                libc::SIGSEGV,
                libc::SIGBUS,
                libc::SIGFPE,
                libc::SIGILL,
                libc::SIGTRAP,
                libc::SIGABRT,
                libc::SIGSYS,
            ] {
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

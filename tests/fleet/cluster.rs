//! A private PostgreSQL cluster, and what can happen to it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use crate::{
    figures,
    keeper::{Keeper, start_again},
    rows::{rows, try_rows},
    support::eventually,
};

/// A cluster on 127.0.0.1 whose files are gone when it is dropped.
pub(crate) struct Cluster {
    keeper: Keeper,
}

/// The cluster of all tests in this process that leave it whole. It ends with the process.
pub(crate) fn shared() -> &'static Cluster {
    static SHARED: LazyLock<Cluster> = LazyLock::new(Cluster::start);
    &SHARED
}

/// The name of a schema that no other test has.
pub(crate) fn schema() -> String {
    static LAST: AtomicU32 = AtomicU32::new(0);
    format!("alerts_{}", LAST.fetch_add(1, Ordering::Relaxed))
}

impl Cluster {
    /// Starts a cluster of its own, for a test that does something to it.
    pub(crate) fn start() -> Self {
        Self::with(&[]).unwrap_or_else(|error| panic!("{error}"))
    }

    /// A cluster on a disk of so many megabytes, if such a disk can be made here. If not,
    /// a line says so.
    pub(crate) fn on_a_small_disk(megabytes: u32) -> Option<Self> {
        match Self::with(&[megabytes.to_string()]) {
            Ok(cluster) => Some(cluster),
            Err(error) if error.contains(NO_DISK) => {
                figures(&format!("NOT TESTED: a full disk, which needs root: {error}"));
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn with(arguments: &[String]) -> Result<Self, String> {
        let cluster = Self { keeper: Keeper::start("keep", arguments)? };
        // No superuser: those are held to no limit of connections.
        cluster.admin("CREATE ROLE alerts LOGIN; GRANT CREATE ON DATABASE postgres TO alerts");
        Ok(cluster)
    }

    pub(crate) fn port(&self) -> u16 {
        self.keeper.port
    }

    /// Where its files are.
    pub(crate) fn directory(&self) -> &Path {
        &self.keeper.directory
    }

    /// Where the server says what it refuses.
    pub(crate) fn log(&self) -> PathBuf {
        self.keeper.directory.join("log")
    }

    /// The URL that a program has, of a role that may make its schema and nothing else.
    pub(crate) fn url(&self) -> String {
        url("alerts", self.port())
    }

    /// Runs `sql` as superuser.
    pub(crate) fn admin(&self, sql: &str) -> Vec<String> {
        rows(&url("postgres", self.port()), sql)
    }

    /// Kills all of its processes at once, as a machine that loses power does.
    pub(crate) fn kill_hard(&self) {
        self.signal_main("STOP");
        let processes = self.processes();
        signal("KILL", &processes);
        eventually("the cluster is dead", || {
            processes.iter().all(|each| matches!(state(*each), None | Some('Z')))
        });
    }

    /// Starts it after [`kill_hard`](Self::kill_hard), at the same port.
    pub(crate) fn restart(&self) {
        start_again(&self.keeper.directory);
    }

    /// Makes it a standby, as after a failover that clients do not know of: it answers, and
    /// takes nothing.
    pub(crate) fn demote(&self) {
        self.kill_hard();
        let signal = self.keeper.directory.join("data/standby.signal");
        fs::File::create(signal).unwrap();
        self.restart();
    }

    /// Has it take what is written, after [`demote`](Self::demote).
    pub(crate) fn promote(&self) {
        assert_eq!(self.admin("SELECT pg_promote()"), ["t"]);
    }

    /// Stops all of its processes where they are: whoever asks gets no answer, and no error.
    pub(crate) fn freeze(&self) {
        // The first, so that it starts no others meanwhile.
        self.signal_main("STOP");
        let processes = self.processes();
        signal("STOP", &processes);
        eventually("the cluster is frozen", || {
            processes.iter().all(|each| matches!(state(*each), None | Some('T' | 'Z')))
        });
    }

    /// Has it go on after [`freeze`](Self::freeze).
    pub(crate) fn thaw(&self) {
        signal("CONT", &self.processes());
    }

    /// Sets a parameter for everybody, also for those who are connected.
    pub(crate) fn set(&self, parameter: &str, value: &str) {
        self.admin(&format!("ALTER SYSTEM SET {parameter} = '{value}'"));
        self.admin("SELECT pg_reload_conf()");
        let is_set = || self.admin(&format!("SHOW {parameter}")) == [value];
        eventually("the parameter is set", is_set);
    }

    /// From now on `url`'s role has at most so many connections; `-1` is as many as there are.
    pub(crate) fn limit_connections(&self, most: i32) {
        self.admin(&format!("ALTER ROLE alerts CONNECTION LIMIT {most}"));
    }

    /// Fills the disk that it has for itself.
    pub(crate) fn fill_disk(&self) {
        let ballast = self.keeper.directory.join(BALLAST);
        let mut file = fs::File::create(ballast).unwrap();
        let error = std::io::copy(&mut std::io::repeat(0), &mut file).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }

    /// Makes room after [`fill_disk`](Self::fill_disk).
    pub(crate) fn make_room(&self) {
        fs::remove_file(self.keeper.directory.join(BALLAST)).unwrap();
    }

    /// Ends the sessions that `url`'s role has.
    pub(crate) fn end_sessions(&self) {
        self.admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'alerts'");
    }

    /// How many sessions `url`'s role has.
    pub(crate) fn sessions(&self) -> usize {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'alerts'";
        self.admin(sql)[0].parse().unwrap()
    }

    /// Whether it answers.
    pub(crate) fn is_up(&self) -> bool {
        try_rows(&self.url(), "SELECT 1").is_ok()
    }

    fn main(&self) -> u32 {
        let lock = self.keeper.directory.join("data/postmaster.pid");
        fs::read_to_string(lock).unwrap().lines().next().unwrap().parse().unwrap()
    }

    fn signal_main(&self, name: &str) {
        let main = self.main();
        signal(name, &[main]);
        eventually("it has stopped", || matches!(state(main), Some('T')));
    }

    /// The server and all that it started.
    fn processes(&self) -> Vec<u32> {
        let main = self.main();
        let all = fs::read_dir("/proc").unwrap().flatten();
        let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let children = ids.filter(|id| stat(*id).is_some_and(|(_, parent)| parent == main));
        children.chain([main]).collect()
    }
}

fn url(role: &str, port: u16) -> String {
    format!("postgres://{role}@127.0.0.1:{port}/postgres")
}

fn signal(name: &str, processes: &[u32]) {
    let ids = processes.iter().map(u32::to_string);
    // Some of them may have ended meanwhile.
    drop(Command::new("kill").arg(format!("-{name}")).args(ids).output().unwrap());
}

/// A letter, as `ps` shows it; none if the process is gone.
fn state(process: u32) -> Option<char> {
    stat(process).map(|(state, _)| state)
}

/// The state and the parent.
fn stat(process: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // After the name, which may hold anything.
    let mut words = stat.rsplit_once(')')?.1.split_whitespace();
    Some((words.next()?.chars().next()?, words.next()?.parse().ok()?))
}

const NO_DISK: &str = "no file system of";
const BALLAST: &str = "ballast";

//! Instances of one program: processes that have a disk each and share a PostgreSQL, as pods
//! do. Each does what it is told by lines on its stdin.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    cluster::{Cluster, schema},
    rows::{rows, try_rows},
    support::{Harness, own_lines, try_rows as local_rows},
};

/// What the instances of one program share.
pub(crate) struct Fleet {
    pub(crate) harness: Harness,
    /// The schema of this fleet, and of no other.
    pub(crate) schema: String,
    /// How its instances reach it.
    pub(crate) url: String,
    /// How the test does, whatever becomes of that way.
    own_url: String,
    disks: TempDir,
    /// The server's log.
    log: PathBuf,
    /// What all instances have in their environment besides the usual.
    pub(crate) settings: Vec<(&'static str, String)>,
}

impl Fleet {
    /// A fleet with the windows and the budgets that a program has by default.
    pub(crate) fn on(cluster: &Cluster) -> Self {
        Self {
            harness: Harness::new(),
            schema: schema(),
            url: cluster.url(),
            own_url: cluster.url(),
            disks: tempfile::tempdir().unwrap(),
            log: cluster.log(),
            settings: Vec::new(),
        }
    }

    /// A fleet that reaches its store another way than the test.
    pub(crate) fn by(cluster: &Cluster, url: String) -> Self {
        Self::on(cluster).reached_by(url)
    }

    /// The same fleet, whose next instances reach it another way.
    pub(crate) fn reached_by(mut self, url: String) -> Self {
        self.url = url;
        self
    }

    /// A fleet that tells each error at once, whatever it told before.
    pub(crate) fn unlimited(mut self) -> Self {
        let names = ["ALERT_SMS_WINDOW", "ALERT_EMAIL_WINDOW", "ALERT_SETTLE"];
        self.settings.extend(names.map(|name| (name, "0s".to_owned())));
        self.settings.extend(["ALERT_SMS_BUDGET", "ALERT_EMAIL_BUDGET"].map(|name| (name, "off".to_owned())));
        self
    }

    pub(crate) fn with(mut self, variable: &'static str, value: &str) -> Self {
        self.settings.push((variable, value.to_owned()));
        self
    }

    /// The rows that `sql` gives in the fleet's schema.
    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        rows(&self.own_url, &format!("SET search_path = {}; {sql}", self.schema))
    }

    /// How many events were handed over; none while that cannot be asked.
    pub(crate) fn counted(&self) -> Option<u64> {
        self.number("SELECT coalesce(sum(count), 0)::bigint FROM share")
    }

    /// How many instances were seen; none while that cannot be asked.
    pub(crate) fn seen(&self) -> Option<u64> {
        self.number("SELECT count(*) FROM instance")
    }

    /// How many events of each message were handed over.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        let sql =
            "SELECT first_event.data ->> 'message', sum(count)::bigint FROM share JOIN first_event USING (incident_id)
                    GROUP BY 1";
        let pair = |row: &String| {
            let (message, count) = row.rsplit_once('|').unwrap();
            (message.to_owned(), count.parse().unwrap())
        };
        self.rows(sql).iter().map(pair).collect()
    }

    fn number(&self, sql: &str) -> Option<u64> {
        let sql = format!("SET search_path = {}; {sql}", self.schema);
        try_rows(&self.own_url, &sql).ok()?[0].parse().ok()
    }

    /// Whether the files of so many instances say that somebody was told of all they have.
    pub(crate) fn all_know_it_is_told(&self, instances: usize) -> bool {
        let untold = "SELECT 1 FROM standing WHERE told_at IS NULL";
        let told = "SELECT 1 FROM standing WHERE told_at IS NOT NULL";
        (0..instances).all(|number| {
            let file = self.disk(number).join("alerts.db");
            local_rows(&file, untold).is_ok_and(|rows| rows.is_empty())
                && local_rows(&file, told).is_ok_and(|rows| !rows.is_empty())
        })
    }

    /// Starts the instance with this number: on the disk it had, if it had one.
    pub(crate) fn start(&self, number: usize) -> Instance {
        let mut command = self.command(number);
        let said = self.disk(number).join("stderr");
        fs::create_dir_all(self.disk(number)).unwrap();
        let stderr = File::options().create(true).append(true).open(&said).unwrap();
        let mut child = command.stdin(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut instance = Instance { child, output, said };
        instance.answer();
        instance
    }

    /// Starts so many, together.
    pub(crate) fn start_all(&self, number: usize) -> Vec<Instance> {
        std::thread::scope(|scope| {
            let started: Vec<_> = (0..number).map(|each| scope.spawn(move || self.start(each))).collect();
            started.into_iter().map(|each| each.join().unwrap()).collect()
        })
    }

    /// What an instance leaves is gone, as with a pod's disk.
    pub(crate) fn lose_disk(&self, number: usize) {
        fs::remove_dir_all(self.disk(number)).unwrap();
    }

    pub(crate) fn disk(&self, number: usize) -> PathBuf {
        self.disks.path().join(number.to_string())
    }

    fn command(&self, number: usize) -> Command {
        let mut command = self.harness.child("instance");
        for name in ["ALERT_SMS_WINDOW", "ALERT_EMAIL_WINDOW", "ALERT_SMS_BUDGET", "ALERT_EMAIL_BUDGET"] {
            command.env_remove(name);
        }
        command
            .env("ALERT_FLEET", &self.url)
            .env("ALERT_FLEET_SCHEMA", &self.schema)
            .env("ALERT_DATABASE", self.disk(number).join("alerts.db"))
            .envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// What a test that fails leaves to read.
impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What the test broke may break this as well.
            drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.show())));
        }
    }
}

impl Fleet {
    #[expect(clippy::print_stdout, reason = "it is shown of a test that fails")]
    fn show(&self) {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let refused = log
            .lines()
            .filter(|line| ["ERROR", "FATAL", "PANIC", "STATEMENT"].iter().any(|it| line.contains(it)));
        let refused: Vec<_> = refused.filter(|line| !line.contains("does not exist at character")).collect();
        println!("the server: {:#?}", &refused[refused.len().saturating_sub(20)..]);
        for table in ["meta", "instance", "incident", "share", "standing", "delivery"] {
            let all = format!("SELECT * FROM {}.{table} LIMIT 5", self.schema);
            match try_rows(&self.own_url, &all) {
                Ok(rows) => println!("{table}: {rows:#?}"),
                Err(error) => println!("{table}: {error}"),
            }
        }
        for disk in fs::read_dir(self.disks.path()).unwrap().flatten() {
            let said = fs::read_to_string(disk.path().join("stderr")).unwrap_or_default();
            println!("instance {}: {said}", disk.file_name().display());
            for table in ["incident", "standing"] {
                let all = format!("SELECT data FROM {table}");
                println!("  {table}: {:#?}", local_rows(&disk.path().join("alerts.db"), &all));
            }
        }
        // Last, as a test that waited for it in vain has poisoned it.
        let texts: Vec<_> = self.harness.provider.sms().iter().map(|sms| sms.text()).collect();
        println!("SMS: {texts:#?}, look-ups: {}", self.harness.provider.lookups().len());
    }
}

/// One process. It is killed when it is dropped.
pub(crate) struct Instance {
    child: Child,
    output: BufReader<ChildStdout>,
    said: PathBuf,
}

impl Instance {
    /// Has it do something, without waiting until it is done.
    pub(crate) fn tell(&mut self, what: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(format!("{what}\n").as_bytes()).unwrap();
    }

    /// What it answers to what it was told.
    pub(crate) fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).unwrap();
            assert!(read > 0, "the instance ended:\n{}", fs::read_to_string(&self.said).unwrap_or_default());
            if let Some(answer) = line.trim_end_matches('\n').strip_prefix(ANSWER) {
                return answer.to_owned();
            }
        }
    }

    pub(crate) fn ask(&mut self, what: &str) -> String {
        self.tell(what);
        self.answer()
    }

    pub(crate) fn stats(&mut self) -> serde_json::Value {
        serde_json::from_str(&self.ask("stats")).unwrap()
    }

    /// So many errors, one after another, all committed here.
    pub(crate) fn errs(&mut self, times: usize) {
        self.ask(&format!("err {times}"));
    }

    /// What the crate said on its stderr, in all its lives.
    pub(crate) fn said(&self) -> Vec<String> {
        own_lines(&fs::read_to_string(&self.said).unwrap())
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended in a fault.
    pub(crate) fn fails(mut self) {
        assert!(!self.child.wait().unwrap().success());
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success(), "kill -{name}");
    }

    /// Has it return from `main`.
    pub(crate) fn ends(mut self) {
        drop(self.child.stdin.take());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", fs::read_to_string(&self.said).unwrap());
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Has all of them do the same, at once.
pub(crate) fn all_do(instances: &mut [Instance], what: &str) -> Vec<String> {
    instances.iter_mut().for_each(|each| each.tell(what));
    instances.iter_mut().map(Instance::answer).collect()
}

/// Waits for something that takes longer than anything else here: an outage and its end.
pub(crate) fn in_the_end(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + LONG;
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "not within {LONG:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What begins a line by which an instance answers.
pub(crate) const ANSWER: &str = "instance: ";

pub(crate) const LONG: Duration = Duration::from_secs(90);

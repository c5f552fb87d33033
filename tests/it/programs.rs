//! Programs of one executable name, with no name of their own: those that run at
//! once never mix, and a new release takes up what the old one left.
#![cfg(unix)]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::{
    child::processes::READY,
    support::{
        CHILD, Harness, Provider, Reaped, eventually, finished, hear, own_lines, rows, said, try_rows,
    },
};

/// A user's home, in which programs called `server` keep their files.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        // Beside the tests, so that the programs can be links to it.
        let executable = std::env::current_exe().unwrap();
        Self(tempfile::tempdir_in(executable.parent().unwrap()).unwrap())
    }

    fn state(&self) -> PathBuf {
        self.0.path().join("tracing-alert/server")
    }

    fn database(&self, name: &str) -> PathBuf {
        self.state().join(name)
    }

    /// The databases that there are.
    fn databases(&self) -> Vec<String> {
        let entries = fs::read_dir(self.state()).unwrap().map(|entry| entry.unwrap().file_name());
        let names = entries.map(|name| name.into_string().unwrap()).filter(|name| name.ends_with(".db"));
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    /// How many events are in each database.
    fn counts(&self) -> Vec<String> {
        let count =
            |name: &String| rows(&self.database(name), "SELECT sum(count) FROM incident WHERE about IS NULL");
        self.databases().iter().flat_map(count).collect()
    }

    /// Puts the program where `path` says.
    fn install(&self, path: &str) -> PathBuf {
        let path = self.0.path().join(path).join("server");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let new = path.with_extension("new");
        fs::hard_link(std::env::current_exe().unwrap(), &new).unwrap();
        // As a deployment would, while the old one may run. Of two links to one file
        // nothing would be renamed.
        if path.exists() {
            fs::remove_file(&path).unwrap();
        }
        fs::rename(&new, &path).unwrap();
        path
    }

    /// A start of the program at `path`, with the settings of `harness`.
    fn program(&self, path: &Path, harness: &Harness, scenario: &str) -> Command {
        let mut command = Command::new(path);
        command
            .args(["child::run", "--exact", "--nocapture", "--test-threads=1"])
            .env_clear()
            .env(CHILD, scenario)
            .envs(harness.variables())
            .env_remove("ALERT_APP_NAME")
            .env_remove("ALERT_DATABASE")
            .env("XDG_STATE_HOME", self.0.path())
            .env("ALERT_SETTLE", "0s")
            .env("ROUND", path.parent().unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts one, and waits until it has said `word`.
    fn start(&self, path: &Path, harness: &Harness, scenario: &str, word: &str) -> Reaped {
        let mut child = Reaped(self.program(path, harness, scenario).spawn().unwrap());
        hear(&mut child.0, word);
        child
    }
}

/// Kills it, and gives the lines that it said.
fn killed(mut child: Reaped) -> Vec<String> {
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    let mut stderr = String::new();
    child.0.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    own_lines(&stderr)
}

/// Ends the leases of a killed program.
fn leases_end(home: &Home) {
    home.databases().iter().for_each(|name| {
        drop(rows(&home.database(name), "UPDATE delivery SET data = json_set(data, '$.due_at', 0)"));
    });
}

/// Nobody answers, so that what is to be sent is left.
fn in_an_outage(harness: &mut Harness) -> Provider {
    let provider = harness.provider.clone();
    harness.provider = Provider::at(Provider::nowhere());
    provider
}

/// Which programs' errors the mails of a provider tell of.
fn told(provider: &Provider, paths: &[&Path]) -> Vec<bool> {
    let mails = provider.mails();
    let texts: Vec<_> = mails.iter().map(|mail| mail.json().to_string()).collect();
    let tells = |path: &&Path| {
        let round = path.parent().unwrap().to_str().unwrap();
        texts.iter().any(|text| text.contains(round))
    };
    paths.iter().map(tells).collect()
}

#[test]
fn two_that_run_at_once_never_mix_and_each_tells_its_own_people() {
    let home = Home::new();
    let (a, b) = (home.install("a"), home.install("b"));
    let (mut of_a, of_b) = (Harness::new(), Harness::new());
    let answers = in_an_outage(&mut of_a);
    let one = home.start(&a, &of_a, "commit-and-stay", "committed");
    let two = home.start(&b, &of_b, "commit-and-stay", "committed");
    of_b.provider.wait_for(1, 1);
    assert_eq!(home.databases(), ["alerts-2.db", "alerts.db"]);
    let said = killed(two);
    let (path, apart) = (a.display().to_string(), home.database("alerts-2.db").display().to_string());
    assert!(said.len() == 1 && said[0].contains(&path) && said[0].contains(&apart), "{said:#?}");
    drop(killed(one));
    leases_end(&home);

    // Each finds its own again, whoever begins.
    let two = home.start(&b, &of_b, "commit-and-stay", "committed");
    of_a.provider = answers;
    let one = home.start(&a, &of_a, "commit-and-stay", "committed");
    of_a.provider.wait_for(1, 1);
    eventually("all is told", || {
        let left = "SELECT 1 FROM delivery WHERE state <> 'delivered' UNION ALL
                    SELECT 1 FROM standing WHERE told_at IS NULL";
        ["alerts.db", "alerts-2.db"].iter().all(|name| rows(&home.database(name), left).is_empty())
    });
    assert_eq!(told(&of_a.provider, &[&a, &b]), [true, false]);
    assert_eq!(told(&of_b.provider, &[&a, &b]), [false, true]);
    assert_eq!(killed(one), [""; 0]);
    assert_eq!(killed(two), [""; 0]);
    assert_eq!(home.databases(), ["alerts-2.db", "alerts.db"]);
}

#[test]
fn a_new_release_takes_up_what_the_old_one_left_though_another_program_runs() {
    let home = Home::new();
    let (old, other) = (home.install("shop/releases/1"), home.install("mail/releases/1"));
    let (mut harness, of_other) = (Harness::new(), Harness::new());
    let answers = in_an_outage(&mut harness);
    let first = home.start(&old, &harness, "commit-and-stay", "committed");
    let second = home.start(&other, &of_other, "commit-and-stay", "committed");
    of_other.provider.wait_for(1, 1);
    drop(killed(first));
    leases_end(&home);

    harness.provider = answers;
    let new = home.install("shop/releases/2");
    let third = home.start(&new, &harness, "commit-and-stay", "committed");
    eventually("it tells what the old one left", || told(&harness.provider, &[&old]) == [true]);
    assert_eq!(home.databases(), ["alerts-2.db", "alerts.db"]);
    drop((killed(second), killed(third)));

    // Of two whose programs do not run, each gets its own.
    let other = home.install("mail/releases/2");
    let _other = home.start(&other, &of_other, "commit-and-stay", "committed");
    eventually("it is in the file of the other", || home.counts() == ["2", "2"]);
    assert_eq!(home.databases(), ["alerts-2.db", "alerts.db"]);
    assert_eq!(told(&harness.provider, &[&other]), [false]);
}

#[test]
fn a_release_that_is_gone_or_was_replaced_in_place_is_taken_up() {
    for is_gone in [true, false] {
        let home = Home::new();
        let path = home.install("releases/1");
        let mut harness = Harness::new();
        let answers = in_an_outage(&mut harness);
        drop(killed(home.start(&path, &harness, "commit-and-stay", "committed")));
        leases_end(&home);
        harness.provider = answers;
        let path = if is_gone {
            fs::remove_file(&path).unwrap();
            home.install("releases/2")
        } else {
            home.install("releases/1")
        };
        let _next = home.start(&path, &harness, "capture-and-stay", "captured");
        harness.provider.wait_for(1, 1);
        assert_eq!(home.databases(), ["alerts.db"]);
    }
}

#[test]
fn a_program_that_is_replaced_while_it_starts_is_the_one_at_its_path() {
    let home = Home::new();
    let path = home.install("bin");
    let harness = Harness::new();
    let mut first = home.start(&path, &harness, "processes-one", READY);
    fs::remove_file(&path).unwrap();
    home.install("bin");
    let second = home.start(&path, &harness, "commit-and-stay", "committed");
    drop(first.0.stdin.take());
    assert!(first.0.wait().unwrap().success());
    assert_eq!(killed(second), [""; 0]);
    assert_eq!((home.databases(), home.counts()), (vec!["alerts.db".to_owned()], vec!["2".to_owned()]));
}

#[test]
fn many_of_two_programs_that_start_at_the_same_moment_have_two_files() {
    const EACH: usize = 4;
    for _ in 0..3 {
        let home = Home::new();
        let paths = [home.install("a"), home.install("b")];
        let harnesses = [Harness::new(), Harness::new()];
        let mut all: Vec<Reaped> = (0..2 * EACH)
            .map(|number| home.start(&paths[number % 2], &harnesses[number % 2], "processes-together", READY))
            .collect();
        let stdin: Vec<_> = all.iter_mut().map(|child| child.0.stdin.take()).collect();
        drop(stdin);
        all.iter_mut().for_each(|child| hear(&mut child.0, "committed"));
        let counts = home.counts();
        let said: Vec<_> = all.into_iter().flat_map(killed).collect();
        assert_eq!(counts, ["4", "4"], "{said:#?}");
        assert!(said.iter().all(|line| line.contains("another program called server")), "{said:#?}");
        assert_eq!(said.len(), 1, "only the first of a program needs to be told: {said:#?}");
    }
}

#[test]
fn workers_of_one_program_share_a_file_and_a_killed_one_leaves_no_claim() {
    let home = Home::new();
    let harness = Harness::new();
    let path = home.install("a");
    let workers: Vec<_> =
        (0..4).map(|_| home.start(&path, &harness, "commit-and-stay", "committed")).collect();
    assert_eq!(home.counts(), ["4"]);
    for worker in workers {
        assert_eq!(killed(worker), [""; 0]);
    }
    let other = home.install("b");
    let next = home.start(&other, &harness, "commit-and-stay", "committed");
    assert_eq!(home.counts(), ["5"], "nobody ran");
    assert_eq!(killed(next), [""; 0]);
}

/// Whoever gave a name meant it.
#[test]
fn programs_that_were_given_a_name_share_its_file() {
    let home = Home::new();
    let harness = Harness::new();
    let start = |path: &str| {
        let path = home.install(path);
        let mut command = home.program(&path, &harness, "commit-and-stay");
        let mut child = Reaped(command.env("ALERT_APP_NAME", "server").spawn().unwrap());
        hear(&mut child.0, "committed");
        child
    };
    let (one, two) = (start("a"), start("b"));
    let said = [killed(one), killed(two)].concat();
    assert_eq!(said, [""; 0]);
    assert!(
        try_rows(&home.database("alerts.db"), "SELECT count FROM incident").is_ok_and(|rows| rows == ["2"])
    );
    assert_eq!(home.databases(), ["alerts.db"]);
}

#[test]
fn a_program_that_was_given_a_name_and_one_whose_executable_has_it_keep_apart() {
    let home = Home::new();
    let harness = Harness::new();
    let (one, two) = (home.install("a"), home.install("b"));
    let named = || {
        let mut command = home.program(&one, &harness, "commit-and-stay");
        let mut child = Reaped(command.env("ALERT_APP_NAME", "server").spawn().unwrap());
        hear(&mut child.0, "committed");
        child
    };
    for first_is_named in [true, false] {
        let unnamed = || home.start(&two, &harness, "commit-and-stay", "committed");
        let (first, second) = if first_is_named { (named(), unnamed()) } else { (unnamed(), named()) };
        let (first, second) = (killed(first), killed(second));
        assert_eq!(first, [""; 0]);
        // The next time, each finds its own.
        let told = usize::from(first_is_named);
        assert_eq!(second.len(), told, "{second:#?}");
        assert!(second.iter().all(|line| line.contains("its ALERT_APP_NAME is server")), "{second:#?}");
    }
    assert_eq!(home.databases(), ["alerts-2.db", "alerts.db"]);
    assert_eq!(home.counts(), ["2", "2"]);
}

#[test]
fn a_forked_child_that_lives_on_does_not_keep_its_parents_file() {
    let home = Home::new();
    let harness = Harness::new();
    let mut parent = home.start(&home.install("a"), &harness, "host-fork-and-stay", "forked");
    // As long as this is open, the child lives.
    let stdin = parent.0.stdin.take();
    parent.0.kill().unwrap();
    parent.0.wait().unwrap();
    let next = home.start(&home.install("b"), &harness, "commit-and-stay", "committed");
    assert_eq!((home.databases(), home.counts()), (vec!["alerts.db".to_owned()], vec!["2".to_owned()]));
    assert_eq!(killed(next), [""; 0]);
    drop(stdin);
}

#[test]
fn a_file_that_cannot_be_chosen_at_the_start_is_chosen_later() {
    let home = Home::new();
    let mut harness = Harness::new();
    in_an_outage(&mut harness);
    let in_the_way = home.state().join("alerts.db.program");
    fs::create_dir_all(&in_the_way).unwrap();
    let path = home.install("a");
    let mut child = Reaped(home.program(&path, &harness, "processes-shutdown").spawn().unwrap());
    let mut stderr = BufReader::new(child.0.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.contains("cannot be opened") && line.contains("ALERT_DATABASE"), "{line}");
    hear(&mut child.0, READY);
    fs::remove_dir(&in_the_way).unwrap();
    drop(child.0.stdin.take());
    hear(&mut child.0, "shut down");
    assert_eq!(home.counts(), ["1"]);
}

#[test]
fn a_program_without_a_home_says_which_setting_gives_it_a_file() {
    let home = Home::new();
    let harness = Harness::new();
    let mut command = home.program(&home.install("a"), &harness, "return");
    let said = said(&finished(command.env_remove("XDG_STATE_HOME").spawn().unwrap()));
    assert!(said.len() == 1 && said[0].contains("set ALERT_DATABASE"), "{said:#?}");
    assert_eq!((harness.provider.sms().len(), harness.provider.mails().len()), (1, 1));
}

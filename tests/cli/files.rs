//! Which file is meant; and what the command refuses, and leaves as it is.

use std::{
    fs,
    io::Write,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
};

use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};

use crate::stage::{Ran, Stage};

/// Each command that works on a file.
const COMMANDS: [&[&str]; 8] = [
    &["list"],
    &["show", "7K3Q"],
    &["retry", "7K3Q"],
    &["allow", "+12065550147"],
    &["silence", "--message", "x", "--for", "1h"],
    &["unsilence", "--all"],
    &["stats"],
    &["purge"],
];

fn execute(path: &Path, sql: &'static str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

/// Every command refuses the file with these words, and changes nothing in the directory.
fn refuse(stage: &Stage, words: &[&str]) {
    let content = || {
        let names = stage.names();
        names
            .into_iter()
            .map(|name| (fs::read(stage.directory().join(&name)).unwrap(), name))
            .collect::<Vec<_>>()
    };
    let before = content();
    for command in COMMANDS {
        let ran = stage.run(command);
        assert!(!ran.is_well, "{command:?}: {ran:?}");
        for word in words {
            assert!(ran.errors.contains(word), "{command:?}: no {word:?} in {}", ran.errors);
        }
    }
    assert!(content() == before, "something was changed: {:?}", stage.names());
}

#[test]
fn a_file_that_is_missing_is_not_made() {
    refuse(&Stage::new(), &["there is no such file"]);
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let stage = Stage::new();
    fs::write(stage.database(), "").unwrap();
    refuse(&stage, &["it is empty"]);
    fs::write(stage.database(), "a text, and by far long enough to be a header ".repeat(9)).unwrap();
    refuse(&stage, &["it is not a tracing-alert database"]);
    fs::remove_file(stage.database()).unwrap();
    execute(&stage.database(), "CREATE TABLE theirs (id INTEGER)");
    refuse(&stage, &["another program's SQLite database"]);
}

#[test]
fn another_version_is_told_which_one_to_install() {
    let stage = Stage::new();
    stage.program().end();
    // As a later release would leave it: an addition, or one that the older may not write.
    for sql in [
        "INSERT INTO release (migration, version) VALUES (2, '0.9.1');
         INSERT INTO _tracing_alert_migrations (version, description, success, checksum, execution_time)
         VALUES (2, 'more', true, x'00', 0)",
        "PRAGMA user_version = 2",
    ] {
        execute(&stage.database(), sql);
        let install = "cargo install tracing-alert --features cli --version 0.9.1";
        let is_breaking = sql.starts_with("PRAGMA");
        let words = if is_breaking { ["newer version", "update"] } else { ["(0.9.1)", install] };
        refuse(&stage, &words);
    }
}

#[test]
fn an_older_file_is_not_brought_up_to_date() {
    let stage = Stage::new();
    stage.program().end();
    execute(&stage.database(), "DELETE FROM _tracing_alert_migrations");
    refuse(&stage, &["an older version", "start a program"]);
}

#[test]
fn the_file_is_found_by_the_name_of_the_program() {
    let mut stage = Stage::new();
    stage.set("ALERT_DATABASE", "");
    let home = stage.directory().display().to_string();
    stage.set("XDG_STATE_HOME", &home);
    let none = stage.run(&["stats"]);
    assert!(none.errors.contains("no database of shop is found"), "{none:?}");
    stage.program().end();
    let path = stage.directory().join("tracing-alert/shop/alerts.db");
    assert!(stage.run(&["stats"]).text.starts_with(&path.display().to_string()));
    stage.set("ALERT_APP_NAME", "till");
    stage.program().end();
    assert!(stage.run(&["stats", "--app", "shop"]).text.starts_with(&path.display().to_string()));
    stage.set("ALERT_APP_NAME", "");
    let several = stage.run(&["stats"]);
    assert!(!several.is_well && several.errors.contains("name one by --database"), "{several:?}");
    assert!(
        several.errors.contains("ALERT_APP_NAME is shop") && several.errors.contains("till"),
        "{several:?}"
    );
    assert!(stage.run(&["stats", "--database", path.to_str().unwrap()]).is_well);
}

#[test]
fn on_a_terminal_it_asks_which_file_is_meant() {
    let mut stage = Stage::new();
    stage.set("ALERT_DATABASE", "");
    let home = stage.directory().display().to_string();
    stage.set("XDG_STATE_HOME", &home);
    for name in ["shop", "till"] {
        stage.set("ALERT_APP_NAME", name);
        stage.program().end();
    }
    stage.set("ALERT_APP_NAME", "");
    // It makes a terminal; where there is none of it, nobody can sit at one either.
    let mut command = Command::new("script");
    command.args(["-qec", &format!("{} stats", env!("CARGO_BIN_EXE_tracing-alert")), "/dev/null"]);
    command.envs(stage.settings.iter().map(|(name, value)| (name, value)));
    let Ok(mut child) = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() else { return };
    // Kept open: a terminal that is gone answers nothing.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"2\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("Which one?"), "{text}");
    assert!(text.contains("/tracing-alert/till/alerts.db\r\n0 events"), "{text}");
}

#[test]
fn settings_come_from_a_file_of_variables() {
    let mut stage = Stage::new();
    stage.program().end();
    let file = stage.directory().join("shop.env");
    let lines: Vec<_> =
        stage.settings.iter().map(|(name, value)| format!("export {name}='{value}'")).collect();
    fs::write(&file, format!("# the shop's\n{}\n", lines.join("\n"))).unwrap();
    stage.settings.clear();
    let file = file.to_str().unwrap();
    assert!(stage.run(&["stats", "--env-file", file]).is_well);
    assert!(stage.run(&["doctor", "--env-file", file]).line("twilio credentials").starts_with('✓'));
    fs::write(file, "SG.sendgrid-key-nobody-may-see\n").unwrap();
    let wrong = stage.run(&["stats", "--env-file", file]);
    assert!(!wrong.is_well && wrong.errors.contains("line 1: it is none like NAME=value"), "{wrong:?}");
}

/// Nobody, as a rule.
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0)
}

#[test]
fn whoever_runs_it_leaves_nothing_that_the_programs_user_cannot_write() {
    if !is_root() {
        return;
    }
    let stage = Stage::new();
    stage.program().end();
    chown(stage.directory(), Some(NOBODY), Some(NOBODY)).unwrap();
    for name in stage.names() {
        chown(stage.directory().join(name), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let all_theirs = || {
        let paths = stage.names().into_iter().map(|name| stage.directory().join(name));
        paths.map(|path| (fs::metadata(&path).unwrap().uid(), path)).find(|(owner, _)| *owner != NOBODY)
    };
    // No program runs: SQLite makes its journal anew, as root.
    for command in [&["list"][..], &["silence", "--message", "x", "--for", "1h"], &["purge"]] {
        assert!(stage.run(command).is_well);
        assert_eq!(all_theirs(), None, "{command:?}");
    }
    // One that is killed cannot tidy up.
    let mut watch = stage.command(&["watch", "--every", "1h"]).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Read::read_exact(&mut watch.stdout.take().unwrap(), &mut [0]).unwrap();
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert!(stage.names().iter().any(|name| name.ends_with("-wal")), "{:?}", stage.names());
    assert_eq!(all_theirs(), None);
}

#[test]
fn another_user_is_told_whose_it_is() {
    if !is_root() {
        return;
    }
    let stage = Stage::new();
    stage.program().end();
    // They may look into the directory, but it is not theirs.
    fs::set_permissions(stage.directory(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let command = Path::new(env!("CARGO_BIN_EXE_tracing-alert"));
    let copy = stage.directory().join("command");
    fs::copy(command, &copy).unwrap();
    let mut as_nobody = Command::new(copy);
    as_nobody.args(["list", "--database", stage.database().to_str().unwrap()]).env_clear().uid(NOBODY);
    let ran = Ran::of(as_nobody.output().unwrap());
    assert!(!ran.is_well && ran.errors.contains("it belongs to user 0"), "{ran:?}");
}

#[cfg(not(feature = "postgres"))]
#[test]
fn a_command_that_is_built_without_fleets_says_what_to_install() {
    let stage = Stage::new();
    for command in ["list", "doctor"] {
        let ran = stage.run(&["--fleet", command]);
        let said = format!("{}{}", ran.text, ran.errors);
        assert!(
            !ran.is_well && said.contains("cargo install tracing-alert --features cli,postgres"),
            "{ran:?}"
        );
    }
}

//! What the command shows, while programs use the file.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use serde_json::Value;

use crate::stage::Stage;

#[test]
fn incidents_are_listed_and_shown_with_their_messages() {
    let stage = Stage::new();
    let (mut one, mut other) = (stage.program(), stage.program());
    one.tell("error payment failed");
    one.tell("flush");
    other.tell("error payment failed");
    other.tell("stock nothing is left\u{1b}[31m of \u{202e}it");
    other.tell("flush");
    let list = stage.run(&["list"]);
    assert!(list.is_well);
    assert!(list.text.lines().next().unwrap().starts_with("ID"), "{}", list.text);
    assert!(list.text.lines().all(|line| line.chars().count() <= 80), "{}", list.text);
    let payment = list.line("payment failed");
    assert!(payment.contains("ERROR") && payment.contains(" 2 "), "{payment}");
    let json = stage.json(&["list"]);
    let incident = json.as_array().unwrap().iter().find(|it| it["message"] == "payment failed").unwrap();
    assert_eq!(
        (&incident["count"], &incident["target"], &incident["app"]),
        (&2.into(), &"shop::payment".into(), &"shop".into())
    );
    let id = incident["id"].as_str().unwrap();
    let shown = stage.run(&["show", id]);
    for part in ["payment failed", "on-call@example.com", "+12065550147", "twilio", "sendgrid", "delivered"] {
        assert!(shown.text.contains(part), "no {part}: {}", shown.text);
    }
    let html = stage.directory().join("mail.html");
    assert!(stage.run(&["show", id, "--html", html.to_str().unwrap()]).is_well);
    let html = std::fs::read_to_string(html).unwrap();
    assert!(html.contains("payment failed") && html.contains("</html>"), "{html}");
    let unknown = stage.run(&["show", "ZZZZ"]);
    assert!(!unknown.is_well && unknown.errors.contains("tracing-alert list"), "{unknown:?}");
    one.end();
    other.end();
}

#[test]
fn times_are_in_the_readers_zone() {
    let stage = Stage::new();
    let mut program = stage.program();
    program.tell("error payment failed");
    program.tell("flush");
    let in_zone = |zone: &str| {
        let output = stage.command(&["show", &id(&stage)]).env("TZ", zone).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let (riga, utc) = (in_zone("Europe/Riga"), in_zone("UTC"));
    assert_ne!(riga.lines().next(), utc.lines().next());
    assert!(riga.contains("UTC"), "a mail has both: {riga}");
    program.end();
}

fn id(stage: &Stage) -> String {
    stage.json(&["list"])[0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn events_and_messages_are_counted() {
    let stage = Stage::new();
    let mut program = stage.program();
    stage.service.answers("POST /2010-04-01", 401, r#"{"code":20003}"#);
    program.tell("error payment failed");
    program.tell("wait 1");
    crate::stage::eventually("the mail is there and the SMS is not", || {
        let stats = stage.json(&["stats"]);
        let sinks = stats["sinks"].as_array().unwrap();
        let failing = sinks.iter().find(|it| it["name"] == "twilio");
        failing.is_some_and(|it| {
            it["pending"] == 1 && it["failure"].as_str().is_some_and(|why| why.contains("20003"))
        }) && stats["events"]["reported"] == 1
    });
    let text = stage.run(&["stats"]).text;
    assert!(text.contains("1 event: 1 reported, 0 pending, 0 not reported"), "{text}");
    assert!(text.contains("twilio: 1 message pending") && text.contains("1 incident open"), "{text}");
    program.kill();
}

#[test]
fn it_is_watched_while_it_changes_and_who_watches_stops_nobody() {
    let stage = Stage::new();
    let mut program = stage.program();
    let mut watch =
        stage.command(&["watch", "--json", "--every", "1s"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["incidents"].as_array().unwrap().len(), 0);
    program.tell("error payment failed");
    program.tell("flush");
    let seen = (0..5).any(|_| next()["overview"]["events"]["reported"] == 1);
    assert!(seen, "it never showed");
    watch.kill().unwrap();
    watch.wait().unwrap();
    program.end();
}

#[test]
fn completions_and_the_manual_come_from_the_arguments() {
    let stage = Stage::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(stage.run(&["completions", shell]).text.contains("unsilence"), "{shell}");
    }
    let manual = stage.run(&["man"]).text;
    assert!(manual.starts_with(".ie") && manual.contains("unsilence"), "{manual}");
    let wrong = stage.run(&["silence", "--for", "soon", "7K3Q"]);
    assert!(!wrong.is_well && wrong.errors.contains("is no time like"), "{wrong:?}");
}

#[test]
fn who_reads_only_the_beginning_is_no_error() {
    let stage = Stage::new();
    stage.program().end();
    let mut command = stage.command(&["list"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

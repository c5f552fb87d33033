//! A silence that the command begins is honoured by programs that run.

use std::time::Duration;

use crate::stage::{Stage, eventually};

/// What the SMS say that were sent, without their tag and id.
fn told(stage: &Stage) -> Vec<String> {
    let strip = |text: String| {
        let text = text.split_once("] ").map_or_else(|| text.clone(), |(_, rest)| rest.to_owned());
        text.rsplit_once(" #").map_or_else(|| text.clone(), |(text, _)| text.to_owned())
    };
    stage.service.sms().into_iter().map(strip).collect()
}

#[test]
fn it_holds_from_the_next_event_of_two_programs_and_survives_their_kill_and_is_told_once() {
    let mut stage = Stage::new();
    stage.set("ALERT_EMAIL", "");
    let (mut one, mut other) = (stage.program(), stage.program());
    one.tell("error before");
    one.tell("flush");
    assert_eq!(told(&stage), ["ERROR: before"]);
    let silence = stage.json(&["silence", "--message", "migration", "--for", "8s", "--why", "a migration"]);
    assert_eq!((&silence["why"], &silence["what"]), (&"a migration".into(), &"\"migration\"".into()));
    one.tell("error the migration is at work");
    other.tell("error the migration is at work");
    other.tell("error payment failed");
    other.tell("flush");
    one.tell("wait 2");
    assert_eq!(told(&stage), ["ERROR: before", "ERROR: payment failed"]);
    one.kill();
    other.kill();
    let mut again = stage.program();
    again.tell("error the migration is at work");
    again.tell("wait 1");
    assert_eq!(stage.json(&["silences"])[0]["held"], 3);
    assert_eq!(told(&stage).len(), 2);
    let by = stage.json(&["silences"])[0]["by"].as_str().unwrap().to_owned();
    assert_eq!(by, "ann");
    // Two programs are there at its end.
    let also = stage.program();
    eventually("the silence is told", || told(&stage).len() > 2);
    again.tell("error payment failed");
    again.tell("flush");
    std::thread::sleep(Duration::from_millis(500));
    let told = told(&stage);
    let headline = "ERROR: silenced for 8s: \"migration\"; the first: the migration is at work (x3)";
    assert_eq!(told[2], headline);
    assert_eq!(told.iter().filter(|text| text.contains("migration")).count(), 1, "{told:?}");
    again.end();
    also.end();
}

#[test]
fn it_is_undone_by_the_command_or_by_a_program_whoever_began_it() {
    let mut stage = Stage::new();
    stage.set("ALERT_EMAIL", "");
    let mut program = stage.program();
    let silence = stage.json(&["silence", "--target", "shop", "--for", "2h"]);
    program.tell("stock nothing is left");
    program.tell("wait 1");
    assert_eq!(told(&stage), [""; 0]);
    let id = silence["id"].as_str().unwrap();
    let ran = stage.run(&["unsilence", id]);
    assert!(ran.is_well && ran.text.starts_with("1 silence ended"), "{ran:?}");
    program.tell("flush");
    eventually("it is told", || told(&stage).len() == 1);
    assert!(told(&stage)[0].contains("silenced for 2h: shop"), "{:?}", told(&stage));
    assert!(!stage.run(&["unsilence", id]).is_well, "it is over");
    assert!(stage.run(&["silences"]).text.contains("ended "));

    program.tell("silence migration");
    program.tell("error the migration is at work");
    program.tell("wait 2");
    assert_eq!(told(&stage).len(), 1);
    assert!(stage.json(&["silences"])[0]["by"].as_str().unwrap().starts_with("shop (process "));
    assert_eq!(stage.json(&["unsilence", "--all"])["ended"], 1);
    program.tell("flush");
    eventually("it is told", || told(&stage).len() == 2);

    stage.json(&["silence", "--message", "payment", "--for", "2h"]);
    program.tell("error payment failed");
    program.tell("wait 3");
    program.tell("unsilence payment");
    eventually("it is told", || told(&stage).len() == 3);
    program.end();
}

#[test]
fn a_kind_is_silenced_by_the_id_of_its_message() {
    let mut stage = Stage::new();
    stage.set("ALERT_EMAIL", "");
    let mut program = stage.program();
    program.tell("error order 17 failed");
    program.tell("flush");
    let id = stage.json(&["list"])[0]["id"].as_str().unwrap().to_owned();
    let silence = stage.json(&["silence", &id, "--for", "1h"]);
    assert!(silence["what"].as_str().unwrap().starts_with("the kind "), "{silence}");
    program.tell("error order 18 failed");
    program.tell("error the stock is gone");
    program.tell("flush");
    assert_eq!(told(&stage), ["ERROR: order 17 failed", "ERROR: the stock is gone"]);
    let unknown = stage.run(&["silence", "ZZZZ", "--for", "1h"]);
    assert!(!unknown.is_well && unknown.errors.contains("nothing has the id ZZZZ"), "{unknown:?}");
    program.end();
}

#[test]
fn a_secret_in_its_conditions_or_its_reason_is_not_kept() {
    let stage = Stage::new();
    let program = stage.program();
    let (message, why) = ("password=correct-horse-9", "the token=correct-horse-10 ran out");
    let begun = stage.json(&["silence", "--message", message, "--why", why, "--for", "1h"]);
    let kept = stage.json(&["silences"]);
    for shown in [begun, kept[0].clone()] {
        let shown = shown.to_string();
        assert!(!shown.contains("correct-horse") && shown.contains("ran out"), "{shown}");
    }
    program.end();
}

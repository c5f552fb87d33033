//! What the command changes in a file that programs use.

use crate::stage::{PHONE, Stage, eventually};

/// A program whose SMS was refused as it stands.
fn refused(code: u32) -> Stage {
    let mut stage = Stage::new();
    stage.set("ALERT_EMAIL", "");
    let body = format!(r#"{{"code":{code},"message":"no"}}"#);
    stage.service.answers("POST /2010-04-01", 400, &body);
    let mut program = stage.program();
    program.tell("error payment failed");
    program.tell("flush");
    program.end();
    stage.service.is_well();
    assert_eq!(stage.json(&["list"])[0]["messages"][0]["state"], "dead");
    stage
}

#[test]
fn what_failed_is_attempted_again_and_its_events_are_reported() {
    let stage = refused(21617);
    let id = stage.json(&["list"])[0]["id"].as_str().unwrap().to_owned();
    let events = |stage: &Stage| {
        let events = stage.json(&["stats"])["events"].clone();
        [&events["reported"], &events["pending"], &events["dead"]].map(|it| it.as_u64().unwrap())
    };
    assert_eq!(events(&stage), [0, 0, 1]);
    let ran = stage.run(&["retry", &format!("#{id}")]);
    assert!(ran.is_well && ran.line(&id).contains("due now"), "{ran:?}");
    assert_eq!(events(&stage), [0, 1, 0]);
    // Whoever starts next sends it.
    let program = stage.program();
    eventually("it is delivered", || events(&stage) == [1, 0, 0]);
    program.end();
    let sms = stage.service.sms();
    assert!(sms.len() == 2 && sms[0] == sms[1], "{sms:?}");
    let again = stage.run(&["retry", &id]);
    assert!(again.is_well && again.line(&id).contains("left alone"), "{again:?}");
    let unknown = stage.run(&["retry", "ZZZZ"]);
    assert!(!unknown.is_well && unknown.text.contains("#ZZZZ: no message"), "{unknown:?}");
}

#[test]
fn a_program_that_runs_takes_up_what_is_retried() {
    let stage = refused(21617);
    let program = stage.program();
    let id = stage.json(&["list"])[0]["id"].as_str().unwrap().to_owned();
    stage.json(&["retry", &id]);
    eventually("it is sent", || stage.service.sms().len() == 2);
    program.end();
}

#[test]
fn a_recipient_who_was_refused_is_allowed_again() {
    let stage = refused(21610);
    let id = stage.json(&["list"])[0]["id"].as_str().unwrap().to_owned();
    assert!(stage.run(&["stats"]).line("refused for good").contains(PHONE));
    assert!(stage.run(&["retry", &id]).line(&id).contains(&format!("tracing-alert allow {PHONE}")));
    assert!(!stage.run(&["allow", "+19995550000"]).is_well);
    assert!(stage.run(&["allow", PHONE]).is_well);
    assert!(!stage.run(&["stats"]).text.contains("refused"));
    stage.json(&["retry", &id]);
    let program = stage.program();
    eventually("it is sent", || stage.service.sms().len() == 2);
    program.end();
}

#[test]
fn only_what_is_settled_is_purged() {
    let mut stage = Stage::new();
    stage.set("ALERT_EMAIL", "");
    let mut program = stage.program();
    for number in 0..5 {
        program.tell(&format!("error {}", ["one", "two", "three", "four", "five"][number]));
        program.tell("flush");
    }
    stage.service.answers("POST /2010-04-01", 503, "");
    program.tell("error pending");
    program.tell("wait 6");
    // What the provider is still asked about stays.
    let before = stage.json(&["list"]).as_array().unwrap().len();
    stage.json(&["purge"]);
    eventually("the message is pending", || {
        let list = stage.json(&["list"]);
        list.as_array()
            .unwrap()
            .iter()
            .any(|it| it["messages"].as_array().unwrap().iter().any(|it| it["state"] == "pending"))
    });
    assert_eq!(stage.json(&["list"]).as_array().unwrap().len(), before, "they are open");
    program.kill();
    stage.service.is_well();
    let program = stage.program();
    program.end();
    let sms = || stage.service.sms().iter().filter(|text| text.contains("pending")).count();
    assert!(sms() > 0, "it was deleted");
}

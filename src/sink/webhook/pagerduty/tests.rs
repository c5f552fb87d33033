//! When an alert is raised, and when it is resolved.

use std::sync::Arc;

use super::*;
use crate::sink::wire::message;

const US: u32 = 4242;

/// A message of examples, each by its name, of the process with the number `pid`.
fn told(name: &str, pid: u32) -> Message {
    let (_, mut notice) = Notice::examples().into_iter().find(|(known, _)| *known == name).unwrap();
    notice.process.pid = pid;
    Message { notice: Arc::new(notice), ..message("ops") }
}

/// What is done for it, and what is remembered.
fn send(message: &Message, raised: &mut Raised) -> Vec<(String, String, String)> {
    let requests = requests(message, "key", true, raised, US);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let done = requests.into_iter().map(|request| {
        raised.note(request.then);
        let body = &request.body;
        assert_eq!(body["routing_key"], "key");
        (text(&body["event_action"]), text(&body["dedup_key"]), text(&body["payload"]["summary"]))
    });
    done.collect()
}

fn actions(message: &Message, raised: &mut Raised) -> Vec<String> {
    send(message, raised).into_iter().map(|(action, ..)| action).collect()
}

#[test]
fn an_alert_is_raised_and_resolved_with_one_key() {
    let mut raised = Raised::default();
    let first = send(&told("first", US), &mut raised);
    let update = send(&told("update", US), &mut raised);
    let end = send(&told("quiet", US), &mut raised);
    assert_eq!([&first[0].0, &update[0].0, &end[0].0], ["trigger", "trigger", "resolve"]);
    assert!(first[0].1 == update[0].1 && update[0].1 == end[0].1, "{first:?} {update:?} {end:?}");
    assert!(end[0].2.starts_with("no more events: ") && !end[0].2.contains("fixed"), "{end:?}");
    // It is over; what comes later is told, and raises it again.
    assert_eq!(actions(&told("quiet", US), &mut raised), ["trigger"]);
}

#[test]
fn only_the_process_that_had_the_error_resolves() {
    let mut raised = Raised::default();
    send(&told("first", US + 1), &mut raised);
    assert_eq!(actions(&told("quiet", US + 1), &mut raised), ["trigger"], "it is told what is new");
    // Another run of this program had it, which may have died.
    assert_eq!(actions(&told("quiet", US), &mut Raised::default()), ["trigger"]);
    let mut nothing_new = told("quiet", US);
    Arc::make_mut(&mut nothing_new.notice).samples[0].count = 0;
    assert_eq!(actions(&nothing_new, &mut Raised::default()), [""; 0]);
}

#[test]
fn nothing_is_resolved_after_a_panic_or_a_crash_loop_or_if_that_is_off() {
    for name in ["panic", "crash-loop"] {
        let mut raised = Raised::default();
        let first = told(name, US);
        assert_eq!(actions(&first, &mut raised), ["trigger"]);
        let mut end = first.clone();
        let notice = Arc::make_mut(&mut end.notice);
        notice.kind = Kind::Quiet;
        notice.samples[0].kind = Kind::Quiet;
        assert_eq!(actions(&end, &mut raised), ["trigger"], "{name}");
    }
    let mut raised = Raised::default();
    send(&told("first", US), &mut raised);
    let requests = requests(&told("quiet", US), "key", false, &raised, US);
    assert_eq!(requests[0].body["event_action"], "trigger");
}

#[test]
fn of_several_incidents_each_has_an_alert_of_its_own() {
    let mut raised = Raised::default();
    let digest = told("digest", US);
    let done = send(&digest, &mut raised);
    let keys: std::collections::BTreeSet<_> = done.iter().map(|(_, key, _)| key).collect();
    assert!(
        done.len() > 1 && keys.len() == done.len() && done.len() >= digest.notice.samples.len(),
        "{done:?}"
    );
    // Some may be another process's: which, is known when one of them is told alone.
    let ours = Raised(raised.0.keys().map(|key| (key.clone(), true)).collect());
    let mut end = digest.clone();
    let notice = Arc::make_mut(&mut end.notice);
    notice.samples.truncate(2);
    notice.unsampled = 0;
    notice.samples.iter_mut().for_each(|sample| (sample.kind, sample.count) = (Kind::Quiet, 0));
    assert_eq!(actions(&end, &mut raised), [""; 0]);
    let mut alone = end.clone();
    Arc::make_mut(&mut alone.notice).samples.truncate(1);
    assert_eq!(actions(&alone, &mut raised), ["resolve"]);
    let mut ours = ours;
    assert_eq!(actions(&end, &mut ours), ["resolve", "resolve"]);
}

#[test]
fn more_incidents_than_pagerduty_takes_share_an_alert() {
    let mut many = told("first", US);
    let notice = Arc::make_mut(&mut many.notice);
    let sample = notice.samples[0].clone();
    notice.samples = (0..100).map(|n| Sample { incident: format!("{n:04}"), ..sample.clone() }).collect();
    notice.unsampled = 7;
    let requests = requests(&many, "key", true, &Raised::default(), US);
    assert_eq!(requests.len(), MAX_EVENTS + 1);
    let rest = &requests[MAX_EVENTS].body["payload"]["custom_details"];
    assert_eq!((&rest["more"], &rest["unsampled"]), (&json!(80), &json!(7)));
}

#[test]
fn what_is_about_the_alerting_itself_is_told() {
    for name in ["health", "losses"] {
        assert_eq!(actions(&told(name, US), &mut Raised::default()), ["trigger"], "{name}");
    }
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut raised = Raised::default();
    for n in 0..2 * MAX_RAISED {
        raised.note(Then::Raised { key: n.to_string(), is_ours: true });
    }
    assert_eq!(raised.0.len(), MAX_RAISED);
}

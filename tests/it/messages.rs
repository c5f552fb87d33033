//! Every kind of message, as it was reviewed: `tests/snapshots/` has them.
//!
//! ```text
//! UPDATE_SNAPSHOTS=1 cargo test --test it messages    # then read the difference
//! ```

use std::{env, fs, path::Path};

use base64::{Engine, prelude::BASE64_STANDARD};
use tracing_alert::{DefaultRender, Email, Matcher, Render, notice::Notice};

use crate::support::{Harness, in_time, with_layer};

#[test]
fn every_message_is_the_one_that_was_reviewed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let is_update = env::var_os("UPDATE_SNAPSHOTS").is_some();
    let mut changed = Vec::new();
    let mut check = |name: String, text: String| {
        let path = folder.join(name);
        if is_update {
            fs::write(&path, &text).unwrap();
        }
        if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            changed.push(path);
        }
    };
    for (name, notice) in Notice::examples() {
        let sms = DefaultRender::default().sms(&notice);
        let Email { subject, text, html, .. } = DefaultRender::default().email(&notice);
        check(format!("{name}.txt"), format!("{sms}\n\n{subject}\n\n{text}\n"));
        check(format!("{name}.html"), html);
    }
    assert!(changed.is_empty(), "not as reviewed, see the header of this file: {changed:#?}");
}

#[test]
fn no_reviewed_message_is_left_behind() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let names: Vec<_> = Notice::examples().into_iter().map(|(name, _)| name).collect();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap();
        assert!(names.contains(&name), "{name}");
    }
}

#[test]
fn what_a_mail_has_no_room_for_comes_with_it_as_a_file() {
    let harness = Harness::new();
    let long = "<".repeat(8000);
    let handle = with_layer(harness.builder(), || {
        tracing::error!(one = long, two = long, three = format!("{long}."), "payment failed");
    });
    harness.provider.wait_for(1, 1);
    let mail = harness.provider.mails()[0].json();
    let id = mail["headers"]["X-Alert-Id"].as_str().unwrap();
    let text = mail["content"][0]["value"].as_str().unwrap();
    assert!(text.contains(&format!("<… [cut: see alert-{id}.txt]")), "{text}");
    let file = &mail["attachments"][0];
    assert_eq!(file["filename"], format!("alert-{id}.txt"));
    let whole = BASE64_STANDARD.decode(file["content"].as_str().unwrap()).unwrap();
    let whole = String::from_utf8(whole).unwrap();
    assert!(whole.contains(&format!("three = {long}.\n")) && !whole.contains("[cut"), "{whole}");
    drop(handle);
}

#[test]
fn the_code_of_a_mail_silences_its_kind_and_no_other() {
    // What is redacted before it is kept is so before it is compared.
    let fail = |order: u64| tracing::error!(order, "order {order} failed: password=hunter2x{order}");
    let harness = Harness::new();
    let handle = with_layer(harness.builder(), || fail(17));
    harness.provider.wait_for(1, 1);
    let mail = harness.provider.mails()[0].json();
    let text = mail["content"][0]["value"].as_str().unwrap();
    let code = text.split("ALERT_IGNORE=").nth(1).and_then(|rest| rest.lines().next()).unwrap();
    drop(handle);

    let harness = Harness::new();
    let handle = with_layer(harness.builder().ignore(Matcher::new().kind(code)), || {
        fail(18);
        tracing::error!("order 18 failed");
    });
    harness.provider.wait_for(1, 1);
    assert_eq!((handle.stats().ignored, handle.stats().captured), (1, 2));
    assert!(harness.provider.mails()[0].body.contains("order 18 failed"));
}

#[test]
fn a_mail_has_the_links_that_are_set_and_an_sms_none() {
    let harness = Harness::new();
    let builder = harness
        .builder()
        .link_logs("https://logs.example.com/?q={message}&order={field:order}")
        .link_trace("https://traces.example.com/{span:trace_id}")
        .link("runbook", |_, _| Some("https://wiki.example.com/orders".to_owned()));
    let handle = with_layer(builder, || tracing::error!(order = 17, "payment failed"));
    harness.provider.wait_for(1, 1);
    let mail = harness.provider.mails()[0].json();
    let [text, html] = [0, 1].map(|part| mail["content"][part]["value"].as_str().unwrap().to_owned());
    let links = "\nOpen\n    logs: https://logs.example.com/?q=payment%20failed&order=17\n    \
                 runbook: https://wiki.example.com/orders\nWhere\n";
    assert!(text.contains(links), "{text}");
    assert!(html.contains(">logs</a> · <a ") && !html.contains("traces.example.com"), "{html}");
    assert!(!harness.provider.sms()[0].text().contains("example.com"));
    drop(handle);
}

/// Has words of its own for an SMS, and panics over a mail.
struct Halfway;

impl Render for Halfway {
    fn sms(&self, notice: &Notice, default: &DefaultRender) -> Option<String> {
        Some(default.sms(notice).replace("ERROR", "FEHLER"))
    }

    fn email(&self, _: &Notice, _: &DefaultRender) -> Option<Email> {
        panic!("no words for it")
    }
}

#[test]
fn a_users_own_words_are_sent_and_ours_where_they_fail() {
    let harness = Harness::new();
    let handle = with_layer(harness.builder().render(Halfway), || tracing::error!("payment failed"));
    harness.provider.wait_for(1, 1);
    let sms = harness.provider.sms()[0].text();
    assert!(sms.starts_with("[MyApp] FEHLER: payment failed #"), "{sms}");
    let mail = harness.provider.mails()[0].json();
    assert_eq!(mail["subject"], "[MyApp] ERROR: payment failed · it::messages");
    let id = sms.rsplit_once('#').unwrap().1.to_owned();
    assert_eq!(mail["headers"]["X-Alert-Id"], id, "both tell of the same incident");
    let heard = harness.heard();
    assert!(heard.iter().any(|line| line.starts_with("your `Render` gave no message")), "{heard:?}");
    let root = mail["headers"]["References"].as_str().unwrap();
    assert!(root.starts_with(&format!("<incident-{id}-")) && root.ends_with("@example.com>"), "{root}");
    drop(handle);
}

#[test]
fn a_panic_in_a_handler_three_spans_deep_is_found_without_opening_the_code() {
    let panics = || {
        let harness = Harness::new();
        let output = harness.child("panic-in-a-handler").env("ALERT_PANICS", "on").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        harness.provider.wait_for(1, 1);
        harness
    };
    let has_backtrace = |harness: &Harness| {
        let mail = harness.provider.mails()[0].json();
        mail["content"][0]["value"].as_str().unwrap().contains("\nBacktrace\n")
    };
    // A message waits a second for it.
    let harness = in_time(panics, has_backtrace);

    let sms = harness.provider.sms()[0].text();
    let what = "[MyApp] PANIC: called 'Option::unwrap()' on a 'None' value at tests/it/child/handler.rs:";
    assert!(sms.starts_with(what), "{sms}");
    assert!(sms.is_ascii() && sms.len() <= 140, "one segment: {sms}");

    let mail = harness.provider.mails()[0].json();
    assert_eq!(mail["headers"]["Importance"], "high");
    let text = mail["content"][0]["value"].as_str().unwrap();
    assert!(text.starts_with("New in MyApp on "), "{text}");
    assert!(text.contains("Where\n    tests/it/child/handler.rs:"), "{text}");
    assert!(text.contains("Spans\n    request\n    > checkout{cart=5}\n    > charge{order=17}\n"), "{text}");
    let (_, own) = text.split_once("\nBacktrace\n").unwrap();
    let own: Vec<&str> = own.split("\n\n").next().unwrap().lines().collect();
    assert!(own[..2].concat().contains("/it/child/handler.rs:"), "{own:#?}");
    let others = ["tokio::", "core::", "std::", "axum::"];
    let is_others = |line: &&str| {
        others.iter().any(|other| line.trim_start_matches(char::is_numeric).contains(&format!(": {other}")))
    };
    assert!(own.len() > 3 && !own.iter().any(is_others), "{own:#?}");
}

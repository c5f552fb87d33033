//! Every kind of message, as it was reviewed: `tests/snapshots/` has them.
//!
//! ```text
//! UPDATE_SNAPSHOTS=1 cargo test --test it messages    # then read the difference
//! ```

use std::{env, fs, path::Path};

use tracing_alert::{DefaultRender, Email, Notice, Render};

use crate::support::{Harness, with_layer};

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
    let root = mail["headers"]["References"].as_str().unwrap();
    assert!(root.starts_with(&format!("<incident-{id}-")) && root.ends_with("@example.com>"), "{root}");
    drop(handle);
}

//! Every kind of message, as it was reviewed: `tests/snapshots/` has them.
//!
//! ```text
//! UPDATE_SNAPSHOTS=1 cargo test --test it messages    # then read the difference
//! ```

use std::{env, fs, path::Path};

use tracing_alert::{DefaultRender, Email, Notice};

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

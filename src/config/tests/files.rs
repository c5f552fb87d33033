//! Credentials from files, and what keeps one from being read.

use std::{fs, path::Path, process::Command, sync::mpsc, time::Duration};

use super::*;

/// What the environment says if it names `path` for a credential of SMS, and its
/// problems. It must not take long: the file may be one that never ends.
fn with_file(name: &'static str, path: &str) -> (Builder, Vec<Problem>) {
    let credential = name.strip_suffix("_FILE").unwrap();
    let vars = SMS.into_iter().chain(MAIL).filter(|(other, _)| *other != credential);
    let vars: Vec<_> = vars.chain([(name, path)]).map(|(name, value)| (name.into(), value.into())).collect();
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || drop(send.send(read_apart(vars))));
    receive.recv_timeout(Duration::from_secs(20)).expect("it waits for the file")
}

fn file(directory: &Path, content: impl AsRef<[u8]>) -> String {
    let path = directory.join("secret");
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The one problem of a file for the token, which switches SMS off.
fn refused(path: &str) -> String {
    let (builder, problems) = with_file("TWILIO_AUTH_TOKEN_FILE", path);
    assert_eq!(settings(&problems), ["TWILIO_AUTH_TOKEN_FILE"], "{problems:?}");
    let config = builder.check().unwrap();
    assert!(route(&config, "twilio").is_none() && route(&config, "sendgrid").is_some());
    let line = problems[0].to_string();
    assert!(line.contains(": SMS is off; "), "{line}");
    line
}

#[test]
fn each_credential_may_be_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    for (name, value) in [
        ("TWILIO_ACCOUNT_SID_FILE", ACCOUNT_SID),
        ("TWILIO_AUTH_TOKEN_FILE", TOKEN),
        ("SENDGRID_API_KEY_FILE", SENDGRID_KEY),
    ] {
        let (builder, problems) = with_file(name, &file(directory.path(), value));
        assert_eq!(problems, [], "{name}");
        let config = builder.check().unwrap();
        assert!(route(&config, "twilio").is_some() && route(&config, "sendgrid").is_some(), "{name}");
    }
    let secret = file(directory.path(), TOKEN);
    let key = directory.path().join("key");
    fs::write(&key, KEY_SID).unwrap();
    let vars = SMS
        .into_iter()
        .filter(|(name, _)| *name != "TWILIO_AUTH_TOKEN")
        .chain([("TWILIO_API_KEY_FILE", key.to_str().unwrap()), ("TWILIO_API_KEY_SECRET_FILE", &secret)]);
    let (builder, problems) = read_apart(vars.map(|(name, value)| (name.into(), value.into())));
    assert_eq!(problems, []);
    assert!(route(&builder.check().unwrap(), "twilio").is_some());
}

#[test]
fn what_an_editor_leaves_round_a_credential_is_not_a_part_of_it() {
    let directory = tempfile::tempdir().unwrap();
    for content in [
        format!("{TOKEN}\n"),
        format!("\u{feff}{TOKEN}\r\n"),
        format!("  {TOKEN}\n\n"),
        format!("\"{TOKEN}\"\n"),
    ] {
        let (builder, problems) = with_file("TWILIO_AUTH_TOKEN_FILE", &file(directory.path(), &content));
        assert_eq!(problems, [], "{content:?}");
        // What is hidden in events is what is sent: nothing more, nothing less.
        let hidden = builder.credentials.iter().any(|secret| secret.expose() == TOKEN);
        assert!(hidden, "{content:?}");
    }
}

#[test]
fn a_file_that_holds_no_credential_is_named_and_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let utf16: Vec<u8> = "\u{feff}hush".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (content, wrong) in [
        (Vec::new(), "is empty"),
        (b" \n".to_vec(), "is empty"),
        (b"hush\nhush\n".to_vec(), "has more than one line"),
        (vec![b'h'; 5_000], "is larger than 4096 bytes"),
        (utf16, "is UTF-16"),
        (b"hush\xe9".to_vec(), "is not text"),
        (b"<your hush>".to_vec(), "holds text that is a reference or a placeholder"),
        (b"${HUSH}\n".to_vec(), "holds text that is a reference or a placeholder"),
        (b"your_hush_token".to_vec(), "holds text that is a reference or a placeholder"),
        (b"changeme\n".to_vec(), "holds text that is a reference or a placeholder"),
        (b"\"hush\n".to_vec(), "holds text that has a quotation mark at one end only"),
    ] {
        let path = file(directory.path(), content);
        let line = refused(&path);
        assert!(line.contains(&format!("the file {path:?} {wrong}")), "{line}");
        assert!(!line.contains("hush"), "{line}");
    }
}

#[test]
fn what_is_no_regular_file_is_not_opened() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    assert!(refused(&path("")).contains("is a directory"));
    assert!(refused(&path("missing")).contains("does not exist"));
    let below_a_file = refused(&format!("{}/secret", file(directory.path(), "x")));
    // To Windows, that is only one that is not there.
    assert!(below_a_file.contains(if cfg!(unix) { "cannot be read (" } else { "does not exist" }));
    if cfg!(unix) {
        assert!(refused("/dev/zero").contains("is not a regular file"));
        let pipe = path("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(refused(&pipe).contains("is not a regular file"));
    }
}

#[test]
fn a_credential_in_the_place_of_a_path_is_not_shown() {
    let line = refused(TOKEN);
    assert!(!line.contains(TOKEN) && line.contains("does not exist"), "{line}");
}

#[test]
fn of_a_value_and_a_file_the_value_is_used_and_that_is_told() {
    let vars = SMS.into_iter().chain([("TWILIO_AUTH_TOKEN_FILE", "/missing")]);
    let (builder, problems) = read_apart(vars.map(|(name, value)| (name.into(), value.into())));
    assert_eq!((settings(&problems).len(), settings(&builder.hints)), (0, vec!["TWILIO_AUTH_TOKEN_FILE"]));
    assert_eq!(builder.hints[0].what, "TWILIO_AUTH_TOKEN is set, too, and is used");
    assert!(route(&builder.check().unwrap(), "twilio").is_some());
}

#[test]
fn a_home_directory_stands_for_the_tilde_of_a_path() {
    let directory = tempfile::tempdir().unwrap();
    file(directory.path(), TOKEN);
    let home = directory.path().to_str().unwrap();
    let vars = SMS.into_iter().filter(|(name, _)| *name != "TWILIO_AUTH_TOKEN");
    let vars = vars.chain([("TWILIO_AUTH_TOKEN_FILE", "~/secret"), (HOME, home)]);
    let (_, problems) = read_apart(vars.map(|(name, value)| (name.into(), value.into())));
    assert_eq!(problems, []);
}

//! The session in the docs is one that took place: `src/docs/command.md` has what the
//! command says, but for times, ids and places. After a change that is meant:
//!
//! ```text
//! REVIEWED=1 cargo test --features cli --test cli transcript
//! ```

use std::{fs, path::Path};

use crate::{
    service::Service,
    stage::{Stage, eventually},
};

/// What stands for what differs each time.
struct Disguise {
    words: Vec<(String, &'static str)>,
    ids: Vec<String>,
}

/// Ids of messages, as the docs show them.
const IDS: [&str; 6] = ["7K3Q", "B2XN", "M4RT", "9ZWD", "K6HP", "T3VF"];

impl Disguise {
    fn apply(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (word, shown) in &self.words {
            text = text.replace(word, shown);
        }
        for (id, shown) in self.ids.iter().zip(IDS) {
            text = text.replace(id.as_str(), shown);
        }
        let lines = text.lines().map(|line| with_times(line).trim_end().to_owned());
        // A certificate is valid for longer than that night.
        lines.collect::<Vec<_>>().join("\n").replace("until 2026-11-22", "until 2027-02-20")
    }
}

/// The line with made-up dates, times and durations of its own.
fn with_times(line: &str) -> String {
    let shape = |text: &str| -> String {
        text.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect()
    };
    let mut shown = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let is = |pattern: &str| {
            rest.is_char_boundary(pattern.len())
                && rest.len() >= pattern.len()
                && shape(&rest[..pattern.len()]) == pattern
        };
        let replaced = [
            ("0000-00-00 00:00:00", "2026-11-22 03:12:07"),
            ("0000-00-00 00:00", "2026-11-22 03:12"),
            ("0000-00-00", "2026-11-22"),
            ("00:00:00", "03:12:07"),
        ]
        .into_iter()
        .find(|(pattern, _)| is(pattern));
        if let Some((pattern, made_up)) = replaced {
            shown.push_str(made_up);
            rest = &rest[pattern.len()..];
            continue;
        }
        // How large the file is depends on what was written when.
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 && rest[digits..].starts_with(" KiB") {
            shown.push_str("120");
            rest = &rest[digits..];
            continue;
        }
        if let Some(after) = rest.strip_prefix('(')
            && let Some((digits, after)) = after.split_once(" ms)")
            && digits.bytes().all(|byte| byte.is_ascii_digit())
        {
            shown.push_str("(21 ms)");
            rest = after;
            continue;
        }
        shown.push(first);
        rest = &rest[first.len_utf8()..];
    }
    shown
}

/// A night in a shop, and the morning after.
fn session() -> String {
    let (service, certificate) = Service::start_certified(&["127.0.0.1"]);
    let mut stage = Stage::with(service);
    let authority = stage.directory().join("authority.pem");
    fs::write(&authority, certificate).unwrap();
    stage.set("SSL_CERT_FILE", authority.to_str().unwrap());
    // As a terminal.
    stage.set("COLUMNS", "80");
    let mut program = stage.program();
    program.tell("error payment failed: the bank did not answer");
    program.tell("flush");
    stage.service.answers(
        "POST /2010-04-01",
        400,
        r#"{"code":21610,"message":"The recipient has unsubscribed"}"#,
    );
    program.tell("stock nothing is left of the best-seller");
    program.tell("flush");
    stage.service.is_well();
    eventually("both are settled", || {
        let list = stage.json(&["list"]);
        let messages = list.as_array().unwrap().iter().flat_map(|it| it["messages"].as_array().unwrap());
        let states: Vec<_> = messages.map(|it| it["state"].as_str().unwrap().to_owned()).collect();
        states.len() == 5 && !states.iter().any(|state| state == "pending")
    });
    let list = stage.json(&["list"]);
    let id_of = |part: &str| {
        let list = list.as_array().unwrap();
        let found = list.iter().find(|it| it["message"].as_str().unwrap().contains(part));
        found.unwrap()["id"].as_str().unwrap().to_owned()
    };
    let mut disguise = Disguise {
        words: Vec::new(),
        ids: vec![id_of("payment"), id_of("best-seller"), id_of("could not be delivered")],
    };
    let host = list[0]["host"].as_str().unwrap().to_owned();
    let url = stage.service.url();
    let address = url.strip_prefix("https://").unwrap().to_owned();
    disguise.words = vec![
        (stage.directory().display().to_string(), "/var/lib/shop"),
        (host, "web-1"),
        (address, "api.sendgrid.com:443"),
        ("127.0.0.1".to_owned(), "192.0.2.7"),
        ("tests/cli/program.rs".to_owned(), "src/payment.rs"),
        ("cli::program".to_owned(), "shop::payment::card"),
        ("thread program::run".to_owned(), "thread main"),
        (format!("process id = {}", program.id()), "process id = 4711"),
    ];
    let mut said = String::new();
    let mut type_in = |arguments: &[&str], disguise: &mut Disguise| {
        let ran = stage.run(arguments);
        let quoted =
            arguments.iter().map(|it| if it.contains(' ') { format!("'{it}'") } else { (*it).to_owned() });
        let typed = format!("$ tracing-alert {}\n", quoted.collect::<Vec<_>>().join(" "));
        // A message or a silence that is new has an id of its own.
        for word in ran.text.split(|char: char| !char.is_ascii_alphanumeric()) {
            let is_id =
                word.len() == 4 && word.bytes().all(|byte| b"0123456789BCDFGHJKMNPQRSTVWXYZ".contains(&byte));
            let is_new =
                ran.text.contains(&format!("Silence {word}:")) || ran.text.contains(&format!("#{word} to"));
            if is_id && is_new && !disguise.ids.iter().any(|known| known == word) {
                disguise.ids.push(word.to_owned());
            }
        }
        said.push_str(&disguise.apply(&format!("{typed}{}{}", ran.text, ran.errors)));
        said.push_str("\n\n");
        ran.text
    };
    let (payment, stock) = (disguise.ids[0].clone(), disguise.ids[1].clone());
    type_in(&["list"], &mut disguise);
    let shown = type_in(&["show", &payment], &mut disguise);
    assert!(shown.contains("payment failed"));
    let silence = type_in(&["silence", &payment, "--for", "2h", "--why", "the bank is down"], &mut disguise);
    program.tell("error payment failed: the bank did not answer");
    program.tell("wait 3");
    type_in(&["silences"], &mut disguise);
    let silence = silence.split_once("Silence ").unwrap().1[..4].to_owned();
    type_in(&["stats"], &mut disguise);
    type_in(&["unsilence", &silence], &mut disguise);
    type_in(&["retry", &stock], &mut disguise);
    type_in(&["allow", "+12065550147"], &mut disguise);
    type_in(&["test", "--email", "--wait", "1s"], &mut disguise);
    program.kill();
    stage.service.answers("GET /v3/scopes", 200, r#"{"scopes":["mail.send"]}"#);
    let mut only_mail = stage;
    only_mail.settings.retain(|(name, _)| !name.starts_with("TWILIO_") && *name != "ALERT_PHONE");
    let ran = only_mail.run(&["doctor"]);
    said.push_str(&disguise.apply(&format!("$ tracing-alert doctor\n{}", ran.text)));
    said
}

#[test]
fn the_session_in_the_docs_is_one_that_took_place() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/docs/command.md");
    let page = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    let (before, rest) = page.split_once("```console\n").unwrap();
    let (known, after) = rest.split_once("\n```").unwrap();
    let now = session();
    let long: Vec<_> = now.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(long.is_empty(), "{long:#?}");
    if std::env::var_os("REVIEWED").is_some() {
        fs::write(&path, format!("{before}```console\n{now}\n```{after}")).unwrap();
        return;
    }
    assert!(now == known, "the session is another one now:\n{now}");
}

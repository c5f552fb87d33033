//! What is redacted and what is left, and what holds for every text.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use proptest::prelude::*;

use super::*;
use crate::{
    event::{SpanFrame, breadcrumb::tests::breadcrumb, tests::event},
    host::{permit::Permit, secret::Secret},
};

mod corpora;
mod doubt;
mod edges;
mod findings;
mod learn;
mod linear;
mod samples;
mod sentences;
mod wrapped;

thread_local! {
    /// How many bytes were looked at, each as often as it was.
    static LOOKED: Cell<usize> = const { Cell::new(0) };

    /// Whether looking at something panics, as a rule with a fault does.
    static PANICS: Cell<bool> = const { Cell::new(false) };
}

pub(super) fn look(bytes: usize) {
    assert!(!PANICS.get(), "a rule panics");
    LOOKED.set(LOOKED.get() + bytes);
}

fn default() -> Policy {
    Policy::new(true, &[], &[])
}

fn field(name: &str, value: Value) -> Field {
    Field::new(name.to_owned(), value)
}

fn cleaned(text: &str) -> String {
    clean::clean(text, &default()).unwrap_or_else(|| text.to_owned())
}

#[test]
fn a_rule_that_panics_costs_the_text_and_shows_none_of_it() {
    PANICS.set(true);
    let mut event =
        Event { fields: vec![field("password", Value::Str("é-9-hunter".into()))], ..event("é: 17") };
    redact(&mut event, &default());
    PANICS.set(false);
    assert_eq!(event.message, "[redacted:unread]");
    assert_eq!(event.fields[0].value, Value::Str("[redacted:unread]".into()));
    redact(&mut event, &default());
    assert_eq!(event.message, "[redacted:unread]");
}

#[test]
fn what_a_field_shows_to_be_a_secret_goes_from_the_other_parts_of_its_event() {
    let fields =
        || vec![field("user", Value::Str("ann".into())), field("why", Value::Str("ann: mini.dock?".into()))];
    let span = SpanFrame {
        name: "login".into(),
        target: "t".into(),
        fields: Arc::new(vec![field("password", Value::Str("mini.dock".into()))]),
    };
    let chain = || Value::Error(vec!["top".into(), "no luck with mini.dock".into()]);
    let mut event = Event { fields: fields(), spans: vec![span], ..event("ann tried mini.dock again") };
    event.fields.push(field("error", chain()));
    redact(&mut event, &default());
    assert_eq!(event.message, "ann tried [redacted:password] again");
    let values: Vec<_> = event.fields.iter().map(|field| format!("{:?}", field.value)).collect();
    assert_eq!(
        values,
        [
            "Str(\"ann\")",
            "Str(\"ann: [redacted:password]?\")",
            "Error([\"top\", \"no luck with [redacted:password]\"])"
        ]
    );
    // Somebody may vouch for a field.
    let text = || Value::Str("mini.dock".into());
    let fields = vec![field("password", text()), field("voucher", text())];
    let mut event = Event { fields, ..tests::event("it failed") };
    redact(&mut event, &Policy::new(true, &[], &["voucher".to_owned()]));
    assert_eq!(event.fields[1].value, text());
    // As `Debug` shows it, and one that begins another.
    let fields = [("password", "Some(\"dock-17\")"), ("new_password", "\"dock-17!pier\"")];
    let fields = fields.map(|(name, value)| field(name, Value::Str(value.into()))).to_vec();
    let mut event = Event { fields, ..tests::event("dock-17 is dock-17!pier now") };
    redact(&mut event, &default());
    assert_eq!(event.message, "[redacted:password] is [redacted:password] now");
    // Quotes may be in it, and so may more than is looked for in linear time.
    let long = "a1".repeat(noted::MAX_BYTES + 1);
    let fields = [("password", "gr4vel\"pit\"road"), ("token", long.as_str())];
    let fields = fields.map(|(name, value)| field(name, Value::Str(value.into()))).to_vec();
    let mut event = Event { fields, ..tests::event(&format!("gr4vel\"pit\"road, and {long}")) };
    redact(&mut event, &default());
    assert!(event.message.starts_with("[redacted:password], and a1a1"), "{}", event.message);
    assert_eq!(event.fields[1].value, Value::Str("[redacted:token]".into()));
    // What an error says is no secret, although its field is called so.
    let why = "Connection refused by 10.0.0.1 port 5432";
    let fields = vec![field("auth", Value::Str(why.into()))];
    let mut event = Event { fields, ..tests::event(&format!("auth failed: {why}")) };
    redact(&mut event, &default());
    assert_eq!(event.message, format!("auth failed: {why}"));
    // What stands for other things, too, is left.
    for word in ["production", "Production", "ServiceAccount"] {
        let fields = vec![field("password", Value::Str(word.into()))];
        let mut event = Event { fields, ..tests::event(&format!("{word} is down")) };
        redact(&mut event, &default());
        assert_eq!(event.message, format!("{word} is down"));
    }
}

#[test]
fn what_stands_around_a_secret_is_left() {
    for (text, clean) in [
        ("postgres://app:x1@db/orders: refused", "postgres://app:[redacted:password]@db/orders: refused"),
        (
            "Config { user: \"a\", password: \"b\", n: 1 }",
            "Config { user: \"a\", password: \"[redacted:password]\", n: 1 }",
        ),
        ("Config { password: Some(\"b\"), n: 1 }", "Config { password: [redacted:password], n: 1 }"),
        ("GET /a?token=abc&page=2 failed", "GET /a?token=[redacted:token]&page=2 failed"),
        (
            "postgres://app:p#1?/@x@db/orders: refused",
            "postgres://app:[redacted:password]@db/orders: refused",
        ),
        ("http://[::1]/a?to=a@b and http://h:80/@a", "http://[::1]/a?to=a@b and http://h:80/@a"),
        ("password=\"hunter***2\"", "password=\"[redacted:password]\""),
        (
            "Société, Bearé: Société générale, API key: clé-9é",
            "Société, Bearé: Société générale, API key: [redacted:api_key]",
        ),
        ("password=a,user=b", "password=[redacted:password],user=b"),
        (
            "password=a1, then (password: b2).",
            "password=[redacted:password], then (password: [redacted:password]).",
        ),
        ("Authorization: Bearer abc123def\nHost: x", "Authorization: [redacted:authorization]\nHost: x"),
    ] {
        assert_eq!(cleaned(text), clean);
    }
}

#[test]
fn a_field_that_is_named_is_redacted_and_one_that_is_safe_is_not() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let policy = Policy::new(true, &names(&["License-Plate", "größe"]), &names(&["sessionId", "x_token"]));
    let text = "licensePlate=ZH17 session_id=17171717 token=abc x.token=abc größe=9 user_license_plate=ZH18";
    let mut event = event(text);
    event.fields = ["car.license_plate", "session-id", "xToken", "access_token", "Größe"]
        .map(|name| field(name, Value::Str("some text".into())))
        .into();
    redact(&mut event, &policy);
    let shown: Vec<_> = event.fields.iter().map(|field| field.value.to_string()).collect();
    let [plate, token] = ["[redacted:license_plate]", "[redacted:token]"];
    assert_eq!(shown, [plate, "some text", "some text", token, "[redacted:größe]"]);
    assert_eq!(
        event.message,
        format!(
            "licensePlate={plate} session_id=17171717 token={token} x.token=abc größe=9 user_license_plate={plate}"
        )
    );
}

/// A number in a name that somebody gave is a part of it.
#[test]
fn a_name_with_a_number_is_meant_with_it() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let safe = names(&["token_1", "oauth2Token", "pin"]);
    let policy = Policy::new(true, &names(&["line_2", "license_plate"]), &safe);
    for (text, clean) in [
        ("token=abc token_1=abc Token1=abc", "token=[redacted:token] token_1=abc Token1=abc"),
        (
            "token_2=abc oauth_token=abc oauth2_token=abc",
            "token_2=[redacted:token] oauth_token=[redacted:token] oauth2_token=abc",
        ),
        ("pin=4711 pin_2=4711", "pin=4711 pin_2=[redacted:pin]"),
        (
            "line: 17, line_2=17, line2Text=17",
            "line: 17, line_2=[redacted:line_2], line2Text=[redacted:line_2]",
        ),
        (
            "license2_plate=ZH17 license_plate_2=ZH17",
            "license2_plate=[redacted:license_plate] license_plate_2=[redacted:license_plate]",
        ),
    ] {
        assert_eq!(clean::clean(text, &policy).unwrap(), clean);
    }
}

#[test]
fn nothing_is_redacted_if_it_is_off() {
    let mut event = event("password=hunter2");
    redact(&mut event, &Policy::new(false, &[], &[]));
    assert_eq!(event.message, "password=hunter2");
}

#[test]
fn a_credential_of_a_sink_goes_whatever_else_may_stay() {
    let own = ["4f3c2b1a09f8e7d6c5b4a3928170f6e5", "SG.abcdefghijklmnopqrstu.vwxyz", "word"];
    let [token, key, _] = own;
    let safe = ["refresh_token".to_owned()];
    for is_on in [true, false] {
        let policy = Policy::new(is_on, &[], &safe).credentials(own.map(Secret::new).to_vec());
        let mut event = event(&format!("[{token}] refused, a word: {key}{key}"));
        event.fields = vec![
            field("refresh_token", Value::Str(format!("x {token}"))),
            field("error", Value::Error(vec!["top".into(), format!("?key={key}&n=1")])),
        ];
        redact(&mut event, &policy);
        let gone = "[redacted:credential]";
        assert_eq!(event.message, format!("[{gone}] refused, a word: {gone}{gone}"));
        let shown: Vec<_> = event.fields.iter().map(|field| field.value.to_string()).collect();
        assert_eq!(shown, [format!("x {gone}"), format!("top: ?key={gone}&n=1")]);
        let shown = format!("{policy:?}");
        assert!(!shown.contains(token) && !shown.contains(key), "{shown}");
    }
}

#[test]
fn a_number_is_a_secret_by_its_name_or_as_a_card() {
    let values = [
        ("pin", 4711),
        ("pin", 17),
        ("password", 1),
        ("order", 4711),
        ("tokens", 4711),
        ("id", 4_111_111_111_111_111),
    ];
    let mut event = event("");
    event.fields = values.map(|(name, value)| field(name, Value::U64(value))).into();
    event.fields.push(field("id", Value::I64(-4_111_111_111_111_111)));
    event.fields.push(field("password", Value::Bool(true)));
    redact(&mut event, &default());
    let shown: Vec<_> = event.fields.iter().map(|field| field.value.to_string()).collect();
    assert_eq!(
        shown,
        [
            "[redacted:pin]",
            "17",
            "[redacted:password]",
            "4711",
            "4711",
            "[redacted:card]",
            "-4111111111111111",
            "true"
        ]
    );
}

/// Names of any script are meant in texts, too, and so are those that are safe.
#[test]
fn names_of_any_script_are_meant_in_text_as_in_fields() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let more = names(&["номер_паспорта", "Führerschein", "身份证", "número de cuenta"]);
    let policy = Policy::new(true, &more, &names(&["пароль", "Kennwort-Nr", "密码"]));
    for (text, clean) in [
        ("номер_паспорта=17AB ok", "номер_паспорта=[redacted:номер_паспорта] ok"),
        ("{\"Номер_Паспорта\": \"17AB\"}", "{\"Номер_Паспорта\": \"[redacted:номер_паспорта]\"}"),
        ("fuehrer=1 führerschein: B17XY", "fuehrer=1 führerschein: [redacted:führerschein]"),
        ("身份证=17AB", "身份证=[redacted:身份证]"),
        ("numero_de_cuenta=17AB", "numero_de_cuenta=[redacted:número_de_cuenta]"),
        ("пароль=17AB", "пароль=17AB"),
        ("kennwort_nr=17AB", "kennwort_nr=17AB"),
        ("密码=17AB", "密码=17AB"),
        ("пароль_бд=17AB", "пароль_бд=[redacted:password]"),
    ] {
        assert_eq!(clean::clean(text, &policy).unwrap_or_else(|| text.to_owned()), clean);
    }
}

#[test]
fn every_text_of_an_event_is_redacted() {
    let mut event = event("password=hunter2x");
    event.target = Text::Owned("job token=hunter2x".into());
    event.thread = Some("worker token=hunter2x".into());
    event.backtrace = Some("  0: connect\n      at postgres://app:hunter2x@db:5432/x".into());
    let fields = Arc::new(vec![field("why", Value::Str("api_key=hunter2x".into()))]);
    event.spans = vec![SpanFrame { name: Text::Owned("pw=hunter2x".into()), target: "t".into(), fields }];
    let chain = ["the login failed: bad password".into(), "hunter2x".into(), "it was secret=hunter2x".into()];
    event.fields = vec![field("error", Value::Error(chain.into()))];
    redact(&mut event, &default());
    let json = serde_json::to_string(&event).unwrap();
    assert!(!json.contains("hunter2x"), "{json}");
    assert!(json.contains("the login failed: bad password") && json.contains("  0: connect"), "{json}");
}

/// Its hashes and paths are no secrets.
#[test]
fn a_backtrace_stays_as_it_is() {
    let backtrace = "   0: rust_begin_unwind\n             at /rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/std/src/panicking.rs:689:5\n   1: app::auth::Token::parse::h0a1b2c3d4e5f6071\n             at /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/tokio-1.41.0/src/runtime/task/core.rs:331:17\n   2: <core::pin::Pin<P> as core::future::future::Future>::poll";
    assert_eq!(cleaned(backtrace), backtrace);
}

#[test]
fn a_span_whose_fields_hold_no_secret_is_shared_as_before() {
    let fields = Arc::new(vec![field("order", Value::U64(17))]);
    let mut event = event("password=hunter2");
    event.spans = vec![SpanFrame { name: "s".into(), target: "t".into(), fields: Arc::clone(&fields) }];
    redact(&mut event, &default());
    assert!(Arc::ptr_eq(&event.spans[0].fields, &fields));
}

#[test]
fn of_breadcrumbs_only_what_holds_a_secret_is_copied() {
    let (clean, bytes) = (Arc::new(breadcrumb("started")), Arc::<AtomicUsize>::default());
    let take = |size| Permit::take(&bytes, size, MAX_BREADCRUMB_BYTES).unwrap();
    let token = Field::new("token", Value::Str("a secret of several words".into()));
    let dirty = Breadcrumb { share: take(1), fields: vec![token], ..breadcrumb("password=hunter2") };
    let dirty = Arc::new(dirty);
    let mut kept = vec![Arc::clone(&clean), Arc::clone(&dirty)];
    let mut later = kept.clone();
    redact_breadcrumbs(&mut kept, &default());
    assert!(Arc::ptr_eq(&kept[0], &clean));
    assert_eq!(kept[1].message, "password=[redacted:password]");
    assert_eq!(kept[1].fields[0].value, Value::Str("[redacted:token]".into()));
    assert_eq!(dirty.message, "password=hunter2", "it may be that others are to keep it, too");

    let _rest = take(MAX_BREADCRUMB_BYTES - bytes.load(Ordering::Relaxed));
    redact_breadcrumbs(&mut later, &default());
    assert_eq!(later, [clean], "there is no room for another one");
}

/// Pieces of what the rules look for, in any order.
fn text() -> impl Strategy<Value = String> {
    let names = "password|token|secret|api|key|API key|session id|authorization|Cookie|pin|iban|auth|passphrase|user|id|card";
    let marks = "[ =:,;&.\"'`\\\\(){}\\[\\]<>@/?%\n-]{1,3}|: |=|: \"|://|%3D|%26|Some\\(|\\[redacted:|\\[redacted:token\\]|--|=> ";
    let values = "[a-z]{1,8}|[A-Za-z0-9+/_-]{8,40}|4111 1111 1111 1111|4111111111111111|Bearer |Basic |eyJ[a-zA-Z0-9]{8,20}\\.eyJ|sk-|ghp_|AKIA|arn:|must|none|-----BEGIN PRIVATE KEY-----|-----END|[a-zA-Z]{0,6}[éß支💥\u{2028}][a-z]?|\\*\\*\\*|[0-9]{1,6}|https|\\PC";
    let piece = prop_oneof![names, marks, values];
    prop_oneof![4 => prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat()), 1 => any::<String>()]
}

proptest! {
    #[test]
    fn what_is_clean_stays_as_it_is_and_is_not_much_longer(text in text()) {
        let once = cleaned(&text);
        prop_assert_eq!(cleaned(&once), once.clone(), "{}", text);
        prop_assert!(once.len() <= 5 * text.len(), "{} {}", text, once);
    }
}

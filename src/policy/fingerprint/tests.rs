//! What is the same, and what is not: by example, by a labelled corpus, and for
//! whatever a message may be.

mod after;
mod corpora;
mod masks;
mod numbers;
mod shapes;
mod slots;
mod vocabulary;
mod words;

use std::fmt::Debug;

use proptest::prelude::*;

use super::*;
use crate::event::{Field, tests::event};

/// Each input in `rows` gives what stands beside it.
fn gives<I: Copy + Debug, O: Debug + PartialEq>(rule: impl Fn(I) -> O, rows: &[(I, O)]) {
    let given = rows.iter().map(|(input, right)| (input, rule(*input), right));
    let wrong: Vec<_> = given.filter(|(_, given, right)| given != *right).collect();
    assert!(wrong.is_empty(), "(input, given, right): {wrong:#?}");
}

fn own(event: &Event) -> Fingerprint {
    keys(event, "app", None).own
}

fn with_field(message: &str, name: &'static str, value: Value) -> Event {
    Event { fields: vec![Field::new(name, value)], ..event(message) }
}

#[test]
fn what_varies_is_masked() {
    for (message, masked) in [
        ("order 17 failed", "order * failed"),
        ("1.5s or 2h 30m or 1,204.50 EUR or 7 MiB or -3 or 12 ms", "* or * or * EUR or * or * or *"),
        ("order #17, partitions [0, 1, 2]", "order *, partitions [*]"),
        ("at 2024-03-02T23:10:44.123456+01:00", "at *"),
        ("at 2024-03-02 23:10:44 UTC or 12:03:04.123", "at * or *"),
        ("Date: Tue, 02 Jan 2024 10:00:01 GMT", "Date: *"),
        ("at Sat Jun 11 03:28:22 2005 or Jun 9 03:28:22, blk_-17", "at * or *, blk_*"),
        ("job 550e8400-e29b-41d4-a716-446655440000", "job *"),
        ("job_deadbeef-e29b-41d4-a716-446655440000.json", "job_*.json"),
        ("commit 9fceb02 of e83c5163316f89bfbde7d9ab23ca2e25604af290", "commit * of *"),
        ("0x7ffdf2a4c010 in ThreadId(3)", "* in ThreadId(*)"),
        ("Order { id: 17, paid: true }", "Order { id: *, paid: * }"),
        ("ann+x@example.com at https://a.b/c?d=e&f=[1], then", "* at https://a.b/c, then"),
        (
            "http://ann:pw@10.0.0.1:80/v1/orders/17/lines/ https://db-2.io:5432",
            "http://*/v1/orders/*/lines https://db-*.io",
        ),
        ("10.0.0.1:5432 [::1]:80 [::] fe80::1%eth0 2001:db8::7 0.0.0.0/0", "* * * * * *"),
        ("db-2.internal:5432, localhost:80/x, redis:6379", "db-*.internal:*, localhost:*/x, redis:*"),
        (r#"user "ann \"a\" b" and 'bob' can't"#, "user * and 'bob' can't"),
        (r#"{\"user\":\"ann\",\"n\":1}"#, r#"{\"user\":\*,\"n\":*}"#),
        ("login failed for user ann", "login failed for user *"),
        ("user=ann-b, session:user-x", "user=*, session:user-*"),
        ("Key (username)=(alice) already exists", "Key (username)=(*) already exists"),
        ("arn:aws:iam::123456789012:user/ann", "arn:aws:iam::*:user/*"),
        ("/home/ann/.config or C:\\Users\\ann\\x", "/home/*/.config or C:\\Users\\*\\x"),
        ("1 job is late; 2 jobs are late, 3 entries were", "* job is late; * job is late, * entry was"),
        ("uploads/a.png and uploads/b.jpg", "uploads/* and uploads/*"),
        ("[Line { id: 1 }, Line { id: 2 }, Line { id: 3 }]", "[Line { id: * }]"),
        (
            "status: Ok, metadata: MetadataMap { headers: {\"date\": \"now\"} }",
            "status: Ok, metadata: MetadataMap *",
        ),
        ("query [redacted:card] failed, key=[redacted:key]", "query * failed, key=*"),
        ("user u8; user u128; user i32", "user u*; user u*; user i*"),
        (
            "SELECT id FROM t WHERE name = 'ann' AND x IN ('a', 'b')",
            "SELECT id FROM t WHERE name = * AND x IN (*)",
        ),
        ("invalid type: string \"n/a\", expected u64", "invalid type: string *, expected u64"),
        ("syntax for type integer: \"n/a\"", "syntax for type integer: *"),
        ("3 | port = \"x\"\n  | ^^^ not a port\nno number", "not a port\nno number"),
        ("/tmp/.tmpX1/a.bin and /users/17/orders/", "* and /users/*/orders/"),
        ("a%20b%2017.pdf", "*"),
        ("user_42, worker-3, node7", "user_*, worker-*, node*"),
        ("trace 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "trace *-*-*-*"),
        ("key aGVsbG8gd29ybGQgMTIzNDU2Nzg5MA== and req_8Hk2LxP", "key * and req_*"),
        ("支付失败订单17件", "支付失败订单*件"),
        ("\n\n  one 1  \n\n two 2\nthree", "one *\ntwo *\nthree"),
        ("  ", ""),
    ] {
        assert_eq!(mask(message), masked, "{message}");
    }
}

#[test]
fn an_address_has_something_on_both_sides() {
    let are_mail = ["ann@b.io", "ann@", "@b.io", "a@b", ""].map(shape::is_mail);
    assert_eq!(are_mail, [true, false, false, true, false]);
}

#[test]
fn an_address_may_leave_out_one_group_only() {
    assert_eq!(["::2:3:4:5:6:7:8", "::2:3:4:5:6:7:8:9"].map(shape::whole), [Some(15), None]);
}

#[test]
fn what_says_what_happened_stays() {
    for message in [
        "HTTP 404",
        "HTTP/1.1 503 Service Unavailable",
        "status code: 502",
        "StatusCode(503)",
        "upstream returned 503 for it",
        "No such file or directory (os error 2)",
        "error 1062, SQLSTATE 42P01, ORA-00942, error[E0308]",
        "exit status: 101; signal: 9; code=17",
        "Os { code: 2, kind: NotFound, message: \"No such file or directory\" }",
        "called `Option::unwrap()` on a `None` value",
        "handler shop::v2::orders::b17::create::<Pg>() failed",
        "utf8 UTF8 sha256 http2 s3 x86_64 ipv6 v1 4xx HmacSha256 FromUtf8Error Ed25519Error",
        "relation \"users\" does not exist",
        "it can't, won't and didn't",
        "deadbeef or cafe::babe",
        "\"the whole line is quoted\"",
        "cannot connect to \"redis\"",
        "called `Result::unwrap()` on an `Err` value: \"connection refused\"",
        "cron job \"nightly-backup\", queue 'billing', variable 'DATABASE_URL'",
        "got 429, failed with 500, exited with 1, (error 17), rejected: R03, bounced: 550",
        "expected u8 or i32, found `u64`, Vec<f32>",
        "user service is down, for user input, user=anonymous",
        "could not start\nCaused by:\nno route\nrefused",
    ] {
        assert_eq!(mask(message), message);
    }
}

#[test]
fn a_number_in_a_sentence_is_no_code() {
    for (message, masked) in [
        ("Error: 13 jobs failed", "Error: * job failed"),
        ("returned 503000 rows", "returned * row"),
        ("returned 17 rows", "returned * row"),
        ("failed with 500 retries", "failed with * retry"),
        ("your code is 482913", "your code is *"),
        ("a* a do*", "a* a do*"),
        ("17 jobs* failed", "* jobs* failed"),
    ] {
        assert_eq!(mask(message), masked);
    }
}

#[test]
fn a_fingerprint_is_the_same_in_every_release() {
    let hex = |fingerprint: Fingerprint| format!("{:032x}", u128::from_be_bytes(fingerprint));
    let keys = keys(&event("order 17 failed"), "app", None);
    assert_eq!(hex(keys.own), "72d1f8d84bb2c224fad2e66abbeb6d60");
    assert_eq!(hex(keys.callsite), "01f6effe121e0fc6e2d864a64c5c27a1");
}

#[test]
fn the_place_the_level_and_the_app_tell_events_apart_but_not_the_line() {
    let first = event("order 17 failed");
    assert_eq!(own(&first), own(&Event { line: Some(99), ..event("order 18 failed") }));
    assert_eq!(own(&first), own(&with_field("order 18 failed", "customer", Value::U64(4))));
    let others = [
        Event { file: Some("src/other.rs".into()), ..first.clone() },
        Event { target: "app::other".into(), ..first.clone() },
        Event { level: tracing::Level::WARN, ..first.clone() },
        Event { panic: true, ..first.clone() },
        event("order 17 was late"),
    ];
    for other in others {
        assert_ne!(own(&first), own(&other), "{other:?}");
    }
    assert_ne!(own(&first), keys(&first, "other app", None).own);
    let elsewhere = Event { line: Some(99), ..first.clone() };
    assert_ne!(keys(&first, "app", None).callsite, keys(&elsewhere, "app", None).callsite);
}

#[test]
fn the_root_error_tells_events_apart() {
    let error = |root: &str| {
        with_field("job failed", "error", Value::Error(vec!["could not save".into(), root.to_owned()]))
    };
    assert_eq!(own(&error("timeout after 3s")), own(&error("timeout after 5s")));
    assert_ne!(own(&error("timeout after 3s")), own(&error("disk full")));
}

#[test]
fn a_field_that_is_named_as_errors_are_is_the_cause() {
    for name in ["error", "err", "e", "cause", "source", "reason", "exception.message", "exception.type"] {
        let of = |says: &str| with_field("request failed", name, Value::Str(says.to_owned()));
        assert_ne!(own(&of("db is down")), own(&of("disk is full")), "{name}");
        assert_eq!(own(&of("no answer in 3s")), own(&of("no answer in 5s")), "{name}");
        assert_eq!(cause(&of("db is down")), Some("db is down"), "{name}");
    }
    let other = |name, says: &str| own(&with_field("request failed", name, Value::Str(says.to_owned())));
    assert_eq!(other("customer", "ann"), other("customer", "bob"));
    assert_eq!(other("exception.stacktrace", "at a"), other("exception.stacktrace", "at b"));
    assert_eq!(cause(&with_field("request failed", "error", Value::U64(17))), None);
}

#[test]
fn the_last_cause_of_a_chain_is_told() {
    let chain = "could not start\n\nCaused by:\n    0: could not read\n    1: no such file\n\nLocation:\n    a.rs:3\n\nStack backtrace:\n   0: main";
    let other = chain.replace("no such file", "permission denied");
    assert_eq!(cause(&event(chain)), Some("no such file"));
    assert_ne!(own(&event(chain)), own(&event(&other)));
    assert_eq!(own(&event(chain)), own(&event(&chain.replace("0: main", "0: other"))));
    let debug = |says: &str| with_field("job failed", "err", Value::Str(says.to_owned()));
    assert_eq!(cause(&debug(chain)), Some("no such file"));
    assert_ne!(own(&debug(chain)), own(&debug(&other)));
    let both = Event {
        fields: vec![
            Field::new("reason", Value::Str("late".to_owned())),
            Field::new("failure", Value::Error(vec!["top".to_owned(), "root".to_owned()])),
        ],
        ..event("job failed")
    };
    assert_eq!(cause(&both), Some("root"));
    assert_eq!(cause(&event("a\nCaused by:")), None);
}

#[test]
fn an_event_with_fields_only_says_what_its_first_text_says() {
    let text = |text: &str| with_field("", "error", Value::Str(text.to_owned()));
    assert_eq!(own(&text("order 17 failed")), own(&text("order 18 failed")));
    assert_ne!(own(&text("order 17 failed")), own(&text("disk full")));
    let both = |user: &str| Event {
        fields: vec![
            Field::new("user", Value::Str(user.to_owned())),
            Field::new("error", Value::Str("disk full".to_owned())),
        ],
        ..event("")
    };
    assert_eq!(own(&both("ann")), own(&both("bob")), "the cause says more than another field");
    assert_eq!(own(&both("ann")), own(&text("disk full")));
    let chain = |top: &str| with_field("", "e", Value::Error(vec![top.to_owned(), "disk full".to_owned()]));
    assert_ne!(own(&chain("cannot save")), own(&chain("cannot load")));
}

#[test]
fn a_field_that_names_a_status_or_a_job_tells_problems_apart() {
    let with =
        |name: &'static str, value: &str| own(&with_field("call failed", name, Value::Str(value.to_owned())));
    for (name, one, other) in [
        ("status", "410 Gone", "500 Internal Server Error"),
        ("http.status_code", "429", "503"),
        ("method", "GET", "DELETE"),
        ("job", "reindex", "vacuum"),
        ("body", r#"{"code":"OUT_OF_STOCK","sku":"mug"}"#, r#"{"code":"BAD_ADDRESS","zip":""}"#),
    ] {
        assert_ne!(with(name, one), with(name, other), "{name}");
    }
    for (name, one, other) in [
        ("order", "17", "18"),
        ("job_id", "a7", "b8"),
        ("endpoint", "https://a.example/x", "https://b.example/y"),
        ("body", r#"{"code":"OUT_OF_STOCK","sku":"mug"}"#, r#"{"code":"OUT_OF_STOCK","sku":"cup"}"#),
    ] {
        assert_eq!(with(name, one), with(name, other), "{name}");
    }
    let long = |c: char| with("status", &c.to_string().repeat(MAX_TELLING + 1));
    assert_eq!(long('a'), long('b'), "no name and no code is so long");
}

#[test]
fn what_cannot_be_learned_from_is_not() {
    let said = |event: &Event| keys(event, "app", None).said.is_some();
    let named = event("supplier Globex is gone");
    assert!(said(&named));
    assert!(said(&with_field("", "error", Value::Str("supplier Globex is gone".to_owned()))));
    assert!(!said(&Event { panic: true, ..named.clone() }), "a panic");
    assert!(!said(&event("disk full")), "nothing can vary");
    assert!(!said(&event(&"supplier Globex ".repeat(40))), "too long");
    assert!(!said(&with_field("supplier Globex is gone", OVERRIDE, Value::Str("mine".to_owned()))));
}

#[test]
fn the_field_counts_more_than_the_function_and_that_more_than_the_message() {
    let field = |message, says: &str| with_field(message, OVERRIDE, Value::Str(says.to_owned()));
    assert_eq!(own(&field("one", "same")), own(&field("another", "same")));
    assert_ne!(own(&field("one", "same")), own(&field("one", "other")));
    let by_default = |says: &str| own(&field("order 17 failed", says));
    assert_eq!(by_default("{{default}} a"), own(&field("order 18 failed", "{{default}} a")));
    assert_ne!(by_default("{{default}} a"), own(&field("disk full", "{{default}} a")));
    assert_ne!(by_default("{{default}} a"), by_default("{{default}} b"));

    let custom = Custom::new(|event| (event.message == "mine").then(|| "same".to_owned()));
    let by_custom = |event: &Event| keys(event, "app", Some(&custom)).own;
    assert_eq!(by_custom(&event("mine")), own(&field("mine", "same")));
    assert_eq!(by_custom(&event("other")), own(&event("other")));
    assert_eq!(by_custom(&field("mine", "field")), own(&field("mine", "field")));
}

#[test]
fn a_function_that_panics_leaves_the_default() {
    let custom = Custom::new(|_| panic!("a defect of the host"));
    assert_eq!(keys(&event("a"), "app", Some(&custom)).own, own(&event("a")));
}

proptest! {
    #[test]
    fn masking_never_fails(message in "\\PC{0,300}") {
        let masked = mask(&message);
        prop_assert!(masked.len() <= 2 * message.len());
    }

    /// Of what the scanner looks for.
    #[test]
    fn masking_never_fails_on_what_looks_like_something(
        message in r#"([0-9]{1,4}|[a-f]{1,4}|[A-Z][a-z]{1,3}|error |code |::|://|[-.:/@%+~'"\\=,*_#<>(){}\[\] \nµé]){0,60}"#
    ) {
        prop_assert!(mask(&message).len() <= 2 * message.len());
    }

    #[test]
    fn what_is_masked_stays(
        words in prop::collection::vec(
            r#"[a-z]{1,8}|error|code|[-+#]?[0-9]{1,9}(\.[0-9]{1,3})?(ms|s)?|"[a-z ]{0,9}"|[a-z]=("[a-z]*"|[0-9]{1,3})|https://[a-z]{1,5}\.io/[0-9]{1,3}|[0-9a-f]{7,40}|/tmp/[a-z0-9]{3}|\(os error [0-9]{1,3}\)|[a-z]{1,3}_?[0-9]{1,3}"#,
            0..20,
        )
    ) {
        let message = words.join(" ");
        let once = mask(&message).into_owned();
        prop_assert_eq!(mask(&once), &*once);
    }

    #[test]
    fn another_number_is_the_same_message(
        before in "[a-df-z ]{0,20}",
        after in "( [a-z ]{0,20})?",
        numbers in (0_u64.., 0_u64..),
        shape in prop::sample::select(vec![
            "{}", "#{}", "-{}", "({})", "id={}", "{}ms", "{}.5", "0x{}", "1.{}", "/{}/", "x_{}", "{}%", "[{}, 1]", "{}s",
        ]),
    ) {
        let text = |number: u64| format!("{before} {}{after}", shape.replace("{}", &number.to_string()));
        let (one, other) = (text(numbers.0), text(numbers.1));
        prop_assert_eq!(mask(&one), mask(&other));
    }

    #[test]
    fn paths_stay(segments in prop::collection::vec("[a-z_][a-z0-9_]{0,8}", 2..5)) {
        let path = segments.join("::");
        prop_assume!(!path.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':'));
        prop_assert_eq!(mask(&path), &*path);
    }
}

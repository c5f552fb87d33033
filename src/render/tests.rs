//! What must hold for the texts of any notice.

mod attachments;
mod backtraces;
mod closing;
mod colors;
mod properties;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use proptest::{collection::vec, prelude::*};
use tracing::Level;

use super::*;
use crate::{
    event::{Field, SpanFrame, Value, breadcrumb::Breadcrumb, from_millis, loss::DropReason},
    policy::notice::LastHour,
};

pub(super) fn event(level: Level, message: &str) -> Event {
    Event {
        at: from_millis(1_795_376_463_123),
        level,
        target: "my_app::payment".into(),
        message: message.to_owned(),
        fields: Vec::new(),
        file: Some("src/payment.rs".into()),
        line: Some(17),
        module_path: Some("my_app::payment".into()),
        thread: Some("main".into()),
        spans: Vec::new(),
        breadcrumbs: Vec::new(),
        backtrace: None,
        panic: false,
    }
}

pub(super) fn breadcrumb(message: &str, at: SystemTime) -> Breadcrumb {
    Breadcrumb { at, target: "my_app".into(), ..crate::event::breadcrumb::tests::breadcrumb(message) }
}

pub(super) fn sample(event: Event, count: u64) -> Sample {
    let last_at = event.at + Duration::from_secs(60);
    let (incident, mut counts) = ("7K3Q".to_owned(), vec![0; 12]);
    (counts[10], counts[11]) = (count / 2, count - count / 2);
    let last_hour = LastHour { since: event.at - LastHour::STEP * 11, counts };
    let kind = if count == 0 { Kind::Quiet } else { Kind::First };
    Sample {
        kind,
        today: count,
        this_week: count,
        held_until: None,
        incident,
        count,
        total: count,
        since: event.at,
        last_at,
        last_hour,
        latest: None,
        in_common: None,
        spread: None,
        event,
    }
}

pub(super) fn notice(samples: Vec<Sample>) -> Notice {
    let process = Process { app: "MyApp".into(), pid: 4242, ..Process::default() };
    let made_at = from_millis(1_795_376_463_123);
    Notice {
        id: "7K3Q".into(),
        kind: Kind::First,
        late_by: None,
        is_last_today: false,
        process,
        made_at,
        samples,
        unsampled: 0,
        losses: Losses::new(),
    }
}

/// Our own words about `notice`.
struct Texts {
    short: String,
    subject: String,
    text: String,
    html: String,
    attachment: Option<Attachment>,
}

fn texts(notice: &Notice) -> Texts {
    let Rendered { short, email, fault } = Renderer::default().render(notice);
    assert_eq!(fault, None);
    let Email { subject, text, html, attachment } = email;
    Texts { short, subject, text, html, attachment }
}

pub(super) fn error(level: Level, message: &str, count: u64) -> Sample {
    sample(event(level, message), count)
}

#[test]
fn what_is_about_the_alerting_reads_as_such() {
    let message = "An SMS could not be delivered (alert #9XYZ): Twilio 21211 (HTTP 400): invalid To number";
    let mut notice = notice(vec![error(Level::ERROR, message, 1)]);
    notice.kind = Kind::Health;
    let rendered = texts(&notice);
    assert_eq!(rendered.subject, format!("[MyApp] {message}"));
    assert_eq!(rendered.short, format!("[MyApp] {message} #7K3Q"));
    assert!(rendered.text.starts_with("About alerting itself in MyApp, "), "{}", rendered.text);
}

/// A notice with everything that a notice can have.
fn full() -> Notice {
    let mut failed = event(Level::ERROR, "payment failed\nfor good");
    failed.module_path = Some("my_app::payment::retry".into());
    failed.fields = vec![
        Field::new("order", Value::U64(17)),
        Field::new("error", Value::Error(vec!["request failed".into(), "connection refused".into()])),
        Field::new("query", Value::Str("SELECT\n1".into())),
    ];
    let method = Field::new("method", Value::Str("POST".into()));
    failed.spans = vec![
        SpanFrame { name: "request".into(), target: "my_app".into(), fields: Arc::new(vec![method]) },
        SpanFrame { name: "charge".into(), target: "my_app".into(), fields: Arc::default() },
    ];
    failed.breadcrumbs = vec![Arc::new(breadcrumb("placed\nan order", failed.at))];
    let mut panic = event(Level::ERROR, "index out of bounds");
    panic.panic = true;
    panic.thread = None;
    panic.backtrace = Some("   0: rust_begin_unwind\n   1: my_app::main".into());
    let mut notice = notice(vec![sample(failed, 37), sample(panic, 1)]);
    notice.process.environment = Some("production".into());
    notice.process.version = Some("1.2.3".into());
    notice.process.host = Some("web-1".into());
    notice.unsampled = 2;
    notice.losses = Losses::from([(DropReason::QueueFull, 12)]);
    notice
}

#[test]
fn the_text_is_complete_and_in_order() {
    let full = full();
    let code = |sample: usize| silence_hint::code(&full.samples[sample]).unwrap();
    assert_eq!(
        texts(&full).text.replace(&code(0), "1").replace(&code(1), "2"),
        "\
2 kinds of event in MyApp (production) on web-1: 40 events since 2026-11-22 19:41:03 UTC
12 events not captured (queue full).
    37x ERROR: payment failed for good: connection refused #7K3Q
    1x PANIC: index out of bounds #7K3Q

ERROR: payment failed
  for good
Error
    error: request failed
    caused by: connection refused
Where
    src/payment.rs:17
    my_app::payment
    my_app::payment::retry
    thread main
Spans
    request{method=POST}
    > charge
When
    37 times
    first 2026-11-22 19:41:03 UTC
    last  2026-11-22 19:42:03 UTC
Last hour
    ▁▁▁▁▁▁▁▁▁▁██ 18:46–19:46 UTC, up to 19 in 5 min
Fields
    order = 17
    query = SELECT
        1
Before the first
    19:41:03.123 INFO my_app: placed an order order=17

PANIC: index out of bounds
Where
    src/payment.rs:17
    my_app::payment
When
    2026-11-22 19:41:03 UTC

and 2 events that were only counted

Process
    application = MyApp
    environment = production
    version = 1.2.3
    host = web-1
    process id = 4242

Backtrace (PANIC: index out of bounds)
    1: my_app::main

#7K3Q · To hear no more of one kind: tracing-alert silence --for 2h --kind and its code (below); or for good, restart the program with ALERT_IGNORE and its code

Grouping and silence
    Events with the same level, target, file, message and root error are reported as one; numbers, ids and addresses in the texts may differ, and so may most other fields. To group by something else, set the field alert.fingerprint, or use Builder::fingerprint.

    #7K3Q 1
    #7K3Q 2
    let these = Matcher::new().kind(\"…\");
    alerts.silence(these, Duration::from_secs(3600)); // for an hour
    builder.ignore(these); // or for good"
    );
}

#[test]
fn the_html_says_what_the_text_says() {
    let rest = |html: &str, end| html.split_once(end).map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    for (name, notice) in Notice::examples().into_iter().chain([("full", full())]) {
        let texts = texts(&notice);
        let body = rest(&rest(&texts.html, "<body"), "</div>");
        let shown: String = body.split('<').filter_map(|piece| Some(piece.split_once('>')?.1)).collect();
        let mut shown = shown.replace("&#60;", "<").replace("&#62;", ">").replace("&#34;", "\"");
        shown = shown.replace("&#39;", "'").replace("&#38;", "&");
        // Its bars are cells.
        let bare = |text: &str| {
            let words = text.replace(':', " ").replace(|c| ('▁'..='█').contains(&c), "");
            words.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(bare(&shown), bare(&texts.text), "{name}");
    }
}

#[test]
fn the_first_line_says_why() {
    let why = |name: &str| {
        let notice = Notice::examples().into_iter().find(|(known, _)| *known == name).unwrap().1;
        texts(&notice).text.lines().next().unwrap_or_default().to_owned()
    };
    let (since, last) = ("2026-11-22 19:41:03 UTC", "2026-11-23 00:26:03 UTC");
    let shop = "Shop (production) on web-1";
    assert_eq!(why("first"), format!("New in {shop}: happened 37 times since {since}"));
    assert_eq!(why("panic"), format!("New in {shop}: happened once, {since}"));
    assert_eq!(why("digest"), format!("3 kinds of event in {shop}: 98 events since {since}"));
    let update = format!("Happened 1,000 times so far in {shop}, since {since}; 963 not reported before");
    assert_eq!(why("update"), update);
    let reminder =
        format!("Still happening in {shop} since {since}: 1,187 times so far; 187 not reported before");
    assert_eq!(why("reminder"), reminder);
    let quiet = format!("Quiet in {shop} since {last}: happened 1,204 times in all, 17 not reported before");
    assert_eq!(why("quiet"), quiet);
    let ended = format!(
        "Quiet in {shop} as of 2026-11-22 20:12:24 UTC: 2 kinds of event, 95 events not reported before"
    );
    assert_eq!(why("quiet-digest"), ended);
    assert_eq!(why("health"), format!("About alerting itself in {shop}, 2026-11-22 19:43:03 UTC"));
}

#[test]
fn a_subject_is_the_same_as_long_as_an_incident_lasts() {
    let subject = |name: &str| {
        let notice = Notice::examples().into_iter().find(|(known, _)| *known == name).unwrap().1;
        texts(&notice).subject
    };
    let first = subject("first");
    let expected =
        "[Shop/production] ERROR: payment failed: connection refused (os error 111) · shop::payment";
    assert_eq!(first, expected);
    assert!(["update", "reminder", "quiet", "last-today"].map(subject).iter().all(|other| *other == first));
    assert!(subject("panic").ends_with("on a `None` value · src/payment.rs:41"), "{}", subject("panic"));
}

#[test]
fn no_text_of_an_event_is_markup() {
    let mark = "<script>alert('x')</script>\"&";
    let field = Field::new(mark, Value::Str(mark.into()));
    let chain = Field::new(mark, Value::Error(vec![mark.into(), mark.into()]));
    let mut event = event(Level::ERROR, mark);
    event.target = mark.into();
    event.file = Some(mark.into());
    event.module_path = Some(mark.into());
    event.thread = Some(mark.into());
    event.backtrace = Some(mark.into());
    event.spans =
        vec![SpanFrame { name: mark.into(), target: mark.into(), fields: Arc::new(vec![field.clone()]) }];
    let mut before = breadcrumb(mark, event.at);
    (before.target, before.fields) = (mark.into(), vec![field.clone(), chain.clone()]);
    event.breadcrumbs = vec![Arc::new(before)];
    event.fields = vec![field, chain];
    let mut notice = notice(vec![sample(event, 2)]);
    notice.id = mark.into();
    notice.process = Process {
        app: mark.into(),
        environment: Some(mark.into()),
        version: Some(mark.into()),
        host: Some(mark.into()),
        pid: 1,
    };
    let html = texts(&notice).html;
    assert!(!html.contains("<script"), "{html}");
    assert!(html.matches("&#60;script").count() > 15, "{html}");
}

#[test]
fn the_subject_names_the_worst_event_and_no_count() {
    let mut notice = notice(vec![error(Level::WARN, "low", 3), error(Level::ERROR, "payment failed", 37)]);
    notice.process.environment = Some("prod".into());
    assert_eq!(texts(&notice).subject, "[MyApp/prod] ERROR: payment failed · my_app::payment (+1 more)");
    notice.samples.truncate(1);
    assert_eq!(texts(&notice).subject, "[MyApp/prod] WARN: low · my_app::payment");
    notice.samples = vec![error(Level::ERROR, &"long ".repeat(99), 1)];
    let subject = texts(&notice).subject;
    assert!(subject.ends_with("… · my_app::payment"), "{subject}");
    assert!((118..=120).contains(&subject.chars().count()), "{subject}");
    notice.samples.clear();
    notice.losses = Losses::from([(DropReason::QueueFull, 12)]);
    assert_eq!(texts(&notice).subject, "[MyApp/prod] Events not captured");
}

#[test]
fn more_kinds_of_event_than_a_mail_shows_are_counted() {
    let notice = notice((0..30).map(|number| error(Level::ERROR, &format!("kind {number}"), 2)).collect());
    let text = texts(&notice).text;
    assert!(text.contains("ERROR: kind 24\n") && !text.contains("kind 25"), "{text}");
    assert!(text.contains("\nand 5 more kinds of event (10 events): see alert-7K3Q.txt\n"), "{text}");
}

#[test]
fn a_long_backtrace_is_cut_and_marked() {
    let mut panic = event(Level::ERROR, "out of luck");
    panic.backtrace = Some("  17: core::ops::function::FnOnce::call_once<'_>\n".repeat(20_000));
    let rendered = texts(&notice(vec![sample(panic, 1)]));
    assert!(rendered.text.contains("… [cut: see alert-7K3Q.txt]\n\n#7K3Q · To hear"));
    assert!((40_000..=64 * 1024).contains(&rendered.html.len()), "{}", rendered.html.len());
}

#[test]
fn the_largest_notice_stays_within_its_limits() {
    for piece in ["<", "a", "\n", "{", "🔥", "\u{1B}]", "\u{202E}"] {
        let long = piece.repeat(1 << 12);
        let mut event = event(Level::ERROR, &long);
        event.target = long.clone().into();
        event.file = Some(long.clone().into());
        event.module_path = Some(format!("{long}x").into());
        event.thread = Some(long.as_str().into());
        event.backtrace = Some(format!("0: core::{long}\n1: my_app::{long}"));
        event.spans = vec![SpanFrame {
            name: long.clone().into(),
            target: long.clone().into(),
            fields: Arc::new(vec![Field::new(long.clone(), Value::Str(long.clone()))]),
        }];
        event.fields = vec![
            Field::new(long.clone(), Value::Str(long.clone())),
            Field::new(long.clone(), Value::Error(vec![long.clone()])),
        ];
        let mut before = breadcrumb(&long, event.at);
        before.fields = event.fields.clone();
        let before = Arc::new(before);
        event.breadcrumbs = vec![before; 64];
        let last = Event { message: format!("{long}."), ..event.bare() };
        let latest = || Some(last.clone());
        let spread = Some(instances::tests::of_names(&long));
        let one = || Sample { latest: latest(), spread: spread.clone(), ..sample(event.clone(), u64::MAX) };
        let mut notice = notice((0..30).map(|_| one()).collect());
        notice.unsampled = u64::MAX;
        notice.losses = DropReason::ALL.iter().copied().map(|reason| (reason, u64::MAX)).collect();
        notice.process = Process {
            app: long.clone(),
            environment: Some(long.clone()),
            version: Some(long.clone()),
            host: Some(long.clone()),
            pid: u32::MAX,
        };
        let rendered = texts(&notice);
        assert!(rendered.html.len() < 64 * 1024, "{piece:?}: {}", rendered.html.len());
        assert!(rendered.text.len() < 64 * 1024, "{piece:?}: {}", rendered.text.len());
        assert!(segments(&rendered.short) <= 2, "{}", rendered.short);
        assert!(rendered.subject.chars().count() <= MAX_SUBJECT_CHARS, "{}", rendered.subject);
        attachments::assert_fit(&rendered.attachment.unwrap());
    }
}

/// Any text of up to `max_chars`, often made of what breaks things.
pub(super) fn hostile(max_chars: usize) -> impl Strategy<Value = String> {
    let nasty = proptest::sample::select(vec![
        '\u{1B}', '[', ']', '{', '\\', '`', '\n', '\r', '\t', '\0', ' ', '🔥', 'ж', 'a', 'Z', '…', '→',
        '\u{301}', '\u{202E}', '\u{200D}', '\u{2028}', '\u{FE0F}', '\u{9B}', '\u{7}', '<', '&', '"', '€',
    ]);
    prop_oneof![
        vec(any::<char>(), 0..=max_chars),
        vec(nasty.clone(), 0..=max_chars),
        (nasty, 0..=max_chars).prop_map(|(c, count)| vec![c; count]),
        vec(proptest::char::range(' ', '~'), 0..=max_chars),
    ]
    .prop_map(String::from_iter)
}

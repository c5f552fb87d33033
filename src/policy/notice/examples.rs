//! [`Notice::examples`]: one made-up notice of every kind.
//!
//! Invariant: the same every time; nothing in it is anybody's.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tracing::Level;

use super::{Kind, LastHour, Notice, Process, Sample, Spread};
use crate::{
    event::{
        Event, Field, SpanFrame, Text, Value,
        breadcrumb::Breadcrumb,
        from_millis,
        loss::{DropReason, Losses},
    },
    host::{permit::Permit, time::Saturating},
};

impl Notice {
    /// Made-up notices of every kind, each with a name for it: to try a
    /// [`Render`](crate::Render) with, of one's own or the default one.
    pub fn examples() -> Vec<(&'static str, Self)> {
        let told_again = |kind, id: &str, count, total, minutes: u64| {
            let first = failed_payment(1);
            let last_at = first.since.later(Duration::from_secs(60 * minutes));
            let made_at = last_at.later(Duration::from_secs(if kind == Kind::Quiet { 30 * 60 } else { 1 }));
            let last_hour = hour(first.since, last_at, made_at, count);
            let sample = Sample { kind, count, total, last_at, last_hour, ..first };
            Self { id: id.to_owned(), kind, made_at, ..notice(vec![sample]) }
        };
        vec![
            ("first", first()),
            ("panic", panic()),
            ("digest", digest()),
            ("storm", storm()),
            ("again", again()),
            ("update", told_again(Kind::Update, "7K3Q.2", 963, 1_000, 41)),
            ("reminder", told_again(Kind::Reminder, "7K3Q.3", 187, 1_187, 240)),
            ("quiet", told_again(Kind::Quiet, "7K3Q.4", 17, 1_204, 285)),
            ("quiet-digest", quiet_digest()),
            ("last-today", Self { is_last_today: true, ..notice(vec![failed_payment(1)]) }),
            ("late", Self { late_by: Some(Duration::from_secs(23 * 3600)), ..first() }),
            ("crash-loop", crash_loop()),
            ("health", health()),
            ("losses", losses()),
            ("non-latin", non_latin()),
            ("hostile", hostile()),
            ("report", report()),
            ("fleet", fleet()),
        ]
    }
}

/// 2026-11-22 19:41:03 UTC.
const START_MILLIS: i64 = 1_795_376_463_123;

fn notice(samples: Vec<Sample>) -> Notice {
    let kind = if samples.len() > 1 { Kind::Digest } else { Kind::First };
    Notice {
        id: if samples.len() > 1 { "9BCD".to_owned() } else { "7K3Q".to_owned() },
        kind,
        process: Process {
            app: "Shop".to_owned(),
            environment: Some("production".to_owned()),
            version: Some("1.4.2".to_owned()),
            host: Some("web-1".to_owned()),
            pid: 4242,
        },
        made_at: from_millis(START_MILLIS).later(Duration::from_secs(120)),
        samples,
        unsampled: 0,
        losses: Losses::new(),
        late_by: None,
        is_last_today: false,
    }
}

fn event(level: Level, target: &'static str, file: &'static str, line: u32, message: &str) -> Event {
    Event {
        at: from_millis(START_MILLIS),
        level,
        target: target.into(),
        message: message.to_owned(),
        fields: Vec::new(),
        file: Some(file.into()),
        line: Some(line),
        module_path: Some(target.into()),
        thread: Some("tokio-runtime-worker".into()),
        spans: Vec::new(),
        breadcrumbs: Vec::new(),
        backtrace: None,
        panic: false,
    }
}

fn sample(event: Event, incident: &str, count: u64) -> Sample {
    let (since, last_at) = (event.at, event.at.later(Duration::from_secs(81)));
    let (incident, last_hour) = (incident.to_owned(), hour(since, last_at, last_at, count));
    Sample {
        kind: Kind::First,
        event,
        latest: None,
        in_common: None,
        incident,
        count,
        total: count,
        today: count,
        this_week: count,
        held_until: None,
        since,
        last_at,
        last_hour,
        spread: None,
    }
}

/// The hour that ends at `end`, with `count` events between two times: most of
/// them towards the later one.
fn hour(since: SystemTime, last_at: SystemTime, end: SystemTime, count: u64) -> LastHour {
    let step = LastHour::STEP.as_secs();
    let number =
        |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() / step;
    let first = number(end) - 11;
    let (begins, last) = (number(since).max(first), number(last_at));
    let mut left = count;
    let mut here = |number: u64| {
        let here = match number {
            _ if !(begins..=last).contains(&number) => 0,
            _ if number == begins => left,
            _ => left.div_ceil(2 + number % 3),
        };
        left -= here;
        here
    };
    let mut counts: Vec<u64> = (first..first + 12).rev().map(&mut here).collect();
    counts.reverse();
    LastHour { since: SystemTime::UNIX_EPOCH.later(Duration::from_secs(first * step)), counts }
}

fn field(name: impl Into<Text>, value: impl Into<String>) -> Field {
    Field::new(name, Value::Str(value.into()))
}

fn span(name: &'static str, fields: Vec<Field>) -> SpanFrame {
    SpanFrame { name: name.into(), target: "shop".into(), fields: Arc::new(fields) }
}

fn checkout() -> Vec<SpanFrame> {
    vec![
        span("request", vec![field("method", "POST"), field("path", "/checkout")]),
        span("checkout", vec![Field::new("cart", Value::U64(5))]),
        span("charge", vec![Field::new("order", Value::U64(17)), field("currency", "EUR")]),
    ]
}

/// Something that happened so many milliseconds before.
fn before(
    millis: u64,
    level: Level,
    target: &'static str,
    message: &str,
    name: &'static str,
    value: u64,
) -> Arc<Breadcrumb> {
    Arc::new(Breadcrumb {
        at: from_millis(START_MILLIS).earlier(Duration::from_millis(millis)),
        level,
        target: target.into(),
        message: message.to_owned(),
        fields: vec![Field::new(name, Value::U64(value))],
        share: Permit::default(),
    })
}

fn first() -> Notice {
    let mut first = failed_payment(37);
    let later = |field: &Field| match &*field.name {
        "order" => Field::new("order", Value::U64(112)),
        _ => field.clone(),
    };
    let fields = first.event.fields.iter().map(later).collect();
    first.latest = Some(Event { at: first.last_at, fields, ..first.event.clone() });
    first.event.breadcrumbs = vec![
        before(2_412, Level::INFO, "shop::checkout", "the order is placed", "order", 17),
        before(2_398, Level::INFO, "shop::stock", "reserved", "item", 4711),
        before(2_010, Level::WARN, "shop::bank", "no answer, trying again", "attempt", 1),
        before(1_004, Level::WARN, "shop::bank", "no answer, trying again", "attempt", 2),
    ];
    notice(vec![first])
}

fn failed_payment(count: u64) -> Sample {
    let chain = ["the bank did not answer", "error sending request", "connection refused (os error 111)"];
    let failed = Event {
        fields: vec![
            Field::new("order", Value::U64(17)),
            Field::new("error", Value::Error(chain.map(str::to_owned).to_vec())),
            field("query", "INSERT INTO payment (order_id, amount)\nVALUES (17, 4999)"),
        ],
        spans: checkout(),
        ..event(Level::ERROR, "shop::payment", "src/payment.rs", 88, "payment failed")
    };
    sample(failed, "7K3Q", count)
}

/// In a handler of a web service, three spans deep.
fn panic() -> Notice {
    let message = "called `Option::unwrap()` on a `None` value";
    let panicked = Event {
        module_path: None,
        spans: checkout(),
        breadcrumbs: vec![
            before(31, Level::INFO, "shop::checkout", "the order is placed", "order", 17),
            before(2, Level::INFO, "shop::payment", "the customer has no card", "customer", 99),
        ],
        backtrace: Some(BACKTRACE.to_owned()),
        panic: true,
        ..event(Level::ERROR, "panic", "src/payment.rs", 41, message)
    };
    notice(vec![sample(panicked, "7K3Q", 1)])
}

const BACKTRACE: &str = "   0: __rustc::rust_begin_unwind
             at /rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/std/src/panicking.rs:697:5
   1: core::panicking::panic_fmt
             at /rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/core/src/panicking.rs:75:14
   2: core::option::unwrap_failed
             at /rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/core/src/option.rs:2072:5
   3: core::option::Option<T>::unwrap
             at /rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/core/src/option.rs:972:21
   4: shop::payment::charge::{{closure}}
             at ./src/payment.rs:41:34
   5: shop::checkout::checkout::{{closure}}
             at ./src/checkout.rs:19:52
   6: <tracing::instrument::Instrumented<T> as core::future::future::Future>::poll
             at /home/build/.cargo/registry/src/index/tracing-0.1.44/src/instrument.rs:321:15
   7: axum::handler::future::IntoServiceFuture<F>::poll
             at /home/build/.cargo/registry/src/index/axum-0.8.4/src/handler/future.rs:20:1
   8: tokio::runtime::scheduler::multi_thread::worker::run
             at /home/build/.cargo/registry/src/index/tokio-1.48.0/src/runtime/scheduler/multi_thread/worker.rs:464:5
   9: std::thread::Builder::spawn_unchecked_
  10: start_thread
  11: clone3
";

fn digest() -> Notice {
    let timeout = "no connection to the database within 5s";
    let stock = "stock of item 4711 is low";
    notice(vec![
        sample(event(Level::WARN, "shop::stock", "src/stock.rs", 12, stock), "M4TX", 1),
        sample(event(Level::ERROR, "shop::db", "src/db.rs", 230, timeout), "B2QF", 96),
        failed_payment(1),
    ])
}

/// Two incidents that ended together, one of which was told in full.
fn quiet_digest() -> Notice {
    let mut digest = digest();
    digest.samples.remove(0);
    digest.made_at = digest.samples[0].last_at.later(Duration::from_secs(30 * 60));
    for (sample, total) in digest.samples.iter_mut().zip([1_996, 14]) {
        (sample.kind, sample.count, sample.total) = (Kind::Quiet, sample.count - 1, total);
        sample.last_hour = hour(sample.since, sample.last_at, digest.made_at, total);
    }
    digest
}

/// Many kinds at once, many of each, and more than could be captured.
fn storm() -> Notice {
    let services = ["bank", "search", "mail", "stock", "price", "tax"];
    let samples = (0_u32..).zip(services).map(|(place, service)| {
        let message = format!("upstream {service} answered 503 Service Unavailable after 3 attempts");
        let failed = event(Level::ERROR, "shop::upstream", "src/upstream.rs", 61, &message);
        sample(
            failed,
            ["2CGH", "3FJK", "4MNP", "5QRT", "6VWX", "8ZBC"][place as usize],
            170_000 + u64::from(place),
        )
    });
    let mut storm = notice(samples.collect());
    let poisoned = event(Level::ERROR, "panic", "src/pool.rs", 9, "the pool is poisoned");
    storm.samples.push(sample(Event { panic: true, module_path: None, ..poisoned }, "WX9Z", 3));
    storm.unsampled = 412;
    storm.losses = Losses::from([(DropReason::QueueFull, 20_117)]);
    storm
}

/// The next day, and not for the first time.
fn again() -> Notice {
    let mut again = failed_payment(3);
    (again.kind, again.total, again.today, again.this_week) = (Kind::Again, 41, 17, 41);
    (again.event.at, again.last_at) =
        [0, 81].map(|more| from_millis(START_MILLIS + DAY_MILLIS + more * 1000)).into();
    let made_at = again.event.at.later(Duration::from_secs(120));
    again.held_until = Some(made_at.later(Duration::from_secs(4 * 60 * 60)));
    again.last_hour = hour(again.event.at, again.last_at, made_at, 3);
    Notice { id: "7K3Q.7".to_owned(), kind: Kind::Again, made_at, ..notice(vec![again]) }
}

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

fn crash_loop() -> Notice {
    let message = "crash loop, last panic: no connection to the database at src/main.rs:23";
    let looping = event(Level::ERROR, "", "", 0, message);
    let starts =
        "5 within 10 minutes; all but the last failed: they ended with an error, or were killed after one";
    let fields = vec![field("starts", starts)];
    let looping = Event { fields, file: None, line: None, module_path: None, thread: None, ..looping };
    notice(vec![sample(looping, "7K3Q", 5)])
}

fn health() -> Notice {
    let message = "An SMS could not be delivered (alert #9XYZ): Twilio 21211 (HTTP 400): invalid To number";
    let dead = event(Level::ERROR, "tracing_alert", "", 0, message);
    Notice { kind: Kind::Health, ..notice(vec![sample(dead, "7K3Q", 1)]) }
}

fn losses() -> Notice {
    let losses = Losses::from([(DropReason::QueueFull, 20_117), (DropReason::Nested, 1)]);
    Notice { kind: Kind::Health, losses, ..notice(Vec::new()) }
}

fn non_latin() -> Notice {
    let mut failed =
        event(Level::ERROR, "shop::payment", "src/payment.rs", 88, "платёж не прошёл 🔥 支付失败");
    failed.fields = vec![field("покупатель", "Ольга"), field("顧客", "田中さん"), field("عميل", "ليلى")];
    notice(vec![sample(failed, "7K3Q", 2)])
}

/// An error of `anyhow` with its backtrace, as a field with `?`, in a request of
/// tower-http.
fn report() -> Notice {
    let error = format!(
        "the payment was refused\n\nCaused by:\n    0: error sending request\n    \
         1: connection refused (os error 111)\n\nStack backtrace:\n{REPORTED}"
    );
    let request = vec![field("method", "POST"), field("uri", "/orders/17"), field("version", "HTTP/1.1")];
    let failed = Event {
        fields: vec![Field::new("order", Value::U64(17)), field("error", error)],
        spans: vec![span("request", request)],
        ..event(Level::ERROR, "shop::orders", "src/orders.rs", 52, "the order was not placed")
    };
    notice(vec![sample(failed, "7K3Q", 1)])
}

const REPORTED: &str = "   0: anyhow::error::<impl core::convert::From<E> for anyhow::Error>::from
             at /home/build/.cargo/registry/src/index/anyhow-1.0.100/src/backtrace.rs:27:14
   1: shop::payment::charge::{{closure}}
             at ./src/payment.rs:41:34
   2: shop::orders::place::{{closure}}
             at ./src/orders.rs:52:9
   3: axum::handler::future::IntoServiceFuture<F>::poll
             at /home/build/.cargo/registry/src/index/axum-0.8.4/src/handler/future.rs:20:1
   4: std::sys::backtrace::__rust_begin_short_backtrace
   5: std::thread::Builder::spawn_unchecked_
   6: start_thread
   7: clone3";

/// In most of the instances that share a store, since one of two versions.
fn fleet() -> Notice {
    let mut failed = failed_payment(3_525);
    let hosts = (1..=4).map(|host| (format!("web-{host}"), 133 - host)).collect();
    let versions = [("1.4.3", 3_508), ("1.4.2", 17)].map(|(version, count)| (version.to_owned(), count));
    failed.spread =
        Some(Spread { instances: 30, of: 34, versions: versions.into(), hosts, hosts_in_all: 30 });
    notice(vec![failed])
}

/// What somebody gives who wants to break a message, or to deceive its reader.
fn hostile() -> Notice {
    let message = "<script>alert('x')</script>\r\nBcc: all@example.com\r\n\r\n\u{1B}[31mred\u{1B}[0m \u{202E}desrever\u{202C} \
                   zero\u{200B}width </td></table><a href=\"https://example.com\">click</a>";
    let mut event = event(Level::ERROR, "shop::payment", "src/payment.rs", 88, message);
    let word = "a word without an end: ".to_owned() + &"A".repeat(400);
    event.fields = vec![
        field("</pre><img src=x onerror=alert(1)>", "style=\"display:none\" & more"),
        field("long", word),
        field("lines", "one\nProcess\n    application = Another\n#9999"),
    ];
    event.spans = vec![span("request", vec![field("path", "/?q=<b>\u{2028}bold</b>")])];
    event.thread = Some("\u{1B}]0;title\u{7}worker".into());
    let mut notice = notice(vec![sample(event, "7K3Q", 1)]);
    notice.process.host = Some("web-1\"><script>".to_owned());
    notice
}

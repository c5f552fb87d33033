//! What an SMS says, and what it says if it cannot say everything.

use std::{sync::Arc, time::Duration};

use proptest::{collection::vec, prelude::*};
use tracing::Level;

use super::{
    super::tests::{error, event, hostile, notice, sample},
    *,
};
use crate::event::{Field, SpanFrame, Value, loss::DropReason};

fn short(notice: &Notice) -> String {
    super::short(notice, true, &Clock::default())
}

fn failing_with(value: Value) -> Notice {
    let mut event = event(Level::ERROR, "payment failed");
    event.fields = vec![Field::new("order", Value::U64(17)), Field::new("error", value)];
    notice(vec![sample(event, 1)])
}

#[test]
fn one_event_is_told_with_its_count() {
    let mut notice = notice(vec![error(Level::ERROR, "payment failed", 37)]);
    assert_eq!(short(&notice), "[MyApp] ERROR: payment failed (x37) #7K3Q");
    notice.process.environment = Some("prod".into());
    assert_eq!(short(&notice), "[MyApp/prod] ERROR: payment failed (x37) #7K3Q");
}

#[test]
fn several_events_are_told_in_their_order() {
    let samples = vec![
        error(Level::WARN, "You've been warned!", 1),
        error(Level::ERROR, "This is a test error", 1),
        error(Level::ERROR, "division by zero", 1),
    ];
    assert_eq!(
        short(&notice(samples)),
        "[MyApp] WARN: You've been warned!, ERROR: This is a test error, ERROR: division by zero #7K3Q"
    );
}

#[test]
fn a_default_panic_text_is_one_segment() {
    let mut event = event(Level::ERROR, "called `Option::unwrap()` on a `None` value");
    event.panic = true;
    let text = short(&notice(vec![sample(event, 1)]));
    assert_eq!(text, "[MyApp] PANIC: called 'Option::unwrap()' on a 'None' value at src/payment.rs:17 #7K3Q");
    assert_eq!(gsm7::segments(&text), 1);
}

#[test]
fn the_cause_is_told_unless_the_message_names_it() {
    let chain = |links: &[&str]| Value::Error(links.iter().map(ToString::to_string).collect());
    let told = "[MyApp] ERROR: payment failed: connection refused - order=17 #7K3Q";
    assert_eq!(short(&failing_with(chain(&["request failed", "connection refused"]))), told);
    assert_eq!(short(&failing_with(Value::Str("connection refused".into()))), told);
    assert_eq!(short(&failing_with(chain(&["failed"]))), "[MyApp] ERROR: payment failed - order=17 #7K3Q");
}

#[test]
fn without_a_message_the_fields_speak_or_else_the_target() {
    let mut event = event(Level::ERROR, " \n");
    assert_eq!(short(&notice(vec![sample(event.clone(), 1)])), "[MyApp] ERROR: my_app::payment #7K3Q");
    event.fields = vec![Field::new("order", Value::U64(17)), Field::new("paid", Value::Bool(false))];
    assert_eq!(short(&notice(vec![sample(event, 1)])), "[MyApp] ERROR: order=17 paid=false #7K3Q");
}

#[test]
fn losses_are_told() {
    let mut alone = notice(Vec::new());
    alone.losses = Losses::from([(DropReason::QueueFull, 12)]);
    assert_eq!(short(&alone), "[MyApp] 12 events not captured (queue full) #7K3Q");
    let mut beside = notice(vec![error(Level::ERROR, "payment failed", 1)]);
    beside.losses = alone.losses;
    assert_eq!(short(&beside), "[MyApp] ERROR: payment failed, 12 not captured (queue full) #7K3Q");
}

#[test]
fn what_does_not_fit_is_counted() {
    let mut notice = notice((0..100).map(|_| error(Level::ERROR, &"disk full ".repeat(9), 3)).collect());
    notice.unsampled = 7;
    let entry = format!("ERROR: {}disk ful... (x3)", "disk full ".repeat(3));
    let entries = [entry.as_str(); 5].join(", ");
    assert_eq!(short(&notice), format!("[MyApp] {entries}, +292 more #7K3Q"));
    notice.samples.truncate(1);
    let entry = format!("ERROR: {} (x3)", "disk full ".repeat(9).trim_end());
    assert_eq!(short(&notice), format!("[MyApp] {entry}, +7 more #7K3Q"));
}

#[test]
fn what_is_worst_is_shown_if_not_all_fits() {
    let mut samples: Vec<_> = (0..50).map(|_| error(Level::WARN, &"disk full ".repeat(9), 1)).collect();
    samples[20] = error(Level::ERROR, "payment failed", 1);
    samples[45].event.panic = true;
    let text = short(&notice(samples));
    assert!(text.starts_with("[MyApp] WARN: disk"), "{text}");
    let (failed, panicked) =
        (text.find("ERROR: payment failed, ").unwrap(), text.find("PANIC: disk").unwrap());
    assert!(failed < panicked, "in the order they happened: {text}");
}

#[test]
fn why_an_incident_is_told_again_is_said_first() {
    let told = |name: &str| {
        let notice = Notice::examples().into_iter().find(|(known, _)| *known == name).unwrap().1;
        short(&notice)
    };
    let what = "payment failed: connection refused (os error 111)";
    let order = "- order=17 currency=EUR cart=5 method=POST";
    assert_eq!(
        told("update"),
        format!("[Shop/production] ERROR: {what} (x963, 1000 in all) {order} #7K3Q.2")
    );
    assert_eq!(
        told("reminder"),
        format!("[Shop/production] ongoing: {what} (x187, 1187 in all) {order} #7K3Q.3")
    );
    assert_eq!(told("quiet"), format!("[Shop/production] quiet: {what} (x17, 1204 in all) {order} #7K3Q.4"));
    let mut quiet = notice(vec![error(Level::ERROR, "payment failed", 0)]);
    quiet.kind = Kind::Quiet;
    quiet.samples[0].total = 1204;
    assert_eq!(short(&quiet), "[MyApp] quiet: payment failed (1204 in all) #7K3Q");
}

#[test]
fn the_last_one_of_the_day_says_so() {
    let mut notice = notice(vec![error(Level::ERROR, "payment failed", 3)]);
    notice.is_last_today = true;
    let last = "Daily SMS limit reached; only new errors from here";
    assert_eq!(short(&notice), format!("[MyApp] ERROR: payment failed (x3), {last} #7K3Q"));
    notice.samples = vec![error(Level::ERROR, &"ж".repeat(1000), 2)];
    assert!(short(&notice).ends_with(&format!("ж... (x2), {last} #7K3Q")), "{}", short(&notice));
}

#[test]
fn a_panic_says_where_and_in_one_segment() {
    let panic = Notice::examples().into_iter().find(|(name, _)| *name == "panic").unwrap().1;
    let text = short(&panic);
    assert!(text.contains("value at src/payment.rs:41 - order=17 "), "{text}");
    assert_eq!(gsm7::segments(&text), 1);
    let mut panic = event(Level::ERROR, &"a".repeat(1000));
    panic.panic = true;
    panic.file =
        Some("/home/build/.cargo/registry/src/index-6f17d22bba15001f/some-library-1.2.3/src/lib.rs".into());
    let text = short(&notice(vec![sample(panic, 1)]));
    assert!(text.ends_with("a... at ...some-library-1.2.3/src/lib.rs:17 #7K3Q"), "{text}");
}

#[test]
fn one_event_that_is_too_long_is_cut() {
    let text = short(&notice(vec![error(Level::ERROR, &"a".repeat(1000), 2)]));
    assert_eq!(text, format!("[MyApp] ERROR: {}... (x2) #7K3Q", "a".repeat(304 - 2 - 29)));
    let text = short(&notice(vec![error(Level::ERROR, &"ж".repeat(1000), 1)]));
    assert_eq!(text, format!("[MyApp] ERROR: {}... #7K3Q", "ж".repeat(132 - 24)));
}

#[test]
fn a_text_outside_the_alphabet_stays_as_it_is() {
    let text = short(&notice(vec![error(Level::ERROR, "платёж не прошёл 🔥\u{202E}\u{200B}\n支付", 1)]));
    assert_eq!(text, "[MyApp] ERROR: платёж не прошёл 🔥 支付 #7K3Q");
}

fn text(name: &'static str, value: &str) -> Field {
    Field::new(name, Value::Str(value.to_owned()))
}

/// An event with these fields, in a span with a path.
fn failed(message: &str, fields: Vec<Field>) -> Sample {
    let mut event = event(Level::ERROR, message);
    event.fields = fields;
    let path = Arc::new(vec![text("path", "/orders/17")]);
    event.spans = vec![SpanFrame { name: "request".into(), target: "my_app".into(), fields: path }];
    sample(event, 1)
}

#[test]
fn fields_stand_where_there_is_room() {
    let fields = || vec![Field::new("order", Value::U64(17)), text("error", "connection refused")];
    let mut shop = notice(vec![failed("payment failed", fields())]);
    shop.process.app = "shop".into();
    let told = "[shop] ERROR: payment failed: connection refused - order=17 path=/orders/17 #7K3Q";
    assert_eq!(short(&shop), told);
    shop.samples[0].count = 37;
    shop.samples[0].total = 37;
    assert_eq!(short(&shop), told.replace(" - ", " (x37) - "));
    assert_eq!(
        super::short(&shop, false, &Clock::default()),
        "[shop] ERROR: payment failed: connection refused (x37) #7K3Q"
    );
    shop.samples[0].event.message.clear();
    assert_eq!(
        super::short(&shop, false, &Clock::default()),
        "[shop] ERROR: request: connection refused (x37) #7K3Q"
    );
}

#[test]
fn a_field_adds_no_segment_and_changes_no_alphabet() {
    let fits = "a".repeat(160 - "[MyApp] ERROR:  - order=17 #7K3Q".len() - 2);
    let order = || vec![Field::new("order", Value::U64(17))];
    assert!(short(&notice(vec![failed(&fits, order())])).ends_with("a - order=17 #7K3Q"));
    let full = format!("{fits}a");
    assert!(short(&notice(vec![failed(&full, order())])).ends_with("a #7K3Q"));
    let mixed = vec![text("kunde", "жук"), Field::new("order", Value::U64(17))];
    assert_eq!(
        short(&notice(vec![failed("payment failed", mixed)])),
        "[MyApp] ERROR: payment failed - order=17 path=/orders/17 #7K3Q"
    );
    let cyrillic = short(&notice(vec![failed("платёж", vec![text("kunde", "жук")])]));
    assert_eq!(cyrillic, "[MyApp] ERROR: платёж - kunde=жук path=/orders/17 #7K3Q");
}

#[test]
fn kinds_share_the_room_and_each_says_what_tells_it_apart() {
    let orders = (17..20).map(|order| failed("payment failed", vec![Field::new("order", Value::U64(order))]));
    assert_eq!(
        short(&notice(orders.collect())),
        "[MyApp] ERROR: payment failed - order=17 path=/orders/17, ERROR: payment failed - order=18 path=/orders/17, \
         ERROR: payment failed - order=19 #7K3Q"
    );
    // One that is short leaves its room to the others.
    let long = |what: &str| error(Level::ERROR, &format!("{what} {}", "very long ".repeat(30)), 1);
    let text =
        short(&notice(vec![long("the first is"), error(Level::ERROR, "short", 1), long("another is")]));
    let lengths: Vec<usize> = text.split(", ").map(str::len).collect();
    assert!(lengths[1] == "ERROR: short".len() && lengths[0].abs_diff(lengths[2] + 2) < 16, "{text}");
    assert!((296..=304).contains(&text.len()), "{}: {text}", text.len());
}

proptest! {
    #[test]
    fn with_fields_it_is_no_longer_than_without(
        messages in vec(hostile(120), 1..5),
        values in vec(hostile(60), 0..6),
    ) {
        let fields: Vec<Field> = values.iter().map(|value| text("name", value)).collect();
        let samples = messages.iter().map(|message| failed(&format!("m {message}"), fields.clone()));
        let notice = notice(samples.collect());
        let (with, without) = (short(&notice), super::short(&notice, false, &Clock::default()));
        prop_assert_eq!(gsm7::segments(&with), gsm7::segments(&without));
        prop_assert_eq!(gsm7::is_plain(&with), gsm7::is_plain(&without));
        prop_assert!(with.len() >= without.len());
    }
}

#[test]
fn what_came_back_says_how_often_and_until_when_nothing_more_comes() {
    let again = |count, today, this_week, message: &str| {
        let back = error(Level::ERROR, message, count);
        let held_until = Some(back.event.at + Duration::from_secs(4 * 3600));
        let back = Sample { kind: Kind::Again, today, this_week, held_until, ..back };
        short(&Notice { kind: Kind::Again, ..notice(vec![back]) })
    };
    let until = again(1, 1, 1, "payment failed");
    let (told, time) = until.split_once(" - next not before ").unwrap();
    assert_eq!((told, &time[5..]), ("[MyApp] again: payment failed", " UTC #7K3Q"), "{until}");
    let counts = |count, today, this_week| {
        again(count, today, this_week, "payment failed").split(" - ").next().unwrap().to_owned()
    };
    assert_eq!(counts(3, 17, 41), "[MyApp] again: payment failed (x3, 17 today, 41 this week)");
    assert_eq!(counts(1, 1, 41), "[MyApp] again: payment failed (41 this week)");
    assert_eq!(counts(17, 17, 17), "[MyApp] again: payment failed (x17)");
    for length in 1..300 {
        let message = "a".repeat(length);
        let until = again(1, 1, 1, &message);
        let bare = match until.split_once(" - next") {
            Some((told, _)) => format!("{told} #7K3Q"),
            None => until.clone(),
        };
        assert_eq!(gsm7::segments(&until), gsm7::segments(&bare), "it adds no segment: {until}");
    }
}

#[test]
fn what_comes_late_says_so() {
    let late = Notice {
        late_by: Some(Duration::from_secs(8 * 3600 + 59)),
        ..notice(vec![error(Level::ERROR, "payment failed", 1)])
    };
    assert_eq!(short(&late), "[MyApp] ERROR: payment failed, 8h late #7K3Q");
}

//! What closes a mail: how events are grouped, and how they are silenced; and
//! what it says when there is nothing new.

use super::*;

fn grouped(message: &str) -> Event {
    let mut event = event(Level::ERROR, message);
    event.fields = vec![
        Field::new("alert.fingerprint", Value::Str("bank\n\u{202E}down".into())),
        Field::new("order", Value::U64(17)),
    ];
    event
}

#[test]
fn what_groups_an_event_by_its_own_field_is_told_once() {
    let text = texts(&notice(vec![sample(grouped("payment failed"), 1)])).text;
    let why = "The program chose it: events with alert.fingerprint = bank down are reported as one.";
    assert!(text.contains(&format!("Grouping and silence\n    {why}\n")), "{text}");
    assert_eq!(text.matches("alert.fingerprint").count(), 1, "{text}");
    assert!(text.contains("Fields\n    order = 17\n"), "{text}");
    let nameless = texts(&notice(vec![sample(grouped(""), 1)]));
    assert_eq!(nameless.subject, "[MyApp] ERROR: order=17 · my_app::payment");
}

#[test]
fn of_several_incidents_each_says_that_the_program_chose_it() {
    let text = texts(&notice(vec![sample(grouped("a"), 1), error(Level::ERROR, "b", 1)])).text;
    let why = "\n    The program chose it for #7K3Q: alert.fingerprint = bank down.\n";
    assert_eq!(text.matches(why).count(), 1, "{text}");
}

#[test]
fn what_was_learned_is_said_with_what_the_events_have_in_common() {
    let group = || Sample {
        in_common: Some("supplier … sent\u{202E} nothing".to_owned()),
        ..error(Level::ERROR, "supplier Globex sent nothing", 3)
    };
    let text = texts(&notice(vec![group()])).text;
    assert!(text.contains("is reported as one:\n    supplier … sent nothing\n"), "{text}");
    let text = texts(&notice(vec![group(), error(Level::ERROR, "b", 1)])).text;
    assert!(text.contains("Many different messages are one in #7K3Q: supplier … sent nothing\n"), "{text}");
}

#[test]
fn the_foot_is_one_line_that_says_what_can_be_done_now() {
    let foot = |notice: &Notice| {
        let text = texts(notice).text;
        let (_, rest) = text.rsplit_once("\n#").unwrap();
        rest.lines().next().unwrap().to_owned()
    };
    let mut failed = notice(vec![error(Level::ERROR, "order 17 failed", 1)]);
    let code = silence_hint::code(&failed.samples[0]).unwrap();
    let now = format!(
        "7K3Q · To hear no more of this kind: tracing-alert silence --kind {code} --for 2h; or for good, restart the \
         program with ALERT_IGNORE={code}"
    );
    assert_eq!(foot(&failed), now);
    let text = texts(&failed).text;
    let silence = format!("\n\n    let these = Matcher::new().kind(\"{code}\");\n    alerts.silence(these, ");
    assert!(text.contains(&silence), "{text}");
    let html = texts(&failed).html;
    let (_, fold) = html.split_once("<details>").unwrap();
    assert!(fold.contains(&code) && fold.contains("root error are reported as one"), "{html}");
    // What the program groups by words of its own has no code.
    let own = DefaultRender::default().codes(false).email(&failed).text;
    assert!(own.contains("\n#7K3Q\n\nGrouping and silence\n") && !own.contains("Matcher"), "{own}");
    failed.kind = Kind::Health;
    assert!(texts(&failed).text.ends_with("\n#7K3Q"));
}

#[test]
fn links_come_first_and_in_the_mail_only() {
    let mut links = Links::default();
    links.add("logs", Template::new("https://logs.example.com/?q={message}&id={id}"));
    links.add("trace", Template::new("https://traces.example.com/{span:trace_id}"));
    links.add("source", Template::new("https://git.example.com/{file}#L{line}"));
    let render = DefaultRender::default().links(links);
    let failed = notice(vec![error(Level::ERROR, "payment <failed>", 1)]);
    let Email { subject, text, html, .. } = render.email(&failed);
    let wanted = "\nERROR: payment <failed>\nOpen\n    logs: https://logs.example.com/?q=payment%20%3Cfailed%3E&id=7K3Q\n    \
                  source: https://git.example.com/src/payment.rs#L17\nWhere\n";
    assert!(text.contains(wanted), "{text}");
    assert!(
        html.contains("href=\"https://logs.example.com/?q=payment%20%3Cfailed%3E&#38;id=7K3Q\""),
        "{html}"
    );
    assert!(!render.sms(&failed).contains("https") && !subject.contains("https"));
    assert!(!format!("{render:?}").contains("example.com"));
    let health = Notice { kind: Kind::Health, ..failed };
    assert!(!render.email(&health).text.contains("https"));
}

#[test]
fn the_end_of_what_was_told_in_full_reads_well() {
    let ended = |counts: &[(u64, u64)]| {
        let samples = counts.iter().map(|(count, total)| Sample {
            kind: Kind::Quiet,
            total: *total,
            ..error(Level::ERROR, "payment failed", *count)
        });
        let notice = Notice {
            kind: if counts.len() > 1 { Kind::Digest } else { Kind::Quiet },
            ..notice(samples.collect())
        };
        texts(&notice)
    };
    let one = ended(&[(0, 1204)]);
    let first = "Quiet in MyApp since 2026-11-22 19:42:03 UTC: happened 1,204 times in all, nothing new since the last message\n";
    assert!(one.text.starts_with(first), "{}", one.text);
    assert_eq!(one.short, "[MyApp] quiet: payment failed (1204 in all) #7K3Q");
    let two = ended(&[(0, 1204), (0, 7)]);
    let first = "Quiet in MyApp as of 2026-11-22 19:41:03 UTC: 2 kinds of event, nothing new since the last messages\n";
    assert!(two.text.starts_with(first), "{}", two.text);
    assert!(two.text.contains("\n    ERROR: payment failed #7K3Q, quiet\n"), "{}", two.text);
}

#[test]
fn what_stands_for_all_that_was_silenced_has_no_code() {
    let matcher = crate::Matcher::new().message("migration");
    let lasts = Duration::from_secs(60);
    let message = crate::policy::matcher::silenced(&matcher, lasts, "the migration is at work");
    let text = texts(&notice(vec![error(Level::ERROR, &message, 312)])).text;
    // It is of several kinds, and no code means all of them.
    assert!(text.ends_with("\n#7K3Q"), "{text}");
}

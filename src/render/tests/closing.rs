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
    assert!(text.contains(&format!("Grouping\n    {why}\n")), "{text}");
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
    assert!(text.contains(".message(\"sent nothing\")") || text.contains(".message(\"supplier\")"), "{text}");
    let text = texts(&notice(vec![group(), error(Level::ERROR, "b", 1)])).text;
    assert!(text.contains("Many different messages are one in #7K3Q: supplier … sent nothing\n"), "{text}");
}

#[test]
fn a_mail_says_how_to_silence_what_it_tells_of() {
    let silence = |notice: &Notice| {
        let text = texts(notice).text;
        let (_, rest) = text.split_once("\nSilence\n")?;
        Some(
            rest.lines()
                .take_while(|line| !line.is_empty())
                .map(|line| format!("{line}\n"))
                .collect::<String>(),
        )
    };
    let mut failed = notice(vec![error(Level::ERROR, "order 17 failed", 1)]);
    let wanted = r#"    let these = Matcher::new()
        .target("my_app::payment")
        .message("failed");
    alerts.silence(these, Duration::from_secs(3600)); // for an hour
    builder.ignore(these); // or for good
"#;
    assert_eq!(silence(&failed).unwrap(), wanted);
    failed.kind = Kind::Health;
    assert_eq!(silence(&failed), None);
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
fn what_was_silenced_is_silenced_again_by_what_its_events_say() {
    let matcher = crate::Matcher::new().message("migration");
    let lasts = Duration::from_secs(60);
    let message = crate::policy::matcher::silenced(&matcher, lasts, "the migration is at work");
    let text = texts(&notice(vec![error(Level::ERROR, &message, 312)])).text;
    assert!(text.contains("        .message(\"the migration is at work\");\n"), "{text}");
    assert!(!text.contains("\nGrouping\n"), "{text}");
}

//! What must hold for the texts of whatever happens.

use std::collections::HashSet;

use proptest::option;

use super::*;
use crate::policy::notice::Spread;

fn any_count() -> impl Strategy<Value = u64> {
    prop_oneof![1..50_u64, any::<u64>()]
}

prop_compose! {
    fn any_sample()(
        message in hostile(400),
        target in hostile(60),
        (name, value, cause) in (hostile(20), hostile(40), option::of(hostile(60))),
        level in proptest::sample::select(vec![Level::ERROR, Level::WARN, Level::INFO]),
        panic in any::<bool>(),
        count in prop_oneof![Just(0), any_count()],
        told in prop_oneof![Just(0), any_count()],
        place in option::of(hostile(60)),
        backtrace in option::of(hostile(200)),
        kind in proptest::sample::select(vec![Kind::First, Kind::Update, Kind::Reminder, Kind::Quiet]),
        before in vec(hostile(60), 0..70),
        latest in option::of(hostile(400)),
        spread in option::of(spread()),
    ) -> Sample {
        let mut event = event(level, &message);
        event.target = target.into();
        event.panic = panic;
        event.fields = vec![Field::new(name, Value::Str(value))];
        event.fields.extend(cause.map(|cause| Field::new("error", Value::Error(vec![cause]))));
        event.file = place.map(Into::into);
        event.backtrace = backtrace;
        event.breadcrumbs = before.iter().map(|text| Arc::new(breadcrumb(text, event.at))).collect();
        let latest = latest.map(|message| Event { message, ..event.bare() });
        Sample { kind, latest, spread, total: count.saturating_add(told), ..sample(event, count) }
    }
}

prop_compose! {
    fn any_notice()(
        samples in vec(any_sample(), 0..5),
        app in hostile(100),
        environment in option::of(hostile(40)),
        host in option::of(hostile(40)),
        kind in proptest::sample::select(vec![
            Kind::First, Kind::Digest, Kind::Update, Kind::Reminder, Kind::Quiet, Kind::Health,
        ]),
        is_last_today in any::<bool>(),
        unsampled in prop_oneof![Just(0), any_count()],
        losses in vec(any_count(), 0..=DropReason::ALL.len()),
    ) -> Notice {
        let mut notice = notice(samples);
        notice.process = Process { app, environment, host, ..notice.process };
        notice.kind = kind;
        notice.is_last_today = is_last_today;
        notice.unsampled = unsampled;
        notice.losses = DropReason::ALL.iter().copied().zip(losses).collect();
        notice
    }
}

proptest! {
    #[test]
    fn any_short_text_is_two_segments_at_most_and_ends_with_its_id(notice in any_notice()) {
        let short = sms::short(&notice, true, &Clock::default());
        prop_assert!(segments(&short) <= 2, "{}", short);
        prop_assert!(short.encode_utf16().count() <= 1600);
        prop_assert!(short.ends_with(" #7K3Q"), "{}", short);
        prop_assert!(!short.contains(clean::is_unsafe), "{:?}", short);
        let app = gsm7::fold(&clean::line(&notice.process.app, 40));
        let starts_with_tag = short.starts_with('[') && short.contains("] ");
        prop_assert!(app.is_empty() || starts_with_tag, "{:?}", short);
    }

    #[test]
    fn any_short_text_accounts_for_each_event(counts in vec(1..1000_u64, 1..60), message in hostile(120)) {
        let notice = notice(counts.iter().map(|count| error(Level::ERROR, &message, *count)).collect());
        let short = sms::short(&notice, true, &Clock::default());
        let hidden = short.rsplit_once(", +").and_then(|(_, rest)| rest.split_once(" more #"));
        let hidden = hidden.and_then(|(number, _)| number.parse().ok()).unwrap_or(0_u64);
        let all: u64 = counts.iter().sum();
        let shown = (1..=counts.len()).find(|shown| counts.iter().take(*shown).sum::<u64>() + hidden == all);
        prop_assert!(shown.is_some(), "{} of {}", short, all);
    }

    #[test]
    fn any_subject_is_one_line_of_at_most_120_characters(notice in any_notice()) {
        let subject = subject(&notice);
        prop_assert!(subject.chars().count() <= 120, "{}", subject);
        prop_assert!(!subject.is_empty());
        prop_assert!(!subject.contains(clean::is_unsafe), "{:?}", subject);
    }

    #[test]
    fn any_mail_has_its_id_and_has_no_control_character(notice in any_notice()) {
        let rendered = DefaultRender::default().email(&notice);
        prop_assert!(rendered.text.lines().any(|line| line == "#7K3Q" || line.starts_with("#7K3Q · ")));
        prop_assert!(rendered.html.contains(">#7K3Q"));
        for body in [&rendered.text, &rendered.html] {
            prop_assert!(!body.contains(|c| clean::is_unsafe(c) && c != '\n' && c != '\t'), "{:?}", body);
            prop_assert!(body.len() < 64 * 1024);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_attachment_is_bounded_and_has_no_control_character(samples in vec(any_sample(), 26..40)) {
        attachments::assert_fit(&texts(&notice(samples)).attachment.unwrap());
    }
}

/// Text that looks like ours, on lines of its own.
fn forged() -> impl Strategy<Value = String> {
    let pieces = [
        "\nProcess\n",
        "\r\n#9999\r\n",
        "\u{2028}Backtrace\u{2029}",
        "\u{B}Fields\u{C}",
        "\u{85}Grouping and silence\n",
        "\nOpen\n",
        "</pre>",
        "<td>",
        "<b class=\"card\">",
        "{{ mail.id }}",
        "-->",
        "&#60;",
        "\u{1B}[2K",
        "\u{202E}",
        "a",
        " ",
    ];
    vec(proptest::sample::select(pieces.to_vec()), 0..12).prop_map(|pieces| pieces.concat())
}

/// Everything between `<` and `>`.
fn tags(html: &str) -> HashSet<String> {
    html.split('<').skip(1).filter_map(|piece| piece.split('>').next()).map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_gets_out_of_its_place(texts in vec(forged(), 12), is_panic: bool) {
        let text = |at: usize| texts[at].clone();
        let mut event = event(Level::ERROR, &texts[0]);
        event.target = text(1).into();
        event.file = Some(text(2).into());
        event.module_path = Some(text(3).into());
        event.thread = Some(text(4).into());
        event.backtrace = Some(format!("0: {}\n1: my_app::main\n{}", text(5), text(5)));
        event.panic = is_panic;
        event.fields = vec![
            Field::new(text(6), Value::Str(text(7))),
            Field::new(text(6), Value::Error(vec![text(8), text(9)])),
        ];
        event.spans = vec![SpanFrame { name: text(10).into(), target: text(1).into(), fields: Arc::new(event.fields.clone()) }];
        let before = |text| Breadcrumb { fields: event.fields.clone(), ..breadcrumb(text, event.at) };
        event.breadcrumbs = texts.iter().map(|text| Arc::new(before(text))).collect();
        let mut notice = notice(vec![sample(event, 2), error(Level::WARN, &texts[9], 1)]);
        notice.process = Process { app: text(11), environment: Some(text(0)), host: Some(text(1)), version: Some(text(2)), pid: 1 };
        let email = DefaultRender::default().email(&notice);

        let mut panics = full();
        panics.samples[1] = sample(panics.samples[1].event.clone(), 2);
        let known = [full(), panics, Notice::examples()[2].1.clone()];
        let ours: HashSet<_> = known.iter().flat_map(|notice| tags(&DefaultRender::default().email(notice).html)).collect();
        let theirs: Vec<_> = tags(&email.html).difference(&ours).cloned().collect();
        prop_assert_eq!(theirs, Vec::<String>::new());
        let drawn = email.html.matches("<table class=\"bars\"").count();
        prop_assert_eq!((email.html.matches("</table>").count(), drawn), (2, 1));

        let lines: Vec<&str> = email.text.lines().filter(|line| !line.starts_with(' ')).collect();
        for label in [words::label::PROCESS, words::label::FOLD] {
            prop_assert_eq!(lines.iter().filter(|line| **line == label).count(), 1, "{}: {}", label, email.text);
        }
        prop_assert_eq!(lines.iter().filter(|line| line.starts_with('#')).count(), 1, "{}", email.text);
        prop_assert!(lines.iter().all(|line| *line != words::label::BACKTRACE), "{}", email.text);
        prop_assert!(!email.subject.contains(['\n', '\r']) && !sms::short(&notice, true, &Clock::default()).contains(['\n', '\r']));
    }
}

/// Of instances with any names.
fn spread() -> impl Strategy<Value = Spread> {
    let names = || vec((hostile(90), any::<u64>()), 0..6);
    (any::<[u32; 3]>(), names(), names()).prop_map(|([instances, of, hosts_in_all], versions, hosts)| {
        Spread { instances, of, versions, hosts, hosts_in_all }
    })
}

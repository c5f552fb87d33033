//! Whose page a link opens, and what it tells it.

use std::time::Duration;

use proptest::prelude::*;
use tracing::Level;

use super::{
    super::tests::{error, event, hostile, notice, sample},
    *,
};
use crate::event::{Field, SpanFrame, Value};

fn text(name: &'static str, value: &str) -> Field {
    Field::new(name, Value::Str(value.to_owned()))
}

fn failed() -> Notice {
    let mut failed = event(Level::ERROR, "payment failed: 50% & more");
    failed.fields = vec![text("order/id", "17"), text("dots", ".."), text("empty", " ")];
    let span = |trace: &str| SpanFrame {
        name: "request".into(),
        target: "my_app".into(),
        fields: Arc::new(vec![text("trace_id", trace)]),
    };
    failed.spans = vec![span("outer"), span("4bf92f35")];
    let mut notice = notice(vec![sample(failed, 3)]);
    notice.process.version = Some("v1.2.3".to_owned());
    notice
}

fn url(template: &str, notice: &Notice) -> Option<String> {
    let mut links = Links::default();
    links.add("logs", Template::new(template));
    links.of(&notice.samples[0], notice).pop().map(|link| link.url)
}

#[test]
fn each_value_stands_encoded_in_its_place() {
    let failed = failed();
    for (template, wanted) in [
        (
            "https://a.example/{app}/blob/{version}/{file}#L{line}",
            "https://a.example/MyApp/blob/v1.2.3/src/payment.rs#L17",
        ),
        (
            "https://a.example:8443?q={message}",
            "https://a.example:8443?q=payment%20failed%3A%2050%25%20%26%20more",
        ),
        ("https://a.example/?f={file}", "https://a.example/?f=src%2Fpayment.rs"),
        ("https://a.example/t/{span:trace_id}", "https://a.example/t/4bf92f35"),
        ("https://a.example/{target}#{field:order/id}", "https://a.example/my_app%3A%3Apayment#17"),
        (
            "https://a.example/?from={first_ms}&to={last_ms}&id={id}",
            "https://a.example/?from=1795376463123&to=1795376523123&id=7K3Q",
        ),
        ("HTTPS://a.example/runbook", "HTTPS://a.example/runbook"),
    ] {
        assert_eq!(Template::new(template).fault(), None, "{template}");
        assert_eq!(url(template, &failed).as_deref(), Some(wanted));
    }
}

#[test]
fn a_value_that_is_missing_or_leaves_its_place_is_no_link() {
    let failed = failed();
    for template in [
        "https://a.example/{environment}",
        "https://a.example/{host}",
        "https://a.example/{field:nothing}",
        "https://a.example/{span:order/id}",
        "https://a.example/?q={field:empty}",
        "https://a.example/api/{field:dots}/x",
        "https://a.example/api/{field:dots}",
    ] {
        assert_eq!(Template::new(template).fault(), None, "{template}");
        assert_eq!(url(template, &failed), None, "{template}");
    }
    assert_eq!(url("https://a.example/?q={field:dots}", &failed).unwrap(), "https://a.example/?q=..");
    let mut library = failed;
    library.samples[0].event.file = Some("/home/me/.cargo/registry/src/x/y.rs".into());
    assert_eq!(url("https://a.example/{file}", &library), None);
    library.samples[0].event.file = Some("src\\main.rs".into());
    assert_eq!(url("https://a.example/{file}", &library).unwrap(), "https://a.example/src/main.rs");
}

#[test]
fn a_template_that_lets_an_event_choose_the_host_is_refused_and_not_shown() {
    for (template, part) in [
        ("http://a.example/", "does not begin with https://"),
        ("a.example/{id}", "does not begin with https://"),
        ("https://{field:s3cret}/", "a value in its host"),
        ("https://s3cret{id}", "a value in its host"),
        ("https://s3cret:{line}/", "a value in its host"),
        ("https://s3cret@a.example/", "a user name"),
        ("https:///s3cret", "no host"),
        ("https://s3cret\\a/", "no host"),
        ("https://a.example/s3cret x", "characters"),
        ("https://a.example/\"s3cret", "characters"),
        ("https://a.example/é", "characters"),
        ("https://a.example/{s3cret}", "no known name"),
        ("https://a.example/{s3cret", "no known name"),
        ("https://a.example/s3cret}", "no known name"),
        ("https://a.example/{field:}", "no known name"),
    ] {
        let template = Template::new(template);
        let fault = template.fault().unwrap_or_else(|| panic!("{part}"));
        assert!(fault.what.contains(part), "{fault:?}");
        assert!(!format!("{fault:?} {template:?}").contains("s3cret"), "{fault:?}");
    }
}

#[test]
fn what_the_program_makes_is_held_to_the_same_rules() {
    let failed = failed();
    let own = |url: fn(&Sample, &Notice) -> Option<String>| {
        let mut links = Links::default();
        links.add_own("run\nbook", Arc::new(url));
        links.of(&failed.samples[0], &failed)
    };
    let link = own(|sample, _| Some(format!("https://a.example/{}", sample.incident)));
    assert_eq!(link, [Link { label: "run book".to_owned(), url: "https://a.example/7K3Q".to_owned() }]);
    assert_eq!(own(|_, _| None), []);
    assert_eq!(own(|_, _| Some("javascript:alert(1)".to_owned())), []);
    assert_eq!(own(|_, _| Some("https://a.example/\"><script>".to_owned())), []);
    assert_eq!(own(|_, _| Some(format!("https://a.example/{}", "a".repeat(3_000)))), []);
    assert_eq!(own(|_, _| panic!("a defect of the program")), []);
}

proptest! {
    #[test]
    fn whatever_an_event_says_the_page_is_the_same_ones(value in hostile(80), place in 0..5_usize) {
        let template = ["https://a.example/b/{field:x}/c", "https://a.example?{field:x}", "https://a.example/#{field:x}", "https://a.example/{file}", "https://a.example/{message}{target}"][place];
        let mut failed = error(Level::ERROR, &value, 2);
        failed.event.fields = vec![Field::new("x", Value::Str(value.clone()))];
        failed.event.file = Some(value.clone().into());
        failed.event.target = value.into();
        failed.last_at += Duration::from_secs(1);
        if let Some(url) = url(template, &notice(vec![failed])) {
            let parsed = reqwest::Url::parse(&url).unwrap();
            prop_assert_eq!(parsed.host_str(), Some("a.example"));
            let begins = if place == 0 { "/b/" } else { "/" };
            prop_assert!(parsed.path().starts_with(begins) && (place != 0 || parsed.path().ends_with("/c")), "{}", url);
            prop_assert!(url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'<'));
        }
    }
}

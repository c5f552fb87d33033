//! Names of variables that are none of ours: near ones are told, others are not.

use proptest::prelude::*;

use super::{
    env::read_with,
    rows::{KEPT_BACK, KINDS},
    table::Wants,
    *,
};
use crate::config::env::suggest;

#[test]
fn a_variable_that_is_none_of_ours_is_no_problem_and_its_value_is_not_shown() {
    for name in ["ALERT_MAIL", "TWILIO_TOKEN", "ALERT_PORT", "ALERT_UNKNOWN"] {
        let base = [("TWILIO_ACCOUNT_SID", ""), ("TWILIO_SENDER_NUMBER", ""), ("TWILIO_AUTH_TOKEN", "")];
        let (builder, problems) = read_with(&[&MAIL[..], &base].concat(), &[(name, "hidden")]);
        assert_eq!(problems, []);
        assert!(!format!("{:?}", builder.hints).contains("hidden"), "{:?}", builder.hints);
        assert_eq!(
            builder.hints.len(),
            usize::from(["ALERT_MAIL", "TWILIO_TOKEN"].contains(&name)),
            "{name}"
        );
        assert!(builder.check().is_ok());
    }
}

#[test]
fn the_providers_usual_names_are_near_ours() {
    for (name, meant) in [
        ("TWILIO_TOKEN", "TWILIO_AUTH_TOKEN"),
        ("TWILIO_FROM", "TWILIO_SENDER_NUMBER"),
        ("TWILIO_PHONE_NUMBER", "TWILIO_SENDER_NUMBER"),
        ("TWILIO_SID", "TWILIO_ACCOUNT_SID"),
        ("SENDGRID_KEY", "SENDGRID_API_KEY"),
        ("SENDGRID_FROM_EMAIL", "SENDGRID_SENDER_EMAIL"),
        #[cfg(not(windows))] // There, it is ours.
        ("sendgrid_api_key", "SENDGRID_API_KEY"),
    ] {
        let (builder, _) = read_with(&[], &[(name, "hidden")]);
        assert_eq!(settings(&builder.hints), [name]);
        assert_eq!(builder.hints[0].mend, format!("did you mean {meant}?"));
    }
}

#[test]
fn what_a_platform_injects_for_a_service_of_any_name_is_near_none_of_ours() {
    let suffixes = [
        "SERVICE_HOST",
        "SERVICE_PORT",
        "SERVICE_PORT_HTTP",
        "PORT",
        "PORT_80_TCP",
        "PORT_80_TCP_PROTO",
        "PORT_80_TCP_PORT",
        "PORT_80_TCP_ADDR",
    ];
    let services = NAMES.into_iter().chain(["ALERT", "ALERTS", "TWILIO", "SENDGRID", "ALERT_MANAGER"]);
    let injected: Vec<_> =
        services.flat_map(|service| suffixes.map(|suffix| format!("{service}_{suffix}"))).collect();
    for name in &injected {
        let (builder, problems) = read_with(&[], &[(name, "tcp://10.0.0.1:80")]);
        assert_eq!((problems, builder.hints), (vec![], vec![]), "{name}");
    }
}

#[test]
fn of_thousands_of_names_few_are_looked_at_closely() {
    let others = ["PATH", "KUBERNETES_SERVICE_PORT", "npm_config_registry", "LESSOPEN", "ALLOW_EMPTY"];
    let services =
        (0..10_000).flat_map(|n| [format!("SVC_{n}_SERVICE_HOST"), format!("API{n}_PORT_80_TCP_ADDR")]);
    let close: Vec<_> = others
        .map(str::to_owned)
        .into_iter()
        .chain(services)
        .filter(|name| suggest::may_be_near(name))
        .collect();
    assert_eq!(close, [""; 0]);
    assert!(!suggest::may_be_near(&format!("ALERT_LEVEL{}", "_X".repeat(50_000))));

    // Whoever has so many that begin like ours hears of the first ones only.
    let many = (0..10_000).map(|n| (format!("ALERT_LEVEL{}", "_LOG".repeat(n % 2) + &"S".repeat(n % 3)), n));
    let many = many.map(|(name, n)| (format!("{name}{}", "_".repeat(n / 1_000)).into(), "warn".into()));
    assert!((1..=100).contains(&read(many).hints.len()));
}

#[test]
fn what_is_near_is_looked_at_closely() {
    for (name, _, wants) in KINDS.iter().chain(&KEPT_BACK).flat_map(|(_, rows)| *rows) {
        assert!(!matches!(wants, Wants::Near(_)) || suggest::may_be_near(name), "{name}");
    }
}

proptest! {
    #[test]
    fn no_near_name_is_passed_over(of in 0..NAMES.len(), slips in prop::collection::vec((0..4, 0..30_usize), 0..4)) {
        let mut name: Vec<char> = NAMES[of].chars().collect();
        for (kind, at) in slips {
            let at = at % name.len();
            match kind {
                0 => drop(name.remove(at)),
                1 => name.insert(at, 'Q'),
                2 => name[at] = 'Q',
                _ => name.swap(at, at.saturating_sub(1)),
            }
        }
        let name: String = name.into_iter().collect();
        let is_near = !suggest::names(&name, NAMES.into_iter()).is_empty();
        prop_assert!(!is_near || suggest::may_be_near(&name), "{}", name);
    }
}

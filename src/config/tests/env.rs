//! What [`read`] makes of the environment, variable by variable.

use super::*;

/// Reads `base` with `changes` made to it.
pub(super) fn read_with(base: &[(&str, &str)], changes: &[(&str, &str)]) -> (Builder, Vec<Problem>) {
    let vars = base.iter().chain(changes).map(|(name, value)| (name.into(), value.into()));
    // The last of one name counts.
    read_apart(vars.collect::<std::collections::BTreeMap<OsString, OsString>>())
}

/// The same, with nothing wrong.
fn sound(base: &[(&str, &str)], changes: &[(&str, &str)]) -> Config {
    let (builder, problems) = read_with(base, changes);
    assert_eq!(problems, []);
    builder.check().unwrap()
}

/// The same, with exactly one problem, with this setting.
fn wrong(base: &[(&str, &str)], changes: &[(&str, &str)], setting: &str) -> (Config, Problem) {
    let (builder, mut problems) = read_with(base, changes);
    assert_eq!(settings(&problems), [setting], "{problems:?}");
    (builder.check().unwrap(), problems.remove(0))
}

/// The same; the problem switches SMS off, and e-mail goes on.
fn no_sms(changes: &[(&str, &str)], setting: &str) -> Problem {
    let base = [&SMS[..], &MAIL[..]].concat();
    let (config, problem) = wrong(&base, changes, setting);
    assert!(route(&config, "twilio").is_none() && route(&config, "sendgrid").is_some());
    assert!(problem.what.ends_with("SMS is off"), "{problem}");
    problem
}

/// The same; the problem switches e-mail off, and SMS goes on.
fn no_mail(changes: &[(&str, &str)], setting: &str) -> Problem {
    let base = [&SMS[..], &MAIL[..]].concat();
    let (config, problem) = wrong(&base, changes, setting);
    assert!(route(&config, "twilio").is_some() && route(&config, "sendgrid").is_none());
    assert!(problem.what.ends_with("e-mail is off"), "{problem}");
    problem
}

#[test]
fn nothing_at_all_is_one_problem_and_check_tells_it() {
    let (builder, told) = read_with(&[], &[]);
    assert_eq!(told, []);
    let problems = problems(builder);
    assert_eq!(settings(&problems), ["ALERT_EMAIL, ALERT_PHONE"]);
}

#[test]
fn a_way_to_send_that_nobody_asked_for_is_silently_off() {
    assert!(route(&sound(&MAIL, &[]), "twilio").is_none());
    assert!(route(&sound(&SMS, &[]), "sendgrid").is_none());
}

#[test]
fn what_is_not_set_has_the_builders_default() {
    let config = sound(&MAIL, &[]);
    assert_eq!((config.setup.app_name, config.setup.environment), (None, None));
    assert_eq!(config.level, Builder::DEFAULT_LEVEL);
    assert_eq!(config.span_level, Builder::DEFAULT_SPAN_LEVEL);
    assert_eq!(config.setup.database, Database::Default);
    assert_eq!(config.panics, Builder::DEFAULT_PANICS);
    assert_eq!(config.setup.routes[0].rhythm.settle, Builder::DEFAULT_SETTLE);
}

#[test]
fn an_empty_value_is_as_if_unset() {
    let empty = NAMES.map(|name| (name, " "));
    let (builder, told) = read_with(&empty, &[("ALERT_UNKNOWN", "")]);
    assert_eq!(told, []);
    assert_eq!(problems(builder).len(), 1);
}

#[test]
fn variables_of_others_are_let_be() {
    sound(&MAIL, &[("TWILIO", "x"), ("ALERTMANAGER_URL", "x"), ("PATH", "/bin"), ("SENDGRID_OTHER", "x")]);
}

#[test]
fn sms_needs_sid_token_sender_and_recipients() {
    for (name, _) in SMS {
        let problem = no_sms(&[(name, "")], name);
        assert!(problem.mend.contains(&format!("{name}=")), "{problem}");
    }
}

#[test]
fn all_that_is_missing_is_told_at_once() {
    let (_, problems) = read_with(&[("TWILIO_ACCOUNT_SID", ACCOUNT_SID)], &[]);
    assert_eq!(settings(&problems), ["TWILIO_AUTH_TOKEN", "TWILIO_SENDER_NUMBER", "ALERT_PHONE"]);
    let (_, problems) = read_with(&[("SENDGRID_BASE_URL", "https://api.eu.sendgrid.com")], &[]);
    assert_eq!(settings(&problems), ["SENDGRID_API_KEY", "SENDGRID_SENDER_EMAIL", "ALERT_EMAIL"]);
}

#[test]
fn recipients_alone_are_one_problem() {
    let (_, problem) = wrong(&MAIL, &[("ALERT_PHONE", PHONE)], "ALERT_PHONE");
    assert!(problem.mend.contains("TWILIO_ACCOUNT_SID"), "{problem}");
    let (_, problem) = wrong(&SMS, &[("ALERT_EMAIL", EMAIL)], "ALERT_EMAIL");
    assert!(problem.mend.contains("SENDGRID_API_KEY"), "{problem}");
}

#[test]
fn an_api_key_stands_in_for_the_token() {
    let key = [("TWILIO_API_KEY", KEY_SID), ("TWILIO_API_KEY_SECRET", TOKEN)];
    sound(&SMS, &[key[0], key[1], ("TWILIO_AUTH_TOKEN", "")]);
    for (name, _) in key {
        no_sms(&[key[0], key[1], ("TWILIO_AUTH_TOKEN", ""), (name, "")], name);
    }
    no_sms(&[key[0], key[1], ("TWILIO_ACCOUNT_SID", "")], "TWILIO_ACCOUNT_SID");
}

#[test]
fn an_api_key_wins_over_the_token() {
    no_sms(&[("TWILIO_API_KEY", "SK1"), ("TWILIO_API_KEY_SECRET", TOKEN)], "TWILIO_API_KEY");
}

#[test]
fn half_an_api_key_leaves_the_token_in_use() {
    let (config, problem) = wrong(&SMS, &[("TWILIO_API_KEY", KEY_SID)], "TWILIO_API_KEY_SECRET");
    assert!(route(&config, "twilio").is_some());
    assert_eq!(problem.what, "is not set, but TWILIO_API_KEY is: TWILIO_AUTH_TOKEN is used");
    wrong(&SMS, &[("TWILIO_API_KEY_SECRET", TOKEN)], "TWILIO_API_KEY");
}

#[test]
fn a_messaging_service_goes_with_a_sender_or_instead() {
    sound(&SMS, &[("TWILIO_MESSAGING_SERVICE_SID", SERVICE_SID)]);
    sound(&SMS, &[("TWILIO_MESSAGING_SERVICE_SID", SERVICE_SID), ("TWILIO_SENDER_NUMBER", "")]);
    no_sms(&[("TWILIO_MESSAGING_SERVICE_SID", "MG1")], "TWILIO_MESSAGING_SERVICE_SID");
}

#[test]
fn what_a_sink_finds_wrong_switches_it_off() {
    no_sms(&[("TWILIO_ACCOUNT_SID", "AC1")], "TWILIO_ACCOUNT_SID");
    no_sms(&[("TWILIO_BASE_URL", "nowhere")], "TWILIO_BASE_URL");
    no_mail(&[("SENDGRID_SENDER_EMAIL", "nobody")], "SENDGRID_SENDER_EMAIL");
    no_mail(&[("SENDGRID_BASE_URL", "nowhere")], "SENDGRID_BASE_URL");
    let urls = [("TWILIO_BASE_URL", "http://127.0.0.1:1"), ("SENDGRID_BASE_URL", "http://127.0.0.1:1")];
    sound(&[&SMS[..], &MAIL[..]].concat(), &urls);
}

#[test]
fn email_needs_key_sender_and_recipients() {
    for (name, _) in MAIL {
        no_mail(&[(name, "")], name);
    }
}

#[test]
fn recipients_are_separated_by_commas() {
    let config = sound(&SMS, &[("ALERT_PHONE", "+41791234567,+41791234568 ,, +41791234567")]);
    assert_eq!(config.setup.routes[0].recipients, ["+41791234567", "+41791234568"]);
    let config = sound(&MAIL, &[("ALERT_EMAIL", "a@example.com, b@example.com,A@example.com")]);
    assert_eq!(config.setup.routes[0].recipients, ["a@example.com", "b@example.com"]);
}

#[test]
fn a_good_recipient_is_kept_beside_a_bad_one() {
    let (config, problem) = wrong(&SMS, &[("ALERT_PHONE", "+41791234567,0791234568")], "ALERT_PHONE");
    assert_eq!(config.setup.routes[0].recipients, [PHONE]);
    assert!(problem.what.starts_with("entry 2, "), "{problem}");
    assert!(problem.what.ends_with("that entry is ignored"), "{problem}");
    assert!(!problem.to_string().contains("791234"), "{problem}");

    let (config, problem) = wrong(&MAIL, &[("ALERT_EMAIL", "nobody,a@example.com")], "ALERT_EMAIL");
    assert_eq!(config.setup.routes[0].recipients, ["a@example.com"]);
    assert!(problem.what.starts_with(r#"entry 1, "nobody", "#), "{problem}");
}

#[test]
fn only_bad_recipients_switch_it_off() {
    no_sms(&[("ALERT_PHONE", "0791234568")], "ALERT_PHONE");
    no_mail(&[("ALERT_EMAIL", PHONE)], "ALERT_EMAIL");
}

#[test]
fn a_level_is_a_name_in_any_case_or_off() {
    let level = |text| sound(&MAIL, &[("ALERT_LEVEL", text)]).level;
    let names = ["ERROR", "Warn", "info", "debug", "TRACE", "off"];
    let levels = [
        LevelFilter::ERROR,
        LevelFilter::WARN,
        LevelFilter::INFO,
        LevelFilter::DEBUG,
        LevelFilter::TRACE,
        LevelFilter::OFF,
    ];
    assert_eq!(names.map(level), levels);
    for text in ["loud", "3"] {
        let (config, problem) = wrong(&MAIL, &[("ALERT_LEVEL", text)], "ALERT_LEVEL");
        assert_eq!(config.level, Builder::DEFAULT_LEVEL);
        assert!(problem.what.ends_with(": error is used"), "{problem}");
    }
}

#[test]
fn each_way_to_send_can_be_stricter() {
    let both = [&SMS[..], &MAIL[..], &[("ALERT_LEVEL", "info")]].concat();
    for (variable, sink) in [("ALERT_SMS_LEVEL", "twilio"), ("ALERT_EMAIL_LEVEL", "sendgrid")] {
        let level = |config: &Config| route(config, sink).unwrap().level.min(config.level);
        assert_eq!(level(&sound(&both, &[])), LevelFilter::INFO);
        assert_eq!(level(&sound(&both, &[(variable, "error")])), LevelFilter::ERROR);
        assert_eq!(level(&sound(&both, &[(variable, "trace")])), LevelFilter::INFO);
        let (config, _) = wrong(&both, &[(variable, "loud")], variable);
        assert_eq!(level(&config), LevelFilter::INFO);
    }
}

#[test]
fn the_level_off_leaves_a_way_to_send_alone() {
    let half = [&MAIL[..], &[("TWILIO_ACCOUNT_SID", ACCOUNT_SID)]].concat();
    assert!(route(&sound(&half, &[("ALERT_SMS_LEVEL", "off")]), "twilio").is_none());
    let half = [&SMS[..], &[("SENDGRID_API_KEY", SENDGRID_KEY)]].concat();
    assert!(route(&sound(&half, &[("ALERT_EMAIL_LEVEL", "off")]), "sendgrid").is_none());
}

#[test]
fn settle_is_a_duration_of_at_most_a_minute() {
    let settle = |text| sound(&MAIL, &[("ALERT_SETTLE", text)]).setup.routes[0].rhythm.settle.as_millis();
    assert_eq!(["2s", "500ms", "1m", "0s", "0", "1.5s"].map(settle), [2_000, 500, 60_000, 0, 0, 1_500]);
    for text in ["2", "soon", "-2s", "2s ago", "61s", "99999999999999999999s"] {
        let (config, _) = wrong(&MAIL, &[("ALERT_SETTLE", text)], "ALERT_SETTLE");
        assert_eq!(config.setup.routes[0].rhythm.settle, Builder::DEFAULT_SETTLE, "{text}");
    }
}

#[test]
fn windows_are_durations_of_at_most_an_hour() {
    for (name, default) in [
        ("ALERT_SMS_WINDOW", Builder::DEFAULT_SMS_WINDOW),
        ("ALERT_EMAIL_WINDOW", Builder::DEFAULT_EMAIL_WINDOW),
    ] {
        let variables = [&SMS[..], &MAIL[..]].concat();
        let index = usize::from(name == "ALERT_EMAIL_WINDOW");
        let window = |text| sound(&variables, &[(name, text)]).setup.routes[index].rhythm.window;
        assert_eq!(["0", "90s", "1h"].map(|text| window(text).as_secs()), [0, 90, 3600]);
        for text in ["2", "61m", "-1s"] {
            let (config, _) = wrong(&variables, &[(name, text)], name);
            assert_eq!(config.setup.routes[index].rhythm.window, default, "{text}");
        }
    }
}

#[test]
fn a_budget_is_three_numbers_or_off() {
    let route = |text| sound(&SMS, &[("ALERT_SMS_BUDGET", text)]).setup.routes.remove(0);
    let minute = Duration::from_secs(60);
    assert_eq!(route("1,1m,5").budget, Some(Budget::new(1, minute, 5)));
    assert_eq!(route(" 10 , 60s , 200 ").budget, Some(Budget::new(10, minute, 200)));
    assert_eq!((route("off").budget, route("off").segments_per_day), (None, None));
    assert_eq!(sound(&SMS, &[]).setup.routes[0].budget, Some(Budget::SMS));
    assert_eq!(sound(&MAIL, &[]).setup.routes[0].budget, Some(Budget::EMAIL));
    assert_eq!(sound(&SMS, &[]).setup.routes[0].segments_per_day, Some(SMS_SEGMENTS_PER_DAY));
    assert_eq!(sound(&MAIL, &[]).setup.routes[0].segments_per_day, None);
    for text in ["3", "3,10m", "3,10m,20,1", "0,10m,20", "3,10m,0", "3,2d,20", "-1,1m,5", "many"] {
        let (config, _) = wrong(&SMS, &[("ALERT_SMS_BUDGET", text)], "ALERT_SMS_BUDGET");
        assert_eq!(config.setup.routes[0].budget, Some(Budget::SMS), "{text}");
    }
}

#[test]
fn with_alerts_off_nobody_misses_them() {
    let check =
        |vars: &[(&str, &str)]| read_with(&[], vars).0.check().map(|config| config.setup.routes.len());
    assert!(matches!(check(&[("ALERT_LEVEL", "off")]), Ok(0)));
    assert!(matches!(check(&[("ALERT_LEVEL", "off"), ("ALERT_PHONE", PHONE)]), Ok(0)));
    assert!(matches!(check(&[("ALERT_SMS_LEVEL", "off"), ("ALERT_EMAIL_LEVEL", "off")]), Ok(0)));
    assert!(check(&[("ALERT_LEVEL", "off,my_crate=error")]).is_err());
    assert!(check(&[("ALERT_SMS_LEVEL", "off")]).is_err());
    let (_, problems) = read_with(&MAIL, &[("ALERT_LEVEL", "off"), ("SENDGRID_API_KEY", "")]);
    assert_eq!(problems, []);
}

#[test]
fn code_adds_to_what_the_environment_says() {
    let vars = || [("ALERT_LEVEL", "warn,sqlx=off"), ("ALERT_APP_NAME", "Shop")];
    let (builder, _) = read_with(&MAIL, &vars());
    let config = builder
        .level(LevelFilter::INFO)
        .level_for("tower_http", LevelFilter::OFF)
        .version("1.2.3")
        .sink(crate::MemorySink::new(), ["on-call"])
        .check()
        .unwrap();
    assert_eq!(config.level, LevelFilter::INFO);
    assert_eq!(config.directives.iter().count(), 2);
    assert_eq!(
        (config.setup.app_name.as_deref(), config.setup.version.as_deref()),
        (Some("Shop"), Some("1.2.3"))
    );
    assert_eq!(config.setup.routes.len(), 2);
}

#[test]
fn a_problem_has_the_name_that_it_was_set_by() {
    let builder = read([("ALERT_SETTLE".into(), "soon".into())]);
    assert_eq!(
        settings(&problems(builder.sms_window(Duration::MAX).level_for("a b", LevelFilter::OFF))),
        ["ALERT_SETTLE", "level_for", "sms_window", "ALERT_EMAIL, ALERT_PHONE",]
    );
}

#[test]
fn what_is_wrong_with_both_is_told_of_both() {
    let (builder, told) = read_with(&[("ALERT_PHONE", PHONE), ("ALERT_EMAIL", EMAIL)], &[]);
    assert_eq!(settings(&told), ["ALERT_PHONE", "ALERT_EMAIL"]);
    assert_eq!(problems(builder).len(), 1);
}

#[cfg(unix)]
#[test]
fn a_value_that_is_not_unicode_is_a_problem() {
    use std::os::unix::ffi::OsStringExt;

    let base = [&SMS[..], &MAIL[..]].concat();
    for name in NAMES {
        let sound = base.iter().filter(|(other, _)| *other != name);
        let sound = sound.map(|(name, value)| (name.into(), value.into()));
        let broken = (OsString::from(name), OsString::from_vec(b"caf\xe9".to_vec()));
        let (builder, problems) = read_apart(sound.chain([broken]));
        assert_eq!(settings(&problems), [name], "{problems:?}");
        let config = builder.check().unwrap();
        let is_sms = name.starts_with("TWILIO") || name == "ALERT_PHONE";
        let is_mail = name.starts_with("SENDGRID") || name == "ALERT_EMAIL";
        assert_eq!(route(&config, "twilio").is_none(), is_sms, "{name}");
        assert_eq!(route(&config, "sendgrid").is_none(), is_mail, "{name}");
    }
}

#[test]
fn redaction_is_on_or_off_and_takes_names() {
    let config = sound(
        &SMS,
        &[
            ("ALERT_REDACTION", "off"),
            ("ALERT_REDACT_FIELDS", "plate, "),
            ("ALERT_SAFE_FIELDS", "session,sig"),
        ],
    );
    let shown = format!("{:?}", config.setup.redaction);
    assert!(shown.contains(r#"is_on: false, more: ["plate"], safe: ["session", "sig"]"#), "{shown}");
    let (config, problem) = wrong(&SMS, &[("ALERT_SAFE_FIELDS", "session,--")], "ALERT_SAFE_FIELDS");
    assert_eq!(problem.what, r#""--" is not a field name: that entry is ignored"#);
    assert!(format!("{:?}", config.setup.redaction).contains(r#"is_on: true, more: [], safe: ["session"]"#));
    wrong(&SMS, &[("ALERT_REDACTION", "maybe")], "ALERT_REDACTION");
}

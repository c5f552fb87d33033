//! What [`read`] makes of the environment, variable by variable.

use std::ffi::OsString;

use super::*;

/// Reads `base` with `changes` made to it.
fn read_with(base: &[(&str, &str)], changes: &[(&str, &str)]) -> (Builder, Vec<Problem>) {
    let vars = base.iter().chain(changes).map(|(name, value)| (name.into(), value.into()));
    // The last of one name counts.
    read(vars.collect::<std::collections::BTreeMap<OsString, OsString>>())
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
    assert_eq!((config.app_name, config.environment), (None, None));
    assert_eq!(config.level, Builder::DEFAULT_LEVEL);
    assert_eq!(config.span_level, Builder::DEFAULT_SPAN_LEVEL);
    assert_eq!(config.database, Database::Default);
    assert_eq!(config.panics, Builder::DEFAULT_PANICS);
    assert_eq!(config.routes[0].rhythm.settle, Builder::DEFAULT_SETTLE);
}

#[test]
fn an_empty_value_is_as_if_unset() {
    let empty = NAMES.map(|name| (name, " "));
    let (builder, told) = read_with(&empty, &[("ALERT_UNKNOWN", "")]);
    assert_eq!(told, []);
    assert_eq!(problems(builder).len(), 1);
}

#[test]
fn values_are_trimmed() {
    let config = sound(&MAIL, &[("ALERT_APP_NAME", " MyApp\n"), ("ALERT_EMAIL", " a@example.com , ")]);
    assert_eq!(config.app_name.as_deref(), Some("MyApp"));
    assert_eq!(config.routes[0].recipients, ["a@example.com"]);
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
    assert_eq!(problem.what, "is not set: TWILIO_AUTH_TOKEN is used");
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
    assert_eq!(config.routes[0].recipients, ["+41791234567", "+41791234568"]);
    let config = sound(&MAIL, &[("ALERT_EMAIL", "a@example.com, b@example.com,A@example.com")]);
    assert_eq!(config.routes[0].recipients, ["a@example.com", "b@example.com"]);
}

#[test]
fn a_good_recipient_is_kept_beside_a_bad_one() {
    let (config, problem) = wrong(&SMS, &[("ALERT_PHONE", "+41791234567,0791234568")], "ALERT_PHONE");
    assert_eq!(config.routes[0].recipients, [PHONE]);
    assert!(problem.what.starts_with("entry 2, "), "{problem}");
    assert!(problem.what.ends_with("that entry is left out"), "{problem}");
    assert!(!problem.to_string().contains("791234"), "{problem}");

    let (config, problem) = wrong(&MAIL, &[("ALERT_EMAIL", "nobody,a@example.com")], "ALERT_EMAIL");
    assert_eq!(config.routes[0].recipients, ["a@example.com"]);
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
    for text in ["loud", "3", "error,warn"] {
        let (config, problem) = wrong(&MAIL, &[("ALERT_LEVEL", text)], "ALERT_LEVEL");
        assert_eq!(config.level, Builder::DEFAULT_LEVEL);
        assert_eq!(problem.what, format!("{text:?} is not a level: error is used"));
    }
}

#[test]
fn span_levels_have_a_variable_too() {
    assert_eq!(sound(&MAIL, &[("ALERT_SPAN_LEVEL", "debug")]).span_level, LevelFilter::DEBUG);
    let (config, _) = wrong(&MAIL, &[("ALERT_SPAN_LEVEL", "loud")], "ALERT_SPAN_LEVEL");
    assert_eq!(config.span_level, Builder::DEFAULT_SPAN_LEVEL);
}

#[test]
fn breadcrumbs_have_a_level_or_are_off() {
    assert_eq!(sound(&MAIL, &[]).breadcrumbs, LevelFilter::OFF);
    assert_eq!(sound(&MAIL, &[("ALERT_BREADCRUMBS", "info")]).breadcrumbs, LevelFilter::INFO);
    assert_eq!(sound(&MAIL, &[("ALERT_BREADCRUMBS", "off")]).breadcrumbs, LevelFilter::OFF);
    let (config, problem) = wrong(&MAIL, &[("ALERT_BREADCRUMBS", "on")], "ALERT_BREADCRUMBS");
    assert_eq!(problem.what, "\"on\" is not a level: off is used");
    assert_eq!(config.breadcrumbs, LevelFilter::OFF);
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
fn names_arrive_and_control_characters_do_not() {
    let config = sound(&MAIL, &[("ALERT_APP_NAME", "My App"), ("ALERT_ENVIRONMENT", "staging")]);
    assert_eq!(config.app_name.as_deref(), Some("My App"));
    assert_eq!(config.environment.as_deref(), Some("staging"));
    let (config, problem) = wrong(&MAIL, &[("ALERT_APP_NAME", "My\nApp")], "ALERT_APP_NAME");
    assert_eq!(config.app_name, None);
    assert_eq!(problem.what, r#""My\nApp" has control characters: it is not used"#);
    wrong(&MAIL, &[("ALERT_ENVIRONMENT", "a\tb")], "ALERT_ENVIRONMENT");
}

#[test]
fn the_database_is_a_path_or_memory() {
    let database = |text| sound(&MAIL, &[("ALERT_DATABASE", text)]).database;
    assert_eq!(database("/srv/my alerts.db"), Database::File("/srv/my alerts.db".into()));
    assert_eq!(database(":memory:"), Database::Memory);
    let (config, _) = wrong(&MAIL, &[("ALERT_DATABASE", "sqlite:alerts.db")], "ALERT_DATABASE");
    assert_eq!(config.database, Database::Default);
}

#[test]
fn panics_are_on_or_off() {
    let panics = |text| sound(&MAIL, &[("ALERT_PANICS", text)]).panics;
    assert_eq!(["on", "True", "OFF", "false"].map(panics), [true, true, false, false]);
    let (config, _) = wrong(&MAIL, &[("ALERT_PANICS", "maybe")], "ALERT_PANICS");
    assert!(config.panics);
}

#[test]
fn settle_is_a_duration_of_at_most_a_minute() {
    let settle = |text| sound(&MAIL, &[("ALERT_SETTLE", text)]).routes[0].rhythm.settle.as_millis();
    assert_eq!(["2s", "500ms", "1m", "0s", "0", "1.5s"].map(settle), [2_000, 500, 60_000, 0, 0, 1_500]);
    for text in ["2", "soon", "-2s", "2s ago", "61s", "99999999999999999999s"] {
        let (config, _) = wrong(&MAIL, &[("ALERT_SETTLE", text)], "ALERT_SETTLE");
        assert_eq!(config.routes[0].rhythm.settle, Builder::DEFAULT_SETTLE, "{text}");
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
        let window = |text| sound(&variables, &[(name, text)]).routes[index].rhythm.window;
        assert_eq!(["0", "90s", "1h"].map(|text| window(text).as_secs()), [0, 90, 3600]);
        for text in ["2", "61m", "-1s"] {
            let (config, _) = wrong(&variables, &[(name, text)], name);
            assert_eq!(config.routes[index].rhythm.window, default, "{text}");
        }
    }
}

#[test]
fn a_budget_is_three_numbers_or_off() {
    let route = |text| sound(&SMS, &[("ALERT_SMS_BUDGET", text)]).routes.remove(0);
    let minute = Duration::from_secs(60);
    assert_eq!(route("1,1m,5").budget, Some(Budget::new(1, minute, 5)));
    assert_eq!(route(" 10 , 60s , 200 ").budget, Some(Budget::new(10, minute, 200)));
    assert_eq!((route("off").budget, route("off").segments_per_day), (None, None));
    assert_eq!(sound(&SMS, &[]).routes[0].budget, Some(Budget::SMS));
    assert_eq!(sound(&MAIL, &[]).routes[0].budget, Some(Budget::EMAIL));
    assert_eq!(sound(&SMS, &[]).routes[0].segments_per_day, Some(SMS_SEGMENTS_PER_DAY));
    assert_eq!(sound(&MAIL, &[]).routes[0].segments_per_day, None);
    for text in ["3", "3,10m", "3,10m,20,1", "0,10m,20", "3,10m,0", "3,2d,20", "-1,1m,5", "many"] {
        let (config, _) = wrong(&SMS, &[("ALERT_SMS_BUDGET", text)], "ALERT_SMS_BUDGET");
        assert_eq!(config.routes[0].budget, Some(Budget::SMS), "{text}");
    }
}

#[test]
fn an_unknown_variable_is_told_by_name_only() {
    for (name, mend) in [
        ("ALERT_MAIL", "did you mean ALERT_EMAIL?"),
        ("ALERT_PHONES", "did you mean ALERT_PHONE?"),
        ("ALERT_TOKEN", "remove it"),
        ("ALERT_SMS_BUDGETS", "did you mean ALERT_SMS_BUDGET?"),
    ] {
        let (_, problem) = wrong(&MAIL, &[(name, "hidden")], name);
        assert_eq!(problem.mend, mend);
        assert!(!problem.to_string().contains("hidden"), "{problem}");
    }
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
        let (builder, problems) = read(sound.chain([broken]));
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
    let shown = format!("{:?}", config.redaction);
    assert!(shown.contains(r#"is_on: false, more: ["plate"], safe: ["session", "sig"]"#), "{shown}");
    let (config, problem) = wrong(&SMS, &[("ALERT_SAFE_FIELDS", "session,--")], "ALERT_SAFE_FIELDS");
    assert_eq!(problem.what, r#""--" is no field's name: that entry is left out"#);
    assert!(format!("{:?}", config.redaction).contains(r#"is_on: true, more: [], safe: ["session"]"#));
    wrong(&SMS, &[("ALERT_REDACTION", "maybe")], "ALERT_REDACTION");
}

#[test]
fn an_unknown_time_zone_is_told_and_times_are_in_utc() {
    sound(&MAIL, &[("ALERT_TIMEZONE", "UTC")]);
    let (_, problem) = wrong(&MAIL, &[("ALERT_TIMEZONE", "Olympus")], "ALERT_TIMEZONE");
    assert!(problem.what.ends_with(": times are told in UTC"), "{problem}");
}

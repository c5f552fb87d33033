//! What [`Builder::check`] makes of settings given in code.

use tracing::Level;

use super::{check::wrong_zone, *};
use crate::{
    EMAIL_DEADLINE, MemorySink, Message, Receipt, SMS_DEADLINE, SendError, SendGridSink, Sink, TwilioSink,
};

fn twilio() -> TwilioSink {
    TwilioSink::new(ACCOUNT_SID, TOKEN).sender_number(SENDER)
}

fn sendgrid() -> SendGridSink {
    SendGridSink::new(SENDGRID_KEY, EMAIL)
}

/// A builder with nothing wrong.
fn sound() -> Builder {
    Builder::new().sink(MemorySink::new(), ["on-call"])
}

struct Named(&'static str);

impl Sink for Named {
    fn name(&self) -> &'static str {
        self.0
    }

    async fn send(&self, _: &Message) -> Result<Receipt, SendError> {
        Ok(Receipt::default())
    }
}

#[test]
fn what_is_not_set_has_its_default() {
    let config = sound().check().unwrap();
    assert_eq!((config.setup.app_name, config.setup.environment, config.setup.version), (None, None, None));
    assert_eq!(config.level, Builder::DEFAULT_LEVEL);
    assert_eq!(config.span_level, Builder::DEFAULT_SPAN_LEVEL);
    assert_eq!(config.breadcrumbs, Builder::DEFAULT_BREADCRUMBS);
    assert_eq!(config.setup.database, Database::Default);
    assert_eq!(config.panics, Builder::DEFAULT_PANICS);
    assert_eq!(config.setup.routes[0].rhythm.settle, Builder::DEFAULT_SETTLE);
    assert_eq!(config.setup.retry, RetryPolicy::DEFAULT);
}

#[test]
fn the_defaults_are_those_of_the_readme() {
    assert_eq!(Builder::DEFAULT_LEVEL, LevelFilter::ERROR);
    assert_eq!(Builder::DEFAULT_SPAN_LEVEL, LevelFilter::INFO);
    assert_eq!(Builder::DEFAULT_BREADCRUMBS, LevelFilter::OFF);
    assert_eq!(Builder::DEFAULT_SETTLE, Duration::from_secs(1));
    assert_eq!(Builder::DEFAULT_SMS_WINDOW, Duration::from_secs(120));
    assert_eq!(Builder::DEFAULT_EMAIL_WINDOW, Duration::from_secs(300));
    assert_eq!(Budget::SMS, Budget::new(3, Duration::from_secs(600), 20));
    assert_eq!(Budget::EMAIL, Budget::new(10, Duration::from_secs(60), 200));
    assert_eq!(SMS_SEGMENTS_PER_DAY, 60);
    const { assert!(Builder::DEFAULT_PANICS) };
}

#[test]
fn what_is_set_arrives() {
    let retry = RetryPolicy { initial: Duration::from_secs(7), ..RetryPolicy::DEFAULT };
    let config = sound()
        .app_name("MyApp")
        .environment("production")
        .version("1.2.3")
        .level(Level::WARN)
        .span_level(LevelFilter::OFF)
        .breadcrumbs(Level::DEBUG)
        .database("/var/lib/myapp/alerts.db")
        .panics(false)
        .settle(Duration::ZERO)
        .storm_rate(7)
        .retry(retry)
        .check()
        .unwrap();
    assert_eq!(config.setup.app_name.as_deref(), Some("MyApp"));
    assert_eq!(config.setup.environment.as_deref(), Some("production"));
    assert_eq!(config.setup.version.as_deref(), Some("1.2.3"));
    assert_eq!(config.level, LevelFilter::WARN);
    assert_eq!(config.span_level, LevelFilter::OFF);
    assert_eq!(config.breadcrumbs, LevelFilter::DEBUG);
    assert_eq!(config.setup.database, Database::File("/var/lib/myapp/alerts.db".into()));
    assert!(!config.panics);
    assert_eq!(config.setup.routes[0].rhythm.settle, Duration::ZERO);
    assert_eq!(config.storm_rate, 7);
    assert_eq!(config.setup.retry, retry);
}

#[test]
fn memory_is_chosen_by_either_name() {
    assert_eq!(sound().in_memory().check().unwrap().setup.database, Database::Memory);
    assert_eq!(sound().database(":memory:").check().unwrap().setup.database, Database::Memory);
}

#[test]
fn each_sink_has_its_recipients_and_deadline() {
    let config = sound().sms(twilio(), [PHONE]).email(sendgrid(), [EMAIL]).check().unwrap();
    let told = config.setup.routes.iter().map(|route| {
        (route.sink.name(), route.recipients.iter().map(String::as_str).collect::<Vec<_>>(), route.deadline)
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            ("memory", vec!["on-call"], EMAIL_DEADLINE),
            ("twilio", vec![PHONE], SMS_DEADLINE),
            ("sendgrid", vec![EMAIL], EMAIL_DEADLINE),
        ]
    );
}

#[test]
fn of_the_alert_level_and_a_sinks_own_the_stricter_counts() {
    let builder = || sound().sms(twilio(), [PHONE]).email(sendgrid(), [EMAIL]);
    let config =
        builder().level(Level::WARN).sms_level(Level::ERROR).email_level(Level::TRACE).check().unwrap();
    assert_eq!(route(&config, "twilio").unwrap().level.min(config.level), LevelFilter::ERROR);
    assert_eq!(route(&config, "sendgrid").unwrap().level.min(config.level), LevelFilter::WARN);
    assert_eq!(route(&config, "memory").unwrap().level.min(config.level), LevelFilter::WARN);

    let config = builder().level(Level::INFO).email_level(LevelFilter::OFF).check().unwrap();
    assert_eq!(route(&config, "twilio").unwrap().level.min(config.level), LevelFilter::INFO);
    assert_eq!(route(&config, "sendgrid").unwrap().level.min(config.level), LevelFilter::OFF);
}

#[test]
fn who_is_named_twice_is_told_once() {
    let config = Builder::new()
        .sms(twilio(), [PHONE, SENDER, PHONE])
        .email(sendgrid(), ["Ops@Example.com", " ops@example.com "])
        .sink(MemorySink::new(), ["a", "A", "a"])
        .check()
        .unwrap();
    assert_eq!(route(&config, "twilio").unwrap().recipients, [PHONE, SENDER]);
    assert_eq!(route(&config, "sendgrid").unwrap().recipients, ["Ops@Example.com"]);
    assert_eq!(route(&config, "memory").unwrap().recipients, ["a", "A"]);
}

#[test]
fn no_sink_at_all_is_a_problem() {
    let problems = problems(Builder::new());
    assert_eq!(settings(&problems), ["sink"]);
    assert_eq!(problems[0].what, "nobody would be told");
}

#[test]
fn every_problem_is_told_at_once() {
    let problems = problems(
        Builder::new()
            .app_name(" ")
            .environment("prod\n")
            .version("")
            .database("")
            .settle(Builder::MAX_SETTLE + Duration::from_nanos(1))
            .sms_window(Builder::MAX_WINDOW * 2)
            .email_budget(Budget::new(0, Duration::ZERO, 5))
            .storm_rate(0)
            .retry(RetryPolicy { initial: Duration::ZERO, ..RetryPolicy::DEFAULT })
            .sms(twilio(), [PHONE, "0791234567", ""])
            .email(sendgrid(), ["nobody"])
            .sink(MemorySink::new(), Vec::<String>::new()),
    );
    assert_eq!(
        settings(&problems),
        [
            "app_name",
            "environment",
            "version",
            "database",
            "settle",
            "sms_window",
            "email_budget",
            "storm_rate",
            "retry",
            "sms",
            "sms",
            "email",
            "sink"
        ]
    );
}

#[test]
fn a_problem_names_the_entry_and_masks_the_number() {
    let problems = problems(Builder::new().sms(twilio(), [PHONE, "0791234568"]));
    assert!(problems[0].what.starts_with("entry 2, "), "{problems:?}");
    assert!(!format!("{problems:?}").contains("791234"), "{problems:?}");
}

#[test]
fn code_is_not_told_what_is_switched_off_since_nothing_is_built() {
    let problems = problems(Builder::new().email(sendgrid(), ["nobody"]).app_name(""));
    assert_eq!(problems[0].to_string(), r#"app_name: is blank; set it like `app_name("MyApp")`"#);
    assert_eq!(problems[1].what, r#"entry 1, "nobody", has no @"#);
}

#[test]
fn what_a_sink_finds_wrong_is_passed_on() {
    let problems = problems(Builder::new().sms(TwilioSink::new("", TOKEN), [PHONE]));
    assert!(settings(&problems).contains(&"TWILIO_ACCOUNT_SID"), "{problems:?}");
}

#[test]
fn two_sinks_may_not_share_a_name() {
    let problems = problems(
        Builder::new()
            .sms(twilio(), [PHONE])
            .sms(twilio(), [SENDER])
            .sink(MemorySink::new(), ["a"])
            .sink(MemorySink::new(), ["b"]),
    );
    assert_eq!(settings(&problems), ["sms", "sink"]);
}

#[test]
fn a_sink_may_not_take_the_name_of_ours_or_none() {
    for name in ["twilio", "sendgrid", " "] {
        assert_eq!(settings(&problems(Builder::new().sink(Named(name), ["a"]))), ["sink"], "{name:?}");
    }
    assert!(Builder::new().sink(Named("pager"), ["a"]).check().is_ok());
}

#[test]
fn the_longest_settle_is_allowed() {
    assert!(sound().settle(Builder::MAX_SETTLE).check().is_ok());
}

#[test]
fn a_database_is_a_path_not_a_url() {
    for url in ["sqlite:///var/lib/alerts.db", "file:alerts.db"] {
        assert_eq!(settings(&problems(sound().database(url))), ["database"], "{url}");
    }
}

#[test]
fn a_path_in_code_is_taken_as_it_is() {
    for path in [
        "/srv/$shop/alerts.db",
        "$HOME/alerts.db",
        "%h/alerts.db",
        "/srv/room #4/alerts.db",
        "/srv/alerts.db # 1",
        "~alerts.db",
        "'alerts'.db",
    ] {
        assert_eq!(sound().database(path).check().unwrap().setup.database, Database::File(path.into()));
    }
    // No shell reads them, and they are no files.
    for path in ["~", "~/alerts.db", "", ".", "..", "/srv/", "/srv/alerts.db\n", "/srv/\0.db"] {
        assert_eq!(settings(&problems(sound().database(path))), ["database"], "{path:?}");
    }
}

#[test]
fn blanks_round_a_target_do_not_count() {
    let config = sound().level_for(" sqlx ", Level::WARN).level_for("sqlx", Level::INFO).check().unwrap();
    assert_eq!(config.directives.iter().collect::<Vec<_>>(), [("sqlx", LevelFilter::INFO)]);
    assert_eq!(settings(&problems(sound().level_for(" ", Level::WARN))), ["level_for"]);
}

#[test]
fn a_policy_that_would_storm_or_never_come_is_refused() {
    let policy = |initial, cap, probe| RetryPolicy {
        initial: Duration::from_secs(initial),
        cap: Duration::from_secs(cap),
        probe: Duration::from_secs(probe),
    };
    for wrong in
        [policy(0, 9, 9), policy(9, 9, 0), policy(9, 8, 9), policy(1, u64::MAX, 9), policy(1, 9, u64::MAX)]
    {
        assert_eq!(settings(&problems(sound().retry(wrong))), ["retry"], "{wrong:?}");
    }
    assert!(sound().retry(policy(9, 9, 9)).check().is_ok());
}

#[test]
fn debug_shows_no_recipient_and_no_credential() {
    let builder = || sound().sms(twilio(), [PHONE]).email(sendgrid(), [EMAIL]);
    let shown = format!("{:?}{:?}", builder(), builder().check().unwrap());
    for hidden in [PHONE, SENDER, EMAIL, TOKEN, SENDGRID_KEY, ACCOUNT_SID] {
        assert!(!shown.contains(hidden), "{hidden} in {shown}");
    }
}

#[test]
fn a_time_zone_is_one_that_the_system_knows() {
    let zone = |builder: Builder| format!("{:?}", builder.check().unwrap().setup.renderer);
    assert!(zone(sound().timezone("UTC")).contains("UTC") && !zone(sound()).contains("UTC"));
    let Err(Error::Settings(problems)) = sound().timezone("Mars/Olympus_Mons").check() else { panic!() };
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!(problem.setting, "timezone");
    assert!(problem.what.contains("has no \"Mars/Olympus_Mons\""), "{problem}");
    assert_eq!(problem.mend, r#"set it like `timezone("Europe/Riga")`"#);
}

#[test]
fn where_no_time_zone_is_known_no_other_one_is_proposed() {
    let fault = wrong_zone("Europe/Riga", false);
    assert_eq!(fault.what, "this system has no time zone database");
    let mend = fault.mend.unwrap();
    assert!(mend.contains("tzdata") && !mend.contains("Riga"), "{mend}");
    assert_eq!(wrong_zone("Mars/Olympus_Mons", true).mend, None);
}

#[test]
fn recipients_may_have_settings_of_their_own() {
    let minute = Duration::from_secs(60);
    let boss = Recipients::by(MemorySink::named("boss"), ["boss"])
        .level(LevelFilter::OFF)
        .window(minute)
        .budget(Budget::SMS)
        .deadline(minute);
    let team = Recipients::by_sms(twilio().named("twilio-eu"), [PHONE]).budget(None);
    let config = sound().sms(twilio(), [PHONE]).tell(boss).tell(team).check().unwrap();
    let told = config.setup.routes.iter().map(|route| {
        (
            route.sink.name(),
            route.level,
            route.rhythm.window,
            route.budget,
            route.deadline,
            route.segments_per_day,
        )
    });
    let all = LevelFilter::TRACE;
    let (sms, email) = (Builder::DEFAULT_SMS_WINDOW, Builder::DEFAULT_EMAIL_WINDOW);
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            ("memory", all, email, Some(Budget::EMAIL), EMAIL_DEADLINE, None),
            ("twilio", all, sms, Some(Budget::SMS), SMS_DEADLINE, Some(SMS_SEGMENTS_PER_DAY)),
            ("boss", LevelFilter::OFF, minute, Some(Budget::SMS), minute, None),
            ("twilio-eu", all, sms, None, SMS_DEADLINE, None),
        ]
    );
}

#[test]
fn what_is_wrong_with_recipients_own_settings_is_named() {
    let with = |change: fn(Recipients) -> Recipients| {
        let recipients = change(Recipients::by(MemorySink::named("boss"), ["boss"]));
        match sound().tell(recipients).check() {
            Err(Error::Settings(problems)) => problems[0].to_string(),
            other => panic!("{other:?}"),
        }
    };
    let hour = Duration::from_secs(3600);
    assert!(hour == Builder::MAX_WINDOW);
    for (said, problem) in [
        ("a window of 1h 1s", with(|them| them.window(Duration::from_secs(3601)))),
        ("it allows no message", with(|them| them.budget(Budget::new(0, Duration::from_secs(1), 1)))),
        ("a deadline of 59s", with(|them| them.deadline(Duration::from_secs(59)))),
    ] {
        assert!(problem.starts_with("tell: ") && problem.contains(said), "{problem}");
    }
}

#[test]
fn no_sink_has_the_name_of_another_kind() {
    let named: [fn(Builder) -> Builder; 4] = [
        |builder| builder.sms(twilio().named("sendgrid"), [PHONE]),
        |builder| builder.email(sendgrid().named("twilio"), [EMAIL]),
        |builder| builder.sink(MemorySink::named("twilio"), ["on-call"]),
        |builder| builder.sink(MemorySink::named("sendgrid"), ["on-call"]),
    ];
    for named in named {
        let error = named(sound()).check().unwrap_err().to_string();
        assert!(error.contains("is that of another kind of sink"), "{error}");
    }
    let both = sound().sms(twilio().named("twilio"), [PHONE]).email(sendgrid().named("sendgrid"), [EMAIL]);
    assert_eq!(both.check().unwrap().setup.routes.len(), 3);
}

#[test]
fn the_days_of_budgets_are_the_recipients() {
    let config = sound().timezone("Europe/Riga").check().unwrap();
    let at = crate::event::from_millis(1_700_000_000_000);
    let utc = crate::policy::calendar::Calendar::default();
    assert_eq!(config.setup.calendar.day_of(at), utc.day_of(at) + 1, "22:13 UTC is past midnight in Riga");
}

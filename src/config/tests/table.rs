//! What one variable's value becomes, or what is said of it: one row an input.

use super::{
    rows::{self, Row},
    *,
};
use crate::config::env::{Given, Role, Variable};

/// What a row expects.
pub(super) enum Wants {
    /// It is taken, and arrives like this.
    Is(&'static str),
    /// It is refused, in a line that has these parts.
    Refused(&'static [&'static str]),
    /// It is taken, with a hint that has these parts.
    Hint(&'static str, &'static [&'static str]),
    /// It is somebody else's: a hint has these parts.
    Near(&'static [&'static str]),
    /// It is somebody else's, and nothing is said.
    Nothing,
}

/// What has become of the variable.
fn view(name: &str, config: &Config) -> String {
    let route = |name| route(config, name);
    let recipients = |name| route(name).map_or_else(String::new, |route| route.recipients.join(" "));
    let budget = |name| match route(name).and_then(|route| route.budget) {
        Some(Budget { burst, refill, per_day }) => format!("{burst} {refill:?} {per_day}"),
        None => "none".to_owned(),
    };
    match name {
        "ALERT_PHONE" => recipients("twilio"),
        "ALERT_EMAIL" => recipients("sendgrid"),
        "ALERT_LEVEL" => {
            let mut of_targets: Vec<_> =
                config.directives.iter().map(|(target, level)| format!("{target}={level}")).collect();
            of_targets.sort();
            [vec![config.level.to_string()], of_targets].concat().join(" ")
        }
        "ALERT_SPAN_LEVEL" => config.span_level.to_string(),
        "ALERT_BREADCRUMBS" => config.breadcrumbs.to_string(),
        "ALERT_SMS_LEVEL" => {
            route("twilio").map_or_else(|| "off".to_owned(), |route| route.level.to_string())
        }
        "ALERT_EMAIL_LEVEL" => {
            route("sendgrid").map_or_else(|| "off".to_owned(), |route| route.level.to_string())
        }
        "ALERT_APP_NAME" => config.setup.app_name.clone().unwrap_or_default(),
        "ALERT_ENVIRONMENT" => config.setup.environment.clone().unwrap_or_default(),
        "ALERT_VERSION" => config.setup.version.clone().unwrap_or_default(),
        "ALERT_DATABASE" => match &config.setup.database {
            Database::File(path) => path.display().to_string(),
            other => format!("{other:?}"),
        },
        "ALERT_PANICS" => config.panics.to_string(),
        "ALERT_SETTLE" => format!("{:?}", config.setup.routes[0].rhythm.settle),
        "ALERT_SMS_WINDOW" => format!("{:?}", route("twilio").unwrap().rhythm.window),
        "ALERT_EMAIL_WINDOW" => format!("{:?}", route("sendgrid").unwrap().rhythm.window),
        "ALERT_SMS_BUDGET" => budget("twilio"),
        "ALERT_EMAIL_BUDGET" => budget("sendgrid"),
        "ALERT_SMS_SEGMENTS" => format!("{:?}", route("twilio").unwrap().segments_per_day),
        "ALERT_CRASH_LOOPS" => config.setup.crash_loops.to_string(),
        "ALERT_REDACT_FIELDS" | "ALERT_SAFE_FIELDS" | "ALERT_REDACTION" => {
            format!("{:?}", config.setup.redaction)
        }
        "ALERT_WEBHOOK_BUDGET" => budget("webhook:ops"),
        name if name.starts_with("ALERT_WEBHOOK") => {
            let are_webhooks = config.setup.routes.iter().filter(|it| it.sink.name().starts_with("webhook:"));
            let shown = are_webhooks.map(|it| {
                let (name, window) = (it.sink.name(), it.rhythm.window);
                format!("{name} {} {} {window:?}", it.recipients.join(" "), it.level)
            });
            shown.collect::<Vec<_>>().join(" ")
        }
        #[cfg(feature = "webhook")]
        name if name.starts_with("ALERT_HEARTBEAT") => {
            config.setup.heartbeat.as_ref().map_or_else(String::new, |(_, every)| format!("every {every:?}"))
        }
        #[cfg(feature = "postgres")]
        name if name.starts_with("ALERT_FLEET") => {
            let fleet = config.setup.fleet.as_ref();
            fleet.map_or_else(String::new, |fleet| format!("{} {:?}", fleet.schema, fleet.poll))
        }
        "ALERT_IGNORE" => config.setup.ignored.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        "ALERT_SMS_FIELDS" | "ALERT_LINK_LOGS" | "ALERT_LINK_SOURCE" | "ALERT_LINK_TRACE" => {
            format!("{:?}", config.setup.renderer)
        }
        // Their values are not shown: that the way to send is there must do.
        name if name.starts_with("TWILIO_") => route("twilio").map_or("off", |_| "sends").to_owned(),
        name if name.starts_with("SENDGRID_") => route("sendgrid").map_or("off", |_| "sends").to_owned(),
        _ => String::new(),
    }
}

/// The home directory.
const ANNS: &str = if cfg!(windows) { r"C:\Users\ann" } else { "/home/ann" };

/// What is wrong with a row; nothing if it is as expected.
fn judge((name, value, wants): &Row) -> Option<String> {
    let mut vars: std::collections::BTreeMap<&str, &str> = SMS.into_iter().chain(MAIL).collect();
    if cfg!(feature = "webhook") && name.starts_with("ALERT_WEBHOOK_") && !name.ends_with("_FILE") {
        vars.insert("ALERT_WEBHOOK", "ops=http://127.0.0.1:1/hook");
    }
    if cfg!(feature = "webhook") && name.starts_with("ALERT_HEARTBEAT_EVERY") {
        vars.insert("ALERT_HEARTBEAT_URL", "http://127.0.0.1:1/beat");
    }
    if cfg!(feature = "postgres") && name.starts_with("ALERT_FLEET_") && !name.ends_with("_FILE") {
        vars.insert("ALERT_FLEET", "postgres://alerts@localhost/mydb");
    }
    vars.extend([(HOME, ANNS), (name, value)]);
    let builder = read(vars.into_iter().map(|(name, value)| (name.into(), value.into())));
    let lines = |problems: &[Problem]| problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (problems, hints) = (lines(&builder.problems), lines(&builder.hints));
    let said = format!("problems {problems:#?}, hints {hints:#?}");
    let has = |line: &String, parts: &[&str]| {
        let lacks: Vec<_> = parts.iter().filter(|part| !line.contains(**part)).collect();
        if lacks.is_empty() { None } else { Some(format!("{line:?} lacks {lacks:?}")) }
    };
    let (config, _) = builder.sifted();
    let is = |wanted: &str| {
        let seen = view(name, &config).replace(ANNS, "/home/ann").replace('\\', "/");
        let is_it = if wanted.is_empty() { seen.is_empty() } else { seen.contains(wanted) };
        (!is_it).then(|| format!("{seen:?} instead of {wanted:?}; {said}"))
    };
    let leaked = |line: &String| {
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let number = digits(value);
        number.len() >= 7 && digits(line).contains(&number) && name.ends_with("PHONE")
    };
    if let Some(line) = problems.iter().chain(&hints).find(|line| leaked(line) || line.contains("hidden")) {
        return Some(format!("a number or a secret is shown: {line}"));
    }
    match (wants, &problems[..], &hints[..]) {
        (Wants::Is(wanted), [], []) => is(wanted),
        (Wants::Refused(parts), [line], []) => has(line, &[&[*name][..], parts].concat()),
        (Wants::Hint(wanted, parts), [], [line]) => {
            is(wanted).or_else(|| has(line, &[&[*name][..], parts].concat()))
        }
        (Wants::Near(parts), [], [line]) => has(line, parts),
        (Wants::Nothing, [], []) => None,
        _ => Some(said),
    }
}

#[test]
fn each_input_is_taken_or_told_of_as_the_table_says() {
    let kinds = rows::KINDS.iter().chain(&rows::KEPT_BACK);
    let mut wrong = Vec::new();
    for (kind, rows) in kinds {
        for row in *rows {
            wrong.extend(judge(row).map(|what| format!("{kind}: {}={:?}: {what}", row.0, row.1)));
        }
    }
    assert!(wrong.is_empty(), "{} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_table_has_rows_of_every_variable() {
    let known: Vec<&str> = rows::KINDS.iter().flat_map(|(_, rows)| rows.iter().map(|row| row.0)).collect();
    for name in NAMES {
        assert!(known.contains(&name), "{name}");
    }
    assert!(known.len() >= 120, "{}", known.len());
}

#[test]
fn a_default_in_the_table_of_variables_is_the_builders() {
    for Variable { name, default, role, .. } in &VARIABLES {
        // Some say in words what counts.
        if default.is_empty() || default.contains(' ') {
            continue;
        }
        let (mut builder, given) = (Builder::new(), Given { text: default, home: None });
        match role {
            Role::Setting(set) => set(&mut builder, &given).unwrap(),
            Role::Entries(set) => assert!(set(&mut builder, &given).is_empty()),
            Role::Part | Role::Secret | Role::Secrets | Role::Recipients => panic!("{name} has a default"),
        }
        assert_eq!(format!("{builder:?}"), format!("{:?}", Builder::new()), "{name}");
    }
}

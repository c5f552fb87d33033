//! What holds for every environment.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Text for one variable: nothing, something sound, or anything.
fn value(name: &'static str) -> BoxedStrategy<String> {
    let anything = prop_oneof![Just(String::new()), any::<String>(), "[+0-9,.@a-z ]{0,40}"];
    let sound = [&SMS[..], &MAIL[..]].concat().into_iter().find(|(other, _)| *other == name);
    match sound {
        Some((_, sound)) => prop_oneof![anything, Just(sound.to_owned())].boxed(),
        None => anything.boxed(),
    }
}

proptest! {
    #[test]
    fn whatever_the_environment_holds_the_builder_is_sound(values in NAMES.map(value)) {
        let (builder, _) = read_apart(NAMES.into_iter().zip(values).map(|(name, value)| (name.into(), value.into())));
        let none = builder.told.is_empty() && !builder.is_off();
        let left = problems(builder);
        prop_assert_eq!(left.len(), usize::from(none), "{:?}", left);
    }

    #[test]
    fn no_credential_and_no_number_is_shown(
        values in NAMES.map(value),
        secret in "[ \\PC]{0,9}hush[0-9a-z]{28}",
        number in "[1-9][0-9]{8,14}",
        prefix in "[+]?|00|tel:",
        misplaced in 10..NAMES.len(),
    ) {
        let mut vars = NAMES.into_iter().zip(values).collect::<BTreeMap<_, _>>();
        // In a wrong place, too, but not where any text is right.
        let any = [
            "ALERT_APP_NAME", "ALERT_ENVIRONMENT", "ALERT_VERSION", "ALERT_DATABASE", "ALERT_REDACT_FIELDS", "ALERT_SAFE_FIELDS",
            "ALERT_FLEET_SCHEMA",
        ];
        if !any.contains(&NAMES[misplaced]) {
            vars.insert(NAMES[misplaced], secret.replace('@', ""));
        }
        for name in ["TWILIO_AUTH_TOKEN", "TWILIO_API_KEY_SECRET", "SENDGRID_API_KEY"] {
            vars.insert(name, secret.clone());
        }
        for name in ["TWILIO_SENDER_NUMBER", "ALERT_PHONE", "ALERT_EMAIL"] {
            vars.insert(name, format!("{prefix}{number}"));
        }
        let (builder, problems) = read_apart(vars.into_iter().map(|(name, value)| (name.into(), value.into())));
        let lines = problems.iter().map(ToString::to_string).collect::<String>();
        let shown = format!("{lines}{problems:?}{builder:?}");
        let shown = format!("{shown}{:?}", builder.check());
        prop_assert!(!shown.contains("hush"), "{}", shown);
        prop_assert!(!shown.contains(&number), "{}", shown);
        prop_assert!(!shown.chars().any(char::is_control), "{}", shown);
    }
}

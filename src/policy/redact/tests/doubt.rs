//! What no rule knows is weighed, and what rules know only by a name.

use super::cleaned;
use crate::policy::redact::{Policy, clean::clean};

#[test]
fn a_word_near_a_name_goes_if_nothing_speaks_for_it() {
    for (text, is) in [
        (
            "operator note on the root password, in the vault since May: Lynx_Quartz",
            "operator note on the root password, in the vault since May: [redacted:password]",
        ),
        (
            "login as admin failed, password list had plum-Kettle7 and hawk-Lantern",
            "login as admin failed, password list had [redacted:password] and [redacted:password]",
        ),
    ] {
        assert_eq!(cleaned(text), is);
    }
    for text in [
        "password check took 12 ms in module auth::hasher (worker-7)",
        "password reset mail queued, template reset-mail-v2, attempt 3 of 5",
        "token refresh failed for session of tenant eu-west-1a",
        "the gate is shut since May: west_wing",
        "[0, 1, 2, 3, 41, 1987, 4096, 65536, 16777216]",
        "p50=12.5 p99=98.7 max=1204.0 count=88123",
        "[12.5, 0.001, -7, 1e9, 20240503, 0800]",
    ] {
        assert_eq!(cleaned(text), text);
    }
}

#[test]
fn a_word_in_the_column_of_passwords_is_one_whatever_it_says() {
    for word in ["liverpool", "orange", "berlin"] {
        let table = format!("name,login,password,team\nGarnier Elodie,egarnier,{word},sales");
        assert_eq!(cleaned(&table), table.replace(word, "[redacted:password]"));
    }
}

#[test]
fn nothing_is_doubted_beside_a_name_that_somebody_vouches_for_and_more_is_beside_one_of_their_own() {
    let text = "the root password is in the vault since May: Lynx_Quartz, shelf 4";
    let vouched = Policy::new(true, &[], &["shelf".to_owned()]);
    assert_eq!(clean(text, &vouched), None);
    let own = Policy::new(true, &["vault".to_owned()], &[]);
    for (text, secret) in [
        ("vault of ann, Kettle!Moor42", "Kettle!Moor42"),
        ("vault opened with mysql8Root55 by ann", "mysql8Root55"),
        // Nor is it shown to be none.
        ("vault=root refused", "root"),
    ] {
        let said = clean(text, &own);
        assert!(said.as_ref().is_some_and(|said| !said.contains(secret)), "{said:?}");
    }
}

#[test]
fn what_a_rule_knows_by_a_name_stays_only_if_all_of_it_is_harmless() {
    for text in [
        "la nueva contrase\u{f1}a es obligatoria, c\u{e1}mbiala cuando puedas",
        "<Code>ExpiredToken</Code><Message>The provided token has expired.</Message>",
        "kontor-auth 4.1.0-rc.2+build.20260202.45fbe5b",
        "pass ctx_ptr to the handler before the socket is closed",
    ] {
        assert_eq!(cleaned(text), text);
    }
    for (text, secret) in [
        // No word is in it, or one that is too short or too long to be weighed.
        ("login failed: password='=|=;=|='", "=|=;=|="),
        ("Config { password: Some(\"b\"), n: 1 }", "\"b\""),
        ("login failed: password='a <hidden> b'", "<hidden>"),
        (&format!("authorization: Bearer {}", "aB3".repeat(400)), "aB3"),
        // A part of a longer word is.
        (
            "https://calendar.example/ical/a%40b.c/private-36b0c1e344e6a34deb23012e7c0fde7c/x.ics",
            "36b0c1e344e6a34d",
        ),
    ] {
        assert!(!cleaned(text).contains(secret), "{}", cleaned(text));
    }
}

#[test]
fn what_ends_where_a_text_was_cut_is_not_shown_to_be_harmless() {
    let text = "kontor-auth 4.1.0-rc.2+build.20260202.45fbe5b";
    assert_eq!(cleaned(text), text);
    let cut = format!("{text}{}", crate::host::text::MARK);
    assert!(!cleaned(&cut).contains("45fbe5b"), "{}", cleaned(&cut));
}

#[test]
fn what_is_assigned_is_a_secret_also_if_many_things_are_called_so() {
    for (text, secret) in [
        ("environment:\n  MYSQL_ROOT_PASSWORD: root\n  MYSQL_DATABASE: shop", ": root"),
        ("spring.datasource.username: root\nspring.datasource.password: root", "password: root"),
        ("login: root\nPassword: root\nLast login: Tue Mar 4 on ttyS0", "Password: root"),
        ("{\"user\":\"app\",\"password\":\"database\"}", "\"database\""),
        ("login failed: password='error:=|;<>'", "|;<>"),
        ("revoked 5db6fe577165fec8a478032f84310bd846fea8b7c1ccaab6bf96906e57ed19d2 by admin", "5db6fe57"),
    ] {
        assert!(!cleaned(text).contains(secret), "{}", cleaned(text));
    }
}

#[test]
fn what_is_masked_once_is_no_evidence_for_what_stands_beside_it() {
    for text in [
        "notes on the root password, seen near the vault: hammer, butter, topaz, ivory, island, bishop, cabin",
        "PULUMI_CONFIG_PASSPHRASE=Blue-kettle9 pulumi up",
        "the gate password was Blue-kettle9, then hawk_Lantern and Topaz+Island",
    ] {
        let once = cleaned(text);
        assert_eq!(cleaned(&once), once);
    }
}

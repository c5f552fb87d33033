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
            "login as admin failed, password list had plum.Kettle7 and hawk-Lantern",
            "login as admin failed, password list had [redacted:password] and [redacted:password]",
        ),
    ] {
        assert_eq!(cleaned(text), is);
    }
    for text in [
        "password check took 12 ms in module auth::hasher (worker-7)",
        "password reset mail queued, template reset-mail-v2, attempt 3 of 5",
        "token refresh failed for session of tenant eu-west-1a",
        "the gate is shut since May: Lynx_Quartz",
    ] {
        assert_eq!(cleaned(text), text);
    }
}

#[test]
fn nothing_is_doubted_beside_a_name_that_somebody_vouches_for_or_calls_a_secret() {
    let text = "the root password is in the vault since May: Lynx_Quartz, shelf 4";
    let vouched = Policy::new(true, &[], &["shelf".to_owned()]);
    assert_eq!(clean(text, &vouched), None);
    let own = Policy::new(true, &["vault".to_owned()], &[]);
    assert_eq!(clean("in the vault since May: Lynx_Quartz", &own), None);
}

//! What each word of a message is, by what it looks like and by what it stands behind.

use super::{
    gives,
    words::{slot, texts},
};
use crate::policy::fingerprint::words::Slot;

#[test]
fn a_word_is_what_it_looks_like() {
    gives(
        |text: &str| slot(&format!("a driver {text} went home early"), text),
        &[
            ("ann", Slot::Bare),
            ("Ann", Slot::Open),
            ("É", Slot::Open),
            ("+", Slot::Fixed),
            ("*", Slot::Who),
            ("shop-*-blue", Slot::Who),
            ("\"shop-*\"", Slot::Open),
            ("\"ann\"", Slot::Open),
            ("'ann'", Slot::Open),
            ("“ann lee”", Slot::Bare),
            ("„Ann Lee”", Slot::Open),
            ("‘ann’", Slot::Open),
            ("‚ann’", Slot::Open),
            ("«ann»", Slot::Open),
            ("「ann」", Slot::Open),
            ("『ann』", Slot::Open),
            ("`ann lee`", Slot::Fixed),
            ("[ann,bob]", Slot::Open),
            ("[ann, bob]", Slot::Bare),
            ("[\"ann\"]", Slot::Open),
            ("[+,-]", Slot::Open),
            // What a program has.
            ("redis", Slot::Few),
            ("my-redis", Slot::Few),
            ("\"my redis\"", Slot::Bare),
            ("EUR", Slot::Few),
            ("ÄÖ", Slot::Few),
            ("E", Slot::Open),
            ("EuR", Slot::Open),
            ("/orders", Slot::Few),
            ("\"https://a\"", Slot::Few),
            ("card_x", Slot::Few),
            ("\"a_*\"", Slot::Open),
            // But for the names of files.
            ("my_thesis.docx", Slot::Bare),
            ("my_thesis.docxy", Slot::Bare),
            ("my_thesis.docxyz", Slot::Few),
            ("my_thesis.d-x", Slot::Few),
            (".my_x", Slot::Few),
            ("a/my_x.txt", Slot::Few),
            // What says what happened.
            ("the", Slot::Fixed),
            ("refused", Slot::Fixed),
            ("was-refused", Slot::Fixed),
            ("x1", Slot::Fixed),
            ("NotFound", Slot::Fixed),
            ("LongnameXy", Slot::Fixed),
            ("Not-Found", Slot::Open),
            ("GmbH", Slot::Open),
            ("\"a::b\"", Slot::Bare),
            ("\"War and Peace\"", Slot::Open),
            ("\"War x\"", Slot::Bare),
            ("\"the Peace\"", Slot::Bare),
        ],
    );
}

#[test]
fn a_word_is_what_the_words_before_make_of_it() {
    gives(
        |(message, text): (&str, &str)| slot(message, text),
        &[
            (("Ann fell today", "Ann"), Slot::Fixed),
            (("my_user ann fell", "ann"), Slot::Who),
            (("a user service fell", "service"), Slot::Fixed),
            (("a user the* fell", "the*"), Slot::Who),
            (("a column ann fell", "ann"), Slot::Fixed),
            (("a column \"ann\" fell", "\"ann\""), Slot::Fixed),
            // What a program has a few of.
            (("a queue ann fell", "ann"), Slot::Few),
            (("a queue Ann fell", "Ann"), Slot::Few),
            (("a queue of Ann fell", "Ann"), Slot::Few),
            (("a queue driver Ann fell", "Ann"), Slot::Open),
            (("a driver of Ann fell", "Ann"), Slot::Open),
            (("a driver of ann fell", "ann"), Slot::Few),
            (("a driver of ann-x fell", "ann-x"), Slot::Bare),
            (("a driver of ann/x fell", "ann/x"), Slot::Bare),
            (("a driver of ann.x fell", "ann.x"), Slot::Bare),
            (("a driver of ann@x fell", "ann@x"), Slot::Bare),
            (("a migration *_add_orders fell", "*_add_orders"), Slot::Few),
            (("a driver *_add_orders fell", "*_add_orders"), Slot::Who),
            (("a migration *_add fell", "*_add"), Slot::Who),
            (("a migration *_add_or fell", "*_add_or"), Slot::Who),
            (("a migration *_add_o.r fell", "*_add_o.r"), Slot::Who),
            (("a queue \"*_add\" fell", "\"*_add\""), Slot::Few),
            // What is so.
            (("the lamp was purple", "purple"), Slot::Fixed),
            (("the lamp was \"purple\"", "\"purple\""), Slot::Open),
            (("with kk=ann today", "ann"), Slot::Open),
            (("a driver, ann & bob", ","), Slot::Part),
            (("a driver, ann & bob", "&"), Slot::Part),
            (("a driver ' bob", "'"), Slot::Part),
            (("a driver; bob", ";"), Slot::Between),
        ],
    );
}

#[test]
fn a_cause_stays() {
    gives(
        |(message, text): (&str, &str)| slot(message, text),
        &[
            (("no go: driver Ann went", "Ann"), Slot::Fixed),
            (("no go\na driver Ann went", "Ann"), Slot::Fixed),
            (("a driver Ann went\nno go", "Ann"), Slot::Open),
            (("a driver Ann went: no go", "Ann"), Slot::Open),
            (("a driver É: it fell", "É"), Slot::Open),
            (("a driver X: it fell", "X"), Slot::Open),
            (("no go: it fell (driver Ann left)", "Ann"), Slot::Open),
            (("no go: driver Ann fell (it left)", "Ann"), Slot::Fixed),
            (("no go: driver kk=ann went", "ann"), Slot::Open),
            (("no go: a zebra", "zebra"), Slot::Fixed),
            (("no go: zebra", "zebra"), Slot::Few),
            (("no go: zebra runs", "zebra"), Slot::Fixed),
            (("no go: User { name_: \"ann\" }", "\"ann\""), Slot::Open),
            (("no go: User { name: \"ann\" }", "\"ann\""), Slot::Open),
            (("no go: User(name: \"ann\")", "\"ann\""), Slot::Open),
            (("no go: {\"name\":\"ann\" x}", "\"ann\""), Slot::Open),
            (("no go: { it -: \"ann\" x }", "\"ann\""), Slot::Fixed),
            (("no go: {} it:\"ann\" x", "\"ann\""), Slot::Fixed),
            (("no go: { it \"ann\" x }", "\"ann\""), Slot::Fixed),
        ],
    );
}

#[test]
fn words_end_at_spaces_and_signs() {
    gives(
        |message: &str| texts(message).join(" "),
        &[
            ("a(b)c{d}e<f>g;h:i=j|k!l?m", "a ( b ) c { d } e < f > g ; h : i = j | k ! l ? m".to_owned()),
            ("a,b&c", "a , b & c".to_owned()),
            ("a. b: c-  ...", "a b : c ...".to_owned()),
            ("a * * b* c *", "a * c *".to_owned()),
            ("a «b", "a « b".to_owned()),
            ("a b«c»", "a b «c»".to_owned()),
            ("a `b", "a ` b".to_owned()),
            ("a\nb", "a b".to_owned()),
        ],
    );
    gives(
        count,
        &[
            ("x “a b” y", 3),
            ("x ‘a b’ y", 3),
            ("x „a b” y", 3),
            ("x ‚a b’ y", 3),
            ("x «a b» y", 3),
            ("x 「a b」 y", 3),
            ("x 『a b』 y", 3),
            ("x `a b` y", 3),
            ("x 'a b' y", 3),
            ("x's a b' y", 7),
            ("x [a, b] y", 3),
            ("x [\"a b\"] y", 3),
            ("x [a b] y", 6),
            ("x [a, b: c] y", 9),
            ("x [a, b=c] y", 9),
            ("x [a, (b] y", 8),
        ],
    );
}

/// How many words there are.
fn count(message: &str) -> usize {
    texts(message).len()
}

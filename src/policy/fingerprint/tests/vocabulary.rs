//! What words say of the text beside them.

use super::gives;
use crate::policy::fingerprint::vocabulary::{
    has_few, is_before_type, is_before_verb, is_component, is_media, is_no_name, is_of_grammar, is_sql,
    is_type, is_what_happens, is_who, last_word, names_type, singular, singular_verb, speaks, tells,
};

/// Each of `words` is so.
fn all(words: &str, is: impl Fn(&str) -> bool) {
    words.split(' ').for_each(|word| assert!(is(word), "{word}"));
}

/// None of `words` is so.
fn none(words: &str, is: impl Fn(&str) -> bool) {
    words.split(' ').for_each(|word| assert!(!is(word), "{word}"));
}

#[test]
fn some_words_say_who_and_some_are_no_name() {
    all("user account customer usr user_name login_name", is_who);
    none("users order name", is_who);
    all(
        "service services Service anonymous the deleted testing creation payment identity a:b a/b a+b",
        is_no_name,
    );
    none("ann Ann-Lee ann_lee ann.lee o'hara ann1 Zoë", is_no_name);
}

#[test]
fn some_words_tell_problems_apart() {
    all("code column status_code http.status_code Job cron.job", tells);
    none("order job_id job.id codes", tells);
    all("code column", speaks);
    none("codes order", speaks);
    all("queue queues", has_few);
    none("order orders", has_few);
    all("queue queues redis api", is_component);
    none("order apis", is_component);
    all("the of again", is_of_grammar);
    none("order The", is_of_grammar);
}

#[test]
fn what_happens_is_said_by_the_end_of_a_word_or_by_a_known_one() {
    all(
        "refused missing creation decision payment unable visible slowly careful parity failure useless badness lost",
        is_what_happens,
    );
    none("ann driver edge lossy", is_what_happens);
    all(
        "is was are were be been not cannot could can will would did does do never already isn't wasn't can't couldn't \
         didn't doesn't",
        is_before_verb,
    );
    none("the has", is_before_verb);
}

#[test]
fn a_type_is_a_letter_and_its_width() {
    all("u8 i32 f64 u128 int4 int8 float4 float8", is_type);
    none("u a8 ux int int16 float float64 intx8 floaty8", is_type);
    all("expected Expected a typed", is_before_type);
    none("user", is_before_type);
}

#[test]
fn files_whose_names_are_ids_have_such_an_ending() {
    all("a.pdf a.PNG a.b.webp x/a.jpeg", is_media);
    none("a.rs .pdf pdf a.pdfs a.", is_media);
    let sql = ["select 1", "Insert Into t", "update t", "delete from t", "a where b", "a values"];
    sql.iter().for_each(|text| assert!(is_sql(text), "{text}"));
    ["selected", "updated", "values", "insert it"].iter().for_each(|text| assert!(!is_sql(text), "{text}"));
}

#[test]
fn what_is_counted_is_said_in_the_singular() {
    gives(
        singular,
        &[
            ("rows", Some(("row", ""))),
            ("entries", Some(("entr", "y"))),
            ("ros", None),
            ("Rows", None),
            ("row", None),
            ("miss", None),
            ("status", None),
            ("axis", None),
            ("alias", None),
            ("row_s", None),
        ],
    );
    gives(
        singular_verb,
        &[
            ("are", Some("is")),
            ("were", Some("was")),
            ("have", Some("has")),
            ("do", Some("does")),
            ("remain", Some("remains")),
            ("fail", Some("fails")),
            ("need", Some("needs")),
            ("is", None),
        ],
    );
}

#[test]
fn the_word_before_is_read_to_its_beginning() {
    gives(
        last_word,
        &[("for user_1", "user_1"), ("for-user", "user"), ("user ", ""), ("", ""), ("a für", "für")],
    );
    gives(
        names_type,
        &[
            ("of type integer: ", true),
            ("of enum mood:", true),
            ("type: ", false),
            ("of kind integer: ", false),
            ("of type integer ", false),
        ],
    );
}

//! Time is linear in a text, whatever it is made of: what grows eightfold is
//! looked at no more often, byte for byte, in each of a few rounds.

use proptest::prelude::*;

use super::{LOOKED, clean, cleaned, default};

/// Each makes some rule look far ahead, and in vain.
const PIECES: [&str; 51] = [
    "a\u{3042}",
    "\u{3042}1 ",
    "wpa ",
    "11 ",
    "7, ",
    "Pwd=a b;",
    "<(echo ",
    "login a / ",
    "token=abc123 ",
    "pass:",
    "cookie: ",
    "token: (",
    "token \"",
    "eyJa-",
    "a-sk-",
    "eyJaaaaaaaa.",
    "a://b:c",
    "\\",
    "-----BEGIN PRIVATE KEY-",
    "4111 ",
    "[redacted:",
    "password: , ",
    "a:b:token:",
    "a=",
    "http://a:b/",
    "basic~",
    "Basic ",
    "bearer a",
    "pwd=/",
    ":pin>",
    "<pin>",
    "password=***",
    "password=\"***",
    "token='none\\",
    "token=[***",
    "token=Some(<hidden>",
    "Token{value:\"",
    "Token(Some(",
    "ApiKey { key: \"***",
    "SecretKey([1,",
    "pin=a",
    "iban: 1 ",
    "\"name\":\"pin\",\"value\":",
    "passphrase: the ",
    "authorization=\\",
    "authorization=\\token%22%3A%22***",
    "token%22%3A%22***",
    "token%3Dnone",
    "Some(",
    "\\n",
    " ",
];

/// What rules look for, or stop at.
#[rustfmt::skip]
const TOKENS: [&str; 56] = [
    "token", "password", "pin", "cookie", "ApiKey", "key", "passphrase", "name", "value", "basic", "bearer",
    "eyJ", "arn:", "sk-", "ghp_", ":AA", "none", "the", "Some(", "-----BEGIN PRIVATE KEY-----", "-----END",
    "[redacted:", "***", "<hidden>", "%22", "%3A", "%3D", "4111", "a", "1", "é", "=", "\"", "'", "`", "\\",
    "\\\"", "\\\\\\\"", "(", "[", "{", " ", "\n", "\\n", ": ", ".", "-", "_", "<", ">", "://", "@", "/", ",",
    "&", ";",
];

/// How many bytes are looked at in one round over `pieces`, one after the other, until
/// there are `length` of them. There are a few rounds at most, whatever the length.
fn looked_at(pieces: &[&str], length: usize) -> usize {
    let whole = pieces.concat();
    let text = whole.repeat(length.div_ceil(whole.len()));
    LOOKED.set(0);
    let clean = clean::once(&text, &default());
    let looked = LOOKED.get();
    assert!(clean.is_none_or(|clean| clean.len() <= 5 * text.len()), "{whole}");
    looked
}

fn assert_linear(pieces: &[&str]) {
    let [short, long] = [SHORT, 8 * SHORT].map(|length| looked_at(pieces, length));
    assert!(long <= 12 * short + SHORT, "{short} and {long} bytes are looked at in {pieces:?}");
    assert!(long <= MAX_LOOKS * 8 * SHORT, "{long} bytes are looked at in {pieces:?}");
}

#[test]
fn a_text_of_one_piece_is_looked_at_a_bounded_number_of_times() {
    for piece in PIECES {
        assert_linear(&[piece]);
        let clean = cleaned(&piece.repeat(SHORT / piece.len()));
        assert_eq!(cleaned(&clean), clean, "{piece}");
    }
    // Behind what is never closed.
    for open in ["token=(", "password=\"", "pin='", "<token>", "cookie: "] {
        let text = |length: usize| format!("{open}{}", "\\\\\\ ".repeat(length / 4));
        let looks = [SHORT, 8 * SHORT].map(|length| {
            LOOKED.set(0);
            let _clean = clean::once(&text(length), &default());
            LOOKED.get()
        });
        assert!(looks[1] <= 12 * looks[0] + SHORT, "{looks:?} {open}");
    }
}

#[test]
fn and_so_are_some_together() {
    assert_linear(&["%22", "authorization=\\", "token=abc123 ", " ", "-----END"]);
    assert_linear(&["arn:", "authorization=\\", "token=abc123 "]);
    assert_linear(&["token", "1", "ghp_", "none", "eyJ"]);
    for pieces in
        [["%3A", "passphrase"], ["pass:", "'"], ["password", "a:b:token:"], ["pin", ","], ["key", "="]]
    {
        assert_linear(&pieces);
    }
}

#[test]
fn and_so_are_64_kb_of_all_of_them() {
    let [short, long] = [8, 64].map(|kilobytes| looked_at(&PIECES, kilobytes * 1024));
    assert!(long <= 12 * short, "{short} and {long} bytes are looked at");
}

fn piece() -> impl Strategy<Value = &'static str> {
    prop_oneof![1 => prop::sample::select(&PIECES[..]), 3 => prop::sample::select(&TOKENS[..])]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn and_so_is_one_of_several(pieces in prop::collection::vec(piece(), 1..8)) {
        assert_linear(&pieces);
    }
}

/// Several times what any rule looks ahead.
const SHORT: usize = 8 * 1024;

/// How often a byte is looked at, at the most and on average.
const MAX_LOOKS: usize = 400;

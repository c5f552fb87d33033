//! What is masked stays masked, whatever the text is wrapped in. For a long run, as of
//! a fuzzer:
//!
//! ```text
//! PROPTEST_CASES=1000000 cargo test --release --lib redact::tests::wrapped
//! ```

use proptest::prelude::*;

use super::cleaned;

/// Texts with a secret that is in none of them otherwise.
fn leaking() -> impl Strategy<Value = (String, String)> {
    let secret = "[a-z]{3,6}[0-9]{2,4}[A-Z]{2,4}[a-z]{2,5}";
    let form = prop::sample::select(&FORMS[..]);
    (form, secret).prop_map(|(form, secret)| (form.replace('$', &secret), secret))
}

/// Ways in which programs put a text into another.
const WRAPS: [fn(&str) -> String; 10] = [
    |text| format!("\"{text}\""),
    |text| format!("'{text}'"),
    |text| format!("request failed: {text}"),
    |text| format!("{text}\nnext line"),
    |text| format!("first line\n{text}"),
    |text| format!("{text:?}"),
    |text| format!("{{\"message\":{},\"n\":1}}", serde_json::to_string(text).unwrap()),
    |text| format!("Error({text:?}, 17)"),
    |text| {
        let encoded: String = text
            .bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect();
        format!("GET /log?text={encoded}&n=1 returned 400")
    },
    |text| text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;"),
];

const FORMS: [&str; 16] = [
    "password=$",
    "password: $",
    "{\"password\":\"$\"}",
    "{\"user\": \"bob\", \"api_key\": \"$\"}",
    "Config { password: \"$\", n: 1 }",
    "token='$'",
    "--password $",
    "<password>$</password>",
    "postgres://app:$@db1:5432/x",
    "password: Some(\"$\")",
    "client_secret = \"$\"",
    "[\"--password\", \"$\"]",
    "https://h/x?access_token=$&n=1",
    "Authorization: Bearer $$",
    "DB_PASSWORD=$ run",
    "Pwd=$;Server=x",
];

/// Pieces that make a reader go astray.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "password|token|secret|api_key|пароль|密码|cookie|Bearer |AUTH |curl -u |-----BEGIN PRIVATE KEY-----|name|value|VALUES|<b>|</b>|eyJ|sk-|%22|%25|&quot;|\\\\u0022|\\[redacted:token\\]|…\\[cut\\]",
        "[ =:,;&.\"'`\\\\(){}\\[\\]<>@/?%|\n\r\t-]{1,4}",
        "[A-Za-z0-9+/_-]{1,40}",
        "\\PC{1,3}",
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_masked_stays_masked_in_whatever_wraps_it(
        (text, secret) in leaking(),
        wraps in prop::collection::vec(prop::sample::select(&WRAPS[..]), 0..3),
    ) {
        let wrapped = wraps.iter().fold(text, |text, wrap| wrap(&text));
        let clean = cleaned(&wrapped);
        prop_assert!(!clean.contains(&secret), "{}\n{}", wrapped, clean);
        prop_assert_eq!(cleaned(&clean), clean.clone(), "{}", wrapped);
    }

    #[test]
    fn nothing_panics_and_what_is_clean_stays_so(text in hostile()) {
        let clean = cleaned(&text);
        prop_assert_eq!(cleaned(&clean), clean.clone(), "{}", text);
    }

    #[test]
    fn bytes_of_any_kind_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let text = String::from_utf8_lossy(&bytes);
        let clean = cleaned(&text);
        prop_assert_eq!(cleaned(&clean), clean.clone(), "{}", text);
    }
}

//! Codes of a few digits, which are sent to somebody and let them in: known by the words
//! near by, in either order.
//!
//! A word is known by its stem, so that `kód`, `kódod` and `engångskod` are one.

use std::ops::Range;

use super::{
    keys::is_one_of,
    looked,
    vocabulary::{self, OF},
};

/// The code that `run` is, if its line says so.
pub(super) fn first(text: &str, run: &Range<usize>) -> Option<Range<usize>> {
    let mut code = text[run.clone()].trim_end_matches(['.', '-']);
    // `731 204`
    if (3..=4).contains(&code.len()) && text[run.end..].starts_with(' ') {
        let half = text
            .get(run.end + 1..run.end + 1 + code.len())
            .filter(|half| half.bytes().all(|byte| byte.is_ascii_digit()));
        code = half.map_or(code, |half| &text[run.start..run.end + 1 + half.len()]);
    }
    let digits = code.bytes().filter(u8::is_ascii_digit).count();
    let is_code = (4..=8).contains(&digits)
        && (digits == code.len() || digits + 1 == code.len() && code.contains(['-', ' ']));
    let is_part = |byte: Option<u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"./:#+$-_=@%".contains(&byte))
    };
    let (before, after) = (&text[..run.start], &text[run.start + code.len()..]);
    let is_inside = is_part(before.bytes().next_back()) && !before.ends_with("G-")
        || is_part(after.bytes().next()) && !after.starts_with(". ") && !matches!(after, "." | "-" | ":");
    if !is_code || is_inside {
        return None;
    }
    let before = &before[before.ceil_char_boundary(before.len().saturating_sub(NEAR_BYTES))..];
    let after = &after[..after.floor_char_boundary(NEAR_BYTES)];
    looked(before.len() + after.len());
    let ends_in_colon = before.ends_with(": ");
    let is_said = !before.trim_end_matches([':', ' ']).ends_with(['"', '\'']);
    let before = before.rsplit('\n').next().unwrap_or_default().to_lowercase();
    let after = after.split('\n').next().unwrap_or_default().to_lowercase();
    let (before, after) = (words(before.rsplit(is_gap)), words(after.split(is_gap)));
    let leads = |word: &&str| {
        LEADS.contains(word)
            || vocabulary::LEADS.contains(word)
            || is_code_word(word)
            || has_stem(word, KINDS)
    };
    // Most have six digits; of another one it is said more clearly.
    let near = if digits == 6 { 3 } else { 1 };
    let is_led = digits == 6 && is_said && ends_in_colon
        || before.iter().take(near).any(leads)
        || after.iter().take(2).any(|word| FOLLOWS.contains(word));
    if before.iter().any(|word| OTHERS.contains(word)) {
        return None;
    }
    let is_used = before.first().is_some_and(|word| ["use", "enter", "code"].contains(word))
        && after.first() == Some(&"to")
        && after.get(1).is_some_and(|word| is_kind(word) || ["log", "sign"].contains(word));
    let is_told = |words: &[&str]| {
        words.iter().any(|word| CODES.contains(word) || is_code_word(word) && has_stem(word, KINDS))
    };
    let is_any = digits == 6
        && before.iter().chain(&after).any(|word| is_code_word(word))
        && before.iter().chain(&after).any(|word| has_stem(word, KINDS));
    (is_used || is_led && (is_any || is_told(&before) || is_told(&after)))
        .then(|| run.start..run.start + code.len())
}

/// The first of `words`, but for those that only lead from one to the next.
fn words<'t>(words: impl Iterator<Item = &'t str>) -> Vec<&'t str> {
    words.filter(|word| !word.is_empty() && !OF.contains(word)).take(MAX_WORDS).collect()
}

fn is_gap(char: char) -> bool {
    !char.is_alphanumeric() && char != '-'
}

/// `code` in many a language, also as the end of a word that says what it is for.
fn is_code_word(word: &str) -> bool {
    STEMS.iter().any(|stem| {
        word.rfind(stem).is_some_and(|at| {
            word.len() - at <= stem.len() + MAX_ENDING && (at == 0 || has_stem(word, KINDS))
        })
    })
}

fn is_kind(word: &str) -> bool {
    WHOSE.contains(&word) || has_stem(word, KINDS)
}

fn has_stem(word: &str, stems: &[&str]) -> bool {
    stems.iter().any(|stem| word.starts_with(stem))
}

/// The seed of codes that begins with `run`, in groups of four letters of base32 as it is
/// shown to be typed.
pub(super) fn groups(text: &str, run: &Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let group = |at: usize| {
        let group = bytes.get(at..at + 4)?;
        let is_group = group.iter().all(|byte| byte.is_ascii_alphabetic() || (b'2'..=b'7').contains(byte));
        (is_group && bytes.get(at + 4).is_none_or(|byte| !byte.is_ascii_alphanumeric())).then_some(group)
    };
    let (mut end, mut count, mut digits) = (run.start, 0, 0);
    let separator = *bytes.get(run.start + 4).filter(|byte| [b' ', b'-'].contains(byte))?;
    while let Some(group) = group(if count == 0 { end } else { end + 1 })
        .filter(|_| count == 0 || count < MAX_GROUPS && bytes[end] == separator)
    {
        digits += group.iter().filter(|byte| byte.is_ascii_digit()).count();
        end += if count == 0 { 4 } else { 5 };
        count += 1;
        looked(4);
    }
    let near = &text[text.ceil_char_boundary(run.start.saturating_sub(NEAR_BYTES))..run.start];
    let is_told = || near.split(|char: char| !char.is_alphanumeric()).any(|word| is_one_of(word, SEEDS));
    (count >= 4 && digits >= 2 && is_told()).then_some(run.start..end)
}

/// What the seed of codes is called.
const SEEDS: &[&str] =
    &["key", "secret", "code", "setup", "scan", "totp", "2fa", "mfa", "authenticator", "seed", "token"];

/// What stands right before a code, or right behind it.
#[rustfmt::skip]
const LEADS: &[&str] = &[
    "are", "enter", "otp", "tan", "passcode", "ओटीपी", "e", "and",
];
const FOLLOWS: &[&str] =
    &["is", "was", "as", "als", "como", "comme", "come", "jako", "как", "som", "है", "ist", "est"];

/// What a code is called, and how it is called one.
const CODES: &[&str] = &["disarm", "otp", "passcode", "tan", "ओटीपी", "التحقق", "totp", "2fa", "mfa"];
const STEMS: &[&str] = &[
    "code",
    "kod",
    "codigo",
    "codice",
    "код",
    "cod",
    "κωδικ",
    "kood",
    "kode",
    "代碼",
    "代码",
    "コード",
    "코드",
];

/// How words begin that say what a code is for.
#[rustfmt::skip]
const KINDS: &[&str] = &[
    "verif", "confirm", "conferm", "login", "secur", "segur", "sicur", "backup", "recover", "scratch", "sms", "one-time", "time", "access", "reset", "gate", "door", "auth", "autent", "log-in", "sign-in",
    "bestatig", "sicherheit", "einmal", "freigabe", "beveilig", "bevestig", "engang", "bekraft", "bekreft", "sakerhet", "sikkerhet", "sikkerhed", "vahvist", "kertakayt", "turva",
    "weryfik", "potwierdz", "autoryz", "overov", "potvrz", "potvrd", "jednorazov", "ellenorz", "megerosit", "biztonsag", "onay", "dogrula", "guvenlik", "patvirtin", "apstiprin", "kinnit",
    "lockbox", "alarm", "disarm", "keypad", "wifi", "wlan", "guest", "eenmalig", "inlog", "unic", "uniq", "pair", "jednokrat", "prihlas", "prijav", "logow", "login", "acces", "aces", "giris", "masuk", "share", "compart", "partag", "condivid", "jangan", "teilen", "weitergeb", "geben", "podawa", "udostep", "paylas", "digicod",
    "вход", "вхід", "сообщ", "никому", "нікому", "повідом", "однораз", "підтвер", "подтвер", "потвърж", "доступ", "безопас", "безпек", "επαλ", "example",
];
const WHOSE: &[&str] = &["your", "ihr", "dein", "votre", "tu", "su", "din", "twoj", "ваш", "vas"];

/// What a code is of that lets nobody in.
#[rustfmt::skip]
const OTHERS: &[&str] = &[
    "error", "errors", "http", "status", "exit", "return", "response", "zip", "postal", "country", "area", "promo", "coupon", "bledu", "chyby", "erreur", "errore", "ошибки", "hata", "σφαλματος",
];

/// The longest ending of a word's stem.
const MAX_ENDING: usize = 4;
const MAX_WORDS: usize = 12;

/// Longer seeds are not shown in groups.
const MAX_GROUPS: usize = 16;

const NEAR_BYTES: usize = 64;

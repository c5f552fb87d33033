//! What a sentence, a line of a log or an exchange says of a secret without saying
//! which word of it that is: the one that nobody would write there who had not chosen
//! it.
//!
//! Invariant: how far is looked from a name is bounded.

use std::ops::Range;

use super::{
    chance,
    clean::MARK,
    entropy,
    judge::{self, Form, Shape},
    keys::{Nature, Secret, is_one_of, is_wide},
    look, looked, shapes,
    vocabulary::{BEING, CHANGES, DESCRIBING, FILES, FILLERS, LEADS, NOTHING, OF, TOWARDS, TYPES},
};

/// The words near the name at `name` that can only be the secret it tells of.
pub(super) fn words(text: &str, name: &Range<usize>, secret: &Secret<'_>) -> Vec<Range<usize>> {
    if secret.rule == "mnemonic" || secret.rule == "secret" && !secret.nature.is_strong() {
        return mnemonic(text, name.end).into_iter().collect();
    }
    let is_digits =
        matches!(secret.nature, Nature::Digits(_)) && ["pin", "otp", "cvv"].contains(&secret.rule);
    let is_word = secret.nature == Nature::Hint
        || secret.rule == "credentials"
        || look::starts_with(&text[name.clone()], "pw");
    if !is_digits && !secret.nature.is_strong() && !is_word {
        return Vec::new();
    }
    let clause = around(text, name);
    looked(clause.len());
    if text[clause.clone()].contains(MARK) {
        return Vec::new();
    }
    pieces(text, &clause)
        .filter(|piece| piece.end <= name.start || piece.start >= name.end)
        .filter(|piece| match secret.nature {
            Nature::Digits(least) => is_code(text, piece, &clause, name, least),
            _ => is_it(text, piece, &clause, name, secret),
        })
        .collect()
}

/// Whether a number near the name of a code is one, and counts or names nothing.
fn is_code(
    text: &str,
    piece: &Range<usize>,
    clause: &Range<usize>,
    name: &Range<usize>,
    least: usize,
) -> bool {
    let word = text[piece.clone()].trim_end_matches(['*', '#']);
    let (before, after) = (&text[clause.start..piece.start], &text[piece.end..clause.end]);
    let bare = before.trim_end_matches(['"', '\'', '`', ' ', '(', '[', ':', '=']);
    let lead = bare.rsplit(|char: char| !char.is_alphanumeric()).next().unwrap_or_default().to_lowercase();
    let next = after.trim_start().split(|char: char| !char.is_alphanumeric()).next().unwrap_or_default();
    let between = text.get(name.end..piece.start).or_else(|| text.get(piece.end..name.start));
    let is_led = LEADS.contains(&lead.as_str())
        || lead == "from"
        || TOWARDS.contains(&lead.as_str())
        || before.ends_with(['"', '\'', '(', '['])
        || bare.ends_with(is_wide)
        || between.is_some_and(|between| between.trim().is_empty());
    let is_near = between.is_some_and(|between| between.split_whitespace().count() <= MAX_WORDS);
    word.bytes().all(|byte| byte.is_ascii_digit())
        && (least..=8).contains(&word.len())
        && is_led
        && is_near
        && !before.ends_with(['#', '-', '.', '/', '+', '$'])
        && !after.starts_with(['-', '.', '/', '%', ':']) | after.starts_with(". ")
        && !is_one_of(next, UNITS)
}

fn is_it(
    text: &str,
    piece: &Range<usize>,
    clause: &Range<usize>,
    name: &Range<usize>,
    secret: &Secret<'_>,
) -> bool {
    let word = &text[piece.clone()];
    let before = &text[clause.start..piece.start];
    // It is the value of something else.
    let bare = before.trim_end_matches(['"', '\'', '\\']);
    let own = bare.trim_end_matches(['=', ':', '[', ' ']);
    let own = own.rsplit(|char: char| !char.is_alphanumeric()).next().unwrap_or_default();
    let is_own = own.len() < bare.len() && !word.starts_with('\\') && is_one_of(own, OWN);
    let is_other = bare.ends_with('=') || bare.len() < before.len() && bare.ends_with(':');
    let is_echo = is_echo(before, word, &text[piece.end..], secret);
    if before.ends_with(['@', '#']) || is_other && !is_own && !is_echo {
        return false;
    }
    // A server asks for a name, or for a password, in base64.
    let is_judged = || {
        judge::is_secret(word, Shape::Quoted, Form::Colon, secret)
            && shapes::from_base64(word).is_none_or(|plain| look::is_mixed(&plain))
    };
    if word.len() >= MIN_WORD && chance::is_chosen(word) {
        return !entropy::is_id(entropy::last_name(before)) && is_judged();
    }
    if is_named_so(text, piece, name, secret) {
        return is_judged();
    }
    // A form says what it was given, whatever that is.
    if is_echo {
        return is_judged();
    }
    let name_of = word.trim_end_matches(['=', '!', '?']);
    let is_told = || {
        let between = text.get(name.end..piece.start);
        secret.nature.is_strong()
            && (look::is_mixed(word) || bare.len() < before.len())
            && between.is_some_and(leads)
            || secret.rule == "password" && is_introduced(before, word) && !is_whose(before)
            || is_own
            || (secret.nature == Nature::Hint || secret.rule == "credentials")
                && is_paired(text, before, name, word)
            || secret.rule == "password"
                && (is_enclosed(before, &text[piece.end..]) && !is_whose(before) && !is_technical(word)
                    || is_settled(&text[piece.end..]))
    };
    (look::is_mixed(word) || look::is_joined(word))
        && !word.starts_with('-')
        && !text[piece.end..].starts_with(['(', '='])
        && !word.rsplit_once('.').is_some_and(|(_, extension)| is_one_of(extension, FILES))
        && !look::is_named(name_of)
        && !chance::is_kebab(word)
        && !word.split_once('=').is_some_and(|(name, _)| {
            look::is_snake(name.trim_start_matches(|char: char| char.is_ascii_uppercase()))
        })
        && !is_one_of(name_of, TYPES)
        && is_told()
        && is_judged()
}

/// Whether a word in quotes or brackets is a password that is called what a form was given.
fn is_echo(before: &str, word: &str, after: &str, secret: &Secret<'_>) -> bool {
    if secret.rule != "password" || !secret.nature.is_strong() || !is_enclosed(before, after) {
        return false;
    }
    let own = before.trim_end_matches(['=', ':', '[', ' ', '"', '\'', '\\']);
    let own = own.rsplit(|char: char| !char.is_alphanumeric()).next().unwrap_or_default();
    (is_one_of(own, OWN) || is_one_of(own, &["received", "rejected"]))
        && !look::is_prose(word)
        && !look::is_algorithm(word)
        && !is_technical(word)
        && !is_one_of(word, NOTHING)
        && !is_one_of(word, TYPES)
}

/// Whether a word stands for itself in quotes or brackets.
fn is_enclosed(before: &str, after: &str) -> bool {
    [("\"", "\""), ("'", "'"), ("`", "`"), ("(", ")"), ("[", "]"), ("}", "{"), (">", "<"), ("<", ">")]
        .iter()
        .any(|(open, close)| before.ends_with(open) && after.trim_start_matches('\\').starts_with(close))
}

/// As programs write names and numbers: `mysql_native_password`, `0xC0000224`, `a60bc41e53`.
fn is_technical(word: &str) -> bool {
    let is_hex = |word: &str| word.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex(word.strip_prefix("0x").unwrap_or(word))
        || word.contains('_') && look::is_snake(word)
        || word.contains('.')
        || word.starts_with('#')
        || !word.bytes().any(|byte| byte.is_ascii_lowercase())
        || word.contains(['=', '+', '^', '*', '['])
}

/// Whether `user` may be the name of somebody: `admin`, `ADMIN`.
fn is_of_one_case(user: &str) -> bool {
    let is_of = |is: fn(&u8) -> bool| user.bytes().all(|byte| is(&byte));
    is_of(u8::is_ascii_lowercase) || is_of(u8::is_ascii_uppercase)
}

/// Whether the name of somebody and a slash are `before` a word, behind the `name` that tells
/// of both or where it is said what they are: `login admin / `, `login for all: admin/`.
fn is_paired(text: &str, before: &str, name: &Range<usize>, word: &str) -> bool {
    // `HTTP/web@REALM`
    if word.contains('@') && !word.bytes().any(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let Some(rest) = before.trim_end().strip_suffix('/') else { return false };
    let is_letter = |char: char| char.is_alphanumeric() || "._@-".contains(char);
    let user = rest.trim_end();
    let lead = user.trim_end_matches(is_letter);
    let last = lead.trim_end().rsplit(' ').next().unwrap_or_default();
    let lead_ends = lead.trim_end().as_ptr() as usize + lead.trim_end().len() - text.as_ptr() as usize;
    let is_led = lead_ends == name.end || lead.trim_end().ends_with(':') || is_one_of(last, BEING);
    user.len() > lead.len() + 1 && is_led
}

/// Whether what follows a word says that somebody set it.
fn is_settled(after: &str) -> bool {
    let next = after
        .strip_prefix(' ')
        .unwrap_or_default()
        .split([' ', '.', ',', '\n', '"', '\\'])
        .next()
        .unwrap_or_default();
    SETTLED.contains(&next)
}

/// Whether what stands `before` a word says that it is the name of somebody or something.
fn is_whose(before: &str) -> bool {
    let word = before.trim_end_matches(|char: char| !char.is_alphanumeric());
    let word = word.rsplit(|char: char| !char.is_alphanumeric()).next().unwrap_or_default();
    is_one_of(word, OF) || is_one_of(word, WHOSE) || USERS.iter().any(|user| word.ends_with(user))
}

/// Whether a sentence says of the name that it is the word, or was changed to it; but for
/// words that only describe it.
fn is_named_so(text: &str, piece: &Range<usize>, name: &Range<usize>, secret: &Secret<'_>) -> bool {
    let word = &text[piece.clone()];
    let between = text.get(name.end..piece.start).filter(|_| secret.rule == "password");
    let Some(between) = between.filter(|_| secret.nature.is_strong() && !secret.countable) else {
        return false;
    };
    let said = &text[text.ceil_char_boundary(name.start.saturating_sub(MAX_CLAUSE_BYTES))..piece.start];
    let words = || between.split([' ', ',']).filter(|word| !word.is_empty());
    let last = words().next_back().unwrap_or_default();
    let after = &text[piece.end..text.floor_char_boundary(piece.end + MAX_CLAUSE_BYTES)];
    let next = after.split_whitespace().next().unwrap_or_default();
    let is_change = |word: &str| CHANGES.iter().any(|stem| look::starts_with(word, stem));
    let is_end = after.is_empty()
        || after.starts_with(['.', ',', ';', '!', ')', '\n', '"', '\'', '\\'])
        || is_one_of(next, OF)
        || is_one_of(next, &["on", "and", "now", "until", "und", "jetzt"]);
    let is_lower = word.chars().all(|char| char.is_lowercase() || char == '-');
    let is_plain = is_lower
        && (["a", "in", "en", "zu", "σε", "в", "у"].contains(&last)
            || look::is_prose(word)
            || DESCRIBING.iter().any(|end| word.ends_with(end)));
    let is_same = words().count() <= 2
        && is_one_of(last, BEING)
        && words().all(|word| is_one_of(word, FILLERS))
        && is_end;
    let is_set = is_one_of(last, TOWARDS)
        && words().count() <= MAX_WORDS
        && (said.split([' ', ',']).any(is_change) && is_end || is_change(next));
    (is_same || is_set || between.trim().is_empty() && !is_lower && is_settled(after))
        && word.chars().all(|char| char.is_alphanumeric() || "-_.!?".contains(char))
        && !is_plain
        && !look::is_prose(word)
        && !is_one_of(word, NOTHING)
        && !is_one_of(word, TYPES)
}

/// Whether what stands `before` a word says that somebody tried it, or lets in with it.
fn is_introduced(before: &str, after: &str) -> bool {
    let bare = before.trim_end_matches(['"', '\'', '`', ' ', '(', ':']);
    let word = bare.rsplit(|char: char| !char.is_alphanumeric()).next().unwrap_or_default();
    let is_shouted = !after.bytes().any(|byte| byte.is_ascii_lowercase());
    let is_apart = bare.len() < before.len() || bare.ends_with(is_wide);
    is_apart && !is_shouted && (bare.ends_with(is_wide) || LEADS.contains(&word.to_lowercase().as_str()))
}

/// Whether `between` a name and a word says that this is the value: ` on host db1 = `,
/// ` is generated for bob: `.
fn leads(between: &str) -> bool {
    let between = between.trim_end_matches(['"', '\'', '`', '(']);
    let is_answer = between.trim_end().len() < between.len() && between.trim_end().ends_with(':');
    let is_plain = |word: &str| {
        word.chars().all(|char| char.is_alphanumeric() || "@.:=-[]()_'\"*>".contains(char))
            && !is_one_of(word.trim_end_matches(':'), FAILURES)
    };
    (is_answer || LINKS.iter().any(|link| between.ends_with(link)))
        && between.split_whitespace().count() <= MAX_WORDS
        && between.split_whitespace().all(is_plain)
}

/// The part of the line around `name` that says something about it.
fn around(text: &str, name: &Range<usize>) -> Range<usize> {
    let from = text.ceil_char_boundary(name.start.saturating_sub(MAX_CLAUSE_BYTES));
    let to = text.floor_char_boundary(name.end + MAX_CLAUSE_BYTES);
    let (before, after) = (&text[from..name.start], &text[name.end..to]);
    let start = before.rfind('\n').map_or(0, |at| at + 1).max(before.rfind("\\n").map_or(0, |at| at + 2));
    let line = |text: &str| text.find('\n').unwrap_or(text.len()).min(text.find("\\n").unwrap_or(text.len()));
    let mut end = line(after);
    // What ends with a name, or with a question about it, is answered on the next line.
    let rest = after[..end].trim_matches(['?', '"', '\'', ' ', '\r']);
    if (rest.is_empty() || rest.ends_with(':')) && end < after.len() {
        end += after[end..].len() - after[end..].trim_start().len();
        end += line(&after[end..]);
    }
    from + start..name.end + end
}

/// As many words in a row as wallets make of a seed, near behind `at`.
fn mnemonic(text: &str, at: usize) -> Option<Range<usize>> {
    let near = &text[at..text.floor_char_boundary(at + MAX_MNEMONIC_BYTES)];
    looked(near.len());
    let is_word = |word: &&str| {
        (3..=8).contains(&word.len())
            && word.bytes().all(|byte| byte.is_ascii_lowercase())
            && !is_one_of(word, &["the", "and", "for", "was", "not", "with", "has", "are", "but", "from"])
    };
    let words: Vec<&str> =
        near.split(|char: char| !char.is_ascii_alphabetic()).filter(|word| !word.is_empty()).collect();
    let first = words.windows(MIN_SEED_WORDS).position(|row| row.iter().all(is_word))?;
    let last = words[first..].iter().take_while(|word| is_word(word)).last()?;
    let offset = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
    Some(offset(words[first])..offset(last) + last.len())
}

/// The words in `clause`, without what encloses them.
fn pieces<'t>(text: &'t str, clause: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<'t> {
    let is_gap = |char: char| char.is_whitespace() || "\"'`<>()[]{},;|".contains(char);
    let start = clause.start;
    text[clause.clone()].split(is_gap).filter_map(move |word| {
        let from = word.as_ptr() as usize - text.as_ptr() as usize;
        let word = word.trim_end_matches(['.', ':', '?', '\\']);
        // Words of a language without spaces go on behind it.
        let end = if word.is_ascii() { None } else { word.find(is_wide) };
        let word = end.filter(|end| *end >= MIN_SAID).map_or(word, |end| &word[..end]);
        // `user/password`, `user:password`
        let (user, rest) = word.split_once([':', '/']).unwrap_or(("", word));
        // `val=…`
        let (user, rest) =
            word.split_once('=').filter(|(name, _)| is_one_of(name, OWN)).unwrap_or((user, rest));
        let is_user = !rest.contains([':', '/']) && is_of_one_case(user);
        let (from, word) = if is_user { (from + word.len() - rest.len(), rest) } else { (from, word) };
        (from >= start && word.len() >= MIN_SAID || word.len() > 2 && word.as_bytes()[0].is_ascii_digit())
            .then_some(from..from + word.len())
    })
}

/// A seed has 12 words, or up to 24, by BIP-39.
const MIN_SEED_WORDS: usize = 12;
const MAX_MNEMONIC_BYTES: usize = 256;

const MAX_CLAUSE_BYTES: usize = 96;

/// A shorter word may be there by chance.
const MIN_WORD: usize = 8;
const MIN_SAID: usize = 6;

/// A value that is said to be one is no further from its name.
const MAX_WORDS: usize = 7;

/// What stands before the name of somebody, or of a place.
#[rustfmt::skip]
const WHOSE: &[&str] = &[
    "user", "username", "login", "account", "host", "from", "on", "at", "by", "in", "via", "id", "server", "client", "device", "machine", "database", "role", "member", "version", "function", "method", "type", "class", "error", "module", "file", "line", "key", "field", "name", "column", "table", "property", "variable",
    "benutzer", "von", "bei", "utilisateur", "usuario", "utente", "gebruiker", "uzytkownik", "uzivatel", "пользователь", "користувач", "kullanici", "the", "a", "an",
];

/// Who logs in, in languages without spaces, or with other letters.
const USERS: &[&str] = &[
    "用户",
    "用戶",
    "使用者",
    "ユーザー",
    "사용자",
    "المستخدم",
    "χρηστης",
    "χρήστης",
    "пользователя",
    "користувача",
];

/// Verbs that stand behind a value that somebody set.
#[rustfmt::skip]
const SETTLED: &[&str] = &["gesetzt", "vergeben", "geandert", "zuruckgesetzt", "versucht", "gezet", "gewijzigd", "geprobeerd", "yapmis", "yapildi", "eingegeben", "eingetragen", "angegeben", "verwendet", "benutzt", "gewahlt", "kullandi", "ingevoerd", "gebruikt", "olarak", "degistirildi", "asetettu"];

/// What a value is called itself.
const OWN: &[&str] =
    &["value", "val", "raw", "plain", "plaintext", "given", "input", "entered", "actual", "expected"];

/// What a number counts.
#[rustfmt::skip]
const UNITS: &[&str] = &[
    "ms", "s", "sec", "secs", "seconds", "minutes", "min", "mins", "hours", "days", "times", "attempts", "tries", "digits", "bytes", "users", "codes", "requests", "characters", "chars", "km", "mm", "kb", "mb", "of", "mal", "versuche", "ziffern", "stellen", "fois", "chiffres", "veces", "cifre", "cyfr", "раз", "цифр",
];

/// What stands right before a value, in a sentence that begins with its name.
#[rustfmt::skip]
const LINKS: &[&str] = &[
    " [", " = ", " -> ", " to ", " as ", " changed from ", " auf ",
];

/// Behind these, what went wrong follows.
#[rustfmt::skip]
const FAILURES: &[&str] = &[
    "failed", "failure", "error", "invalid", "denied", "expired", "mismatch", "check", "rejected", "not", "wrong",
    "incorrect", "missing", "id", "hash", "policy", "file", "path", "version", "name",
];

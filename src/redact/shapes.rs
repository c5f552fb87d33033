//! Secrets that are known by what they look like.

use std::ops::Range;

use super::{
    looked,
    scan::{Found, MARK, is_run},
};

/// The first secret in `run`, or that begins with it.
pub(super) fn in_run(text: &str, run: &Range<usize>) -> Option<Found<'static>> {
    let bytes = text.as_bytes();
    let url = || user_info(text, run.end);
    let is_start = |at: &usize| *at == run.start || !bytes[at - 1].is_ascii_alphanumeric();
    let token = || {
        let long = run.len() >= SHORTEST_TOKEN || bytes.get(run.end) == Some(&b'/');
        run.clone().filter(|at| long && is_start(at)).find_map(|at| token(text, at))
    };
    let scheme = || {
        let range = scheme_token(text, run.start)?;
        let rule = if bytes[run.start].eq_ignore_ascii_case(&b'b') && run.len() == "basic".len() {
            "basic"
        } else {
            "bearer"
        };
        Some(Found { range, rule })
    };
    token().or_else(|| bot_token(text, run)).or_else(scheme).or_else(url)
}

/// What begins at `at` as an issuer's tokens do.
fn token(text: &str, at: usize) -> Option<Found<'static>> {
    let bytes = text.as_bytes();
    let rest = &text[at..];
    if rest.starts_with("eyJ") && at.checked_sub(1).is_none_or(|before| !is_base64(bytes[before])) {
        return Some(Found { range: at..at + jwt(rest)?, rule: "jwt" });
    }
    TOKENS.iter().find_map(|&(prefix, least, most, alphabet, rule)| {
        let body = rest.strip_prefix(prefix)?;
        let length = body.bytes().take(most + 1).take_while(|byte| alphabet.has(*byte)).count();
        looked(length);
        let body = body.get(..length).filter(|_| (least..=most).contains(&length))?;
        // `sk-` begins names, too.
        let mixed = body.bytes().any(|byte| byte.is_ascii_digit())
            && body.bytes().any(|byte| byte.is_ascii_uppercase());
        let end = at + prefix.len() + length;
        let is_token = (prefix != "sk-" || mixed) && !bytes.get(end).is_some_and(u8::is_ascii_alphanumeric);
        is_token.then_some(Found { range: at..end, rule })
    })
}

/// The length of the JSON Web Token that `text` begins with.
fn jwt(text: &str) -> Option<usize> {
    let part = |from: usize| {
        let length = text.bytes().skip(from).take_while(|byte| is_base64(*byte)).count();
        looked(length);
        length
    };
    let mut end = part(0);
    let mut parts = 1;
    while text.as_bytes().get(end) == Some(&b'.') && parts < MOST_JWT_PARTS {
        let length = part(end + 1);
        let is_claims = text[end + 1..].starts_with("eyJ") || length >= 16;
        if parts == 1 && !is_claims {
            return None;
        }
        end += 1 + length;
        parts += 1;
    }
    (parts > 1).then_some(end)
}

/// The token of a Telegram bot, the first half of which ends `run`.
fn bot_token(text: &str, run: &Range<usize>) -> Option<Found<'static>> {
    let body = text[run.end..].strip_prefix(":AA")?;
    let length = body.bytes().take(40).take_while(|byte| is_base64(*byte)).count();
    let digits = text[run.clone()].bytes().rev().take_while(u8::is_ascii_digit).count();
    let is_token = (30..=36).contains(&length) && (6..=12).contains(&digits);
    is_token.then_some(Found { range: run.end - digits..run.end + ":AA".len() + length, rule: "telegram" })
}

/// The credentials behind the name of the scheme, `Bearer` or `Basic`, at `at`.
pub(super) fn scheme_token(text: &str, at: usize) -> Option<Range<usize>> {
    let after = |name: &str| {
        let found = text.get(at..at + name.len())?;
        found.eq_ignore_ascii_case(name).then(|| &text[at + name.len()..])?.strip_prefix(' ')
    };
    let basic = after("basic");
    let rest = basic.or_else(|| after("bearer"))?;
    let token = rest.trim_start_matches(' ');
    let is_body = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
    let body = token.bytes().take_while(is_body).count();
    looked(rest.len() - token.len() + body);
    let padding = token.bytes().skip(body).take(3).take_while(|byte| *byte == b'=').count();
    let length = body + padding;
    let is_parameter = padding > 0
        && !token[length..].is_empty()
        && !token[length..].starts_with([' ', '"', '\'', '\n', ',', ')', '\\']);
    let has = |of: fn(&u8) -> bool| token.bytes().take(body).skip(1).any(|byte| of(&byte));
    let is_secret = if basic.is_some() {
        let mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
        body >= 6 && length % 4 == 0 && (padding > 0 || mixed || has(u8::is_ascii_digit))
    } else {
        body >= 20 || body >= 8 && has(u8::is_ascii_digit)
    };
    let start = text.len() - token.len();
    (is_secret && !is_parameter).then_some(start..start + length)
}

/// The password in a URL, the scheme of which ends at `end`; or its user, if
/// that looks like a token.
fn user_info(text: &str, end: usize) -> Option<Found<'static>> {
    let rest = text[end..].strip_prefix("://")?;
    let start = text.len() - rest.len();
    let is_http = text[..end].ends_with("http") || text[..end].ends_with("https");
    let rest = &rest[..rest.floor_char_boundary(MOST_URL_BYTES)];
    let length =
        rest.find(|char: char| char.is_whitespace() || "\"'`<>\\".contains(char)).unwrap_or(rest.len());
    looked(length);
    let whole = &rest[..length];
    let path = whole.split(['?', '#']).next().unwrap_or_default();
    let authority = path.split('/').next().unwrap_or_default();
    let has_no_port =
        authority.rsplit_once(':').is_some_and(|(_, port)| port.bytes().any(|byte| !byte.is_ascii_digit()));
    let user_info = match authority {
        host if host.starts_with('[') => return None,
        authority if authority.contains('@') => {
            if is_http {
                authority
            } else {
                path
            }
        }
        // What should be encoded in a password, and is not, ends the host too soon.
        _ if has_no_port => whole,
        _ => return None,
    };
    let (user_info, _) = user_info.rsplit_once('@').filter(|(user_info, _)| !user_info.contains(MARK))?;
    match user_info.split_once(':') {
        Some((_, "")) => None,
        Some((user, password)) => {
            let at = start + user.len() + 1;
            Some(Found { range: at..at + password.len(), rule: "password" })
        }
        None => {
            let is_token =
                user_info.len() >= SHORTEST_TOKEN && user_info.bytes().any(|byte| byte.is_ascii_digit());
            let is_plain = user_info.bytes().all(is_run);
            (is_token && is_plain).then_some(Found { range: start..start + user_info.len(), rule: "token" })
        }
    }
}

/// The private key whose PEM block begins at `at`; one that is cut ends with
/// the text.
pub(super) fn private_key(text: &str, at: usize) -> Option<Found<'static>> {
    const END: &str = "-----END";
    let label = text[at..].strip_prefix("-----BEGIN ")?;
    let label_end = label.bytes().take(40).position(|byte| byte == b'-')?;
    label[..label_end].contains("PRIVATE KEY").then_some(())?;
    let end = label.find(END).map(|end| end + END.len());
    let end = end.and_then(|end| Some(end + label[end..].find("-----")? + "-----".len()));
    let start = text.len() - label.len();
    Some(Found { range: at..start + end.unwrap_or(label.len()), rule: "private_key" })
}

/// The letters of base64 in URLs.
fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

#[derive(Clone, Copy)]
enum Alphabet {
    Upper,
    Hex,
    Alnum,
    Base64,
    Path,
}

impl Alphabet {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase(),
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Base64 => is_base64(byte),
            Self::Path => is_base64(byte) || matches!(byte, b'.' | b'=' | b'/'),
        }
    }
}

use Alphabet::{Alnum, Base64, Hex, Path, Upper};

/// How issuers' tokens begin, how many characters follow at the least and at
/// the most, which, and the rule's name.
#[rustfmt::skip]
const TOKENS: [(&str, usize, usize, Alphabet, &str); 61] = [
    ("AKIA", 16, 16, Upper, "aws"), ("ASIA", 16, 16, Upper, "aws"), ("ABIA", 16, 16, Upper, "aws"), ("ACCA", 16, 16, Upper, "aws"),
    ("AIza", 35, 35, Base64, "google"), ("ya29.", 20, MOST, Path, "google"), ("GOCSPX-", 20, MOST, Base64, "google"),
    ("ghp_", 30, MOST, Alnum, "github"), ("gho_", 30, MOST, Alnum, "github"), ("ghu_", 30, MOST, Alnum, "github"),
    ("ghs_", 30, MOST, Path, "github"), ("ghr_", 30, MOST, Alnum, "github"), ("github_pat_", 22, MOST, Base64, "github"),
    ("glpat-", 20, MOST, Path, "gitlab"), ("gldt-", 20, MOST, Base64, "gitlab"), ("glrt-", 20, MOST, Path, "gitlab"),
    ("glcbt-", 20, MOST, Base64, "gitlab"), ("glptt-", 20, MOST, Base64, "gitlab"), ("glsoat-", 20, MOST, Base64, "gitlab"),
    ("xoxb-", 20, MOST, Base64, "slack"), ("xoxp-", 20, MOST, Base64, "slack"), ("xoxa-", 20, MOST, Base64, "slack"),
    ("xoxr-", 20, MOST, Base64, "slack"), ("xoxs-", 20, MOST, Base64, "slack"), ("xoxe-", 20, MOST, Base64, "slack"),
    ("xapp-", 20, MOST, Base64, "slack"), ("hooks.slack.com/services/", 20, MOST, Path, "slack"),
    ("discord.com/api/webhooks/", 40, MOST, Path, "discord"), ("discordapp.com/api/webhooks/", 40, MOST, Path, "discord"),
    ("sk_live_", 16, MOST, Alnum, "stripe"), ("sk_test_", 16, MOST, Alnum, "stripe"), ("rk_live_", 16, MOST, Alnum, "stripe"),
    ("rk_test_", 16, MOST, Alnum, "stripe"), ("whsec_", 20, MOST, Path, "stripe"),
    ("SK", 32, 32, Hex, "twilio"), ("SG.", 40, MOST, Path, "sendgrid"), ("key-", 32, 32, Hex, "mailgun"),
    ("sk-", 20, 200, Base64, "api_key"), ("gsk_", 40, MOST, Alnum, "api_key"), ("xai-", 40, MOST, Alnum, "api_key"),
    ("npm_", 36, 36, Alnum, "npm"), ("cio", 32, 32, Alnum, "crates_io"), ("pypi-", 50, MOST, Base64, "pypi"),
    ("dckr_pat_", 20, MOST, Base64, "docker"), ("hf_", 30, MOST, Alnum, "hugging_face"),
    ("shpat_", 32, 32, Hex, "shopify"), ("shpss_", 32, 32, Hex, "shopify"), ("shpca_", 32, 32, Hex, "shopify"),
    ("dop_v1_", 64, 64, Hex, "digitalocean"), ("doo_v1_", 64, 64, Hex, "digitalocean"), ("dor_v1_", 64, 64, Hex, "digitalocean"),
    ("hvs.", 20, MOST, Base64, "vault"), ("hvb.", 20, MOST, Base64, "vault"), ("dapi", 32, 32, Hex, "databricks"),
    ("lin_api_", 32, MOST, Alnum, "linear"), ("glsa_", 32, MOST, Base64, "grafana"), ("glc_", 32, MOST, Path, "grafana"),
    ("ATATT3", 40, MOST, Path, "atlassian"), ("sq0atp-", 22, 22, Base64, "square"), ("sq0csp-", 43, 43, Base64, "square"),
    ("AGE-SECRET-KEY-1", 58, 58, Upper, "age"),
];

/// Longer than any text.
const MOST: usize = usize::MAX - 1;

/// No token of an issuer is shorter, nor the name of a host that has one behind.
const SHORTEST_TOKEN: usize = 11;

/// So far is looked for the end of a URL's password.
const MOST_URL_BYTES: usize = 1024;

/// An encrypted one has five.
const MOST_JWT_PARTS: usize = 5;

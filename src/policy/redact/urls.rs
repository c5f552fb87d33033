//! Secrets that an address holds: the password of a user, with or without a scheme
//! before, and what a query calls by a name that says little elsewhere.
//!
//! Invariant: how far is looked for the end of an address is bounded.

use std::ops::Range;

use super::{
    chance,
    clean::{Found, MARK},
    keys::is_one_of,
    look::{self, is_mixed},
    looked,
};

/// The secret of the address whose first name is `run`.
pub(super) fn first(text: &str, run: &Range<usize>, end: usize) -> Option<Found<'static>> {
    let rest = &text[run.end..];
    let found = match rest.as_bytes().first()? {
        b':' if rest.starts_with("://") => return user_info(text, run.end, end),
        b' ' => login(text, run),
        b':' => without_scheme(text, run).or_else(|| record(text, run)).or_else(|| login(text, run)),
        b'/' => {
            return oracle(text, run)
                .map(|range| Found { range, rule: "password" })
                .or_else(|| in_path(text, run));
        }
        b'@' => record(text, run),
        b'=' => return query(text, run),
        b'\\' => sasl(text, run),
        _ => None,
    };
    Some(Found { range: found?, rule: "password" })
}

/// The address at `at`, up to white space or a quote.
fn address(text: &str, at: usize) -> &str {
    within(text, at, MAX_URL_BYTES)
}

/// The same of a login, which is shorter: there is no scheme to say that it is one, so
/// it is looked for behind many a name.
fn short_address(text: &str, at: usize) -> &str {
    within(text, at, MAX_PATH_BYTES)
}

fn within(text: &str, at: usize, most: usize) -> &str {
    let rest = &text[at..text.floor_char_boundary(at + most)];
    let length =
        rest.find(|char: char| char.is_whitespace() || "\"'`<>\\".contains(char)).unwrap_or(rest.len());
    looked(length);
    &rest[..length]
}

/// The password in a URL, the scheme of which ends at `end`; or its user, if
/// that looks like a token.
fn user_info(text: &str, scheme: usize, end: usize) -> Option<Found<'static>> {
    let start = scheme + "://".len();
    let is_http = text[..scheme].ends_with("http") || text[..scheme].ends_with("https");
    let whole = address(text, start);
    let path = whole.split(['?', '#']).next().unwrap_or_default();
    let authority = path.split('/').next().unwrap_or_default();
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    let has_no_port = port.is_some_and(|port| port.bytes().any(|byte| !byte.is_ascii_digit()));
    let is_cut = start + whole.len() >= end;
    let user_info = match authority {
        host if host.starts_with('[') => return None,
        // What should be encoded in a password, and is not, ends the host too soon.
        authority if authority.contains('@') => {
            let rest = whole.rsplit_once('@').filter(|(_, host)| is_host(host) && !is_http);
            rest.map_or(if is_http { authority } else { path }, |_| whole)
        }
        _ if has_no_port && whole.contains('@') => whole,
        _ if has_no_port && is_cut => {
            let (user, _) = authority.split_once(':')?;
            return Some(Found { range: start + user.len() + 1..end, rule: "password" });
        }
        _ if has_no_port => spaced(text, start, whole)?,
        _ => return None,
    };
    let (user_info, _) = user_info.rsplit_once('@').filter(|(user_info, _)| !user_info.contains(MARK))?;
    let is_token = |text: &str| look::looks_random(text) && text.len() >= 20;
    match user_info.split_once(':') {
        Some((user, password)) if is_token(user) && (password.len() < 3 || password == "x-oauth-basic") => {
            Some(Found { range: start..start + user.len(), rule: "token" })
        }
        Some((_, password))
            if password.is_empty()
                || look::is_masked(password)
                || password.starts_with(['$', '{', '<'])
                || password == "%s"
                || look::is_named(password) && !password.bytes().any(|byte| byte.is_ascii_lowercase()) =>
        {
            None
        }
        Some((user, password)) => {
            let at = start + user.len() + 1;
            // Who has a number for a name lets nobody else know it.
            let from = if is_token(user) { start } else { at };
            Some(Found { range: from..at + password.len(), rule: "password" })
        }
        None => {
            let is_token =
                user_info.len() >= MIN_TOKEN && user_info.bytes().any(|byte| byte.is_ascii_digit());
            let is_plain =
                user_info.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
            (is_token && is_plain).then_some(Found { range: start..start + user_info.len(), rule: "token" })
        }
    }
}

/// As far as the `@` of a password that has spaces.
fn spaced<'a>(text: &'a str, start: usize, whole: &str) -> Option<&'a str> {
    let near = &text[start..text.floor_char_boundary(start + whole.len() + 64)];
    let at = near.lines().next().unwrap_or_default().find('@')?;
    let gap = &near[whole.len()..at.max(whole.len())];
    let is_text =
        gap.len() <= 32 && !gap.contains(['"', '\'', '`', ',', '<', '>', '(']) && !gap.contains("://");
    (is_text && is_host(near[at + 1..].split([' ', '/', '?', '"', '\'', ')']).next()?))
        .then(|| &near[..at + 1 + near[at + 1..].find(' ').unwrap_or(near.len() - at - 1)])
}

fn is_host(text: &str) -> bool {
    let host = text.split([':', '/', '?']).next().unwrap_or_default();
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_[],".contains(&byte))
}

/// `user:password@host:port`, `user:password@tcp(host)/`.
fn without_scheme(text: &str, run: &Range<usize>) -> Option<Range<usize>> {
    let before = text[..run.start].bytes().next_back();
    let is_call = text[..run.start].ends_with("sip:") || text[..run.start].ends_with("sips:");
    if !is_call && before.is_some_and(|byte| b"/@:.%".contains(&byte))
        || is_one_of(
            &text[run.clone()],
            &[
                "mailto", "sip", "sips", "xmpp", "acct", "tel", "im", "uid", "id", "cid", "mid", "from",
                "to", "cc",
            ],
        )
    {
        return None;
    }
    let start = run.end + 1;
    let whole = short_address(text, start);
    let (password, host) = whole.rsplit_once('@')?;
    let (name, after) = host.split_at(host.find([':', '/', '(']).unwrap_or(host.len()));
    let is_server = after.starts_with('(') && is_one_of(name, &["tcp", "unix"])
        || after.starts_with(':') && after[1..].starts_with(|char: char| char.is_ascii_digit())
        || (after.starts_with('/') || chance::is_chosen(password)) && is_mixed(password);
    let is_password = !password.is_empty()
        && !password.starts_with("//")
        && !look::is_masked(password)
        && !password.starts_with(['$', '{', '<', '[']);
    ((is_server || is_call) && is_host(name) && is_password).then_some(start..start + password.len())
}

/// The part of a path that lets in whoever knows it: `…/hooks/…`, `…/reset/…`.
fn in_path(text: &str, run: &Range<usize>) -> Option<Found<'static>> {
    let from = text.ceil_char_boundary(run.start.saturating_sub(MAX_PATH_BYTES));
    let near = &text[from..run.start];
    let name = &text[run.clone()];
    let is_url = near.rfind("://").is_some_and(|at| !near[at..].contains(char::is_whitespace));
    let is_it = near.ends_with('/')
        && (is_url || near.starts_with('/') || near.contains(" /"))
        && (is_one_of(name, PATHS)
            || name.split(['-', '_']).any(|part| is_one_of(part.trim_end_matches('s'), LINKS)));
    looked(near.len().min(name.len()));
    is_it.then_some(())?;
    let whole = address(text, run.end + 1).split(['?', '#', '&', ')', ',']).next().unwrap_or_default();
    let part = whole.split('/').take(MAX_PARTS).find(|part| is_path_secret(part))?;
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    Some(Found { range: start..start + part.len(), rule: "token" })
}

fn is_path_secret(part: &str) -> bool {
    let part = part.rsplit_once("private-").map_or(part, |(_, part)| part);
    part.len() >= MIN_PART && look::looks_random(part)
}

/// For what a link is that is for one person.
#[rustfmt::skip]
const LINKS: &[&str] = &[
    "verify", "invite", "reset", "magic", "confirm", "unsubscribe", "share", "calendar", "hook", "webhook", "activate",
];

/// Behind which a path has a secret.
#[rustfmt::skip]
const PATHS: &[&str] = &[
    "hooks", "hook", "webhook", "webhooks", "webhookb2", "heartbeat", "key", "keys", "ical", "private", "published", "live2", "token", "tokens", "invite", "invitation", "invitations", "reset", "reset-password", "password-reset", "verify", "confirm",
    "confirmation", "magic", "magic-link", "unsubscribe", "share", "shared", "activate", "activation", "login", "sso", "signup", "services", "trigger", "catch", "oauth", "callback", "secret", "s", "feed", "rss", "calendar", "join", "accept", "recover", "set-password", "apikey", "api-key", "passwords", "password", "auth", "bot", "integration", "in", "ping",
];

/// The password behind a user's name with zeros before and between, as SASL's PLAIN has it.
fn sasl(text: &str, run: &Range<usize>) -> Option<Range<usize>> {
    let (name, rest) = (&text[run.clone()], &text[run.end..]);
    let zero = ["0", "x00", "u0000"].iter().find(|zero| name.starts_with(**zero))?;
    if !text[..run.start].ends_with('\\') || !rest[1..].starts_with(zero) {
        return None;
    }
    let start = run.end + 1 + zero.len();
    let value = short_address(text, start).split([',', ')']).next()?;
    (value.len() > 2 && !look::is_masked(value)).then_some(start..start + value.len())
}

/// Oracle's `user/password@//host`.
fn oracle(text: &str, run: &Range<usize>) -> Option<Range<usize>> {
    let start = run.end + 1;
    let near = &text[start..text.floor_char_boundary(start + 64)];
    let length =
        near.find(|char: char| char.is_whitespace() || "\"'`<>\\/".contains(char)).unwrap_or(near.len());
    looked(length);
    let whole = &near[..length];
    let password = match whole.split_once('@') {
        Some((password, _)) => password,
        None if text[..run.start].ends_with("userid=") => whole,
        None => return None,
    };
    let before = text[..run.start].trim_end_matches(['"', '\'', ' ']);
    let is_named = ["thin:", "oci:", "sqlplus", "connect", "rman target", "expdp", "impdp", "userid="]
        .iter()
        .any(|name| before.ends_with(name));
    let is_oracle =
        is_named || near[password.len()..].starts_with("@//") || near[password.len()..].contains(":1521");
    (is_oracle && !password.is_empty() && !look::is_masked(password)).then_some(start..start + password.len())
}

/// The last field of a line of `.pgpass`, or what follows a mail address in a list
/// of those with passwords.
fn record(text: &str, run: &Range<usize>) -> Option<Range<usize>> {
    if text[..run.start].ends_with(['/', ':', '@']) {
        return None;
    }
    let whole = short_address(text, run.start);
    let fields: Vec<_> = whole.splitn(5, ':').collect();
    let password = match fields[..] {
        [_, port, _, _, password]
            if !port.is_empty() && (port == "*" || port.bytes().all(|byte| byte.is_ascii_digit())) =>
        {
            password
        }
        [mail, password, ..]
            if mail.contains('@') && mail.contains('.') && fields.len() == 2 && !password.contains('/') =>
        {
            password
        }
        _ => return None,
    };
    let password = password.trim_end_matches([',', ';', ')', '.']);
    let start = run.start + whole.len() - fields.last()?.len();
    (is_mixed(password) && !look::is_masked(password)).then_some(start..start + password.len())
}

/// The password behind a user's name, where a word near by says that it is one:
/// `--auth ann:…`, `log in with ann / …`.
fn login(text: &str, run: &Range<usize>) -> Option<Range<usize>> {
    let rest = &text[run.end..];
    let link = [":", " / ", " : ", ":'"].iter().rev().find(|link| rest.starts_with(**link))?;
    let is_user = |byte: u8| byte.is_ascii_lowercase() || b"._-@0123456789".contains(&byte);
    let name = &text[run.clone()];
    let is_assigned = |before: &str| {
        let name = before.rsplit(|char: char| !char.is_ascii_alphanumeric()).next();
        !name.is_some_and(|name| is_one_of(name, LOGINS))
    };
    let is_account = is_one_of(name, ACCOUNTS);
    if !is_account && !name.bytes().all(is_user)
        || !name.bytes().any(|byte| byte.is_ascii_lowercase())
        || look::is_algorithm(name)
        || text[..run.start].ends_with(['/', ':', '@', '.'])
        || text[..run.start].strip_suffix('=').is_some_and(is_assigned)
    {
        return None;
    }
    let start = run.end + link.len();
    let value = short_address(text, start).trim_end_matches([',', ';', ')', '.']);
    if !is_mixed(value) && !look::is_joined(value) {
        return None;
    }
    let from = text.ceil_char_boundary(run.start.saturating_sub(MAX_LOGIN_BYTES));
    let before = text[from..run.start].rsplit('\n').next().unwrap_or_default();
    let after = &text[start + value.len()..text.floor_char_boundary(start + value.len() + MAX_LOGIN_BYTES)];
    looked(2 * MAX_LOGIN_BYTES);
    let tells =
        |line: &str| line.split(|char: char| !char.is_alphanumeric()).any(|word| is_one_of(word, LOGINS));
    let is_login = is_account || [" -a ", " -u ", "user ", "login "].iter().any(|it| before.ends_with(it));
    let tells = |line: &str| is_login || is_mixed(value) && tells(line);
    let is_it = value.bytes().any(|byte| byte.is_ascii_alphabetic())
        && !look::is_masked(value)
        && !value.contains(['/', '=', '@'])
        && (tells(before) || tells(after.split('\n').next().unwrap_or_default()));
    is_it.then_some(start..start + value.len())
}

/// What says that a user and a password follow, or came before.
#[rustfmt::skip]
const LOGINS: &[&str] = &[
    "auth", "cred", "wlan", "wifi", "creds", "credentials", "log", "login", "password", "zugangsdaten", "secrets", "basic", "user", "userid", "identifiants", "credenciales",
    "credenziali", "logge", "token",
];
/// Who has an account on many a machine.
const ACCOUNTS: &[&str] = &[
    "admin",
    "administrator",
    "root",
    "guest",
    "editor",
    "viewer",
    "operator",
    "super",
    "superuser",
    "supervisor",
    "postgres",
    "sa",
    "demo",
];
const MAX_LOGIN_BYTES: usize = 48;

/// The parameter of a query whose name is `run`, if it is one that holds a secret
/// there and looks the part.
fn query(text: &str, run: &Range<usize>) -> Option<Found<'static>> {
    let rule = QUERY.iter().find(|(name, _)| name.eq_ignore_ascii_case(&text[run.clone()]))?.1;
    text[..run.start].bytes().next_back().filter(|before| b"?&#;".contains(before))?;
    let start = run.end + 1;
    let value = address(text, start).split(['&', ';', '#', ')', ',', '}']).next().unwrap_or_default();
    let has = |is: fn(&u8) -> bool| value.bytes().any(|byte| is(&byte));
    let is_random = look::is_dense(value)
        || look::looks_random(value) && !value.contains('-')
        || has(u8::is_ascii_uppercase) && is_mixed(value) && value.len() >= MIN_PARAMETER;
    let is_password = rule == "password" && is_mixed(value);
    let is_it = !value.contains("%7B") && (is_random || is_password);
    (is_it && (!value.contains('/') || value.len() >= 40 || look::is_dense(value)))
        .then_some(Found { range: start..start + value.len(), rule })
}

/// What a query calls a secret, and the rule.
#[rustfmt::skip]
const QUERY: &[(&str, &str)] = &[
    ("p", "password"), ("c", "auth"), ("g-recaptcha-response", "token"), ("data", "token"), ("u", "token"),
    ("key", "api_key"), ("k", "api_key"), ("code", "auth"), ("sig", "signature"), ("s", "signature"), ("hash", "signature"), ("mac", "signature"), ("hmac", "signature"),
    ("ticket", "token"), ("t", "token"), ("tk", "token"), ("tkn", "token"), ("st", "token"), ("sid", "session"), ("phpsessid", "session"), ("apikey", "api_key"), ("appid", "api_key"),
    ("invite", "token"), ("reset", "token"), ("confirm", "token"), ("confirmation", "token"), ("otp", "otp"), ("assertion", "token"),
    ("code_verifier", "secret"), ("subscription-key", "api_key"), ("unsubscribe", "token"), ("magic", "token"), ("verify", "token"),
];

/// No token of an issuer is shorter, nor the name of a host that has one behind.
const MIN_TOKEN: usize = 11;

const MIN_PARAMETER: usize = 10;

/// A shorter part of a path is the name of something.
const MIN_PART: usize = 16;

/// How far behind the word that says so, and how far before it an address begins.
const MAX_PARTS: usize = 4;
const MAX_PATH_BYTES: usize = 256;

/// So far is looked for the end of a URL's password.
const MAX_URL_BYTES: usize = 1024;

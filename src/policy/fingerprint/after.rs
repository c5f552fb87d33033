//! What a word says about the value that follows it.
//!
//! Invariant: pure.

use super::vocabulary;

/// What the last word makes of what comes next.
#[derive(Clone, Copy, Default)]
pub(super) struct After {
    pub(super) code: Code,
    /// A text in quotation marks is what somebody is called, or gave.
    pub(super) is_given: bool,
    /// It was counted by a number.
    pub(super) is_counted: bool,
}

/// Whether a number says what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Code {
    #[default]
    No,
    /// As after `status`, whatever stands between.
    Yes,
    /// As in `os error 13`, but not in `Error: 13 jobs failed`.
    Adjacent,
    /// As in `returned 503`, if it is an HTTP status of an error.
    Status,
    /// As in `exited with 1`.
    Exit,
    /// As in `bounced: 550` and `rejected: R03`, once a colon came.
    Refused,
    /// The colon came.
    Refusal,
}

impl After {
    /// What is left of it behind `separator`.
    pub(super) fn behind(self, separator: Option<char>) -> Self {
        let code = match (separator, self.code) {
            (Some(':'), Code::Refused) => Code::Refusal,
            (Some(':'), Code::Adjacent) => Code::Status,
            (Some('"' | '\'' | '\\' | '/'), Code::Adjacent) => Code::No,
            (_, code) => code,
        };
        match separator {
            Some(' ' | '[') => Self { code, ..self },
            Some(':' | '=' | '(' | '"' | '\'' | '\\' | '#' | '-' | '/') => {
                Self { code, is_given: self.is_given && separator != Some(':'), is_counted: false }
            }
            _ => Self::default(),
        }
    }
}

/// Whether `value` is a code that says what happened.
pub(super) fn is_code(code: Code, value: &str) -> bool {
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    let is_status = is_number && value.len() == 3 && matches!(value.as_bytes()[0], b'4' | b'5');
    match code {
        Code::No | Code::Refused => is_error_number(value),
        Code::Yes | Code::Adjacent if is_number => value.len() <= 5,
        Code::Yes | Code::Adjacent => {
            let is_upper = value.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
            let hex = value.strip_prefix("0x").or_else(|| value.strip_prefix("0X"));
            let is_hex = |digits: &str| digits.len() <= 8 && digits.bytes().all(|it| it.is_ascii_hexdigit());
            (is_upper && value.len() <= 10) || hex.is_some_and(is_hex)
        }
        Code::Exit => is_status || is_error_number(value) || (is_number && value.len() <= 3),
        Code::Status => is_status || is_error_number(value),
        Code::Refusal => is_status || is_error_number(value) || is_short_code(value),
    }
}

/// As `E0308`.
fn is_error_number(value: &str) -> bool {
    let digits = value.strip_prefix('E').unwrap_or_default();
    (2..=5).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// As `R03`.
fn is_short_code(value: &str) -> bool {
    let digits = value.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let letters = value.len() - digits.len();
    (1..=3).contains(&letters)
        && (2..=4).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// What `word` makes of the value after it.
pub(super) fn after(word: &str) -> After {
    let lower = word.to_ascii_lowercase();
    let last = lower.rsplit('_').next().unwrap_or_default();
    let code = match last {
        "code" | "status" | "errno" | "sqlstate" | "exit" | "signal" | "http" | "ora" | "rc" | "retcode"
        | "exitcode" | "errcode" | "hresult" | "ntstatus" => Code::Yes,
        "error" | "err" | "alert" => Code::Adjacent,
        "returned" | "responded" | "response" | "answered" | "replied" | "got" | "with" | "received"
        | "gave" | "sent" => Code::Status,
        "exited" | "terminated" | "exits" | "quit" => Code::Exit,
        _ if word.ends_with("Code") || word.ends_with("Status") => Code::Yes,
        _ if last.ends_with("ed") => Code::Refused,
        _ => Code::No,
    };
    let is_given = vocabulary::is_who(&lower)
        || matches!(last, "entry" | "parse" | "parsing" | "value" | "string" | "literal" | "str");
    After { code, is_given, is_counted: false }
}

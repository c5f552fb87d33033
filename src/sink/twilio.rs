//! [`TwilioSink`]: SMS by the "Programmable Messaging API" of Twilio.
//!
//! Runs on the alert thread. Invariant: one message per attempt at most, and no
//! credential, account or number in an error or a `Debug`.

use std::{fmt, ops::RangeInclusive, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use reqwest::StatusCode;
use serde_json::Value;

use super::{
    Accepted, Fate, Message, Receipt, Sink,
    address::{is_phone_number, mask_phone, phone_number},
    http::{self, Answer, Class, Connection, Http, Names, connection_setters},
    reason::Scrub,
};
use crate::{error::Problem, host::secret::Secret, policy::send_error::SendError};

mod codes;
#[cfg(feature = "cli")]
mod doctor;
mod fates;
mod lookup;

/// How many digits a short code has.
const SHORT_CODE_DIGITS: RangeInclusive<usize> = 3..=8;

/// The longest alphanumeric sender id.
const MAX_SENDER_ID: usize = 11;

/// Seconds for which Twilio may hold a message back. It advises more than five;
/// its API's reference names a higher end than the page of error 90007, whose four
/// hours both take.
const VALIDITY_SECS: RangeInclusive<u64> = 6..=14_400;

const NAMES: Names = Names {
    base_url: "TWILIO_BASE_URL",
    default: TwilioSink::DEFAULT_BASE_URL,
    api: ["2010-04-01", "Accounts"],
};

/// Sends SMS through Twilio. It needs credentials and a sender, which is
/// a [number](Self::sender_number) or
/// a [Messaging Service](Self::messaging_service_sid).
///
/// ```
/// use tracing_alert::TwilioSink;
///
/// let sink = TwilioSink::new("AC0123456789abcdef0123456789abcdef", "the auth token")
///     .sender_number("+15550006677");
/// assert!(!format!("{sink:?}").contains("token"));
/// ```
///
/// Twilio has no idempotency key. If the answer to an attempt got lost, the next one
/// first searches the recipient's latest messages for it. If it may not search, as
/// with a restricted API key, or the search fails, it sends: the message may arrive
/// twice. Accepted does not mean delivered: Twilio is asked what became of each
/// message, after 5 s, 30 s, 2 min, 10 min and 1 h.
pub struct TwilioSink {
    name: &'static str,
    account_sid: String,
    login: Login,
    /// What the login is in a header, but for the padding at its end.
    encoded_login: Secret,
    sender_number: Option<String>,
    messaging_service_sid: Option<String>,
    http: Http,
}

/// The two ways to authenticate ("Requests to Twilio" of its documentation).
enum Login {
    AuthToken(Secret),
    ApiKey { sid: Secret, secret: Secret },
}

impl Login {
    fn user_and_password<'a>(&'a self, account_sid: &'a str) -> (&'a str, &'a str) {
        match self {
            Self::AuthToken(token) => (account_sid, token.expose()),
            Self::ApiKey { sid, secret } => (sid.expose(), secret.expose()),
        }
    }
}

impl TwilioSink {
    /// What it is called, unless it is [named](Self::named).
    pub(crate) const NAME: &'static str = "twilio";

    /// Twilio's public host.
    pub const DEFAULT_BASE_URL: &str = "https://api.twilio.com";

    /// A sink that authenticates with the account's auth token.
    pub fn new(account_sid: impl Into<String>, auth_token: impl Into<String>) -> Self {
        Self::with_login(account_sid.into(), Login::AuthToken(Secret::new(auth_token)))
    }

    /// A sink that authenticates with an API key of the account. Twilio advises that
    /// for production, because a key can be revoked by itself.
    pub fn with_api_key(
        account_sid: impl Into<String>,
        key_sid: impl Into<String>,
        key_secret: impl Into<String>,
    ) -> Self {
        let login = Login::ApiKey { sid: Secret::new(key_sid), secret: Secret::new(key_secret) };
        Self::with_login(account_sid.into(), login)
    }

    fn with_login(account_sid: String, login: Login) -> Self {
        let (user, password) = login.user_and_password(&account_sid);
        let encoded_login = Secret::new(BASE64_STANDARD_NO_PAD.encode(format!("{user}:{password}")));
        Self {
            name: Self::NAME,
            account_sid,
            login,
            encoded_login,
            sender_number: None,
            messaging_service_sid: None,
            http: Http::new("Twilio", Connection::new(Self::DEFAULT_BASE_URL)),
        }
    }

    /// The same under another name: for two accounts in one program, each with
    /// [recipients](crate::Recipients) of its own. The name is stored with what is to be
    /// sent, so it has to stay the same. Default: `twilio`.
    #[must_use]
    pub fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// The sender: a number of the account with its country code, a short code, or
    /// an alphanumeric id. Spaces, dashes, dots and brackets in a number do not
    /// matter.
    #[must_use]
    pub fn sender_number(mut self, number: impl Into<String>) -> Self {
        let given = number.into();
        self.sender_number = Some(phone_number(&given).unwrap_or(given));
        self
    }

    /// The Messaging Service that picks the sender. If a
    /// [`sender_number`](Self::sender_number) is set too, it uses that one of its pool.
    #[must_use]
    pub fn messaging_service_sid(mut self, sid: impl Into<String>) -> Self {
        self.messaging_service_sid = Some(sid.into());
        self
    }

    connection_setters!("Twilio");

    /// All that can be known to be wrong without asking Twilio.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut check = |is_good: bool, setting: &str, what: &str, mend: &str| {
            if !is_good {
                problems.push(Problem::new(setting, format!("{what}, so SMS is off"), mend));
            }
        };
        check(
            is_sid(&self.account_sid, "AC"),
            "TWILIO_ACCOUNT_SID",
            "is not an account SID",
            "give the 34 characters from AC on that the Twilio Console shows",
        );
        match &self.login {
            Login::AuthToken(token) => check(
                http::is_credential(token),
                "TWILIO_AUTH_TOKEN",
                "is blank or has a character that no token has",
                "give the token that the Twilio Console shows, or an API key",
            ),
            Login::ApiKey { sid, secret } => {
                check(
                    is_sid(sid.expose(), "SK"),
                    "TWILIO_API_KEY",
                    "is not the SID of an API key",
                    "give the 34 characters from SK on",
                );
                check(
                    http::is_credential(secret),
                    "TWILIO_API_KEY_SECRET",
                    "is blank or has a character that no secret has",
                    "give the secret that Twilio showed when the key was made",
                );
            }
        }
        check(
            self.sender_number.is_some() || self.messaging_service_sid.is_some(),
            "TWILIO_SENDER_NUMBER",
            "is missing",
            "give a number of the account, or set TWILIO_MESSAGING_SERVICE_SID",
        );
        let sender = self.sender_number.as_deref().filter(|sender| !is_sender(sender));
        check(
            sender.is_none(),
            "TWILIO_SENDER_NUMBER",
            &sender.map(sender_fault).unwrap_or_default(),
            "give a number from the + on, a short code, or an id of up to 11 letters and digits",
        );
        check(
            self.messaging_service_sid.as_deref().is_none_or(|sid| is_sid(sid, "MG")),
            "TWILIO_MESSAGING_SERVICE_SID",
            "is not the SID of a Messaging Service",
            "give the 34 characters from MG on",
        );
        for Problem { setting, what, mend } in self.http.connection.problems(&NAMES) {
            check(false, &setting, &what, &mend);
        }
        problems
    }

    /// Where messages are made and listed; without `.json` it would answer in XML.
    fn messages_url(&self) -> String {
        self.http.connection.url(&format!("/2010-04-01/Accounts/{}/Messages.json", self.account_sid))
    }

    fn user_and_password(&self) -> (&str, &str) {
        self.login.user_and_password(&self.account_sid)
    }

    /// What nobody else may read.
    pub(crate) fn credentials(&self) -> Vec<&Secret> {
        let mut secrets = vec![&self.encoded_login];
        match &self.login {
            Login::AuthToken(token) => secrets.push(token),
            Login::ApiKey { sid, secret } => secrets.extend([secret, sid]),
        }
        secrets.extend(self.http.connection.credentials());
        secrets
    }

    fn scrub<'a>(&'a self, recipient: &'a str) -> Scrub<'a> {
        // Without its `+`, which may come back encoded.
        let number = |text: &'a str| text.trim_start_matches('+');
        let mut words = vec![(self.account_sid.as_str(), "[account]"), (number(recipient), "[recipient]")];
        words.extend(self.sender_number.as_deref().map(|sender| (number(sender), "[sender]")));
        words.extend(self.messaging_service_sid.as_deref().map(|sid| (sid, "[service]")));
        Scrub { secrets: self.credentials(), words }
    }
}

impl Sink for TwilioSink {
    fn name(&self) -> &'static str {
        self.name
    }

    fn looks_up(&self) -> bool {
        true
    }

    /// "Create a Message" of the API.
    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let scrub = self.scrub(&message.recipient);
        let mut timeout = http::TOTAL_TIMEOUT;
        if message.may_have_been_sent {
            if let Some(receipt) = self.look_up(message, &scrub).await {
                return Ok(receipt);
            }
            if message.valid_for.is_zero() {
                let why = "its deadline passed, and Twilio shows no message of an earlier attempt";
                return Err(SendError::ambiguous(why));
            }
            timeout = lookup::TIMEOUT_AFTER;
        }
        let validity = message.valid_for.as_secs().clamp(*VALIDITY_SECS.start(), *VALIDITY_SECS.end());
        let validity = validity.to_string();
        let mut form = vec![("To", message.recipient.as_str())];
        form.extend(self.sender_number.as_deref().map(|number| ("From", number)));
        form.extend(self.messaging_service_sid.as_deref().map(|sid| ("MessagingServiceSid", sid)));
        form.extend([("Body", message.short.as_str()), ("ValidityPeriod", validity.as_str())]);
        // The protection against SMS pumping may take repeated alerts for that; Twilio's
        // parameter is for messages to one's own staff.
        form.push(("RiskCheck", "disable"));

        let (url, (user, password)) = (self.messages_url(), self.user_and_password());
        let answer = self.http.exchange(&scrub, |client| {
            client.post(url).basic_auth(user, Some(password)).timeout(timeout).form(&form)
        });
        let answer = answer.await?;
        judge(&answer, self.sender_number.as_deref(), &scrub.and(self.http.credentials()))
    }

    fn asks_after(&self) -> &'static [Duration] {
        fates::ASKS_AFTER
    }

    async fn fates(&self, accepted: &[Accepted]) -> Result<Vec<Fate>, SendError> {
        self.ask(accepted).await
    }
}

/// Turns an answer to what `sender` sent into a receipt or an error. A message that
/// was made may have failed already; any other one was accepted, whatever the body of
/// a 201 says: repeating would send it twice.
fn judge(answer: &Answer, sender: Option<&str>, scrub: &Scrub<'_>) -> Result<Receipt, SendError> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let sid = message_sid(&body);
    if answer.status == StatusCode::CREATED || (answer.status.is_success() && sid.is_some()) {
        return match fates::failure(&body, scrub) {
            Some(error) => Err(error),
            None => Ok(sid.map(Receipt::new).unwrap_or_default()),
        };
    }
    Err(refusal(answer, &body, sender, scrub))
}

/// What an answer that is no success says of a request, by Twilio's code before the
/// status: 63038 and 20429 share one, but not the time to wait.
fn refusal(answer: &Answer, body: &Value, sender: Option<&str>, scrub: &Scrub<'_>) -> SendError {
    let status = answer.status;
    let code = code(&body["code"]);
    let (class, meaning) = match code.and_then(codes::meaning) {
        Some(_) if code.is_some_and(codes::is_of_a_country) && sender.is_some_and(is_short_code) => {
            (Class::Rejected, "the short code cannot send to the recipient's country")
        }
        Some(known) => known,
        None => Class::of(status),
    };
    let ours = match code {
        Some(code) => format!("Twilio {code} (HTTP {}): {meaning}", status.as_u16()),
        None => format!("Twilio (HTTP {}): {meaning}", status.as_u16()),
    };
    let reason = match ["message", "detail", "title"].iter().find_map(|&name| body[name].as_str()) {
        Some(text) => scrub.reason(&ours, text),
        None => scrub.reason(&ours, &scrub.excerpt(&answer.body)),
    };
    class.error(reason, answer.wish())
}

/// The id of the message that `resource` is.
fn message_sid(resource: &Value) -> Option<&str> {
    resource["sid"].as_str().filter(|sid| is_sid(sid, "SM") || is_sid(sid, "MM"))
}

/// The code is a number, in each of the three shapes that Twilio's errors have;
/// a text is taken too.
fn code(code: &Value) -> Option<u32> {
    match code.as_str() {
        Some(text) => text.parse().ok(),
        None => code.as_u64()?.try_into().ok(),
    }
}

/// Twilio's "String Identifier": two letters and 32 hexadecimal digits. Any
/// letter is taken for one, as a test server may have its own.
fn is_sid(text: &str, prefix: &str) -> bool {
    text.len() == 34 && text.starts_with(prefix) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A number, a short code, or an "Alphanumeric Sender ID".
fn is_sender(text: &str) -> bool {
    let is_id = text.len() <= MAX_SENDER_ID
        && text.trim() == text
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" +-_&".contains(&byte));
    is_phone_number(text) || is_short_code(text) || is_id
}

/// What is wrong with a sender that is none.
fn sender_fault(text: &str) -> String {
    let is_id = text.chars().any(char::is_alphabetic) || text.trim().is_empty();
    match phone_number(text) {
        Err(fault) if !is_id => format!("is no sender: it {}", fault.what),
        Ok(_) | Err(_) => "is no sender".to_owned(),
    }
}

fn is_short_code(text: &str) -> bool {
    SHORT_CODE_DIGITS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Debug for TwilioSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Anything else may be a credential in the wrong place.
        let account =
            Some(&self.account_sid).filter(|sid| is_sid(sid, "AC")).map(|sid| &sid[sid.len() - 4..]);
        f.debug_struct("TwilioSink")
            .field("account_sid", &format_args!("AC***{}", account.unwrap_or_default()))
            .field("sender_number", &self.sender_number.as_deref().map(mask_phone))
            .field("has_messaging_service", &self.messaging_service_sid.is_some())
            .field("host", &self.http.connection.host())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

//! What Twilio's error codes mean for a message ("Error and Warning Dictionary"
//! of Twilio's documentation).
//!
//! Invariant: a code that may be the recipient's fault is never
//! [`Class::Misconfigured`]: that pauses the sink for everyone.

use std::time::Duration;

use super::super::http::Class::{
    self, Ambiguous, Misconfigured, NotProcessed, RecipientRefused, Rejected, Resting,
};

const A_WHILE: Duration = Duration::from_secs(30);
const MINUTES: Duration = Duration::from_secs(5 * 60);
const AN_HOUR: Duration = Duration::from_secs(60 * 60);

/// The class of the error `code`, and its meaning in a few words; [`None`] if the
/// status has to tell.
#[rustfmt::skip]
pub(super) fn meaning(code: u32) -> Option<(Class, &'static str)> {
    Some(match code {
        // The account.
        10001 => (Misconfigured, "the account is not active"),
        20003 => (Misconfigured, "wrong credentials, or the account is suspended"),
        20005 => (Misconfigured, "the account is not active"),
        20006 => (Misconfigured, "access denied"),
        20403 => (Misconfigured, "forbidden for these credentials"),
        20404 => (Misconfigured, "no such resource; is the account SID right?"),
        21607 => (Misconfigured, "a trial account may not send from this number"),
        90010 => (Misconfigured, "the account is not active"),

        // The load. Twilio says that 20429 was never processed and that 20503 is
        // to be tried again, but that a message may have been sent despite 20500.
        14107 => (Resting(A_WHILE), "too many messages between two numbers"),
        20429 => (NotProcessed, "too many requests at once"),
        20500 => (Ambiguous, "internal error"),
        20503 => (NotProcessed, "service unavailable"),
        21611 => (Resting(MINUTES), "the sender's queue is full"),
        21619 => (NotProcessed, "the message could not be created"),
        63018 => (NotProcessed, "the channel's rate limit is reached"),
        63038 => (Resting(AN_HOUR), "the account's daily limit is reached"),

        // The recipient.
        21211 => (RecipientRefused, "invalid To number"),
        21265 => (Rejected, "the To number is a short code"),
        21408 => (Rejected, "the account has no permission for the recipient's region"),
        21604 => (Rejected, "no To number"),
        21608 => (Rejected, "a trial account may not send to an unverified number"),
        21610 => (RecipientRefused, "the recipient has unsubscribed with STOP"),
        21612 => (Rejected, "the sender cannot reach this To number"),
        21614 => (RecipientRefused, "the To number is not a mobile number"),
        21635 => (RecipientRefused, "the To number is a landline"),
        21910 => (Rejected, "sender and recipient use different channels"),

        // The message.
        20001 => (Rejected, "invalid parameter"),
        20422 => (Rejected, "invalid parameter"),
        21602 => (Rejected, "no message body"),
        21603 => (Rejected, "no sender"),
        21605 => (Rejected, "the message is too long"),
        21617 => (Rejected, "the message is too long"),
        21658 => (Rejected, "the message is too long"),

        // The sender, of which these may be about one country only: they leave the other
        // recipients alone.
        21212 => (Misconfigured, "invalid From number"),
        21606 => (Resting(MINUTES), "the From number cannot send messages there"),
        21609 => (Misconfigured, "invalid status callback URL"),
        21659 => (Resting(MINUTES), "the From number is none of the account's for that country"),
        21660 => (Misconfigured, "the From number belongs to another account"),
        21661 => (Misconfigured, "the From number cannot send SMS"),
        21663 => (Misconfigured, "the From number belongs to another region"),
        21703 => (Misconfigured, "the Messaging Service has no usable sender"),
        21704 => (Misconfigured, "the Messaging Service has no senders"),
        21705 => (Misconfigured, "the Messaging Service is invalid"),
        21712 => (Misconfigured, "the number belongs to another Messaging Service"),
        90007 => (Misconfigured, "the validity period is out of range"),

        // Of a message under way: what its status says, sooner or later.
        30001 => (Resting(MINUTES), "queue overflow"),
        30002 => (Misconfigured, "the account is suspended"),
        30003 => (NotProcessed, "the handset cannot be reached"),
        30004 => (Rejected, "the message was blocked"),
        30005 => (Rejected, "unknown handset"),
        30006 => (Rejected, "a landline, or a carrier out of reach"),
        30007 => (Rejected, "filtered by the carrier"),
        30008 => (Ambiguous, "the phone company gives no reason"),
        30017 => (NotProcessed, "the carrier's network is congested"),
        30019 => (Rejected, "the content is too large for the carrier"),
        30022 => (Resting(A_WHILE), "the carrier's rate limit is reached"),
        30023 => (Resting(AN_HOUR), "the carrier's daily limit is reached"),
        30027 => (Resting(AN_HOUR), "the carrier's daily limit is reached"),
        30032 => (Misconfigured, "your toll-free number is not verified"),
        30034 => (Misconfigured, "your US number is not registered (A2P 10DLC)"),
        30035 => (Misconfigured, "your US number's registration (A2P 10DLC) is under way"),
        30036 => (NotProcessed, "the validity period expired"),
        30410 => (Ambiguous, "the carrier did not answer in time"),
        30450 => (Rejected, "blocked as SMS pumping"),
        30500 => (Ambiguous, "internal error"),

        _ => return None,
    })
}

/// Whether `code` may mean that a short code does not reach the recipient's
/// country, which is no fault of the sender's.
pub(super) fn is_of_a_country(code: u32) -> bool {
    matches!(code, 21606 | 21659)
}

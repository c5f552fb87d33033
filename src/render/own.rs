//! A user's own words: the [`Render`] seam, and [`DefaultRender`], which is used
//! without one and wherever one fails.
//!
//! Invariant: whatever a [`Render`] gives, or if it panics, there are texts, and
//! they are valid and not too long.

use std::{fmt, sync::Arc};

use super::{
    Attachment, Clock, Links, MAX_SUBJECT_CHARS, clean, email,
    gsm7::{self, segments},
    sms, subject,
};
use crate::{
    host::unwind::caught,
    policy::{budget::MAX_SEGMENTS, notice::Notice},
};

/// Writes the texts of messages, in another format or another language. Give it to
/// [`Builder::render`](crate::Builder::render).
///
/// ```
/// use tracing_alert::{DefaultRender, Render, notice::Notice};
///
/// struct German;
///
/// impl Render for German {
///     fn sms(&self, notice: &Notice, _: &DefaultRender) -> Option<String> {
///         let [only] = notice.samples.as_slice() else { return None };
///         Some(format!("{} meldet {}-mal: {}", notice.process.app, only.count, only.event.message))
///     }
/// }
///
/// // Made-up notices of every kind, to try it with.
/// for (name, notice) in Notice::examples() {
///     if let Some(sms) = German.sms(&notice, &DefaultRender::default()) {
///         println!("{name}: {sms}");
///     }
/// }
/// ```
///
/// It runs on the alert thread. Control characters, and those that hide or reorder
/// text, are removed from what it returns. An SMS that lacks the message's id gets
/// it at its end. If it panics, or returns what cannot be sent (a blank text, an SMS
/// of more than two segments, a mail of more than 256 KiB), the message has the
/// default's words, and a line on stderr says so.
///
/// Treat every text of an event as hostile: in HTML, escape it.
pub trait Render: Send + Sync + 'static {
    /// The SMS about `notice`, and [`Message::short`](crate::Message::short) for a
    /// sink of your own; `None` for the words of `default`.
    fn sms(&self, notice: &Notice, default: &DefaultRender) -> Option<String> {
        Some(default.sms(notice))
    }

    /// The mail about `notice`; `None` for the words of `default`.
    ///
    /// Mail programs show mails with the same subject as one conversation: leave
    /// counts and times out of it.
    fn email(&self, notice: &Notice, default: &DefaultRender) -> Option<Email> {
        Some(default.email(notice))
    }
}

impl fmt::Debug for dyn Render {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Render")
    }
}

/// A mail's texts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Email {
    /// One line.
    pub subject: String,
    /// Everything, as plain text.
    pub text: String,
    /// Everything, as HTML.
    pub html: String,
    /// What they had no room for, if anything.
    pub attachment: Option<Attachment>,
}

impl Email {
    /// A mail of plain text; its HTML is that text, escaped.
    pub fn new(subject: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let html = email::plain_html(&text);
        Self { subject: subject.into(), text, html, attachment: None }
    }

    /// Adds HTML that says the same as the text.
    #[must_use]
    pub fn with_html(mut self, html: impl Into<String>) -> Self {
        self.html = html.into();
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn with_attachment(mut self, attachment: Attachment) -> Self {
        self.attachment = Some(attachment);
        self
    }
}

/// The texts that messages have without a [`Render`], with times in UTC and in
/// the zone of [`Builder::timezone`](crate::Builder::timezone).
#[derive(Clone, Debug)]
pub struct DefaultRender {
    pub(super) clock: Clock,
    /// Whether an SMS tells fields.
    tells_fields: bool,
    pub(super) links: Links,
    /// Whether a kind of event has a code: not if the program says what is one kind.
    pub(super) has_codes: bool,
}

impl Default for DefaultRender {
    fn default() -> Self {
        Self::new(Clock::default())
    }
}

impl DefaultRender {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, tells_fields: true, links: Links::default(), has_codes: true }
    }

    /// The same, with or without the fields of events in an SMS.
    pub(crate) fn sms_fields(self, tells_fields: bool) -> Self {
        Self { tells_fields, ..self }
    }

    /// The same, with these links in its mails.
    pub(crate) fn links(self, links: Links) -> Self {
        Self { links, ..self }
    }

    /// The same, with or without the codes of kinds.
    pub(crate) fn codes(self, has_codes: bool) -> Self {
        Self { has_codes, ..self }
    }

    /// The SMS: one line of at most two segments that ends with the message's id. In
    /// the room that is left stand fields, unless
    /// [`Builder::sms_fields`](crate::Builder::sms_fields) is off.
    pub fn sms(&self, notice: &Notice) -> String {
        sms::short(notice, self.tells_fields, &self.clock)
    }

    /// The mail.
    pub fn email(&self, notice: &Notice) -> Email {
        let subject = subject(notice);
        let (text, html, attachment) = email::bodies(notice, &subject, self);
        Email { subject, text, html, attachment }
    }
}

/// The texts of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rendered {
    /// The SMS: it ends with the notice's id.
    pub(crate) short: String,
    pub(crate) email: Email,
    /// What was wrong with what the user's own [`Render`] gave.
    pub(crate) fault: Option<String>,
}

/// Who writes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Renderer {
    default: DefaultRender,
    own: Option<Arc<dyn Render>>,
}

impl Renderer {
    pub(crate) fn new(default: DefaultRender, own: Option<Arc<dyn Render>>) -> Self {
        Self { default, own }
    }

    /// Renders all texts of `notice`.
    pub(crate) fn render(&self, notice: &Notice) -> Rendered {
        let (ours, mut fault) = (&self.default, None);
        let short = self.ask(|own| own.sms(notice, ours), |text| checked_sms(&text, notice), &mut fault);
        let email = self.ask(|own| own.email(notice, ours), |email| checked_email(&email), &mut fault);
        Rendered {
            short: short.unwrap_or_else(|| ours.sms(notice)),
            email: email.unwrap_or_else(|| ours.email(notice)),
            fault,
        }
    }

    /// What the user's own [`Render`] gives, if it is fit to be sent.
    fn ask<T>(
        &self,
        write: impl FnOnce(&dyn Render) -> Option<T>,
        check: impl FnOnce(T) -> Result<T, String>,
        fault: &mut Option<String>,
    ) -> Option<T> {
        let own = self.own.as_deref()?;
        let checked = match caught(|| write(own)) {
            Some(text) => check(text?),
            None => Err("it panicked".to_owned()),
        };
        checked
            .map_err(|what| {
                *fault = Some(format!("your `Render` gave no message, so the default one is sent: {what}"));
            })
            .ok()
    }
}

/// In characters of the alphabet of SMS only if it is too long as it is.
fn checked_sms(text: &str, notice: &Notice) -> Result<String, String> {
    let id = sms::id(notice);
    let text = clean::block(text, MAX_SMS);
    let text = text.strip_suffix(&id).unwrap_or(&text).trim_end();
    if text.is_empty() {
        return Err("the SMS is blank".to_owned());
    }
    let text = format!("{text} {id}");
    let folded = gsm7::fold(&text);
    [text, folded]
        .into_iter()
        .find(|text| segments(text) <= MAX_SEGMENTS)
        .ok_or_else(|| format!("the SMS is longer than {MAX_SEGMENTS} segments"))
}

fn checked_email(email: &Email) -> Result<Email, String> {
    let subject = clean::line(&email.subject, MAX_SUBJECT_CHARS);
    let [text, html] = [&email.text, &email.html].map(|body| clean::block(body, MAX_BODY));
    if subject.is_empty() || text.is_empty() || html.is_empty() {
        return Err("the subject or a body of the mail is blank".to_owned());
    }
    if [&text, &html].iter().any(|body| body.len() >= MAX_BODY) {
        return Err(format!("a body of the mail is longer than {} KiB", MAX_BODY / 1024));
    }
    let attachment = email.attachment.as_ref().and_then(Attachment::checked);
    Ok(Email { subject, text, html, attachment })
}

/// More characters than any SMS has.
const MAX_SMS: usize = 2000;

/// More bytes than anybody reads.
const MAX_BODY: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{error, hostile, notice},
        *,
    };
    use proptest::prelude::*;
    use tracing::Level;

    /// Gives the same texts for every notice, or panics.
    struct Fixed(Option<(String, Email)>);

    impl Render for Fixed {
        fn sms(&self, _: &Notice, _: &DefaultRender) -> Option<String> {
            Some(self.0.clone().expect("no words").0)
        }

        fn email(&self, _: &Notice, _: &DefaultRender) -> Option<Email> {
            Some(self.0.clone().expect("no words").1)
        }
    }

    fn failed() -> Notice {
        notice(vec![error(Level::ERROR, "payment failed", 37)])
    }

    fn rendered(own: impl Render) -> Rendered {
        Renderer::new(DefaultRender::default(), Some(Arc::new(own))).render(&failed())
    }

    fn fixed(sms: &str, email: Email) -> Rendered {
        rendered(Fixed(Some((sms.to_owned(), email))))
    }

    #[test]
    fn a_users_own_words_are_sent_with_the_id() {
        let email = Email::new("Zahlung", "kaputt <b>").with_html("<p>kaputt</p>");
        let rendered = fixed("MyApp: Zahlung fehlgeschlagen", email.clone());
        assert_eq!(rendered.short, "MyApp: Zahlung fehlgeschlagen #7K3Q");
        assert_eq!((rendered.email, rendered.fault), (email.clone(), None));
        assert_eq!(fixed("MyApp: kaputt #7K3Q", email.clone()).short, "MyApp: kaputt #7K3Q");
        assert_eq!(fixed("MyApp:\nkaputt\r\n", email).short, "MyApp:\nkaputt #7K3Q");
    }

    #[test]
    fn a_mail_of_plain_text_gets_html_that_is_only_text() {
        let html = Email::new("Zahlung", "<script>\n\ta & b").html;
        assert!(html.contains("&#60;script&#62;\n\ta &#38; b") && !html.contains("<script"), "{html}");
    }

    #[test]
    fn what_cannot_be_sent_is_told_in_our_words() {
        let (ours, good) = (Renderer::default().render(&failed()), || Email::new("a", "b"));
        let panicked = rendered(Fixed(None));
        assert_eq!((&panicked.short, &panicked.email), (&ours.short, &ours.email));
        assert!(panicked.fault.unwrap().contains("it panicked"));
        for sms in [" \u{202E}\n", "#7K3Q", &"a".repeat(301), &"ж".repeat(129)] {
            let rendered = fixed(sms, good());
            assert_eq!((rendered.short, rendered.email), (ours.short.clone(), good()), "{sms}");
            assert!(rendered.fault.unwrap().contains("the SMS is "), "{sms}");
        }
        let long = "a".repeat(256 * 1024);
        for email in
            [Email::new("\r\n", "b"), Email::new("a", " "), good().with_html(""), Email::new("a", long)]
        {
            let rendered = fixed("c", email);
            assert_eq!((rendered.short.as_str(), &rendered.email), ("c #7K3Q", &ours.email));
            assert!(rendered.fault.unwrap().contains("of the mail is "));
        }
    }

    #[test]
    fn a_file_is_sent_with_a_harmless_name_and_no_more_than_anybody_reads() {
        let file = |name: &str, text: &str| {
            let email = Email::new("a", "b").with_attachment(Attachment::new(name, text));
            fixed("c", email).email.attachment
        };
        let trace = file("../trace\r\n;1.txt", "\u{1B}[1mwhole\u{202E}").unwrap();
        assert_eq!((trace.name.as_str(), trace.text.as_str()), ("..trace1.txt", "whole"));
        assert_eq!(file("/", "a").unwrap().name, "alert.txt");
        assert_eq!(file("a.txt", " \u{200B}\n"), None);
        let long = file("a.txt", &"ж".repeat(1 << 18)).unwrap().text;
        assert!(long.len() <= 256 * 1024 && long.ends_with("ж… [cut]"), "{}", long.len());
    }

    #[test]
    fn words_that_are_too_long_as_they_are_go_in_the_alphabet_of_sms() {
        let rendered = fixed(&"`".repeat(126), Email::new("a", "b"));
        assert_eq!(rendered.short, format!("{} #7K3Q", "`".repeat(126)));
        let rendered = fixed(&"`".repeat(298), Email::new("a", "b"));
        assert_eq!((rendered.short, rendered.fault), (format!("{} #7K3Q", "'".repeat(298)), None));
    }

    #[test]
    fn whoever_has_no_words_of_his_own_has_ours() {
        struct Silent;
        impl Render for Silent {}
        assert_eq!(rendered(Silent), Renderer::default().render(&failed()));
    }

    proptest! {
        #[test]
        fn whatever_a_user_gives_can_be_sent(sms in hostile(400), subject in hostile(200), body in hostile(400)) {
            let file = Attachment::new(&subject, &body);
            let rendered = fixed(&sms, Email::new(&subject, &body).with_html(&body).with_attachment(file));
            prop_assert!(segments(&rendered.short) <= MAX_SEGMENTS && rendered.short.ends_with(" #7K3Q"));
            let Email { subject, text, html, attachment } = rendered.email;
            prop_assert!(!subject.is_empty() && subject.chars().count() <= MAX_SUBJECT_CHARS);
            prop_assert!(!subject.contains(clean::is_unsafe) && !text.is_empty() && !html.is_empty());
            let is_unsafe = |c| clean::is_unsafe(c) && c != '\n' && c != '\t';
            let file = attachment.unwrap_or_else(|| Attachment::new("", ""));
            prop_assert!(file.name.chars().all(|c| c.is_ascii_graphic() && c != '/'), "{}", file.name);
            prop_assert!(![rendered.short, text, html, file.text].iter().any(|text| text.contains(is_unsafe)));
        }
    }
}

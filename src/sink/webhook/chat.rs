//! What is posted to a chat: one line that tells what a phone shows, and the whole
//! text below it, as code.
//!
//! Invariant: pure. No text of an event mentions anybody, is a link with another name,
//! or is longer than the service takes.

use serde_json::{Value, json};

use super::text::{NO_NAME, code, fit, markdown, plain, utf16};
use crate::sink::Message;

/// [Incoming webhooks](https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks),
/// [formatting](https://docs.slack.dev/messaging/formatting-message-text): `&`, `<` and `>`
/// are all that begins a mention or a link; `verbatim` leaves names and URLs as they are.
/// [A section's](https://docs.slack.dev/reference/block-kit/blocks/section-block) text has at
/// most 3,000 characters.
pub(super) fn slack(message: &Message) -> Value {
    let section = |text: String| json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } });
    let line = fit(&message.short, MAX_SLACK, slack_line, utf16);
    let fence = "```";
    let details = fit(&message.text, MAX_SLACK - 2 * fence.len(), slack_code, utf16);
    let mut blocks = vec![section(line.clone())];
    if !details.is_empty() {
        blocks.push(section(format!("{fence}{details}{fence}")));
    }
    json!({
        "text": line,
        "blocks": blocks,
        "link_names": false,
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

fn slack_line(c: char, to: &mut String) {
    match c {
        '\n' => to.push(' '),
        // Nothing but a style, but it has no escape.
        '`' | '*' | '_' | '~' => {
            to.push(NO_NAME);
            to.push(c);
        }
        _ => slack_code(c, to),
    }
}

fn slack_code(c: char, to: &mut String) {
    match c {
        '&' => to.push_str("&amp;"),
        '<' => to.push_str("&lt;"),
        '>' => to.push_str("&gt;"),
        _ => code(c, to),
    }
}

/// ["Execute Webhook"](https://discord.com/developers/docs/resources/webhook#execute-webhook):
/// at most 2,000 characters of content, and 4,096 of an embed's description
/// ([limits](https://discord.com/developers/docs/resources/message#embed-object-embed-limits)).
/// `allowed_mentions` has nobody notified, whatever the text says.
pub(super) fn discord(message: &Message) -> Value {
    let details = fit(&message.text, MAX_DESCRIPTION - FENCES, code, utf16);
    let embeds: Vec<_> = (!details.is_empty())
        .then(|| json!({ "description": format!("```\n{details}\n```") }))
        .into_iter()
        .collect();
    json!({
        "content": fit(&message.short, MAX_CONTENT, markdown, utf16),
        "embeds": embeds,
        "allowed_mentions": { "parse": [] },
    })
}

/// [Incoming webhooks](https://developers.mattermost.com/integrate/webhooks/incoming/): a
/// longer text than 16,383 characters would become several posts.
pub(super) fn mattermost(message: &Message) -> Value {
    let line = fit(&message.short, MAX_LINE, markdown, utf16);
    let room = MAX_POST.saturating_sub(utf16(&line) + FENCES + 1);
    let details = fit(&message.text, room, code, utf16);
    let text = if details.is_empty() { line } else { format!("{line}\n```\n{details}\n```") };
    json!({ "text": text })
}

/// ["Publish as JSON"](https://docs.ntfy.sh/publish/#publish-as-json): it is plain text, and
/// [at most 4,096 bytes](https://docs.ntfy.sh/publish/#limitations), as a longer one becomes
/// an attachment.
pub(super) fn ntfy(message: &Message, topic: &str, is_urgent: bool) -> Value {
    let text = format!("{}\n\n{}", message.short, message.text);
    json!({
        "topic": topic,
        "title": fit(&message.subject, MAX_TITLE_BYTES, plain, str::len),
        "message": fit(&text, MAX_NTFY_BYTES, plain, str::len),
        "priority": if is_urgent { 4 } else { 3 },
    })
}

/// [A workflow](https://learn.microsoft.com/en-us/connectors/teams/#microsoft-teams-webhook)
/// takes a message of [adaptive cards](https://adaptivecards.io/explorer/RichTextBlock.html) of
/// at most 28 KB. A text run knows no Markdown, and a mention would need an entity.
pub(super) fn teams(message: &Message) -> Value {
    let run = |text: &str, style: &str, value: &str| {
        json!({
            "type": "RichTextBlock",
            "spacing": "None",
            "inlines": [{ "type": "TextRun", "text": text, style: value }],
        })
    };
    let line = fit(&message.short, MAX_LINE, one_line, str::len);
    let mut body = vec![run(&line, "weight", "Bolder")];
    let mut room = MAX_TEAMS_BYTES;
    let text = fit(&message.text, MAX_TEAMS_BYTES, plain, str::len);
    for line in text.lines().map(|line| if line.trim().is_empty() { " " } else { line }) {
        let block = run(line, "fontType", "Monospace");
        // In its wrapping, and each character as long as JSON may write it.
        room = room.saturating_sub(block.to_string().len().saturating_add(1));
        if room == 0 {
            body.push(run("…", "fontType", "Monospace"));
            break;
        }
        body.push(block);
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.2",
                "body": body,
            },
        }],
    })
}

fn one_line(c: char, to: &mut String) {
    to.push(if c == '\n' { ' ' } else { c });
}

/// Of a section of Slack, in characters.
const MAX_SLACK: usize = 3_000;

/// Of Discord's message, in characters.
const MAX_CONTENT: usize = 2_000;

/// Of an embed of Discord, in characters.
const MAX_DESCRIPTION: usize = 4_096;

/// Of a post of Mattermost, in characters.
const MAX_POST: usize = 16_383;

/// Before and after a block of code.
const FENCES: usize = "```\n\n```".len();

/// More than any short text has, unless a program renders its own.
const MAX_LINE: usize = 2_000;

/// Of a message of ntfy.
const MAX_NTFY_BYTES: usize = 4_096;

/// What a phone shows of a title at most, and more.
const MAX_TITLE_BYTES: usize = 250;

/// Of a card's lines: the rest of 28 KB is for what is round them.
const MAX_TEAMS_BYTES: usize = 22 * 1024;

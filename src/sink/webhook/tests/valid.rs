//! What the services' documentation says of a body: its fields, their types, and how long
//! they may be; and that no text in it is a mention or a link with another name. The
//! sources are beside the functions that make the bodies.

use proptest::{prelude::*, test_runner::TestCaseError};
use serde_json::Value;

type Verdict = Result<(), TestCaseError>;

/// Exactly these fields.
fn has_only(object: &Value, fields: &[&str]) -> Verdict {
    let mut given: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    let mut wanted = fields.to_vec();
    given.sort_unstable();
    wanted.sort_unstable();
    prop_assert_eq!(given, wanted);
    Ok(())
}

fn text(value: &Value, max_utf16: usize) -> Result<&str, TestCaseError> {
    let text = value.as_str().unwrap();
    prop_assert!(text.encode_utf16().count() <= max_utf16, "{} of {max_utf16}", text.len());
    prop_assert!(!text.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{text:?}");
    prop_assert!(!text.contains(['\u{202e}', '\u{feff}']), "{text:?}");
    Ok(text)
}

/// No `@` with a name behind it.
fn names_nobody(text: &str) -> Verdict {
    let named = text.split('@').skip(1).find(|rest| !rest.starts_with('\u{200b}'));
    prop_assert_eq!(named, None, "{:?}", text);
    Ok(())
}

/// Every sign that Markdown has a meaning for has a backslash before it.
fn is_escaped(text: &str) -> Verdict {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            let next = chars.next();
            prop_assert!(next.is_some_and(|next| next.is_ascii_punctuation()), "{text:?}");
        } else {
            prop_assert!(!"*_~`|<>[](){}#:!\n".contains(c), "{c} in {text:?}");
        }
    }
    Ok(())
}

/// A line, and a block of code in which no fence ends.
fn is_code(text: &str) -> Verdict {
    let inner = text.strip_prefix("```").and_then(|text| text.strip_suffix("```"));
    prop_assert!(inner.is_some_and(|inner| !inner.contains('`')), "{text:?}");
    names_nobody(text)
}

/// `&`, `<` and `>` stand for nothing but themselves.
fn is_escaped_for_slack(text: &str) -> Verdict {
    prop_assert!(!text.contains(['<', '>']), "{text:?}");
    let entity = |rest: &str| ["amp;", "lt;", "gt;"].iter().any(|name| rest.starts_with(name));
    prop_assert!(text.split('&').skip(1).all(entity), "{text:?}");
    names_nobody(text)
}

pub(super) fn slack(body: &Value) -> Verdict {
    has_only(body, &["text", "blocks", "link_names", "unfurl_links", "unfurl_media"])?;
    is_escaped_for_slack(text(&body["text"], 40_000)?)?;
    let blocks = body["blocks"].as_array().unwrap();
    prop_assert!((1..=50).contains(&blocks.len()));
    for block in blocks {
        has_only(block, &["type", "text"])?;
        has_only(&block["text"], &["type", "text", "verbatim"])?;
        prop_assert_eq!((&block["type"], &block["text"]["type"]), (&"section".into(), &"mrkdwn".into()));
        prop_assert_eq!(&block["text"]["verbatim"], true);
        is_escaped_for_slack(text(&block["text"]["text"], 3_000)?)?;
    }
    let code = blocks.get(1).map(|block| block["text"]["text"].as_str().unwrap());
    code.map_or(Ok(()), is_code)
}

pub(super) fn discord(body: &Value) -> Verdict {
    has_only(body, &["content", "embeds", "allowed_mentions"])?;
    prop_assert_eq!(body["allowed_mentions"].to_string(), r#"{"parse":[]}"#);
    let content = text(&body["content"], 2_000)?;
    is_escaped(content.trim_end_matches('…'))?;
    names_nobody(content)?;
    let embeds = body["embeds"].as_array().unwrap();
    prop_assert!(embeds.len() <= 10);
    for embed in embeds {
        has_only(embed, &["description"])?;
        is_code(text(&embed["description"], 4_096)?)?;
    }
    Ok(())
}

pub(super) fn mattermost(body: &Value) -> Verdict {
    has_only(body, &["text"])?;
    let text = text(&body["text"], 16_383)?;
    let (line, code) = text.split_once("\n```").unwrap_or((text, ""));
    is_escaped(line.trim_end_matches('…'))?;
    names_nobody(line)?;
    if code.is_empty() { Ok(()) } else { is_code(&format!("```{code}")) }
}

pub(super) fn ntfy(body: &Value) -> Verdict {
    has_only(body, &["topic", "title", "message", "priority"])?;
    prop_assert!((1..=5).contains(&body["priority"].as_u64().unwrap()));
    prop_assert!(text(&body["message"], 4_096)?.len() <= 4_096);
    text(&body["title"], 250).map(drop)
}

/// Schema 1.2 of adaptive cards: of the elements only what has no Markdown and no action.
pub(super) fn teams(body: &Value) -> Verdict {
    prop_assert!(body.to_string().len() <= 28 * 1024, "{}", body.to_string().len());
    has_only(body, &["type", "attachments"])?;
    let [attachment] = body["attachments"].as_array().unwrap().as_slice() else { panic!("{body}") };
    has_only(attachment, &["contentType", "contentUrl", "content"])?;
    prop_assert_eq!(&attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    let card = &attachment["content"];
    has_only(card, &["$schema", "type", "version", "body"])?;
    prop_assert_eq!((&card["type"], &card["version"]), (&"AdaptiveCard".into(), &"1.2".into()));
    for (index, block) in card["body"].as_array().unwrap().iter().enumerate() {
        has_only(block, &["type", "spacing", "inlines"])?;
        prop_assert_eq!((&block["type"], &block["spacing"]), (&"RichTextBlock".into(), &"None".into()));
        let [run] = block["inlines"].as_array().unwrap().as_slice() else { panic!("{block}") };
        let style = if index == 0 { ("weight", "Bolder") } else { ("fontType", "Monospace") };
        has_only(run, &["type", "text", style.0])?;
        prop_assert_eq!((&run["type"], &run[style.0]), (&"TextRun".into(), &style.1.into()));
        prop_assert!(!text(&run["text"], 28 * 1024)?.contains('\n'));
    }
    Ok(())
}

pub(super) fn pagerduty(body: &Value) -> Verdict {
    prop_assert!(body.to_string().len() <= 512 * 1024, "{}", body.to_string().len());
    has_only(body, &["routing_key", "event_action", "dedup_key", "client", "payload"])?;
    prop_assert!(["trigger", "resolve"].contains(&body["event_action"].as_str().unwrap()));
    prop_assert!((1..=255).contains(&text(&body["dedup_key"], 255)?.len()));
    let payload = &body["payload"];
    prop_assert!(!text(&payload["summary"], 1_024)?.trim().is_empty());
    prop_assert!(!payload["source"].as_str().unwrap().is_empty());
    let severity = payload["severity"].as_str().unwrap();
    prop_assert!(["critical", "error", "warning", "info"].contains(&severity), "{severity}");
    let known = ["summary", "source", "severity", "component", "custom_details", "group", "class"];
    let fields = payload.as_object().unwrap();
    prop_assert!(fields.keys().all(|field| known.contains(&field.as_str())), "{payload}");
    prop_assert!(fields["custom_details"].is_object());
    Ok(())
}

//! What a mail had no room for.

use super::*;

/// What any attachment is: valid, clean, and not too long.
pub(super) fn assert_fit(attachment: &Attachment) {
    let Attachment { name, text } = attachment;
    assert_eq!(name, "alert-7K3Q.txt");
    assert!(text.len() <= 256 * 1024, "{}", text.len());
    let is_unsafe = |c| clean::is_unsafe(c) && c != '\n' && c != '\t';
    assert!(!text.contains(is_unsafe), "{:?}", text.find(is_unsafe));
    assert!(text.lines().any(|line| line == "#7K3Q" || line.starts_with("#7K3Q · ")));
}

#[test]
fn a_mail_that_shows_everything_has_no_attachment() {
    for (name, notice) in Notice::examples().into_iter().chain([("full", full())]) {
        let Texts { text, attachment, .. } = texts(&notice);
        assert_eq!(attachment, None, "{name}");
        assert!(!text.contains("[cut"), "{name}");
    }
}

#[test]
fn what_is_cut_in_a_mail_is_whole_in_its_attachment() {
    let values = ["a", "b", "c"].map(|name| format!("{name}{}", "<".repeat(8000)));
    let mut event = event(Level::ERROR, "payment failed");
    event.fields = values.iter().map(|value| Field::new("query", Value::Str(value.clone()))).collect();
    event.backtrace = Some("   0: my_app::main\n".repeat(4000));
    let Texts { text, html, attachment, .. } = texts(&notice(vec![sample(event, 37)]));
    let attachment = attachment.unwrap();
    assert_fit(&attachment);
    let lines = |text: &str| text.matches("0: my_app::main").count();
    assert!(values.iter().all(|value| attachment.text.contains(value.as_str())), "{}", attachment.text);
    assert_eq!(lines(&attachment.text), 4000);
    assert!(!attachment.text.contains("[cut"), "nothing had to be");
    assert!(!text.contains(&values[2]) && lines(&text) < 4000);
    for body in [text, html] {
        assert!(body.contains("… [cut: see alert-7K3Q.txt]"), "{body}");
    }
    let first = |text: &str| text.lines().next().map(str::to_owned);
    assert_eq!(first(&attachment.text), first(&texts(&notice(vec![error(Level::ERROR, "a", 37)])).text));
}

#[test]
fn incidents_that_a_mail_has_no_room_for_are_in_its_attachment() {
    let notice = notice((0..100).map(|number| error(Level::ERROR, &format!("kind {number}."), 2)).collect());
    let Texts { text, attachment, .. } = texts(&notice);
    let attachment = attachment.unwrap();
    assert_fit(&attachment);
    for number in 0..100 {
        let headline = format!("\nERROR: kind {number}.\n");
        assert!(attachment.text.contains(&headline), "{number}");
        assert_eq!(text.contains(&headline), number < 25, "{number}");
    }
    assert!(text.contains("\nand 75 more kinds of event (150 events): see alert-7K3Q.txt\n"), "{text}");
    assert!(!attachment.text.contains("more kinds"));
}

#[test]
fn backtraces_that_a_mail_has_no_room_for_are_in_its_attachment() {
    let panics = (0..10).map(|number| {
        let mut event = event(Level::ERROR, &format!("kind {number}."));
        event.backtrace = Some(format!("0: my_app::frame_{number}"));
        sample(event, 1)
    });
    let Texts { text, attachment, .. } = texts(&notice(panics.collect()));
    let attachment = attachment.unwrap();
    assert_fit(&attachment);
    for number in 0..10 {
        let frame = format!("0: my_app::frame_{number}\n");
        assert!(attachment.text.contains(&frame), "{number}");
        assert_eq!(text.contains(&frame), number < 8, "{number}");
    }
    assert!(text.contains("\nand 2 more backtraces: see alert-7K3Q.txt\n"), "{text}");
}

#[test]
fn what_was_only_counted_is_in_no_attachment() {
    let mut notice = notice(vec![error(Level::ERROR, "a", 1)]);
    notice.unsampled = 7;
    assert_eq!(texts(&notice).attachment, None);
}

#[test]
fn what_is_too_long_for_an_attachment_is_cut_there_too() {
    let mut event = event(Level::ERROR, "payment failed");
    event.backtrace = Some("   0: my_app::main\n".repeat(40_000));
    let attachment = texts(&notice(vec![sample(event, 1)])).attachment.unwrap();
    assert_fit(&attachment);
    assert!(attachment.text.len() > 200 * 1024 && attachment.text.contains("… [cut]\n\n#7K3Q · To hear"));
}

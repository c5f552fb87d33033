//! The short text: one line for a phone.
//!
//! Invariant: at most [`MAX_SEGMENTS`] segments, ends with the notice's id, has
//! no address in it that the event did not bring.

use super::{clean, counted, environment, events, gsm7, headline_with_cause, lost, tag, total, word};
use crate::notice::{Kind, Losses, Notice, Sample};

/// What a message may cost.
pub(crate) const MAX_SEGMENTS: u32 = 2;

/// More characters of one event than fit.
const MAX_HEADLINE_CHARS: usize = 320;

/// More events than fit, whatever they say.
const MAX_ENTRIES: usize = 40;

/// A message is rather short of the reason of a loss than cut below this.
const MIN_HEADLINE_BYTES: usize = 24;

/// Renders the short text of `notice`: as many whole events as fit, in their
/// order; the first one cut if not even that fits.
pub(super) fn short(notice: &Notice) -> String {
    let app = gsm7::fold(&clean::line(&notice.process.app, 40));
    let environment = gsm7::fold(&clean::line(environment(&notice.process), 20));
    let full = tag(&cut(&app, 32), &cut(&environment, 16));
    let least = tag(&cut(&app, 12), "");
    let entries: Vec<Entry> = notice
        .samples
        .iter()
        .take(MAX_ENTRIES)
        .map(|sample| Entry::new(sample, notice.kind == Kind::Health))
        .collect();
    let total = total(notice);

    // From all there is to say to what fits with any counts.
    let frames = [(&full, true, MIN_HEADLINE_BYTES), (&full, false, MIN_HEADLINE_BYTES), (&least, false, 0)];
    for (tag, reasons, least_bytes) in frames {
        let frame = Frame { notice, total, tag, reasons };
        let fitting = match entries.first() {
            Some(first) => frame.whole(&entries).or_else(|| frame.cut_to_fit(first, least_bytes)),
            None => frame.fit(&[], 0),
        };
        if let Some(text) = fitting {
            return text;
        }
    }
    format!("{least}{}", id(notice))
}

fn id(notice: &Notice) -> String {
    format!("#{}", clean::line(&notice.id, 16))
}

/// What stands round the events.
struct Frame<'a> {
    notice: &'a Notice,
    total: u64,
    tag: &'a str,
    /// Whether a loss says its reason.
    reasons: bool,
}

impl Frame<'_> {
    /// As many whole entries as fit.
    fn whole(&self, entries: &[Entry]) -> Option<String> {
        let texts: Vec<String> = entries.iter().map(|entry| entry.text(&entry.headline)).collect();
        (1..=texts.len()).rev().find_map(|shown| self.fit(texts.get(..shown)?, shown))
    }

    /// The longest start of `first` that fits.
    fn cut_to_fit(&self, first: &Entry, least_bytes: usize) -> Option<String> {
        let starts = first.headline.char_indices().rev().take_while(|(end, _)| *end >= least_bytes);
        starts.map(|(end, _)| first.headline.get(..end).unwrap_or_default()).find_map(|start| {
            let start = format!("{}...", start.trim_end_matches([' ', '.']));
            self.fit(&[first.text(&start)], 1)
        })
    }

    /// The message that shows `texts`, the first `shown` samples, if it is not
    /// too long.
    fn fit(&self, texts: &[String], shown: usize) -> Option<String> {
        let mut items = texts.to_vec();
        let samples = self.notice.samples.get(..shown).unwrap_or_default();
        let hidden = self.total.saturating_sub(counted(samples));
        match (hidden, shown) {
            (0, _) => (),
            (_, 0) => items.push(events(hidden)),
            _ => items.push(format!("+{hidden} more")),
        }
        items.extend(self.loss(&self.notice.losses, items.is_empty()));
        if items.is_empty() {
            items.push(events(0));
        }
        let text = format!("{}{} {}", self.tag, items.join(", "), id(self.notice));
        (gsm7::segments(&text) <= MAX_SEGMENTS).then_some(text)
    }

    fn loss(&self, losses: &Losses, alone: bool) -> Option<String> {
        let lost = lost(losses);
        let subject = if alone { events(lost) } else { lost.to_string() };
        let reasons: Vec<String> =
            losses.iter().filter(|(_, count)| **count > 0).map(|(reason, _)| reason.to_string()).collect();
        match (lost, self.reasons) {
            (0, _) => None,
            (_, true) => Some(format!("{subject} not captured ({})", reasons.join(", "))),
            (_, false) => Some(format!("{subject} not captured")),
        }
    }
}

/// One event.
struct Entry {
    /// Like `ERROR: `; nothing before what is about the alerting itself.
    word: String,
    headline: String,
    count: u64,
}

impl Entry {
    fn new(sample: &Sample, health: bool) -> Self {
        let headline = gsm7::fold(&headline_with_cause(&sample.event, MAX_HEADLINE_CHARS));
        let word = if health { String::new() } else { format!("{}: ", word(&sample.event)) };
        Self { word, headline, count: sample.count }
    }

    fn text(&self, headline: &str) -> String {
        let count = if self.count > 1 { format!(" (x{})", self.count) } else { String::new() };
        format!("{}{headline}{count}", self.word)
    }
}

/// `text` cut to `max_units` of whichever alphabet the message will need.
fn cut(text: &str, max_units: usize) -> String {
    let mut used = 0;
    let ends = text.char_indices().map(|(at, c)| {
        used += gsm7::units(c);
        (at + c.len_utf8(), used)
    });
    let ends: Vec<(usize, usize)> = ends.collect();
    if used <= max_units {
        return text.to_owned();
    }
    let end = ends.iter().rev().find(|(_, used)| used + "...".len() <= max_units).map_or(0, |(end, _)| *end);
    format!("{}...", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::{
        super::tests::{error, event, notice, sample},
        *,
    };
    use crate::{
        event::{Field, Value},
        stats::DropReason,
    };

    fn failing_with(value: Value) -> Notice {
        let mut event = event(Level::ERROR, "payment failed");
        event.fields = vec![Field::new("order", Value::U64(17)), Field::new("error", value)];
        notice(vec![sample(event, 1)])
    }

    #[test]
    fn one_event_is_told_with_its_count() {
        let mut notice = notice(vec![error(Level::ERROR, "payment failed", 37)]);
        assert_eq!(short(&notice), "[MyApp] ERROR: payment failed (x37) #7K3Q");
        notice.process.environment = Some("prod".into());
        assert_eq!(short(&notice), "[MyApp/prod] ERROR: payment failed (x37) #7K3Q");
    }

    #[test]
    fn several_events_are_told_in_their_order() {
        let samples = vec![
            error(Level::WARN, "You've been warned!", 1),
            error(Level::ERROR, "This is a test error", 1),
            error(Level::ERROR, "division by zero", 1),
        ];
        assert_eq!(
            short(&notice(samples)),
            "[MyApp] WARN: You've been warned!, ERROR: This is a test error, ERROR: division by zero #7K3Q"
        );
    }

    #[test]
    fn a_default_panic_text_is_one_segment() {
        let mut event = event(Level::ERROR, "called `Option::unwrap()` on a `None` value");
        event.panic = true;
        let text = short(&notice(vec![sample(event, 1)]));
        assert_eq!(text, "[MyApp] PANIC: called 'Option::unwrap()' on a 'None' value #7K3Q");
        assert_eq!(gsm7::segments(&text), 1);
    }

    #[test]
    fn the_cause_is_told_unless_the_message_names_it() {
        let chain = |links: &[&str]| Value::Error(links.iter().map(ToString::to_string).collect());
        let told = "[MyApp] ERROR: payment failed: connection refused #7K3Q";
        assert_eq!(short(&failing_with(chain(&["request failed", "connection refused"]))), told);
        assert_eq!(short(&failing_with(Value::Str("connection refused".into()))), told);
        assert_eq!(short(&failing_with(chain(&["failed"]))), "[MyApp] ERROR: payment failed #7K3Q");
    }

    #[test]
    fn without_a_message_the_fields_speak_or_else_the_target() {
        let mut event = event(Level::ERROR, " \n");
        assert_eq!(short(&notice(vec![sample(event.clone(), 1)])), "[MyApp] ERROR: my_app::payment #7K3Q");
        event.fields = vec![Field::new("order", Value::U64(17)), Field::new("paid", Value::Bool(false))];
        assert_eq!(short(&notice(vec![sample(event, 1)])), "[MyApp] ERROR: order=17 paid=false #7K3Q");
    }

    #[test]
    fn losses_are_told() {
        let mut alone = notice(Vec::new());
        alone.losses = Losses::from([(DropReason::QueueFull, 12)]);
        assert_eq!(short(&alone), "[MyApp] 12 events not captured (queue full) #7K3Q");
        let mut beside = notice(vec![error(Level::ERROR, "payment failed", 1)]);
        beside.losses = alone.losses;
        assert_eq!(short(&beside), "[MyApp] ERROR: payment failed, 12 not captured (queue full) #7K3Q");
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut notice = notice((0..100).map(|_| error(Level::ERROR, &"disk full ".repeat(9), 3)).collect());
        notice.unsampled = 7;
        let entry = format!("ERROR: {} (x3)", "disk full ".repeat(9).trim_end());
        assert_eq!(short(&notice), format!("[MyApp] {entry}, {entry}, +301 more #7K3Q"));
        notice.samples.truncate(1);
        assert_eq!(short(&notice), format!("[MyApp] {entry}, +7 more #7K3Q"));
    }

    #[test]
    fn one_event_that_is_too_long_is_cut() {
        let text = short(&notice(vec![error(Level::ERROR, &"a".repeat(1000), 2)]));
        assert_eq!(text, format!("[MyApp] ERROR: {}... (x2) #7K3Q", "a".repeat(306 - 2 - 29)));
        let text = short(&notice(vec![error(Level::ERROR, &"ж".repeat(1000), 1)]));
        assert_eq!(text, format!("[MyApp] ERROR: {}... #7K3Q", "ж".repeat(134 - 24)));
    }

    #[test]
    fn a_text_outside_the_alphabet_stays_as_it_is() {
        let text = short(&notice(vec![error(Level::ERROR, "платёж не прошёл 🔥\u{202E}\u{200B}\n支付", 1)]));
        assert_eq!(text, "[MyApp] ERROR: платёж не прошёл 🔥 支付 #7K3Q");
    }
}

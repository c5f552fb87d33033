//! The short text: one line for a phone.
//!
//! Invariant: at most [`MAX_SEGMENTS`] segments whatever the sender, begins with the application's
//! tag and ends with the notice's id, has no address in it that the event did
//! not bring.

use super::{
    clean, counted, environment, gsm7, headline_with_cause, lost, panic_place, rank, tag, total, word, words,
};
use crate::{
    event::loss::Losses,
    policy::{
        budget::MAX_SEGMENTS,
        notice::{Kind, Notice, Sample},
    },
};

/// More characters of one event than fit.
const MAX_HEADLINE_CHARS: usize = 320;

/// How much of each event is told if not all of all fits.
const HEADLINE_UNITS: [usize; 2] = [64, 40];

/// More events than fit, whatever they say.
const MAX_ENTRIES: usize = 40;

/// A message is rather short of the reason of a loss than cut below this.
const MIN_HEADLINE_BYTES: usize = 24;

/// Where a panic happened, at most.
const MAX_PLACE_CHARS: usize = 40;

/// Renders the short text of `notice`: as many events as fit, each as long as
/// fits, in their order; the worst ones if that is not all.
pub(super) fn short(notice: &Notice) -> String {
    let app = gsm7::fold(&clean::line(&notice.process.app, 40));
    let environment = gsm7::fold(&clean::line(environment(&notice.process), 20));
    let full = tag(&cut(&app, 32), &cut(&environment, 16));
    let least = tag(&cut(&app, 12), "");
    let mut worst: Vec<usize> = (0..notice.samples.len()).collect();
    worst.sort_by_key(|index| rank(&notice.samples[*index].event));
    let worst = worst.into_iter().take(MAX_ENTRIES);
    let entries: Vec<Entry<'_>> = worst.map(|index| Entry::new(notice, index)).collect();

    // From all there is to say to what fits with any counts.
    let frames = [
        Frame { notice, tag: &full, reasons: true, says_last: notice.is_last_today, places: true },
        Frame { notice, tag: &full, reasons: false, says_last: notice.is_last_today, places: true },
        Frame { notice, tag: &least, reasons: false, says_last: false, places: false },
    ];
    for (frame, least_bytes) in frames.iter().zip([MIN_HEADLINE_BYTES, MIN_HEADLINE_BYTES, 0]) {
        let fitting = match entries.first() {
            Some(worst) => frame.whole(&entries).or_else(|| frame.cut_to_fit(worst, least_bytes)),
            None => frame.fit(&[]),
        };
        if let Some(text) = fitting {
            return text;
        }
    }
    format!("{least}{} {}", words::events(total(notice)), id(notice))
}

/// What ends every SMS.
pub(super) fn id(notice: &Notice) -> String {
    format!("#{}", clean::line(&notice.id, 16))
}

/// What stands round the events.
struct Frame<'a> {
    notice: &'a Notice,
    tag: &'a str,
    /// Whether a loss says its reason.
    reasons: bool,
    /// Whether it says that it is the last one today.
    says_last: bool,
    /// Whether a panic says where.
    places: bool,
}

impl Frame<'_> {
    /// All entries as they are, or else as many as fit if each is cut a little.
    fn whole(&self, entries: &[Entry<'_>]) -> Option<String> {
        let text = |entry: &Entry<'_>, units| entry.text(&cut(&entry.headline, units), self.places);
        let texts = |units| entries.iter().map(|entry| (entry, text(entry, units))).collect();
        let whole: Vec<_> = texts(usize::MAX);
        if entries.len() == 1 {
            return self.fit(&whole);
        }
        let cut = HEADLINE_UNITS.map(texts);
        let all = [&whole, &cut[0], &cut[1]].into_iter().find_map(|texts| self.fit(texts));
        all.or_else(|| (1..entries.len()).rev().find_map(|shown| self.fit(&cut[1][..shown])))
    }

    /// The longest start of `entry` that fits.
    fn cut_to_fit(&self, entry: &Entry<'_>, least_bytes: usize) -> Option<String> {
        let starts = entry.headline.char_indices().rev().take_while(|(end, _)| *end >= least_bytes);
        starts.map(|(end, _)| entry.headline.get(..end).unwrap_or_default()).find_map(|start| {
            let start = format!("{}...", start.trim_end_matches([' ', '.']));
            self.fit(&[(entry, entry.text(&start, self.places))])
        })
    }

    /// The message that shows `texts`, if it is not too long.
    fn fit(&self, texts: &[(&Entry<'_>, String)]) -> Option<String> {
        let mut shown: Vec<_> = texts.iter().map(|(entry, text)| (entry.index, text.clone())).collect();
        shown.sort_unstable_by_key(|(index, _)| *index);
        let mut items: Vec<String> = shown.into_iter().map(|(_, text)| text).collect();
        let told = counted(texts.iter().map(|(entry, _)| entry.sample));
        match (total(self.notice).saturating_sub(told), texts) {
            (0, _) => (),
            (hidden, []) => items.push(words::events(hidden)),
            (hidden, _) => items.push(words::more(hidden)),
        }
        items.extend(self.loss(&self.notice.losses, items.is_empty()));
        if items.is_empty() {
            items.push(words::events(0));
        }
        items.extend(self.says_last.then(|| words::LAST_TODAY_SHORT.to_owned()));
        let text = format!("{}{} {}", self.tag, items.join(", "), id(self.notice));
        (gsm7::segments(&text) <= MAX_SEGMENTS).then_some(text)
    }

    fn loss(&self, losses: &Losses, alone: bool) -> Option<String> {
        let lost = lost(losses);
        if lost == 0 {
            return None;
        }
        let subject = if alone { words::events(lost) } else { lost.to_string() };
        let reasons = losses.iter().filter(|(_, count)| self.reasons && **count > 0);
        let reasons: Vec<String> = reasons.map(|(reason, _)| reason.to_string()).collect();
        Some(words::lost_short(&subject, &reasons.join(", ")))
    }
}

/// One kind of event.
struct Entry<'a> {
    index: usize,
    sample: &'a Sample,
    /// Like `ERROR: `; nothing before what is about the alerting itself.
    word: String,
    headline: String,
    /// Where, if it is a panic.
    place: String,
    /// How often.
    count: String,
}

impl<'a> Entry<'a> {
    fn new(notice: &'a Notice, index: usize) -> Self {
        let sample = &notice.samples[index];
        let headline = gsm7::fold(&headline_with_cause(&sample.event, MAX_HEADLINE_CHARS));
        let word = match notice.kind {
            Kind::Health => String::new(),
            _ => match sample.kind {
                Kind::Quiet => words::QUIET.to_owned(),
                Kind::Reminder => words::GOES_ON.to_owned(),
                Kind::First | Kind::Digest | Kind::Update | Kind::Health => {
                    format!("{}: ", word(&sample.event))
                }
            },
        };
        let place = gsm7::fold(&panic_place(&sample.event, MAX_PLACE_CHARS));
        let place = if place.is_empty() { place } else { words::at_place(&place) };
        let count = words::short_count(sample.count, sample.total);
        Self { index, sample, word, headline, place, count }
    }

    fn text(&self, headline: &str, has_place: bool) -> String {
        let place = if has_place { &*self.place } else { "" };
        format!("{}{headline}{place}{}", self.word, self.count)
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
    format!("{}...", text.get(..end).unwrap_or_default().trim_end())
}

#[cfg(test)]
mod tests;

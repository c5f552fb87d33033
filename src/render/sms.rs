//! The short text: one line for a phone.
//!
//! Invariant: at most [`MAX_SEGMENTS`] segments whatever the sender, begins with the application's
//! tag and ends with the notice's id, has no address in it that the event did
//! not bring.

use super::{
    Clock, Headline, clean, counted, environment, gsm7, headline, instances, late, lost, panic_place, rank,
    tag, total, word, words,
};
use crate::{
    event::loss::Losses,
    policy::{
        budget::MAX_SEGMENTS,
        notice::{Kind, Notice, Sample},
    },
};

/// More characters than fit.
const MAX_UNITS: usize = 320;

/// Of several events, each is told at this length before one is left out.
const MIN_HEADLINE_UNITS: usize = 40;

/// More events than fit, whatever they say.
const MAX_ENTRIES: usize = 40;

/// A message is rather short of the reason of a loss than cut below this.
const MIN_ALONE_UNITS: usize = 28;

/// Where a panic happened, at most.
const MAX_PLACE_CHARS: usize = 40;

/// Renders the short text of `notice`: as many events as fit, each as long as
/// fits, in their order; the worst ones if that is not all. In what is left of the
/// segments that this takes stand the fields of the events, if they may.
pub(super) fn short(notice: &Notice, tells_fields: bool, clock: &Clock) -> String {
    let app = gsm7::fold(&clean::line(&notice.process.app, 40));
    let environment = gsm7::fold(&clean::line(environment(&notice.process), 20));
    let full = tag(&cut(&app, 32), &cut(&environment, 16));
    let least = tag(&cut(&app, 12), "");
    let mut worst: Vec<usize> = (0..notice.samples.len()).collect();
    worst.sort_by_key(|index| rank(&notice.samples[*index].event));
    let worst = worst.into_iter().take(MAX_ENTRIES);
    let entries: Vec<Entry<'_>> = worst.map(|index| Entry::new(notice, index, tells_fields, clock)).collect();

    // From all there is to say to what fits with any counts.
    let frames = [
        Frame { notice, tag: &full, reasons: true, says_last: notice.is_last_today, places: true },
        Frame { notice, tag: &full, reasons: false, says_last: notice.is_last_today, places: true },
        Frame { notice, tag: &least, reasons: false, says_last: false, places: false },
    ];
    for (frame, least_units) in frames.iter().zip([MIN_ALONE_UNITS, MIN_ALONE_UNITS, 0]) {
        let worst = entries.get(..1).unwrap_or_default();
        let fitting = frame.whole(&entries).or_else(|| frame.shared(&entries));
        if let Some(text) = fitting.or_else(|| frame.cut(worst, least_units)) {
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
    /// All entries as they are, and what tells them apart as far as there is room.
    fn whole(&self, entries: &[Entry<'_>]) -> Option<String> {
        let mut texts: Vec<_> = entries.iter().map(|entry| self.told(entry, MAX_UNITS)).collect();
        if texts.iter().zip(entries).any(|(text, entry)| text.headline != entry.headline.whole()) {
            return None;
        }
        let mut fitting = self.fit(&texts)?;
        let (segments, is_plain) = (gsm7::segments(&fitting), gsm7::is_plain(&fitting));
        let longest = entries.iter().map(|entry| entry.details.len()).max().unwrap_or_default();
        let mut add = |at: usize, mark: &str, detail: &str| {
            let length = texts[at].details.len();
            texts[at].details.push_str(if length == 0 { words::BEFORE_DETAILS } else { mark });
            texts[at].details.push_str(detail);
            let longer = self.compose(&texts);
            if gsm7::segments(&longer) <= segments && gsm7::is_plain(&longer) == is_plain {
                fitting = longer;
            } else {
                texts[at].details.truncate(length);
            }
        };
        for (at, entry) in entries.iter().enumerate() {
            entry.remarks.iter().for_each(|remark| add(at, ", ", remark));
        }
        for detail in 0..longest {
            for (at, entry) in entries.iter().enumerate() {
                let mark = if detail == 0 { ", " } else { " " };
                entry.details.get(detail).into_iter().for_each(|detail| add(at, mark, detail));
            }
        }
        Some(fitting)
    }

    /// As many entries as fit if each is cut; and then each as long as they all may be.
    fn shared(&self, entries: &[Entry<'_>]) -> Option<String> {
        let texts: Vec<_> = entries.iter().map(|entry| self.told(entry, MIN_HEADLINE_UNITS)).collect();
        let shown = (1..=entries.len()).rev().find(|shown| self.fit(&texts[..*shown]).is_some())?;
        self.cut(&entries[..shown], MIN_HEADLINE_UNITS)
    }

    /// The longest starts of `entries` that fit, none of which is longer than others
    /// but for those that are whole.
    fn cut(&self, entries: &[Entry<'_>], least_units: usize) -> Option<String> {
        let room = MAX_CHARS + "...".len() * entries.len();
        (least_units..MAX_UNITS).rev().find_map(|units| {
            // Nothing is shorter than a unit for each character.
            let least: usize = entries.iter().map(|entry| entry.length.min(units / 2)).sum();
            let texts = || entries.iter().map(|entry| self.told(entry, units)).collect::<Vec<_>>();
            if least > room { None } else { self.fit(&texts()) }
        })
    }

    /// `entry` with a headline of at most so many units of whichever alphabet.
    fn told<'a>(&self, entry: &'a Entry<'a>, units: usize) -> Told<'a> {
        let headline = entry.headline.cut(units, gsm7::units, "...");
        Told { entry, headline, places: self.places, details: String::new() }
    }

    /// The message that shows `texts`, if it is not too long.
    fn fit(&self, texts: &[Told<'_>]) -> Option<String> {
        Some(self.compose(texts)).filter(|text| gsm7::segments(text) <= MAX_SEGMENTS)
    }

    fn compose(&self, texts: &[Told<'_>]) -> String {
        let mut shown: Vec<_> = texts.iter().collect();
        shown.sort_unstable_by_key(|told| told.entry.index);
        let mut items: Vec<String> = shown.into_iter().map(Told::text).collect();
        let told = counted(texts.iter().map(|told| told.entry.sample));
        match (total(self.notice).saturating_sub(told), texts) {
            (0, _) => (),
            (hidden, []) => items.push(words::events(hidden)),
            (hidden, _) => items.push(words::more(hidden)),
        }
        items.extend(self.loss(&self.notice.losses, items.is_empty()));
        if items.is_empty() {
            items.push(words::events(0));
        }
        items.extend(late(self.notice).filter(|_| self.places).map(|by| words::late_short(&by)));
        items.extend(self.says_last.then(|| words::LAST_TODAY_SHORT.to_owned()));
        format!("{}{} {}", self.tag, items.join(", "), id(self.notice))
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
    headline: Headline,
    /// Of the headline, in characters.
    length: usize,
    /// Where, if it is a panic.
    place: String,
    /// How often.
    count: String,
    /// What tells it from others of its kind.
    details: Vec<String>,
    /// In how many instances it happened, and until when nothing more is told of it.
    remarks: Vec<String>,
}

impl<'a> Entry<'a> {
    fn new(notice: &'a Notice, index: usize, tells_fields: bool, clock: &Clock) -> Self {
        let sample = &notice.samples[index];
        let headline = Headline::of(&sample.event, tells_fields);
        let details = if tells_fields && notice.kind != Kind::Health {
            headline::details(sample, &headline).iter().map(|detail| gsm7::fold(detail)).collect()
        } else {
            Vec::new()
        };
        // The first message keeps its room for what happened.
        let until = sample.held_until.filter(|_| sample.kind != Kind::First && notice.samples.len() == 1);
        let until = until.map(|until| gsm7::fold(&words::silent_until(&clock.minute(until))));
        let mut remarks = instances::short(sample, notice.kind);
        remarks.extend(until);
        let headline = headline.map(gsm7::fold);
        let word = match notice.kind {
            Kind::Health => String::new(),
            _ => match sample.kind {
                Kind::Again => words::AGAIN.to_owned(),
                Kind::Quiet => words::QUIET.to_owned(),
                Kind::Reminder => words::GOES_ON.to_owned(),
                Kind::First | Kind::Digest | Kind::Update | Kind::Health => {
                    format!("{}: ", word(&sample.event))
                }
            },
        };
        let place = gsm7::fold(&panic_place(&sample.event, MAX_PLACE_CHARS));
        let place = if place.is_empty() { place } else { words::at_place(&place) };
        let count = match sample.kind {
            Kind::Again => words::short_count_again(sample.count, sample.today, sample.this_week),
            _ => words::short_count(sample.count, sample.total),
        };
        let length = headline.whole().chars().count();
        Self { index, sample, word, headline, length, place, count, details, remarks }
    }
}

/// An entry, as it is told.
struct Told<'a> {
    entry: &'a Entry<'a>,
    headline: String,
    places: bool,
    details: String,
}

impl Told<'_> {
    fn text(&self) -> String {
        let Self { entry, headline, details, .. } = self;
        let place = if self.places { &*entry.place } else { "" };
        format!("{}{headline}{place}{}{details}", entry.word, entry.count)
    }
}

/// `text` cut to `max_units` of whichever alphabet the message will need.
fn cut(text: &str, max_units: usize) -> String {
    headline::start(text, max_units, gsm7::units, "...")
}

/// No message has more characters.
const MAX_CHARS: usize = 304;

#[cfg(test)]
mod tests;

//! What happened before an event, as lines of a mail: the last ones that fit.
//!
//! Invariant: each line is clean, and one line.

use super::{
    Clock, clean,
    space::{Space, body_bytes},
    words,
};
use crate::event::{Event, breadcrumb::Breadcrumb};

/// The last `most` breadcrumbs of `event`, and of these, those that fit in a third
/// of `space`; then the first line says how many are left out.
pub(super) fn lines(event: &Event, clock: &Clock, most: usize, space: &mut Space<'_>) -> String {
    let mut left =
        space.third().saturating_sub(words::earlier(event.breadcrumbs.len()).len() + LINE_END_BYTES);
    let last = event.breadcrumbs.iter().rev().take(most).map(|breadcrumb| line(breadcrumb, event, clock));
    let fitting = last.map_while(|line| {
        let bytes: usize = line.chars().map(body_bytes).sum();
        left = left.checked_sub(bytes + LINE_END_BYTES)?;
        Some(line)
    });
    let mut lines: Vec<String> = fitting.collect();
    let earlier = event.breadcrumbs.len() - lines.len();
    if earlier > 0 {
        space.leave_out();
    }
    // Without a single line it would tell of nothing.
    if earlier > 0 && !lines.is_empty() {
        lines.push(words::earlier(earlier));
    }
    lines.reverse();
    space.spend(&lines.join("\n"))
}

/// Like `19:41:02.113 INFO shop::stock: reserved item=4711`.
fn line(breadcrumb: &Breadcrumb, event: &Event, clock: &Clock) -> String {
    let time = clock.time_before(breadcrumb.at, event.at);
    let target = clean::line(&breadcrumb.target, 80);
    let message = clean::line(&breadcrumb.message, MAX_CHARS);
    let fields = breadcrumb.fields.iter().map(|field| {
        let value = clean::line(&field.value.to_string(), MAX_CHARS);
        format!("{}={value}", clean::line(&field.name, 80))
    });
    let says: Vec<String> = std::iter::once(message).chain(fields).filter(|part| !part.is_empty()).collect();
    format!("{time} {} {target}: {}", breadcrumb.level, says.join(" "))
}

/// More than a breadcrumb's texts have.
const MAX_CHARS: usize = 1000;

/// What a line break costs.
const LINE_END_BYTES: usize = 5;

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use tracing::Level;

    use super::{
        super::tests::{breadcrumb, event},
        *,
    };

    /// An event after so many breadcrumbs, a second apart.
    fn after(count: u64) -> Event {
        let mut event = event(Level::ERROR, "payment failed");
        let at = |number| event.at - Duration::from_secs(count - number);
        let numbers = (0..count).map(|number| breadcrumb(&format!("step {number}"), at(number)));
        event.breadcrumbs = numbers.map(Arc::new).collect();
        event
    }

    /// Where so many bytes are kept for them.
    fn shown(event: &Event, clock: &Clock, most: usize, room: usize) -> String {
        lines(event, clock, most, &mut Space::new(3 * room, ""))
    }

    #[test]
    fn the_last_ones_are_shown_in_order() {
        let clock = Clock::default();
        assert_eq!(shown(&after(0), &clock, 9, 1000), "");
        let all = "19:41:01.123 INFO my_app: step 0 order=17\n19:41:02.123 INFO my_app: step 1 order=17";
        assert_eq!(shown(&after(2), &clock, 9, 1000), all);
        let last = "(5 earlier ones are not shown)\n19:41:02.123 INFO my_app: step 5 order=17";
        assert_eq!(shown(&after(6), &clock, 1, 1000), last);
    }

    #[test]
    fn what_there_is_no_room_for_is_left_out_from_the_oldest() {
        let event = after(64);
        for room in 0..3000 {
            let lines = shown(&event, &Clock::default(), 64, room);
            assert!(lines.chars().map(body_bytes).sum::<usize>() <= room, "{room}: {lines}");
            assert!(lines.is_empty() || lines.ends_with("step 63 order=17"), "{room}: {lines}");
        }
    }

    #[test]
    fn one_of_another_day_says_so() {
        let mut event = after(1);
        event.at += Duration::from_secs(24 * 60 * 60);
        let line = shown(&event, &Clock::default(), 1, 1000);
        assert_eq!(line, "2026-11-22 19:41:02.123 INFO my_app: step 0 order=17");
    }

    #[test]
    fn a_hostile_one_is_one_line_like_any_other() {
        let mut event = event(Level::ERROR, "payment failed");
        let mut hostile = breadcrumb("one\r\nProcess\u{202E}\u{1B}[2K\u{2028}#9999", event.at);
        hostile.target = "shop\n".into();
        hostile.fields[0].name = "order\nFields".into();
        event.breadcrumbs = vec![Arc::new(hostile)];
        let line = shown(&event, &Clock::default(), 9, 1000);
        assert_eq!(line, "19:41:03.123 INFO shop: one Process #9999 order Fields=17");
    }
}

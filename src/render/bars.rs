//! The counts of the last hour as bars: blocks of text, or the heights of cells.
//!
//! Invariant: one bar for each count, at most [`MOST`]; whatever happened is
//! seen, and what did not is a bare line.

use super::{Clock, words};
use crate::{
    host::time::Saturating,
    policy::notice::{LastHour, Sample},
};

/// More counts than that are no hour.
const MOST: usize = 12;

/// The highest bar.
const HIGHEST: u64 = 7;

/// How high the cell of a bar is, for each of its heights, in pixels.
const PIXELS: u64 = 4;

/// The bars, and what they say.
pub(super) struct Bars {
    heights: Vec<u64>,
    pub(super) caption: String,
}

impl Bars {
    /// None of what happened in no more than five minutes of that hour: one bar
    /// says nothing.
    pub(super) fn new(sample: &Sample, clock: &Clock) -> Option<Self> {
        let LastHour { since, counts } = &sample.last_hour;
        let counts = counts.get(..MOST).unwrap_or(counts);
        let is_several = counts.iter().filter(|count| **count > 0).nth(1).is_some();
        let most = counts.iter().copied().max().filter(|_| is_several)?;
        let height = |count: &u64| {
            let height = (u128::from(*count) * u128::from(HIGHEST)).div_ceil(u128::from(most));
            u64::try_from(height).unwrap_or(HIGHEST)
        };
        let steps = u32::try_from(counts.len()).unwrap_or_default();
        let hour = clock.span(*since, since.later(LastHour::STEP.saturating_mul(steps)));
        let minutes = LastHour::STEP.as_secs() / 60;
        Some(Self {
            heights: counts.iter().map(height).collect(),
            caption: words::pace(&hour, most, minutes),
        })
    }

    /// Like `▁▁▃█▂`.
    pub(super) fn blocks(&self) -> String {
        self.heights.iter().map(|height| BLOCKS.get(to_place(*height)).copied().unwrap_or('█')).collect()
    }

    /// In pixels.
    pub(super) fn pixels(&self) -> impl Iterator<Item = u64> + '_ {
        self.heights.iter().map(|height| (height * PIXELS).max(1))
    }
}

fn to_place(height: u64) -> usize {
    usize::try_from(height).unwrap_or(usize::MAX)
}

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::from_millis;

    fn bars(counts: &[u64]) -> Option<Bars> {
        let mut sample = super::super::tests::error(tracing::Level::ERROR, "a", 7);
        sample.last_hour = LastHour { since: from_millis(1_795_371_300_000), counts: counts.to_vec() };
        Bars::new(&sample, &Clock::default())
    }

    #[test]
    fn whatever_happened_is_seen() {
        let bars = bars(&[0, 1, 0, 500, 1000, 7]).unwrap();
        assert_eq!(bars.blocks(), "▁▂▁▅█▂");
        assert_eq!(bars.pixels().collect::<Vec<_>>(), [1, 4, 1, 16, 28, 4]);
        assert_eq!(bars.caption, "18:15–18:45 UTC, up to 1,000 in 5 min");
    }

    #[test]
    fn no_count_is_too_large_or_too_many() {
        let bars = bars(&[u64::MAX, 0, u64::MAX / 2].repeat(9)).unwrap();
        assert_eq!(bars.blocks(), "█▁▅█▁▅█▁▅█▁▅");
    }

    #[test]
    fn one_bar_is_none() {
        assert!(bars(&[0, 0, 1]).is_none());
        assert!(bars(&[0, 900, 0]).is_none());
        assert!(bars(&[0, 0, 0]).is_none());
        assert!(bars(&[]).is_none());
    }
}

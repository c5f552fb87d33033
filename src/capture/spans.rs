//! [`Spans`]: the fields of a layer's open spans, and [`Frames`], those that an
//! event tells of.
//!
//! Runs on the callers' threads; the alert thread opens what was taken along. The
//! registry's own place for such things is behind a lock that other layers hold
//! while they format, so this is one of ours, a layer's own.
//! Invariant: bounded, also if no span is ever closed. No lock is waited for, and
//! none is held while something is formatted, allocated or freed.

use std::{
    array,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use smallvec::SmallVec;
use tracing::{Metadata, span::Id};

use crate::{
    capture::{
        gate,
        packed::{self, Packed},
        visit::MAX_TEXTS_BYTES,
    },
    event::{Field, SpanFrame, Value},
    host::{bucket::Bucket, hash, permit::Permit, text::MARK},
};

/// What is kept of the spans that are open.
pub(crate) struct Spans {
    /// Each larger than the one before it, and there once that is too small.
    levels: [Level; LEVEL_BUCKETS.len()],
    /// What the fields take for which there is no room in place.
    long_bytes: Arc<AtomicUsize>,
    /// Whether one was that of a request.
    has_requests: AtomicBool,
}

struct Level {
    buckets: OnceLock<Box<[Bucket<Kept>]>>,
    /// Whether somebody makes, or made, the buckets.
    is_taken: AtomicBool,
}

/// The fields of a span, packed.
#[derive(Default)]
struct Kept {
    fields: Fields,
    /// Of which callsite the span is. A panic may be looked for in the wrong registry,
    /// where other spans have the same ids.
    callsite: Option<&'static Metadata<'static>>,
    /// Of [`Spans::long_bytes`].
    share: Permit,
    /// Whether an error alerted in it.
    has_failed: bool,
}

impl Kept {
    fn is_of(&self, callsite: &Metadata<'_>) -> bool {
        self.callsite.is_some_and(|known| std::ptr::eq(known, callsite))
    }
}

/// In place, unless they are long.
type Fields = SmallVec<[u8; INLINE_BYTES]>;

impl Spans {
    pub(crate) fn new() -> Self {
        let level = |_| Level { buckets: OnceLock::new(), is_taken: AtomicBool::new(false) };
        let spans = Self {
            levels: array::from_fn(level),
            long_bytes: Arc::default(),
            has_requests: AtomicBool::new(false),
        };
        spans.level(0);
        spans
    }

    /// Keeps the fields of a new span, if there is room for them.
    pub(crate) fn keep(&self, id: &Id, callsite: &'static Metadata<'static>, fields: &Packed) {
        let Some(mut long) = self.place(fields.bytes().len()) else { return };
        if gate::is_of_request(callsite) {
            self.has_requests.store(true, Ordering::Relaxed);
        }
        let mut levels = LEVEL_BUCKETS.iter().enumerate().map_while(|(level, buckets)| {
            Some(self.level(level)?[bucket(id, *buckets)].claim(id.into_u64()))
        });
        if let Some(mut place) = levels.find_map(|place| place) {
            if long.is_some() || place.fields.spilled() {
                std::mem::swap(&mut *place, long.get_or_insert_default());
            }
            place.callsite = Some(callsite);
            place.has_failed = false;
            place.fields.clear();
            place.fields.extend_from_slice(fields.bytes());
        }
    }

    /// Adds what is recorded later: the last value of a field counts. Of what makes
    /// a span too long, the numbers are kept. What others keep from being written for
    /// longer than a copy takes, as they were interrupted, is left out.
    pub(crate) fn record(&self, id: &Id, fields: &Packed) {
        if !self.merge(id, fields.bytes()) {
            let mut numbers = Vec::new();
            packed::copy(fields.bytes(), &mut numbers, &mut 0);
            self.merge(id, &numbers);
        }
    }

    /// False if that would be too long.
    fn merge(&self, id: &Id, newer: &[u8]) -> bool {
        let mut merged = Kept::default();
        for _ in 0..MAX_TRIES {
            let Some(mut kept) = self.get(id) else { break };
            let length = packed::merged(&kept.fields, newer).map(<[u8]>::len).sum::<usize>();
            if length <= merged.fields.capacity() {
                packed::merged(&kept.fields, newer).for_each(|entry| merged.fields.extend_from_slice(entry));
                std::mem::swap(&mut kept.fields, &mut merged.fields);
                std::mem::swap(&mut kept.share, &mut merged.share);
                break;
            }
            drop(kept);
            match self.place(length).filter(|_| length <= MAX_SPAN_BYTES) {
                Some(place) => merged = place.unwrap_or_default(),
                None => return false,
            }
        }
        true
    }

    /// Whether any request had a span.
    pub(crate) fn has_requests(&self) -> bool {
        self.has_requests.load(Ordering::Relaxed)
    }

    /// Notes that an error alerted in a span, if it is kept.
    pub(crate) fn note_failed(&self, id: &Id, callsite: &Metadata<'_>) {
        if let Some(mut kept) = self.get(id).filter(|kept| kept.is_of(callsite)) {
            kept.has_failed = true;
        }
    }

    /// Whether that was noted.
    pub(crate) fn has_failed(&self, id: &Id, callsite: &Metadata<'_>) -> bool {
        self.get(id).is_some_and(|kept| kept.is_of(callsite) && kept.has_failed)
    }

    /// Forgets a span that was closed.
    pub(crate) fn close(&self, id: &Id) {
        let mut levels = self.levels.iter().zip(LEVEL_BUCKETS);
        let long = levels.find_map(|(level, buckets)| {
            let bucket = &level.buckets.get()?[bucket(id, buckets)];
            // Who claims the place next clears what is short.
            bucket.remove(id.into_u64(), |kept| kept.fields.spilled().then(|| std::mem::take(kept)))
        });
        drop(long);
    }

    /// Memory for so many bytes, if that in place is too small; none if there is no
    /// room for them.
    #[expect(clippy::option_option, reason = "none is needed, or none is to be had")]
    fn place(&self, bytes: usize) -> Option<Option<Kept>> {
        if bytes <= INLINE_BYTES {
            return Some(None);
        }
        let share = Permit::take(&self.long_bytes, bytes, MAX_LONG_BYTES)?;
        Some(Some(Kept { fields: Fields::with_capacity(bytes), share, ..Kept::default() }))
    }

    fn get(&self, id: &Id) -> Option<crate::host::sync::MutexGuard<'_, Kept>> {
        let mut levels = self.levels.iter().zip(LEVEL_BUCKETS);
        levels.find_map(|(level, buckets)| level.buckets.get()?[bucket(id, buckets)].get(id.into_u64()))
    }

    /// The buckets of a level. Who is the first to need them makes them, and
    /// nobody waits for that.
    fn level(&self, number: usize) -> Option<&[Bucket<Kept>]> {
        let level = &self.levels[number];
        if level.buckets.get().is_none() && !level.is_taken.swap(true, Ordering::Relaxed) {
            let made = std::iter::repeat_with(Bucket::new).take(LEVEL_BUCKETS[number]).collect();
            // Nobody else sets it.
            drop(level.buckets.set(made));
        }
        level.buckets.get().map(|buckets| &**buckets)
    }
}

/// Which of `buckets` is a span's.
fn bucket(id: &Id, buckets: usize) -> usize {
    // The upper bits of the registry's ids count how often a place of its own was
    // used again: without them, what comes one after the other there is in the
    // same bucket here.
    hash::position(id.into_u64() << GENERATION_BITS, buckets)
}

/// The spans that an event happened in, the innermost first, as they are handed
/// over.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    frames: SmallVec<[Frame; 4]>,
    /// The fields of all of them, packed.
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Frame {
    metadata: &'static Metadata<'static>,
    /// Of the registry: no other span has it while this one is open.
    id: u64,
    /// Where its fields end.
    end: usize,
    /// Its fields were not kept.
    is_missing: bool,
}

impl Frames {
    /// Adds the next outer span. If the texts of all are too long together, the
    /// inner ones keep theirs.
    pub(crate) fn add(&mut self, metadata: &'static Metadata<'static>, id: &Id, spans: &Spans) {
        let has_fields = !metadata.fields().is_empty();
        let is_missing = has_fields && self.copy(metadata, id, spans).is_none();
        self.frames.push(Frame { metadata, id: id.into_u64(), end: self.bytes.len(), is_missing });
    }

    fn copy(&mut self, callsite: &Metadata<'_>, id: &Id, spans: &Spans) -> Option<()> {
        let mut room = MAX_TEXTS_BYTES.saturating_sub(self.bytes.len());
        for _ in 0..MAX_TRIES {
            let kept = spans.get(id)?;
            if !kept.is_of(callsite) {
                return None;
            }
            let length = kept.fields.len();
            if self.bytes.capacity() - self.bytes.len() >= length {
                packed::copy(&kept.fields, &mut self.bytes, &mut room);
                return Some(());
            }
            drop(kept);
            self.bytes.reserve(length.max(FRAMES_BYTES));
        }
        None
    }

    /// Bytes of memory that it takes, roughly, once it is opened.
    pub(crate) fn size_bytes(&self) -> usize {
        self.frames.len() * size_of::<SpanFrame>() + FIELD_FACTOR * self.bytes.len()
    }

    /// Which spans these are: root first.
    pub(crate) fn ids(&self) -> Vec<u64> {
        self.frames.iter().rev().map(|frame| frame.id).collect()
    }

    /// What an event shows: root first.
    pub(crate) fn open(self) -> Vec<SpanFrame> {
        let mut start = 0;
        let mut frames: Vec<_> = self
            .frames
            .iter()
            .map(|frame| {
                let packed = self.bytes.get(start..frame.end).unwrap_or_default();
                start = frame.end;
                let fields = if frame.is_missing {
                    vec![Field::new("fields", Value::Str(MARK.to_owned()))]
                } else {
                    packed::unpack(packed, frame.metadata.fields())
                };
                SpanFrame {
                    name: frame.metadata.name().into(),
                    target: frame.metadata.target().into(),
                    fields: Arc::new(fields),
                }
            })
            .collect();
        frames.reverse();
        frames
    }
}

/// How many buckets each level has.
const LEVEL_BUCKETS: [usize; 3] = [128, 1_024, 4_096];

/// Fields that are not longer than this need no memory of their own.
const INLINE_BYTES: usize = 96;

/// What all fields that are longer may take.
const MAX_LONG_BYTES: usize = 4 * 1024 * 1024;

/// What the fields of one span may take: its texts, and the rest.
const MAX_SPAN_BYTES: usize = MAX_TEXTS_BYTES + 2 * 1024;

/// How often room is made for what has grown meanwhile.
const MAX_TRIES: usize = 4;

/// What is reserved for the fields of an event's spans.
const FRAMES_BYTES: usize = 192;

/// How much larger a field is than when it was packed.
const FIELD_FACTOR: usize = 4;

/// At the top of the registry's ids.
const GENERATION_BITS: u32 = 29;

#[cfg(test)]
mod tests;

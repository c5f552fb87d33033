//! [`Visitor`]: what a span or an event is given becomes values of ours.
//!
//! Runs on the caller's thread, and runs other people's `Debug` and `Display`.
//! Invariant: bounded work and memory whatever there is to visit; an impl that
//! panics costs its own value and nothing else; no lock is held.

use std::{
    error::Error,
    fmt::{self, Write},
};

use tracing::{
    Metadata,
    field::{Field, Visit},
};

use crate::{
    capture::interrupt::{Place, unwind_to},
    event::{self, Value},
    host::{
        text::{MARK, part},
        unwind::caught,
    },
};

/// Takes in what a visitor finds.
pub(crate) trait Keep {
    /// Keeps a number, a boolean or an error.
    fn value(&mut self, field: &Field, value: Value);

    /// Keeps a text of at most `most` bytes, and says how long it is.
    fn text(&mut self, field: &Field, most: usize, text: impl Text) -> usize;
}

/// What can be appended, up to a number of bytes.
pub(crate) trait Text {
    /// Says how many bytes it took.
    fn append(self, into: &mut impl Append, most: usize) -> usize;
}

impl Text for &str {
    fn append(self, into: &mut impl Append, most: usize) -> usize {
        let Some(part) = part(self, most) else {
            into.append(self);
            return self.len();
        };
        into.append(part);
        into.append(MARK);
        part.len() + MARK.len()
    }
}

/// What a `Debug` impl writes.
struct Debugged<'a>(&'a dyn fmt::Debug);

impl Text for Debugged<'_> {
    fn append(self, into: &mut impl Append, most: usize) -> usize {
        capped(into, most, |text| write!(text, "{:?}", self.0))
    }
}

/// How much of something is captured.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) fields: usize,
    /// Of all texts together.
    pub(crate) bytes: usize,
}

impl Limits {
    /// Of an event, or of a span.
    pub(crate) const FULL: Self = Self { fields: 64, bytes: MAX_TEXTS_BYTES };
    pub(crate) const BREADCRUMB: Self = Self { fields: 16, bytes: 512 };
}

/// Hands values on to `K` up to the limits.
pub(crate) struct Visitor<K> {
    pub(crate) kept: K,
    fields_left: usize,
    bytes_left: usize,
}

impl<K: Keep> Visitor<K> {
    pub(crate) fn new(kept: K, limits: Limits) -> Self {
        Self { kept, fields_left: limits.fields, bytes_left: limits.bytes }
    }

    fn push(&mut self, field: &Field, value: Value) {
        if let Some(left) = self.fields_left.checked_sub(1) {
            self.fields_left = left;
            self.kept.value(field, value);
        }
    }

    fn push_text(&mut self, field: &Field, text: impl Text) {
        if let Some(left) = self.fields_left.checked_sub(1) {
            self.fields_left = left;
            let length = self.kept.text(field, MAX_VALUE_BYTES.min(self.bytes_left), text);
            self.bytes_left = self.bytes_left.saturating_sub(length);
        }
    }
}

impl<K: Keep> Visit for Visitor<K> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, Value::F64(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, Value::I64(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, Value::U64(value));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.push(field, Value::I128(value));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.push(field, Value::U128(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, Value::Bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push_text(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut chain = Vec::new();
        let mut next = Some(value);
        while let Some(link) = next.filter(|_| chain.len() < MAX_CHAIN_LINKS) {
            let mut text = String::new();
            let most = MAX_VALUE_BYTES.min(self.bytes_left);
            let length = capped(&mut text, most, |capped| write!(capped, "{link}"));
            self.bytes_left = self.bytes_left.saturating_sub(length);
            chain.push(text);
            next = caught(|| link.source()).flatten();
        }
        if next.is_some() {
            chain.push(MARK.to_owned());
        }
        self.push(field, Value::Error(chain));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push_text(field, Debugged(value));
    }
}

/// The message and the fields of an event.
#[derive(Default)]
pub(crate) struct Fields {
    pub(crate) message: String,
    pub(crate) fields: Vec<event::Field>,
}

impl Fields {
    /// With room for all that `metadata` names.
    pub(crate) fn of(metadata: &Metadata<'_>, limits: Limits) -> Self {
        let fields = Vec::with_capacity(metadata.fields().len().min(limits.fields));
        Self { message: String::new(), fields }
    }
}

impl Keep for Fields {
    fn value(&mut self, field: &Field, value: Value) {
        self.fields.push(event::Field::new(plain_name(field.name()), value));
    }

    fn text(&mut self, field: &Field, most: usize, text: impl Text) -> usize {
        let mut owned = String::new();
        let length = text.append(&mut owned, most);
        if field.name() == "message" {
            self.message = owned;
        } else {
            self.value(field, Value::Str(owned));
        }
        length
    }
}

/// The name of a field without a raw identifier's `r#`.
pub(crate) fn plain_name(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// What texts are collected in.
pub(crate) trait Append {
    fn append(&mut self, text: &str);
}

impl Append for String {
    fn append(&mut self, text: &str) {
        self.push_str(text);
    }
}

/// Appends what `write` writes, up to `most` bytes and marked if that is not all
/// of it, to `into`. Says how many bytes that took.
fn capped(into: &mut impl Append, most: usize, write: impl FnOnce(&mut dyn Write) -> fmt::Result) -> usize {
    let mut capped = Capped { into, room: most, was_cut: false, appended: 0, until: None };
    let written = caught(|| {
        let here = 0;
        capped.until = Some(Place::of(&here));
        // An `Err` is the cap's, or that of an impl which then said all it can.
        write(&mut capped)
    });
    if written.is_none() && !capped.was_cut {
        capped.append("[panicked while being formatted]");
    }
    if capped.was_cut {
        capped.append(MARK);
    }
    capped.appended
}

/// Text that stops growing at a limit; further writes fail, or are never made,
/// which ends the formatting of a value that would go on for ever.
struct Capped<'a, A> {
    into: &'a mut A,
    room: usize,
    was_cut: bool,
    appended: usize,
    /// Where the formatting began.
    until: Option<Place>,
}

impl<A: Append> Capped<'_, A> {
    fn append(&mut self, text: &str) {
        self.into.append(text);
        self.appended += text.len();
    }
}

impl<A: Append> Write for Capped<'_, A> {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        if self.was_cut {
            return Err(fmt::Error);
        }
        match self.room.checked_sub(more.len()) {
            Some(left) => {
                self.room = left;
                self.append(more);
                Ok(())
            }
            None => {
                self.append(more.get(..more.floor_char_boundary(self.room)).unwrap_or_default());
                self.was_cut = true;
                // What comes in one long piece is a text, and not a list of many.
                if let Some(until) = self.until.filter(|_| more.len() < MAX_PIECE_BYTES) {
                    unwind_to(until);
                }
                Err(fmt::Error)
            }
        }
    }
}

/// The longest text of one value.
const MAX_VALUE_BYTES: usize = 8 * 1024;

/// The longest text of all values of an event, of a span, or of all spans of an
/// event together.
pub(crate) const MAX_TEXTS_BYTES: usize = 32 * 1024;

/// An element of a list that takes long to look at is shorter.
const MAX_PIECE_BYTES: usize = 256;

const MAX_CHAIN_LINKS: usize = 16;

#[cfg(test)]
mod tests {
    use std::{cell::Cell, sync::Mutex};

    use super::*;

    fn shown(value: &dyn fmt::Debug) -> String {
        let mut text = String::new();
        capped(&mut text, 40, |capped| write!(capped, "{value:?}"));
        text
    }

    /// A list that counts the elements that are looked at.
    struct List<'a>(&'a Cell<u32>);

    impl fmt::Debug for List<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let mut list = f.debug_list();
            for number in 1..=1_000 {
                self.0.set(number);
                list.entry(&number);
            }
            list.finish()
        }
    }

    #[derive(Debug)]
    struct Holds<T>(T);

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn no_more_elements_are_looked_at_than_are_shown() {
        let looked = Cell::new(0);
        for value in [&List(&looked) as &dyn fmt::Debug, &Holds(List(&looked))] {
            let text = shown(value);
            assert!(text.ends_with(MARK) && !text.contains("panicked"), "{text}");
            assert!((5..30).contains(&looked.get()), "{}", looked.get());
        }
    }

    #[test]
    fn a_mutex_that_is_locked_while_it_is_shown_is_not_poisoned() {
        let looked = Cell::new(0);
        let mutex = Mutex::new(List(&looked));
        assert!(shown(&mutex).ends_with(MARK));
        assert!(!mutex.is_poisoned() && looked.get() == 1_000);
        assert!(shown(&Holds(&mutex)).ends_with(MARK) && !mutex.is_poisoned());
    }

    /// What is to be dropped while it is shown is dropped.
    struct Guarded<'a>(&'a Cell<u32>);

    impl fmt::Debug for Guarded<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            struct Guard<'a>(&'a Cell<u32>);
            impl Drop for Guard<'_> {
                fn drop(&mut self) {
                    assert!(!std::thread::panicking());
                    self.0.set(self.0.get() + 1);
                }
            }
            let _guard = Guard(self.0);
            f.write_str("longer than what may be shown, which is forty bytes")?;
            f.write_str("never")
        }
    }

    #[test]
    fn what_holds_something_is_not_unwound() {
        let drops = Cell::new(0);
        assert_eq!(shown(&Guarded(&drops)), format!("longer than what may be shown, which is {MARK}"));
        assert_eq!(drops.get(), 1);
    }
}

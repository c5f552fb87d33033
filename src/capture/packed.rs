//! [`Packed`]: a span's fields as bytes, packed on the caller's thread, where
//! spans are many, and unpacked on the alert thread, where those that an event
//! tells of are few.
//!
//! An entry is the field's index, the value's kind, and the value: a text is its
//! length and its bytes, an error is the number of its links and their texts.
//! Invariant: pure; a value needs no allocation of its own.

use tracing::field::{Field, FieldSet};

use crate::{
    capture::visit::{Append, Keep, Text, plain_name},
    event::{self, Value},
    host::text::MARK,
};

/// What a visitor packs; on the stack, unless it is long.
pub(crate) struct Packed {
    short: [u8; SHORT_BYTES],
    /// Of [`Self::short`], unless all is in [`Self::long`].
    length: usize,
    long: Vec<u8>,
}

impl Default for Packed {
    fn default() -> Self {
        Self { short: [0; SHORT_BYTES], length: 0, long: Vec::new() }
    }
}

impl Packed {
    pub(crate) fn bytes(&self) -> &[u8] {
        if self.long.is_empty() { &self.short[..self.length] } else { &self.long }
    }

    #[inline]
    fn extend(&mut self, more: &[u8]) {
        let end = self.length + more.len();
        match self.short.get_mut(self.length..end) {
            Some(room) if self.long.is_empty() => {
                room.copy_from_slice(more);
                self.length = end;
            }
            _ => self.extend_long(more),
        }
    }

    #[cold]
    fn extend_long(&mut self, more: &[u8]) {
        if self.long.is_empty() {
            self.long.extend_from_slice(&self.short[..self.length]);
        }
        self.long.extend_from_slice(more);
    }

    /// An entry of a value with so many bytes.
    #[inline]
    fn number<const BYTES: usize>(&mut self, field: &Field, kind: u8, value: [u8; BYTES]) {
        self.extend(&[index(field), kind]);
        self.extend(&value);
    }

    /// What `write` appends, behind its length; before both, an entry's beginning.
    #[inline]
    fn text(&mut self, head: &[u8], write: impl FnOnce(&mut Self) -> usize) -> usize {
        self.extend(head);
        let at = self.bytes().len();
        self.extend(&[0; LENGTH_BYTES]);
        let written = write(self);
        let length = u16::try_from(written).unwrap_or(u16::MAX).to_le_bytes();
        let bytes = if self.long.is_empty() { &mut self.short[..] } else { &mut self.long };
        bytes[at..at + LENGTH_BYTES].copy_from_slice(&length);
        written
    }
}

impl Append for Packed {
    fn append(&mut self, text: &str) {
        self.extend(text.as_bytes());
    }
}

impl Keep for &mut Packed {
    fn value(&mut self, field: &Field, value: Value) {
        match value {
            Value::Bool(value) => self.number(field, BOOL, [u8::from(value)]),
            Value::I64(value) => self.number(field, I64, value.to_le_bytes()),
            Value::U64(value) => self.number(field, U64, value.to_le_bytes()),
            Value::I128(value) => self.number(field, I128, value.to_le_bytes()),
            Value::U128(value) => self.number(field, U128, value.to_le_bytes()),
            Value::F64(value) => self.number(field, F64, value.to_le_bytes()),
            Value::Str(text) => {
                Packed::text(self, &[index(field), STR], |into| appended(into, &text));
            }
            Value::Error(chain) => {
                self.extend(&[index(field), ERROR, u8::try_from(chain.len()).unwrap_or(u8::MAX)]);
                for link in chain.iter().take(usize::from(u8::MAX)) {
                    Packed::text(self, &[], |into| appended(into, link));
                }
            }
        }
    }

    fn text(&mut self, field: &Field, most: usize, text: impl Text) -> usize {
        Packed::text(self, &[index(field), STR], |into| text.append(into, most))
    }
}

fn appended(into: &mut Packed, text: &str) -> usize {
    into.append(text);
    text.len()
}

/// A callsite has at most 32 fields.
fn index(field: &Field) -> u8 {
    u8::try_from(field.index()).unwrap_or(u8::MAX)
}

/// One entry of what is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry<'a> {
    index: u8,
    kind: u8,
    /// Index and kind included.
    whole: &'a [u8],
}

/// The entries of what was packed.
fn entries(mut packed: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    std::iter::from_fn(move || {
        let (entry, rest) = split(packed)?;
        packed = rest;
        Some(entry)
    })
}

fn split(packed: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let [index, kind, value @ ..] = packed else { return None };
    let length = match *kind {
        BOOL => 1,
        I64 | U64 | F64 => 8,
        I128 | U128 => 16,
        STR => LENGTH_BYTES + text(value)?.len(),
        _ => {
            let (links, mut rest) = value.split_first()?;
            for _ in 0..*links {
                rest = rest.get(LENGTH_BYTES + text(rest)?.len()..)?;
            }
            value.len() - rest.len()
        }
    };
    let (whole, rest) = packed.split_at_checked(HEAD_BYTES + length)?;
    Some((Entry { index: *index, kind: *kind, whole }, rest))
}

/// The text that begins here with its length.
fn text(packed: &[u8]) -> Option<&[u8]> {
    let (length, rest) = packed.split_first_chunk()?;
    rest.get(..usize::from(u16::from_le_bytes(*length)))
}

impl Entry<'_> {
    /// Whether it takes more room than a number.
    fn has_text(&self) -> bool {
        matches!(self.kind, STR | ERROR)
    }

    fn unpack(&self, names: &FieldSet) -> Option<event::Field> {
        let name = names.iter().nth(usize::from(self.index))?.name();
        let value = self.whole.get(HEAD_BYTES..)?;
        let value = match self.kind {
            BOOL => Value::Bool(value.first()? != &0),
            I64 => Value::I64(i64::from_le_bytes(*value.first_chunk()?)),
            U64 => Value::U64(u64::from_le_bytes(*value.first_chunk()?)),
            I128 => Value::I128(i128::from_le_bytes(*value.first_chunk()?)),
            U128 => Value::U128(u128::from_le_bytes(*value.first_chunk()?)),
            F64 => Value::F64(f64::from_le_bytes(*value.first_chunk()?)),
            STR => Value::Str(owned(text(value)?)),
            _ => {
                let (links, mut rest) = value.split_first()?;
                let mut chain = Vec::with_capacity(usize::from(*links));
                for _ in 0..*links {
                    let link = text(rest)?;
                    chain.push(owned(link));
                    rest = rest.get(LENGTH_BYTES + link.len()..)?;
                }
                Value::Error(chain)
            }
        };
        Some(event::Field::new(plain_name(name), value))
    }
}

fn owned(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// Copies what is packed to `into`, as far as `room` goes: numbers always, and
/// [`MARK`] for a text that does not fit.
pub(crate) fn copy(packed: &[u8], into: &mut Vec<u8>, room: &mut usize) {
    if let Some(left) = room.checked_sub(packed.len()) {
        *room = left;
        into.extend_from_slice(packed);
        return;
    }
    for entry in entries(packed) {
        match room.checked_sub(entry.whole.len()) {
            Some(left) => {
                *room = left;
                into.extend_from_slice(entry.whole);
            }
            None if entry.has_text() && entry.whole.len() > HEAD_BYTES + LENGTH_BYTES + MARK.len() => {
                into.extend_from_slice(&[entry.index, STR]);
                into.extend_from_slice(&MARK_LENGTH.to_le_bytes());
                into.extend_from_slice(MARK.as_bytes());
            }
            None => into.extend_from_slice(entry.whole),
        }
    }
}

/// The fields that were packed, by their names.
pub(crate) fn unpack(packed: &[u8], names: &FieldSet) -> Vec<event::Field> {
    entries(packed).filter_map(|entry| entry.unpack(names)).collect()
}

/// The entries of `older` with those of `newer`: the last value of a field counts,
/// and a field keeps its place.
pub(crate) fn merged<'a>(older: &'a [u8], newer: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let of = |packed: &'a [u8], field: u8| entries(packed).filter(move |entry| entry.index == field).last();
    let known = entries(older).map(move |old| of(newer, old.index).unwrap_or(old));
    let added = entries(newer).filter(move |new| of(older, new.index).is_none());
    known.chain(added).map(|entry| entry.whole)
}

const BOOL: u8 = 0;
const I64: u8 = 1;
const U64: u8 = 2;
const I128: u8 = 3;
const U128: u8 = 4;
const F64: u8 = 5;
const STR: u8 = 6;
const ERROR: u8 = 7;

/// What most spans' fields fit in.
const SHORT_BYTES: usize = 256;

/// Of an entry's index and kind.
const HEAD_BYTES: usize = 2;

/// Of a text's length; a visitor's texts are much shorter than that allows.
const LENGTH_BYTES: usize = 2;

#[expect(clippy::cast_possible_truncation, reason = "it is a few bytes long")]
const MARK_LENGTH: u16 = MARK.len() as u16;

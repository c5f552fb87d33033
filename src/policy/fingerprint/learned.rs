//! [`Learned`]: what the messages of one callsite have in common, as far as it is
//! known by now.
//!
//! In the manner of the Drain log parser: messages are templates, and where enough
//! different words stood in one place ([`Slot::enough`]), that place is a hole. From
//! then on what differs there only is one group. What tells problems apart never is
//! one: see [`words`](super::words).
//! Invariant: pure, and bounded. It only learns: a group never falls apart. What was
//! said is kept as keyed hashes; in clear only what three incidents or more share.

use std::{cmp::Reverse, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use super::{
    Fingerprint, form, hash, hex,
    words::{Again, Slot, Word, words},
};

/// What an event says, as it is learned from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// Which callsite says it.
    pub(crate) callsite: Fingerprint,
    /// What it is counted under, as long as it has no group.
    own: Fingerprint,
    /// The words, one after the other.
    text: Box<str>,
    words: Box<[SaidWord]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct SaidWord {
    /// Where it ends in the text.
    end: u32,
    hash: u32,
    slot: Slot,
}

impl Said {
    /// What a masked message says, and its masked causes. None of one that is too long,
    /// or that has nothing to learn.
    pub(super) fn new(
        callsite: Fingerprint,
        own: Fingerprint,
        message: &str,
        causes: &[&str],
    ) -> Option<Self> {
        let mut words = words(message);
        for cause in causes {
            words.push(Word { text: CAUSE, slot: Slot::Between });
            words.extend(super::words::words(cause));
        }
        let can_vary = words.iter().any(|word| word.slot < Slot::Part);
        if !can_vary || words.len() > MAX_WORDS {
            return None;
        }
        let mut whole = String::new();
        let said = |Word { text, slot }: Word<'_>| {
            whole.push_str(text);
            let end = u32::try_from(whole.len()).unwrap_or(u32::MAX);
            SaidWord { end, hash: keyed(callsite, &[text]), slot }
        };
        let words = words.into_iter().map(said).collect();
        Some(Self { callsite, own, words, text: whole.into() })
    }

    /// The words, and what they say.
    fn told(&self) -> impl Iterator<Item = (&SaidWord, &str)> {
        let mut start = 0;
        self.words.iter().map(move |word| {
            let end = word.end as usize;
            let text = self.text.get(start..end).unwrap_or_default();
            start = end;
            (word, text)
        })
    }
}

/// A hash of a few bits: it says that two texts are not the same, and not which they
/// are.
fn keyed(callsite: Fingerprint, parts: &[&str]) -> u32 {
    let key = hex(callsite);
    let parts: Vec<_> = [key.as_str()].into_iter().chain(parts.iter().copied()).collect();
    let [a, b, c, d, ..] = hash(&parts);
    u32::from_be_bytes([a, b, c, d])
}

/// What one callsite said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Learned {
    /// In order, so that it makes no difference which came first.
    templates: Vec<Template>,
}

/// Words, and holes between them; a message as it is, if it has none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Template {
    /// A hole is none.
    words: Vec<Known>,
    /// What it is counted under: of a group, that is one of its first messages, so that
    /// the incident of that one goes on.
    #[serde(with = "form")]
    fingerprint: Fingerprint,
    /// How many incidents share it, as far as that matters.
    shared_by: u32,
    /// What it says: once it is a group of three.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shown: Option<String>,
}

impl Learned {
    /// Learns from `said`, which is counted `count` times. Returns its group, if it has
    /// one, and whether something is to be kept.
    pub(crate) fn note(&mut self, said: &Said, count: u64) -> (Option<Fingerprint>, bool) {
        let own = Template::of(said, count);
        if let Some(group) = self.group_of(&own) {
            let is_news = group.gain(said);
            return (Some(group.fingerprint), is_news);
        }
        if let Some(known) = self.templates.iter_mut().find(|known| known.words == own.words) {
            let is_news = known.shared_by < 2;
            known.shared_by = 2;
            return (None, is_news);
        }
        let mut group = self.with_holes(&own);
        let is_group = group.is_group() && group.keeps_enough(said);
        if !is_group {
            self.insert(own);
            self.make_room();
            return (None, true);
        }
        let (members, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.templates).into_iter().partition(|known| group.covers(known));
        self.templates = others;
        group.unite(&members);
        group.gain(said);
        let fingerprint = group.fingerprint;
        self.insert(group);
        self.make_room();
        (Some(fingerprint), true)
    }

    /// What the group with this fingerprint has in common, if it may be told.
    pub(crate) fn shown(&self, group: &[u8]) -> Option<&str> {
        let groups = self.templates.iter().filter(|known| known.is_group());
        groups.filter(|known| known.fingerprint == group).find_map(|known| known.shown.as_deref())
    }

    /// How many bytes it takes.
    pub(crate) fn size_bytes(&self) -> usize {
        self.templates.iter().map(Template::size_bytes).sum()
    }

    /// Adds what another process learned of the same callsite.
    pub(crate) fn absorb(&mut self, other: &Self) {
        for theirs in &other.templates {
            if !self.templates.iter().any(|own| own.covers(theirs)) {
                self.templates.retain(|own| !theirs.covers(own));
                self.insert(theirs.clone());
            }
        }
        self.make_room();
    }

    /// Forgets single messages rather than groups, if there are too many.
    fn make_room(&mut self) {
        while self.templates.len() > MAX_TEMPLATES {
            let single = self.templates.iter().rposition(|known| !known.is_group());
            self.templates.remove(single.unwrap_or(MAX_TEMPLATES));
        }
    }

    fn insert(&mut self, template: Template) {
        let at = self.templates.partition_point(|known| *known < template);
        self.templates.insert(at, template);
    }

    /// The group with the most holes that `own` is of.
    fn group_of(&mut self, own: &Template) -> Option<&mut Template> {
        let groups = self.templates.iter_mut().filter(|known| known.is_group() && known.covers(own));
        groups.max_by_key(|known| known.holes())
    }

    /// `own` with a hole wherever enough different words stood, between the same words
    /// before and the same word behind.
    fn with_holes(&self, own: &Template) -> Template {
        let mut group = own.clone();
        let mut at = 0;
        while at < group.words.len() && group.holes() < MAX_HOLES {
            if let Some(length) = (1..=MAX_SPAN).find(|length| self.makes_hole(&group, at, *length)) {
                group.words.splice(at..at + length, [None]);
            }
            at += 1;
        }
        group
    }

    /// Whether enough different words stood where `own` has `length` words.
    fn makes_hole(&self, own: &Template, at: usize, length: usize) -> bool {
        let (Some(before), Some(value)) = (own.words.get(..at), own.words.get(at..at + length)) else {
            return false;
        };
        let Some(class) = can_vary(value) else { return false };
        let behind = own.words.get(at + length);
        let mut values = BTreeMap::from([(value, class)]);
        let (mut singles, mut again) = (0, 0);
        for known in &self.templates {
            let Some(other) = known.between(before, behind) else { continue };
            if other == [None] {
                return true;
            }
            let Some(class) = can_vary(other) else { continue };
            values.insert(other, class);
            if !known.is_group() {
                singles += 1;
                again += usize::from(known.shared_by > 1);
            }
        }
        let again = match again {
            0 => Again::None,
            _ if again * 2 > singles => Again::Most,
            _ => Again::Some,
        };
        Slot::ALL.into_iter().any(|kind| {
            let count = values.values().filter(|class| **class <= kind as u8).count();
            kind.enough(again).is_some_and(|enough| count >= enough)
        })
    }
}

impl Template {
    fn size_bytes(&self) -> usize {
        let shown = self.shown.as_ref().map_or(0, String::len);
        size_of::<Self>() + size_of_val(self.words.as_slice()) + shown
    }

    fn of(said: &Said, count: u64) -> Self {
        let words = said.words.iter().map(|word| Some((word.hash, word.slot as u8))).collect();
        Self { words, fingerprint: said.own, shared_by: if count > 1 { 2 } else { 1 }, shown: None }
    }

    fn is_group(&self) -> bool {
        self.holes() > 0
    }

    fn holes(&self) -> usize {
        self.words.iter().filter(|word| word.is_none()).count()
    }

    /// Whether all that `other` stands for is of this group.
    fn covers(&self, other: &Self) -> bool {
        covers(&self.words, &other.words)
    }

    /// What stands behind these words and before that one, if that can vary.
    fn between(&self, before: &[Known], behind: Option<&Known>) -> Option<&[Known]> {
        let from = begins_with(&self.words, before)?;
        let rest = self.words.get(from..)?;
        let ends = |length: &usize| {
            rest.get(*length) == behind && rest.get(..*length).is_some_and(|value| can_vary(value).is_some())
        };
        (1..=MAX_SPAN.min(rest.len())).find(ends).and_then(|length| rest.get(..length))
    }

    /// Whether enough is left that the messages have in common.
    fn keeps_enough(&self, said: &Said) -> bool {
        let is_word = |text: &str| text.chars().filter(|c| c.is_alphabetic()).count() > 1;
        let words = said.told().filter(|(_, text)| is_word(text));
        let is_kept = |word: &SaidWord| self.words.iter().flatten().any(|(hash, _)| *hash == word.hash);
        let kept = words.filter(|(word, _)| is_kept(word));
        kept.count() >= MIN_SHARED.max(self.holes())
    }

    /// Stands for `members` from now on: groups rather than single messages go on, and
    /// always the same one.
    fn unite(&mut self, members: &[Self]) {
        let first = members.iter().max_by_key(|member| (member.holes(), Reverse(member.fingerprint)));
        self.fingerprint = first.map_or(self.fingerprint, |first| first.fingerprint);
        let shares = members.iter().map(|member| if member.is_group() { member.shared_by } else { 1 });
        self.shared_by = shares.sum::<u32>().min(MIN_SHOWN);
        self.shown = None;
    }

    /// One more incident shares it. Whether that is to be kept.
    fn gain(&mut self, said: &Said) -> bool {
        if self.shown.is_some() {
            return false;
        }
        self.shared_by = self.shared_by.saturating_add(1);
        self.shown = (self.shared_by >= MIN_SHOWN).then(|| self.show(said));
        true
    }

    /// The words that are shared, but for those that may be somebody's name.
    fn show(&self, said: &Said) -> String {
        let mut shown = String::new();
        let mut hole = [0; 3];
        for own in &self.words {
            let known = own.filter(|(_, slot)| *slot >= Slot::Bare as u8);
            let word = known.and_then(|(hash, _)| said.told().find(|(word, _)| word.hash == hash));
            let text = word.map_or_else(|| &*HOLE.encode_utf8(&mut hole), |(_, text)| text);
            let joins = text.starts_with(|c: char| ")]},;:=.".contains(c));
            let is_joined = shown.ends_with(['(', '[', '{', '=']) || text == "=";
            if !shown.is_empty() && !joins && !is_joined {
                shown.push(' ');
            }
            shown.push_str(text);
        }
        shown
    }
}

/// A word by its hash and its [`Slot`]; a hole is none.
type Known = Option<(u32, u8)>;

/// Which [`Slot`] these words are of together, if one hole can stand for them.
fn can_vary(words: &[Known]) -> Option<u8> {
    if words == [None] {
        return Some(Slot::Who as u8);
    }
    let slots: Option<Vec<u8>> = words.iter().map(|word| word.map(|(_, slot)| slot)).collect();
    let slots = slots.filter(|slots| !slots.iter().any(|slot| *slot >= Slot::Fixed as u8))?;
    slots.into_iter().filter(|slot| *slot != Slot::Part as u8).max()
}

/// Whether these words are of one clause.
fn is_one_thing(words: &[Known]) -> bool {
    words.iter().all(|word| word.is_none_or(|(_, slot)| slot != Slot::Between as u8))
}

/// Whether `words` differ from `group` in its holes only, and tell nothing there.
fn covers(group: &[Known], words: &[Known]) -> bool {
    match group.split_first() {
        None => words.is_empty(),
        // Between the same words, it is the same whatever it says.
        Some((None, rest)) => (1..=MAX_SPAN.min(words.len())).any(|length| {
            let (value, behind) = words.split_at(length);
            (can_vary(value).is_some() || (!rest.is_empty() && is_one_thing(value))) && covers(rest, behind)
        }),
        Some((Some((own, _)), rest)) => match words.split_first() {
            Some((Some((word, _)), behind)) => own == word && covers(rest, behind),
            Some((None, _)) | None => false,
        },
    }
}

/// How many of `words` are what `group` stands for, if they begin so.
fn begins_with(words: &[Known], group: &[Known]) -> Option<usize> {
    let Some(at) = group.iter().position(Option::is_none) else {
        let is_same =
            |(one, other): (&Known, &Known)| one.zip(*other).is_some_and(|(one, other)| one.0 == other.0);
        let is_begun = words.len() >= group.len() && words.iter().zip(group).all(is_same);
        return is_begun.then_some(group.len());
    };
    let (before, rest) = group.split_at(at);
    let from = begins_with(words, before)?;
    let rest = rest.get(1..)?;
    let words = words.get(from..)?;
    (1..=MAX_SPAN.min(words.len())).find_map(|length| {
        can_vary(words.get(..length)?)?;
        Some(from + length + begins_with(words.get(length..)?, rest)?)
    })
}

/// Stands before a cause.
const CAUSE: &str = "\n";

/// What is shown of a hole.
pub(crate) const HOLE: char = '…';

/// A longer message is not learned from.
const MAX_WORDS: usize = 48;

/// How many messages and groups of a callsite are kept.
const MAX_TEMPLATES: usize = 32;

/// How many places of a message can be holes.
const MAX_HOLES: usize = 5;

/// How many words a hole stands for, at most.
const MAX_SPAN: usize = 8;

/// How many words of a group do not vary, at least.
const MIN_SHARED: usize = 2;

/// A group of so many incidents may show what they have in common.
const MIN_SHOWN: u32 = 3;

#[cfg(test)]
mod tests;

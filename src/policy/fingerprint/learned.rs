//! [`Learned`]: what the messages of one callsite have in common, as far as it is
//! known by now.
//!
//! In the manner of the Drain log parser: messages are templates, and where enough
//! different words stood in one place ([`Slot::enough`]), that place is a hole. From
//! then on what differs there only is one group. What tells problems apart never is
//! one: see [`words`](super::words).
//! Invariant: pure, and bounded. It only learns: a group never falls apart. What was
//! said is kept as keyed hashes; in clear only what three incidents or more share.

use serde::{Deserialize, Serialize};

use super::{
    Fingerprint, hash, hex,
    words::{Slot, Word, words},
};

/// What an event says, as it is learned from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// Which callsite says it.
    pub(crate) callsite: Fingerprint,
    words: Vec<SaidWord>,
    causes: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct SaidWord {
    text: String,
    hash: u32,
    slot: Slot,
}

impl Said {
    /// What a masked message says, and its masked causes. None of one that is too long,
    /// or that has nothing to learn.
    pub(super) fn new(callsite: Fingerprint, message: &str, causes: &[&str]) -> Option<Self> {
        let words = words(message);
        let can_vary = words.iter().any(|word| word.slot != Slot::Fixed);
        if !can_vary || words.len() > MAX_WORDS {
            return None;
        }
        let said = |Word { text, slot }: Word<'_>| SaidWord {
            text: text.to_owned(),
            hash: keyed(callsite, &[text]),
            slot,
        };
        let words = words.into_iter().map(said).collect();
        Some(Self { callsite, words, causes: keyed(callsite, causes) })
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
    words: Vec<Option<(u32, u8)>>,
    causes: u32,
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
        if let Some(at) = self.group_of(said) {
            let is_news = self.templates.get_mut(at).is_some_and(|group| group.gain(said));
            return (self.templates.get(at).map(|group| group.fingerprint(said.callsite)), is_news);
        }
        let own = Template::of(said, count);
        if let Some(known) =
            self.templates.iter_mut().find(|known| known.words == own.words && known.causes == own.causes)
        {
            let is_news = known.shared_by < 2;
            known.shared_by = 2;
            return (None, is_news);
        }
        if let Some(group) = self.find_hole(&own, said) {
            let fingerprint = group.fingerprint(said.callsite);
            self.templates.retain(|known| !group.covers(known));
            self.insert(group);
            return (Some(fingerprint), true);
        }
        self.insert(own);
        self.make_room();
        (None, true)
    }

    /// What the group with this fingerprint has in common, if it may be told.
    pub(crate) fn shown(&self, callsite: Fingerprint, group: &[u8]) -> Option<&str> {
        let groups = self.templates.iter().filter(|known| known.is_group());
        groups.filter(|known| known.fingerprint(callsite) == group).find_map(|known| known.shown.as_deref())
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

    /// The group with the most holes that `said` is of.
    fn group_of(&self, said: &Said) -> Option<usize> {
        let groups =
            self.templates.iter().enumerate().filter(|(_, known)| known.is_group() && known.fits(said));
        groups.max_by_key(|(_, known)| known.holes()).map(|(at, _)| at)
    }

    /// The group that `own` makes with what is known, the one with the fewest holes.
    fn find_hole(&self, own: &Template, said: &Said) -> Option<Template> {
        let alike = self.templates.iter().filter_map(|known| Some((known, known.differs(own)?)));
        let alike: Vec<_> = alike.collect();
        let mut holes: Vec<&Vec<usize>> = alike.iter().map(|(_, places)| places).collect();
        holes.sort_by_key(|places| (places.len(), (*places).clone()));
        holes.dedup();
        holes.into_iter().find_map(|places| {
            let members = alike.iter().filter(|(_, other)| other.iter().all(|place| places.contains(place)));
            let members: Vec<&Template> = members.map(|(known, _)| *known).collect();
            let makes_hole = |place: &usize| own.makes_hole(&members, *place);
            let is_group = own.keeps_enough(said, places) && places.iter().all(makes_hole);
            is_group.then(|| own.with_holes(said, places, &members))
        })
    }
}

impl Template {
    fn of(said: &Said, count: u64) -> Self {
        let words = said.words.iter().map(|word| Some((word.hash, word.slot as u8))).collect();
        Self { words, causes: said.causes, shared_by: if count > 1 { 2 } else { 1 }, shown: None }
    }

    fn is_group(&self) -> bool {
        self.holes() > 0
    }

    fn holes(&self) -> usize {
        self.words.iter().filter(|word| word.is_none()).count()
    }

    /// Whether `said` differs in the holes only, and tells nothing there.
    fn fits(&self, said: &Said) -> bool {
        self.causes == said.causes
            && self.words.len() == said.words.len()
            && self.words.iter().zip(&said.words).all(|(own, word)| match own {
                Some((hash, _)) => *hash == word.hash,
                None => word.slot != Slot::Fixed,
            })
    }

    /// Whether all that `other` stands for is of this group.
    fn covers(&self, other: &Self) -> bool {
        self.causes == other.causes
            && self.words.len() == other.words.len()
            && self.words.iter().zip(&other.words).all(|(own, word)| match (own, word) {
                (Some((own, _)), Some((word, _))) => own == word,
                (Some(_), None) => false,
                (None, Some((_, slot))) => *slot != Slot::Fixed as u8,
                (None, None) => true,
            })
    }

    /// Where a group of both would have holes; none if that tells them apart.
    fn differs(&self, own: &Self) -> Option<Vec<usize>> {
        if self.words.len() != own.words.len() || self.causes != own.causes {
            return None;
        }
        let mut places = Vec::new();
        for (place, pair) in self.words.iter().zip(&own.words).enumerate() {
            match pair {
                (Some((one, _)), Some((other, _))) if one == other => (),
                (Some((_, one)), Some((_, other))) if (*one).max(*other) == Slot::Fixed as u8 => return None,
                (None, Some((_, other))) if *other == Slot::Fixed as u8 => return None,
                _ => places.push(place),
            }
        }
        (places.len() <= MAX_HOLES).then_some(places)
    }

    /// Whether enough different words stand in `place`. Where most of them come again
    /// and again, there are not so many: then it takes more.
    fn makes_hole(&self, members: &[&Self], place: usize) -> bool {
        let at = |template: &Self| template.words.get(place).copied().flatten();
        if members.iter().any(|member| at(member).is_none()) {
            return true;
        }
        let mut values: Vec<(u32, u8)> = members.iter().copied().chain([self]).filter_map(at).collect();
        values.sort_unstable();
        values.dedup_by_key(|(hash, _)| *hash);
        let singles = members.iter().filter(|member| !member.is_group()).count();
        let again = members.iter().filter(|member| !member.is_group() && member.shared_by > 1).count();
        let is_closed = again * 2 > singles;
        Slot::ALL.into_iter().any(|kind| {
            let factor = if is_closed && kind != Slot::Who { CLOSED_FACTOR } else { 1 };
            let count = values.iter().filter(|(_, value)| *value <= kind as u8).count();
            kind.enough().is_some_and(|enough| count >= enough * factor)
        })
    }

    /// Whether enough is left that the messages have in common.
    fn keeps_enough(&self, said: &Said, holes: &[usize]) -> bool {
        let is_word = |text: &str| text.chars().filter(|c| c.is_alphabetic()).count() > 1;
        let kept = said
            .words
            .iter()
            .enumerate()
            .filter(|(place, word)| !holes.contains(place) && is_word(&word.text));
        kept.count() >= MIN_SHARED.max(holes.len())
    }

    fn with_holes(&self, said: &Said, holes: &[usize], members: &[&Self]) -> Self {
        let mut words = self.words.clone();
        for place in holes {
            if let Some(word) = words.get_mut(*place) {
                *word = None;
            }
        }
        let shared_by =
            members.iter().map(|member| if member.is_group() { member.shared_by } else { 1 }).sum::<u32>();
        let mut group = Self { words, causes: self.causes, shared_by: shared_by.min(MIN_SHOWN), shown: None };
        group.gain(said);
        group
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
        for (own, word) in self.words.iter().zip(&said.words) {
            let text = match own {
                Some((_, slot)) if *slot >= Slot::Bare as u8 => word.text.as_str(),
                Some(_) | None => HOLE.encode_utf8(&mut hole),
            };
            let joins = text.starts_with(|c: char| ")]},;:=.".contains(c));
            let is_joined = shown.ends_with(['(', '[', '{', '=']) || text == "=";
            if !shown.is_empty() && !joins && !is_joined {
                shown.push(' ');
            }
            shown.push_str(text);
        }
        shown
    }

    /// The same in every process that learned the same.
    fn fingerprint(&self, callsite: Fingerprint) -> Fingerprint {
        let callsite = hex(callsite);
        let words =
            self.words.iter().map(|word| word.map_or_else(|| HOLE.to_string(), |(hash, _)| hash.to_string()));
        let words = words.collect::<Vec<_>>().join(" ");
        hash(&["group", &callsite, &words, &self.causes.to_string()])
    }
}

/// What is shown of a hole.
pub(crate) const HOLE: char = '…';

/// A longer message is not learned from.
const MAX_WORDS: usize = 48;

/// How many messages and groups of a callsite are kept.
const MAX_TEMPLATES: usize = 48;

/// How many places of a message can be holes.
const MAX_HOLES: usize = 3;

/// How many words of a group do not vary, at least.
const MIN_SHARED: usize = 2;

/// A group of so many incidents may show what they have in common.
const MIN_SHOWN: u32 = 3;

/// How many times as many words it takes where they come again and again.
const CLOSED_FACTOR: usize = 3;

#[cfg(test)]
mod tests;

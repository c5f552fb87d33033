//! The numbers of the network are learned from the corpora.
//!
//! Several learn from all that was seen in several kinds of lines, each in another order. The
//! one that is kept learns from what said most to the first of them, and from what the others
//! say together besides what is so: what one takes a word for by chance, not all do. After a
//! change of what is evidence, or of the corpora, it has to learn anew:
//!
//! ```text
//! LEARN=1 cargo test --release --lib redact::tests::learn
//! ```
//!
//! Steps are as long as Adagrad has them, and taken in an order that is always the same. Some
//! of the evidence, and some of the numbers between, are left out at random, so that none
//! relies on one other.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
};

use super::samples::{Sample, samples};
use crate::policy::redact::{
    doubt::DOUBTFUL,
    network::{self, BLOCK, DENSE, DEPTH, INDEX, ROW, ROWS, SLOT_BITS, STEP, WIDTH},
};

/// What is learned: the rows of all evidence, and the numbers behind them; and of each number
/// how far it was moved.
struct Network {
    rows: Vec<f32>,
    rows_moved: Vec<f32>,
    dense: Vec<f32>,
    dense_moved: Vec<f32>,
}

/// What was seen on the way to an answer.
#[derive(Default)]
struct Way {
    first: [f32; WIDTH],
    first_kept: [f32; WIDTH],
    second: [f32; DEPTH],
    second_kept: [f32; DEPTH],
    odds: f32,
}

impl Network {
    fn new(random: &mut Random) -> Self {
        let slots = ROW << SLOT_BITS;
        let row = |at: usize, random: &mut Random| {
            if at.is_multiple_of(ROW) { 0.0 } else { 0.085 * random.signed() }
        };
        let rows = (0..slots).map(|at| row(at, random)).collect();
        let dense = |at: usize, random: &mut Random| match at.checked_sub(1 + WIDTH) {
            None => 0.0,
            Some(at) if at % (WIDTH + 2) > WIDTH => random.signed() / (DEPTH as f32).sqrt(),
            Some(_) => random.signed() / (WIDTH as f32).sqrt(),
        };
        let dense = (0..DENSE).map(|at| dense(at, random)).collect();
        Self { rows, rows_moved: vec![1e-3; slots], dense, dense_moved: vec![1e-3; DENSE] }
    }

    fn row(&self, slot: u32) -> &[f32] {
        &self.rows[slot as usize * ROW..][..ROW]
    }

    /// The way to an answer; `kept` says how much of each number between counts.
    fn way(&self, slots: &[u32], mut kept: impl FnMut() -> f32) -> Way {
        let mut way = Way { odds: self.dense[0], ..Way::default() };
        let mut sums = [0.0; ROW];
        for slot in slots {
            sums.iter_mut().zip(self.row(*slot)).for_each(|(sum, number)| *sum += number);
        }
        way.odds += sums[0];
        for at in 0..WIDTH {
            way.first_kept[at] = kept();
            way.first[at] = (sums[1 + at] + self.dense[1 + at]).max(0.0) * way.first_kept[at];
        }
        for at in 0..DEPTH {
            let row = &self.dense[second(at)..][..WIDTH + 2];
            let sum: f32 = way.first.iter().zip(row).map(|(first, weight)| first * weight).sum();
            way.second_kept[at] = kept();
            way.second[at] = (sum + row[WIDTH]).max(0.0) * way.second_kept[at];
            way.odds += way.second[at] * row[WIDTH + 1];
        }
        way
    }

    /// Learns from one word: each number moves towards what would have been right.
    fn learn(&mut self, sample: &Sample, step: f32, random: &mut Random) {
        let slots: Vec<u32> = sample.slots.iter().copied().filter(|_| random.unit() > 0.15).collect();
        let way = self.way(&slots, || if random.unit() < 0.2 { 0.0 } else { 1.25 });
        let wrong = (likely(way.odds) - sample.likely) * sample.weight;
        let mut first = [0.0; WIDTH];
        for at in 0..DEPTH {
            let row = second(at);
            let slope = wrong * self.dense[row + WIDTH + 1] * way.second_kept[at];
            self.step(row + WIDTH + 1, wrong * way.second[at], step);
            if way.second[at] > 0.0 {
                for (from, first) in first.iter_mut().enumerate() {
                    *first += slope * self.dense[row + from];
                    self.step(row + from, slope * way.first[from], step);
                }
                self.step(row + WIDTH, slope, step);
            }
        }
        self.step(0, wrong, step);
        let mut slopes = [wrong; ROW];
        for at in 0..WIDTH {
            slopes[1 + at] = if way.first[at] > 0.0 { first[at] * way.first_kept[at] } else { 0.0 };
            self.step(1 + at, slopes[1 + at], step);
        }
        for slot in slots {
            let from = slot as usize * ROW;
            let row = self.rows[from..].iter_mut().zip(&mut self.rows_moved[from..]);
            row.zip(slopes).for_each(|((number, moved), slope)| adagrad(number, moved, slope, step));
        }
    }

    fn step(&mut self, at: usize, slope: f32, step: f32) {
        adagrad(&mut self.dense[at], &mut self.dense_moved[at], slope, step);
    }

    /// Learns from all, several times, in the `order` of that number. What comes out is the mean
    /// of the last few, as each of them depends on what it saw last.
    fn learned(samples: &[Sample], order: u64) -> Self {
        let mut random = Random(0x2545_F491_4F6C_DD1D ^ (order << 20 | order));
        let mut network = Self::new(&mut random);
        let mut order: Vec<_> = (0..samples.len()).collect();
        let mut mean = (vec![0.0; network.rows.len()], vec![0.0; network.dense.len()]);
        for round in 0..ROUNDS {
            for last in (1..order.len()).rev() {
                order.swap(last, usize::try_from(random.next() % (last as u64 + 1)).unwrap());
            }
            let step = 0.05 * (1.0 - 0.9 * round as f32 / ROUNDS as f32);
            order.iter().for_each(|at| network.learn(&samples[*at], step, &mut random));
            if round >= ROUNDS - MEAN_OF {
                let sums = mean.0.iter_mut().chain(&mut mean.1);
                let numbers = network.rows.iter().chain(&network.dense);
                sums.zip(numbers).for_each(|(sum, number)| *sum += number / MEAN_OF as f32);
            }
        }
        (network.rows, network.dense) = mean;
        network
    }

    /// The evidence that says most, and is there often.
    fn telling(&self, samples: &[Sample]) -> BTreeSet<u32> {
        let mut counts: BTreeMap<u32, f32> = BTreeMap::new();
        samples
            .iter()
            .flat_map(|sample| &sample.slots)
            .for_each(|slot| *counts.entry(*slot).or_default() += 1.0);
        let says = |slot: u32| self.row(slot).iter().map(|number| number * number).sum::<f32>();
        let mut all: Vec<_> = counts.into_iter().map(|(slot, count)| (says(slot) * count, slot)).collect();
        all.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        all.into_iter().take(ROWS).map(|(_, slot)| slot).collect()
    }

    /// What `network.bin` has.
    #[expect(clippy::cast_possible_truncation, reason = "a number is clamped before")]
    fn written(&self, telling: &BTreeSet<u32>) -> Vec<u8> {
        let mut index = vec![0; INDEX];
        for slot in telling {
            let at = (slot >> 6) as usize * BLOCK;
            index[at + (slot & 63) as usize / 8] |= 1 << (slot % 8);
        }
        let mut before = 0_u16;
        for block in index.chunks_mut(BLOCK) {
            block[8..].copy_from_slice(&before.to_le_bytes());
            before += block[..8].iter().map(|bits| bits.count_ones() as u16).sum::<u16>();
        }
        let number = |number: &f32| ((number / STEP).round().clamp(-127.0, 127.0) as i8).cast_unsigned();
        let rows = telling.iter().flat_map(|slot| self.row(*slot)).map(number);
        let rows = rows.chain(std::iter::repeat(0)).take(ROWS * ROW).collect::<Vec<_>>();
        let dense = self.dense.iter().flat_map(|number| number.to_le_bytes());
        index.into_iter().chain(rows).chain(dense).collect()
    }
}

fn likely(odds: f32) -> f32 {
    1.0 / (1.0 + (-odds).exp())
}

fn adagrad(number: &mut f32, moved: &mut f32, slope: f32, step: f32) {
    *moved += slope * slope;
    *number -= step * slope / moved.sqrt();
}

/// Where what belongs to a number of the second layer begins.
fn second(at: usize) -> usize {
    1 + WIDTH + at * (WIDTH + 2)
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u64 << 24) as f32
    }

    fn signed(&mut self) -> f32 {
        2.0 * self.unit() - 1.0
    }
}

/// The samples with the evidence that is in several kinds of lines, and no other.
fn known(samples: Vec<Sample>) -> Vec<Sample> {
    let mut kinds: BTreeMap<u32, BTreeSet<u64>> = BTreeMap::new();
    for sample in &samples {
        sample.slots.iter().for_each(|slot| {
            kinds.entry(*slot).or_default().insert(sample.kind);
        });
    }
    only(samples, |slot| kinds[&slot].len() >= MIN_KINDS)
}

fn only(mut samples: Vec<Sample>, is: impl Fn(u32) -> bool) -> Vec<Sample> {
    samples.iter_mut().for_each(|sample| sample.slots.retain(|slot| is(*slot)));
    samples
}

#[test]
fn what_is_learned_from_some_kinds_holds_for_others() {
    let names = ["secrets_wide", "secrets_seen", "harmless_wide", "harmless_seen"];
    let (held_out, learned): (Vec<_>, Vec<_>) =
        samples(&names).into_iter().partition(|sample| sample.kind % 4 == 0);
    let network = Network::learned(&learned, 0);
    let share = |is_secret: bool| {
        let all = held_out.iter().filter(|sample| sample.is_secret == is_secret);
        let is_doubtful = |sample: &&Sample| network.way(&sample.slots, || 1.0).odds > DOUBTFUL;
        all.clone().filter(is_doubtful).count() as f64 / all.count() as f64
    };
    let (caught, touched) = (share(true), share(false));
    println!("of {} words: {caught:.3} of the secrets, {touched:.4} of the others", held_out.len());
    assert!(caught > 0.75 && touched < 0.01);
}

/// What is learned, of what is seen in several kinds of lines, and by what says most.
fn learned(names: &[&str]) -> (Vec<Sample>, Network, Vec<u8>) {
    let mut samples = known(samples(names));
    let learned = |order| Network::learned(&samples, order);
    let (first, teachers): (Network, Vec<_>) = thread::scope(|scope| {
        let teachers: Vec<_> = (1..=TEACHERS).map(|order| scope.spawn(move || learned(order))).collect();
        (learned(0), teachers.into_iter().map(|one| one.join().unwrap()).collect())
    });
    let telling = first.telling(&samples);
    for sample in &mut samples {
        let odds: f32 = teachers.iter().map(|one| one.way(&sample.slots, || 1.0).odds).sum();
        sample.likely += TAUGHT * (likely(odds / teachers.len() as f32) - sample.likely);
    }
    let samples = only(samples, |slot| telling.contains(&slot));
    let network = Network::learned(&samples, 0);
    let written = network.written(&telling);
    (samples, network, written)
}

#[test]
fn what_is_written_says_what_was_learned() {
    let (samples, mut network, written) = learned(&["secrets_by_form", "harmless_by_form"]);
    let written: Box<[u8; network::SIZE]> = written.try_into().unwrap();
    let (mut secrets, mut others) = (0, 0);
    for Sample { slots, is_secret, .. } in &samples {
        let (read, learned) = (network::odds_by(&written, slots), network.way(slots, || 1.0).odds);
        // Rounding adds up.
        assert!((read - learned).abs() < 0.2 + 0.05 * learned.abs(), "{read} for {learned}");
        if read > 0.0 {
            if *is_secret { secrets += 1 } else { others += 1 }
        }
    }
    // Only rounding tells them apart.
    network.rows.iter_mut().for_each(|number| *number = (*number / STEP).round().clamp(-127.0, 127.0) * STEP);
    for Sample { slots, .. } in &samples {
        let (read, rounded) = (network::odds_by(&written, slots), network.way(slots, || 1.0).odds);
        assert!((read - rounded).abs() < 0.001 + 0.001 * rounded.abs(), "{read} for {rounded}");
    }
    assert!(secrets > 200 && others < secrets / 10, "{secrets} and {others}");
}

/// What is kept was learned from the evidence that there is: after a change of either, this
/// fails, and it has to learn anew.
#[test]
fn the_network_that_is_kept_knows_what_it_learned() {
    if std::env::var_os("LEARN").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/policy/redact/network.bin");
        std::fs::write(path, learned(CORPORA).2).unwrap();
        return;
    }
    let all = samples(&["secrets_seen", "harmless_seen"]);
    let share = |is_secret: bool, most: bool| {
        let all = all.iter().filter(|sample| sample.is_secret == is_secret);
        let is_it = |sample: &&Sample| (network::odds(&sample.slots) > 0.0) == most;
        all.clone().filter(is_it).count() as f64 / all.count() as f64
    };
    let (missed, touched) = (share(true, false), share(false, true));
    assert!(missed < 0.1 && touched < 0.01, "{missed} of the secrets, {touched} of the others");
}

/// Those that nobody kept from whoever writes rules.
const CORPORA: &[&str] = &[
    "secrets_by_form",
    "harmless_by_form",
    "secrets",
    "secrets_held_out",
    "secrets_kept",
    "secrets_kept_later",
    "secrets_more",
    "secrets_seen",
    "secrets_wide",
    "secrets_fresh",
    "secrets_pairs",
    "secrets_twins",
    "secrets_plain",
    "harmless",
    "harmless_held_out",
    "harmless_kept",
    "harmless_kept_later",
    "harmless_more",
    "harmless_seen",
    "harmless_wide",
    "harmless_fresh",
    "harmless_pairs",
    "harmless_twins",
    "harmless_plain",
];

const ROUNDS: usize = 8;
const MEAN_OF: usize = 4;

/// How many say together how likely a word is, and how much that counts beside what is so.
const TEACHERS: u64 = 4;
const TAUGHT: f32 = 0.7;

/// What is seen in fewer kinds of lines may be there by chance.
const MIN_KINDS: usize = 10;

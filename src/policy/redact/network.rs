//! A small network of two layers that says how likely a word is a secret, from what speaks
//! for it and against it: each evidence has a row of numbers, the rows are summed, and what
//! stands together in the sum counts, too. What was seldom seen has no row, and says nothing.
//!
//! Its numbers are learned from the corpora (`tests/learn`), and kept in `network.bin`.

/// How likely the word of which this is the evidence is a secret, as the logarithm of the
/// odds.
pub(super) fn odds(evidence: &[u32]) -> f32 {
    odds_by(NUMBERS, evidence)
}

/// The same by the numbers of another network.
pub(super) fn odds_by(numbers: &[u8; SIZE], evidence: &[u32]) -> f32 {
    let dense = |at| dense(numbers, at);
    let mut sums = [0_i32; ROW];
    for row in evidence.iter().filter_map(|slot| row(numbers, *slot)) {
        sums.iter_mut().zip(row).for_each(|(sum, number)| *sum += i32::from(number.cast_signed()));
    }
    let [alone, together @ ..] = sums;
    let mut first = [0.0; WIDTH];
    for (at, (first, sum)) in first.iter_mut().zip(together).enumerate() {
        *first = (sum as f32 * STEP + dense(1 + at)).max(0.0);
    }
    let second = |at: usize| {
        let at = 1 + WIDTH + at * (WIDTH + 2);
        let sum: f32 = first.iter().enumerate().map(|(from, first)| first * dense(at + from)).sum();
        (sum + dense(at + WIDTH)).max(0.0) * dense(at + WIDTH + 1)
    };
    alone as f32 * STEP + dense(0) + (0..DEPTH).map(second).sum::<f32>()
}

/// The row of what is said at `slot`.
fn row(numbers: &[u8; SIZE], slot: u32) -> Option<&[u8]> {
    let at = (slot >> 6) as usize * BLOCK;
    let (bits, before) = (u64::from_le_bytes(bytes(numbers, at)), u16::from_le_bytes(bytes(numbers, at + 8)));
    let bit = 1 << (slot & 63);
    let row = usize::from(before) + (bits & (bit - 1)).count_ones() as usize;
    (bits & bit != 0).then(|| &numbers[INDEX + row * ROW..][..ROW])
}

/// One of the numbers behind the rows.
fn dense(numbers: &[u8; SIZE], at: usize) -> f32 {
    f32::from_le_bytes(bytes(numbers, INDEX + ROWS * ROW + 4 * at))
}

fn bytes<const N: usize>(numbers: &[u8; SIZE], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&numbers[at..at + N]);
    bytes
}

/// How many places there are for evidence; some share one.
pub(super) const SLOT_BITS: u32 = 18;

/// How many of them have a row.
pub(super) const ROWS: usize = 32_000;

/// A row: what the evidence says alone, and what it adds to each number of the first layer.
pub(super) const ROW: usize = 1 + WIDTH;
pub(super) const WIDTH: usize = 12;

/// What one is worth in a row.
pub(super) const STEP: f32 = 1.0 / 64.0;

/// How many numbers the second layer has.
pub(super) const DEPTH: usize = 16;

/// First, for 64 places each, which of them have a row, and how many there are before; then
/// the rows.
pub(super) const BLOCK: usize = 10;
pub(super) const INDEX: usize = BLOCK << (SLOT_BITS - 6);

/// Behind them: what is always there; the first layer's biases; for each number of the second
/// layer its weights, its bias and what it is worth.
pub(super) const DENSE: usize = 1 + WIDTH + DEPTH * (WIDTH + 2);

pub(super) const SIZE: usize = INDEX + ROWS * ROW + 4 * DENSE;

static NUMBERS: &[u8; SIZE] = include_bytes!("network.bin");

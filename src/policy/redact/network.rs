//! A small network of two layers that says how likely a word is a secret, from what speaks
//! for it and against it: each evidence has a row of numbers, the rows are summed, and what
//! stands together in the sum counts, too. What was seldom seen has no row, and says nothing.
//!
//! Its numbers are learned from the corpora (`tests/learn`), and kept in `network.bin`.

/// How likely the word of which this is the evidence is a secret, as the logarithm of the
/// odds.
pub(super) fn odds(evidence: &[u32]) -> f32 {
    let mut sums = [0_i32; ROW];
    for row in evidence.iter().filter_map(|slot| row(*slot)) {
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
fn row(slot: u32) -> Option<&'static [u8]> {
    let at = (slot >> 6) as usize * BLOCK;
    let (bits, before) = (number(at), u16::from_le_bytes([NUMBERS[at + 8], NUMBERS[at + 9]]));
    let bit = 1 << (slot & 63);
    let row = usize::from(before) + (bits & (bit - 1)).count_ones() as usize;
    (bits & bit != 0).then(|| &NUMBERS[INDEX + row * ROW..][..ROW])
}

fn number(at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&NUMBERS[at..at + 8]);
    u64::from_le_bytes(bytes)
}

/// One of the numbers behind the rows.
fn dense(at: usize) -> f32 {
    let from = INDEX + ROWS * ROW + 4 * at;
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&NUMBERS[from..from + 4]);
    f32::from_le_bytes(bytes)
}

/// How many places there are for evidence; some share one.
pub(super) const SLOT_BITS: u32 = 18;

/// How many of them have a row.
pub(super) const ROWS: usize = 20_000;

/// A row: what the evidence says alone, and what it adds to each number of the first layer.
pub(super) const ROW: usize = 1 + WIDTH;
pub(super) const WIDTH: usize = 8;

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

static NUMBERS: &[u8; INDEX + ROWS * ROW + 4 * DENSE] = include_bytes!("network.bin");

//! Of many instances few tell, and soon; all know an incident by the same id.

use std::collections::BTreeSet;

use super::*;

/// When the first message leaves, and how many do: an instance that looks finds what was
/// sent at least `visible` before.
fn outage(
    instances: u32,
    known: u32,
    visible: Duration,
    mut random: impl FnMut() -> f64,
) -> (Duration, usize) {
    let mut waits: Vec<Duration> = (0..instances).map(|_| PATIENCE + stagger(known, random())).collect();
    waits.sort();
    (waits[0], waits.iter().filter(|wait| **wait < waits[0] + visible).count())
}

/// The mean number of senders, the 99th percentile of it, and that of the first message.
fn outages(instances: u32, known: u32, visible: Duration) -> (f64, usize, Duration) {
    const RUNS: usize = 2_000;
    let mut drawn = u64::from(instances);
    let mut random = || {
        // The golden ratio's multiples (SplitMix64).
        drawn = drawn.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (drawn ^ (drawn >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        f64::from(u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap()) / f64::from(u32::MAX)
    };
    let runs: Vec<_> = (0..RUNS).map(|_| outage(instances, known, visible, &mut random)).collect();
    let (mut firsts, mut senders): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
    firsts.sort();
    senders.sort_unstable();
    let mean = f64::from(u32::try_from(senders.iter().sum::<usize>()).unwrap()) / 2_000.0;
    (mean, senders[RUNS * 99 / 100], firsts[RUNS * 99 / 100])
}

#[test]
fn of_any_number_of_instances_hardly_more_than_one_sends_and_it_does_so_soon() {
    let second = Duration::from_secs(1);
    for (instances, mean, worst, within) in
        [(1, 1.0, 1, 22), (3, 1.2, 3, 21), (30, 1.4, 3, 15), (100, 1.6, 4, 13), (1_000, 1.8, 7, 10)]
    {
        let (seen, percentile, first) = outages(instances, instances, second);
        let figures =
            format!("{instances}: {seen} senders, {percentile} at worst, the first after {first:?}");
        assert!(seen <= mean && percentile <= worst, "{figures}");
        assert!(first <= Duration::from_secs(within), "{figures}");
    }
}

#[test]
fn a_number_that_is_wrong_by_ten_costs_a_message_or_some_seconds() {
    let second = Duration::from_secs(1);
    for (instances, known) in
        [(100, 1_000), (1_000, 100), (10, 100), (100, 10), (100, 0), (10, 0), (1_000, 0)]
    {
        let (mean, percentile, first) = outages(instances, known, second);
        let figures = format!("{instances} taken for {known}: {mean} senders, {percentile}, {first:?}");
        assert!(mean <= 2.6 && percentile <= 7 && first <= Duration::from_secs(22), "{figures}");
    }
}

#[test]
fn nobody_waits_longer_than_the_longest_time_whatever_is_drawn() {
    for fleet in [0, 1, 2, 100, u32::MAX] {
        assert_eq!([0.0, -1.0].map(|random| stagger(fleet, random)), [Duration::ZERO; 2]);
        for random in [1.0, 2.0, f64::INFINITY, f64::NAN] {
            let short = MAX_STAGGER.saturating_sub(stagger(fleet, random));
            assert!(short < Duration::from_millis(1), "{fleet} {random} {short:?}");
        }
        let waits: Vec<_> = (0..=100).map(|percent| stagger(fleet, f64::from(percent) / 100.0)).collect();
        assert!(waits.is_sorted_by(|one, other| one < other), "{fleet}");
    }
    assert_eq!(stagger(0, 0.3), stagger(UNKNOWN_FLEET, 0.3));
    // The formula: 20 s / 5.605 * ln(0.3 * (e^5.605 - 1) + 1).
    assert!((stagger(100, 0.3).as_secs_f64() - 15.733).abs() < 0.01, "{:?}", stagger(100, 0.3));
}

#[test]
fn the_first_three_mail_at_once_and_the_others_if_it_lasts() {
    let ten_minutes = Duration::from_secs(600);
    assert_eq!(
        [0, 2, 3, u32::MAX].map(mail_delay),
        [Duration::ZERO, Duration::ZERO, ten_minutes, ten_minutes]
    );
}

#[test]
fn an_id_is_the_same_in_every_process_and_version() {
    assert_eq!(public_id(&[7; 16], 20_787), "6G66");
    assert_eq!(digest_id(["7K3Q", "0BCD"]), "Y1ZG");
}

#[test]
fn an_id_is_another_one_in_another_hour() {
    let ids: BTreeSet<String> = (0..10)
        .flat_map(|day| (0..10).map(move |hour| public_id(b"fingerprint", day * 10 + hour)))
        .chain([public_id(b"fingerprin", 0), public_id(b"", 0)])
        .collect();
    assert_eq!(ids.len(), 102);
}

#[test]
fn the_id_of_a_digest_does_not_depend_on_the_order_and_is_none_of_an_incidents() {
    assert_eq!(digest_id(["7K3Q", "0BCD", "7K3Q"]), digest_id(["0BCD".to_owned(), "7K3Q".to_owned()]));
    let different =
        [&["7K3Q"][..], &["7K3Q", "0BCD"], &["7K3", "Q0BCD"], &[]].map(|ids| digest_id(ids.iter()));
    assert_eq!(BTreeSet::from(different.clone()).len(), different.len(), "{different:?}");
    assert!(!different.contains(&"7K3Q".to_owned()));
}

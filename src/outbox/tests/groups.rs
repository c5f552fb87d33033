//! Of what is learned of a callsite: which incident an event joins, and what is kept of
//! it for how long.

use super::*;
use crate::outbox::memory::MAX_LEARNED;
use crate::{
    event::Field,
    policy::{
        fingerprint::{Grouping, Place},
        matcher::Matcher,
    },
};

/// An error of the one callsite at `at`, as the dispatcher captures it.
fn said_at(message: &str, at: SystemTime) -> Captured {
    said_with(message, Vec::new(), at)
}

fn said_with(message: &str, fields: Vec<Field>, at: SystemTime) -> Captured {
    let event = Event { at, fields, ..event(message) };
    let mut grouping = Grouping::new("MyApp".to_owned(), None);
    let Place { fingerprint, said, .. } = grouping.place(&event, std::time::Instant::now());
    Captured { fingerprint, said, event, ..captured_at(message, at) }
}

/// How many events each message that is told by mail at `now` stands for, and what they
/// have in common.
async fn told_at(bench: &mut Bench, now: SystemTime) -> Vec<(String, u64, Option<String>)> {
    let claim = bench.claim("mail", now).await.unwrap();
    let notice = bench.store.notice(&claim).await.unwrap();
    assert!(bench.store.deliver(&claim, None, 1, None, now).await.unwrap());
    let samples = notice.samples.into_iter();
    samples.map(|it| (it.event.message, it.count, it.in_common)).collect()
}

const SUPPLIERS: [&str; 6] = ["Globex", "Initech", "Umbrella", "Hooli", "Wonka", "Globex"];

fn gone(supplier: &str) -> String {
    format!("supplier {supplier} is not to be found")
}

every_store! {
    async fn what_differs_in_a_place_that_varies_is_one_from_then_on(bench: &mut Bench) {
        for (n, supplier) in (0..).zip(SUPPLIERS) {
            bench.persist(&[said_at(&gone(supplier), t(n))], t(n)).await;
            bench.reopen().await;
        }
        let common = Some("supplier … is not to be found".to_owned());
        let told = told_at(bench, t(9)).await;
        assert_eq!(told, [(gone("Globex"), 6, common)], "the incident of the first goes on");
    }

    async fn what_comes_at_once_is_grouped_alike(bench: &mut Bench) {
        let batch: Vec<_> = SUPPLIERS.iter().take(5).map(|supplier| said_at(&gone(supplier), t(0))).collect();
        bench.persist(&batch, t(0)).await;
        let counts: Vec<_> = told_at(bench, t(9)).await.into_iter().map(|(_, count, _)| count).collect();
        assert_eq!(counts, [5]);
    }

    async fn other_causes_are_other_incidents(bench: &mut Bench) {
        for (n, supplier) in (0..).zip(SUPPLIERS) {
            let cause = Field::new("error", crate::event::Value::Str(format!("{supplier} is down")));
            bench.persist(&[said_with(&gone(supplier), vec![cause], t(n))], t(n)).await;
        }
        assert_eq!(told_at(bench, t(9)).await.len(), 5);
    }

    async fn a_group_that_ended_is_opened_again(bench: &mut Bench) {
        let half = crate::policy::incident::QUIET_AFTER;
        for (n, supplier) in (0..).zip(SUPPLIERS) {
            bench.persist(&[said_at(&gone(supplier), t(n))], t(n)).await;
        }
        told_at(bench, t(9)).await;
        let later = t(20) + half;
        bench.persist(&[said_at(&gone("Stark"), later)], later).await;
        bench.reopen().await;
        bench.persist(&[said_at(&gone("Initech"), later)], later).await;
        let told = told_at(bench, later + 5 * SETTLE).await;
        assert!(told.iter().any(|(message, count, _)| *message == gone("Stark") && *count == 2), "{told:?}");
    }

    async fn who_silences_a_kind_means_its_group(bench: &mut Bench) {
        for (n, supplier) in (0..).zip(SUPPLIERS) {
            bench.persist(&[said_at(&gone(supplier), t(n))], t(n)).await;
        }
        told_at(bench, t(9)).await;
        let code = crate::policy::fingerprint::code(&said_at(&gone("Globex"), t(0)).event);
        let row = silences::silence(&Matcher::new().kind(code), t(10), t(3610));
        assert!(bench.store.silence(Uuid::from_u128(1), row, t(10)).await.unwrap());
        bench.persist(&[said_at(&gone("Stark"), t(11)), said_at("disk full", t(11))], t(11)).await;
        let page = bench.page().await;
        assert_eq!(page.silences.values().map(|it| it.held).collect::<Vec<_>>(), [1]);
    }

    async fn no_name_is_kept_with_what_is_learned(bench: &mut Bench) {
        let names = ["anneliese", "bobby-x", "kimberly", "evelyn"];
        for (n, name) in (0..).zip(names) {
            bench.persist(&[said_at(&format!("user {name} has no seat"), t(n))], t(n)).await;
        }
        let Store::Memory(memory) = &bench.store else { return };
        let rows: Vec<_> = memory.page.learned.values().collect();
        assert_eq!(rows.len(), 1);
        let map = serde_json::to_string(&rows[0].map).unwrap();
        assert!(map.contains("user … has no seat") && names.iter().all(|name| !map.contains(name)), "{map}");
    }
}

#[test]
fn memory_keeps_what_it_learned_of_the_latest_kinds_that_ended() {
    let kinds = u32::try_from(MAX_LEARNED).unwrap() + 50;
    let store = async || Bench::new(Store::Memory(Memory::default()), None);
    check(store, async |bench| {
        bench.targets.clear();
        for kind in 0..kinds {
            let mut captured = said_at(&gone("Globex"), t(0));
            let said = std::sync::Arc::make_mut(captured.said.as_mut().unwrap());
            said.callsite[..4].copy_from_slice(&kind.to_le_bytes());
            captured.fingerprint[..4].copy_from_slice(&kind.to_le_bytes());
            bench.persist(&[captured], t(0)).await;
        }
        let learned = |bench: &Bench| {
            let Store::Memory(memory) = &bench.store else { panic!("it is memory") };
            (memory.page.learned.values().count(), memory.page.bytes())
        };
        let (rows, bytes) = learned(bench);
        assert_eq!(rows, MAX_LEARNED + 50, "they go on");
        let end = t(9) + crate::policy::incident::QUIET_AFTER;
        bench.persist(&[], end).await;
        let (rows, bytes_left) = learned(bench);
        assert_eq!(rows, MAX_LEARNED);
        assert!(0 < bytes_left && bytes_left < bytes, "{bytes_left} of {bytes}");
    });
}

#[cfg(feature = "sqlite")]
mod file {
    use super::*;

    async fn learned(bench: &mut Bench) -> i64 {
        let Store::Sqlite(file) = &mut bench.store else { panic!("it is a file") };
        file.count_learned().await
    }

    #[test]
    fn what_is_learned_goes_with_its_last_incident() {
        check(sqlite_bench, async |bench| {
            bench.targets.clear();
            for (n, supplier) in (0..).zip(SUPPLIERS) {
                bench.persist(&[said_at(&gone(supplier), t(n))], t(n)).await;
            }
            assert_eq!(learned(bench).await, 1);
            let end = t(9) + crate::policy::incident::QUIET_AFTER;
            bench.persist(&[], end).await;
            let late = end + KEPT_DELIVERED + HOUR;
            while bench.store.prune(expired(late)).await.unwrap().more {}
            assert_eq!(learned(bench).await, 0);
        });
    }

    #[test]
    fn what_memory_learned_in_an_outage_is_brought_to_the_file() {
        check(sqlite_bench, async |bench| {
            bench.persist(&[said_at(&gone("Globex"), t(0))], t(0)).await;
            let mut memory = Bench::new(Store::Memory(Memory::default()), None);
            memory.persist(&[said_at(&gone("Initech"), t(1)), said_at(&gone("Umbrella"), t(1))], t(1)).await;
            let Store::Sqlite(file) = std::mem::replace(&mut bench.store, memory.store) else { return };
            bench.store.move_to(file, &[], &bench.targets, t(2)).await.unwrap();
            bench.persist(&[said_at(&gone("Hooli"), t(3)), said_at(&gone("Wonka"), t(3))], t(3)).await;
            let told = told_at(bench, t(9)).await;
            assert!(
                told.iter().any(|(message, count, _)| *message == gone("Initech") && *count == 4),
                "{told:?}"
            );
        });
    }
}

//! Whatever happens in whatever order, the file does what memory does, and no
//! event is lost or told twice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use super::{
    steps::{SINKS, Side, Step, step},
    *,
};
use crate::outbox::page::{Page, State};

/// What is in a store, but for its numbers and keys, which are its own.
fn content(page: &Page, knows_the_past: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let pending = || page.deliveries.iter().filter(|(_, it)| it.state == State::Pending);
    let told: BTreeSet<i64> =
        pending().flat_map(|(_, it)| page.items_of(it.notice_id)).map(|(incident, _)| incident).collect();
    // Memory drops what ended when it looks the next time.
    let is_kept = |id: &i64| {
        let is_live = page.standings_of(*id).any(|(_, standing)| standing.due_at.is_some());
        page.incidents.get(id).unwrap().closed_at.is_none() || is_live || told.contains(id)
    };
    let incidents = page.incidents.iter().filter(|(id, _)| is_kept(id));
    let mut places = BTreeMap::new();
    for (place, (id, it)) in incidents.enumerate() {
        places.insert(*id, place);
        let is_new = it.is_new && knows_the_past;
        lines.push(format!(
            "incident {} {:?} {} {:?} {:?} {:?} {} {is_new} {} {:?} {:?} {:?} {:?} {:?} {:?}",
            it.public_id,
            it.fingerprint,
            it.level,
            it.about,
            it.run,
            it.process,
            it.count,
            it.reported,
            it.opened_at,
            it.last_at,
            it.closed_at,
            page.firsts.get(id),
            page.latests.get(id),
            it.pace
        ));
        lines.extend(page.standings_of(*id).map(|(whom, it)| format!("  standing {whom:?} {it:?}")));
    }
    for (_, it) in pending() {
        let notice = page.notices.get(&it.notice_id).unwrap();
        lines.push(format!(
            "notice {} {:?} {:?} {:?} {:?} {} {:?} {:?} {} {} {} {} {:?} {:?}",
            notice.public_id,
            notice.run,
            notice.kind,
            notice.process,
            notice.made_at,
            notice.is_last,
            it.recipient,
            it.due_at,
            it.attempt,
            it.claims,
            it.answered,
            it.doubtful,
            it.created_at,
            it.expires_at
        ));
        lines.extend(page.items_of(it.notice_id).map(|(incident, it)| {
            let told = format!("{:?} {} {} {} {:?}", it.reason, it.tellings, it.count, it.total, it.last_at);
            format!("  item {} {told} {:?}", places[&incident], it.pace)
        }));
    }
    lines.extend(page.accounts.iter().map(|(whom, it)| format!("account {whom:?} {it:?}")));
    lines.extend(page.silences.iter().map(|it| format!("silence {it:?}")));
    lines.extend(page.refusals.iter().map(|it| format!("refusal {it:?}")));
    lines.extend(page.dead.iter().map(|(sink, it)| {
        format!("dead {sink} {:?} {} {} {} {}", it.told_at, it.count, it.recipient, it.public_id, it.reason)
    }));
    lines
}

fn after(now: SystemTime, step: &Step) -> SystemTime {
    let minute = Duration::from_secs(60);
    match step {
        Step::Wait(seconds) => now + Duration::from_secs(*seconds),
        Step::ClockJump(minutes @ 0..) => now + minute * u32::try_from(*minutes).unwrap(),
        Step::ClockJump(minutes) => now - minute * u32::try_from(-minutes).unwrap(),
        _ => now + SETTLE,
    }
}

/// A new file, with what memory has; its claims go on.
async fn hand_over(memory: &mut Side, file: &mut Side) {
    let directory = tempfile::tempdir().unwrap();
    let page = memory.bench.page().await;
    if let Store::Memory(memory) = &memory.bench.store {
        file.past = memory.past;
    }
    let mut store = open(&directory).await;
    if let Store::Sqlite(store) = &mut store {
        store.import(&[&page], &memory.bench.targets, t(0)).await.unwrap();
    }
    std::mem::replace(&mut file.bench.store, store).shut().await;
    file.bench.directory = Some(directory);
    file.claims = memory.claims.clone();
    file.asked = memory.asked.clone();
}

/// The file fails, or works again.
async fn turn(side: &mut Side, now: SystemTime) {
    match &side.bench.store {
        Store::Memory(memory) => {
            let (kept, past) = (memory.page.clone(), memory.past);
            let Store::Sqlite(mut file) = open(side.bench.directory.as_ref().unwrap()).await else {
                panic!("no file");
            };
            side.past = side.past + past;
            let there = file.export().await;
            for incident in kept.incidents.values().filter(|it| it.closed_at.is_none()) {
                let open = there.incidents.values().filter(|it| it.closed_at.is_none());
                let same = open.filter(|it| it.fingerprint == incident.fingerprint);
                same.for_each(|same| side.rename(&incident.public_id, &same.public_id));
            }
            let targets = side.bench.targets.clone();
            side.bench.store.move_to(file, &[], &targets, now).await.unwrap();
            side.bench.store.reconsider(now).await.unwrap();
            // The clock may have jumped meanwhile: upkeep finds that out.
            side.bench.store.pull_forward(now + 2 * HOUR / 60, now + HOUR, now).await.unwrap();
            side.claims.extend(side.deferred.drain(..));
            side.asked.append(&mut side.deferred_asked);
        }
        _ => {
            let mut store = std::mem::replace(&mut side.bench.store, Store::Memory(Memory::default()));
            store.shut().await;
            side.deferred = std::mem::take(&mut side.claims);
            side.deferred_asked = std::mem::take(&mut side.asked);
        }
    }
}

/// To look at everything costs more than any step.
fn is_looked_at(number: usize, steps: &[Step]) -> bool {
    number % 4 == 3 || number + 1 == steps.len()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 512, ..ProptestConfig::default() })]

    #[test]
    fn the_file_does_what_memory_does_and_both_lose_nothing(
        is_limited: bool,
        has_mail in proptest::bool::weighted(0.8),
        steps in proptest::collection::vec(step(), 1..50),
    ) {
        runtime().block_on(async {
            let memory = Bench::new(Store::Memory(Memory::default()), None);
            let mut sides = [memory, sqlite_bench().await].map(|bench| Side::new(bench, is_limited, has_mail));
            let mut now = t(0);
            let mut knows_the_past = true;
            for (number, step) in steps.iter().enumerate() {
                now = after(now, step);
                let [memory, file] = &mut sides;
                match step {
                    Step::Handover => {
                        hand_over(memory, file).await;
                        knows_the_past = false;
                    }
                    step => prop_assert_eq!(memory.act(step, now).await, file.act(step, now).await, "{:?}", step),
                }
                if !is_looked_at(number, &steps) {
                    continue;
                }
                let (inner, outer) = (memory.bench.page().await, file.bench.page().await);
                memory.balance(&inner)?;
                file.balance(&outer)?;
                prop_assert_eq!(memory.count(&inner).await?, file.count(&outer).await?, "{:?}", step);
                prop_assert_eq!(content(&inner, knows_the_past), content(&outer, knows_the_past), "{:?}", step);
                for sink in SINKS {
                    let due = memory.bench.store.next_due(sink).await.unwrap();
                    prop_assert_eq!(due, file.bench.store.next_due(sink).await.unwrap(), "{:?}", step);
                }
                let run = memory.bench.run;
                let pending = memory.bench.store.pending(run, Mark::ALL).await.unwrap();
                prop_assert_eq!(pending, file.bench.store.pending(run, Mark::ALL).await.unwrap());
            }
            for side in &mut sides {
                side.drain(now).await?;
            }
            if let Store::Memory(memory) = &sides[0].bench.store {
                prop_assert_eq!(memory.page.bytes(), 0, "memory keeps what is over");
            }
            Ok(())
        })?;
    }

    #[test]
    fn through_outages_of_the_file_nothing_is_lost_or_told_twice(
        is_limited: bool,
        steps in proptest::collection::vec(step(), 1..50),
    ) {
        runtime().block_on(async {
            let mut side = Side::new(sqlite_bench().await, is_limited, true);
            let mut now = t(0);
            for (number, step) in steps.iter().enumerate() {
                now = after(now, step);
                match step {
                    Step::Outage => turn(&mut side, now).await,
                    step => drop(side.act(step, now).await),
                }
                if matches!(side.bench.store, Store::Sqlite(_)) && is_looked_at(number, &steps) {
                    let page = side.bench.page().await;
                    side.balance(&page)?;
                    side.count(&page).await?;
                }
            }
            if let Store::Memory(_) = side.bench.store {
                turn(&mut side, now).await;
            }
            side.claims = VecDeque::new();
            side.drain(now).await
        })?;
    }
}

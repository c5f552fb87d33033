//! What goes along from one store to the next, whatever they are.

use super::*;
use crate::{
    outbox::{
        keep::Keep,
        page::{IncidentRow, Page, Recipient, StandingRow},
    },
    policy::notice::Spread,
};

fn check_moves(claim: impl AsyncFnOnce(Bench, Bench)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        claim(Bench::new(Store::Memory(Memory::default()), None), sqlite_bench().await).await;
    });
}

/// Goes over to a new file, from memory or from a file that was moved.
async fn move_on(bench: &mut Bench) {
    let left = bench.store.leave(t(9)).await;
    let directory = tempfile::tempdir().unwrap();
    let Store::Sqlite(file) = open(&directory).await else { panic!("no file") };
    bench.store.move_to(file, &[left], &bench.targets, t(0)).await.unwrap();
    bench.directory = Some(directory);
}

#[test]
fn what_is_dead_is_told_after_any_move_and_no_sooner_than_an_hour_after_the_last() {
    check_moves(async |memory, file| {
        for mut bench in [memory, file] {
            for (start, name) in [(0, "a"), (10, "b"), (20, "c")] {
                bench.persist(&[captured(name, Level::ERROR)], t(start)).await;
                let claim = bench.claim("sms", t(start + 1)).await.unwrap();
                bench.store.bury(&claim, name, t(start + 2)).await.unwrap();
                if start == 0 {
                    assert_eq!(bench.tell_of_dead("sms", t(0), t(3)).await, Some(1));
                }
            }
            for _ in 0..2 {
                move_on(&mut bench).await;
            }
            bench.persist(&[captured("d", Level::ERROR)], t(30)).await;
            let claim = bench.claim("sms", t(31)).await.unwrap();
            bench.store.bury(&claim, "d", t(32)).await.unwrap();
            assert_eq!(bench.tell_of_dead("sms", t(2), t(33)).await, None, "not yet");
            assert_eq!(bench.tell_of_dead("mail", t(3), t(33)).await, None);
            assert_eq!(bench.tell_of_dead("sms", t(3), t(34)).await, Some(3));
            let told = bench.told("mail", t(35)).await;
            assert!(told.iter().any(|(message, _)| message == "d for +1 in #7K3Q"), "{told:?}");
            assert_eq!(bench.tell_of_dead("sms", t(34), t(99)).await, None, "twice");
            bench.store.shut().await;
        }
    });
}

#[test]
fn the_last_of_the_dead_is_named_also_if_it_died_elsewhere() {
    check_moves(async |memory, file| {
        for mut bench in [memory, file] {
            for (start, name) in [(0, "a"), (10, "b")] {
                bench.persist(&[captured(name, Level::ERROR)], t(start)).await;
                let claim = bench.claim("sms", t(start + 1)).await.unwrap();
                bench.store.bury(&claim, name, t(start + 2)).await.unwrap();
            }
            move_on(&mut bench).await;
            assert_eq!(bench.tell_of_dead("sms", t(0), t(20)).await, Some(2));
            let told = bench.told("mail", t(21)).await;
            assert!(told.iter().any(|(message, _)| message == "b for +1 in #7K3Q"), "{told:?}");
            bench.store.shut().await;
        }
    });
}

#[test]
fn who_was_refused_stays_refused_after_any_move() {
    check_moves(async |memory, file| {
        for mut bench in [memory, file] {
            bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
            let claim = bench.claim("sms", t(1)).await.unwrap();
            bench.store.refuse(&claim, t(2)).await.unwrap();
            bench.store.bury(&claim, "21610", t(2)).await.unwrap();
            for _ in 0..2 {
                move_on(&mut bench).await;
            }
            let ledger = bench.store.ledger().await.unwrap();
            for is_file in [true, false] {
                if !is_file {
                    bench.store.shut().await;
                    bench.store.inherit(&ledger);
                }
                bench.persist(&[captured("b", Level::ERROR)], t(10)).await;
                let claim = bench.claim("sms", t(11)).await.unwrap();
                assert!(!bench.store.skip_refused(&claim, t(2), t(11)).await.unwrap());
                assert!(bench.store.skip_refused(&claim, t(1), t(11)).await.unwrap());
            }
        }
    });
}

#[test]
fn what_was_spent_before_and_during_an_outage_is_spent_once() {
    let spent = async |store: &mut Store| {
        let ledger = store.ledger().await.unwrap();
        let account = ledger.accounts.get(&Recipient::new("sms", "+1")).unwrap();
        (account.spent.today(&Calendar::default(), t(1)), account.full_at)
    };
    check_moves(async |_, mut file| {
        let budget = Budget::new(2, HOUR, 9);
        let channel = Channel { budget: Some(budget), ..channel("sms") };
        let tell = async |bench: &mut Bench, name, at| {
            bench.persist(&[captured(name, Level::ERROR)], at).await;
            let told = bench.tell_with(&channel, false, at + SETTLE).await;
            for claim in bench.store.claim("sms", 9, at + HOUR, at + SETTLE).await.unwrap() {
                bench.store.deliver(&claim, None, 1, None, at + SETTLE).await.unwrap();
            }
            told.notice.is_some()
        };
        assert!(tell(&mut file, "a", t(0)).await);
        for outage in 1..=2 {
            let ledger = file.store.ledger().await.unwrap();
            let mut works = std::mem::replace(&mut file.store, Store::Memory(Memory::default()));
            for _ in 0..2 {
                file.store.inherit(&ledger);
            }
            assert_eq!(tell(&mut file, "b", t(10)).await, outage == 1, "the budget begins anew");
            let Store::Memory(memory) = &file.store else { panic!("no memory") };
            let page = memory.page.clone();
            let Store::Sqlite(store) = &mut works else { panic!("no file") };
            store.import(&[&page], &file.targets, t(20)).await.unwrap();
            file.store = works;
            assert_eq!(spent(&mut file.store).await, (2, Some(t(1) + 2 * HOUR)));
        }
        file.store.shut().await;
    });
}

/// An incident of so many events until then, of which so many were told; when it was
/// closed, and when it is due again.
type Brought = (u64, u64, Option<u64>, Option<u64>);

fn page_of((count, told, closed_at, due_at): Brought) -> Page {
    let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let incident = IncidentRow {
        public_id: "7K3Q".to_owned(),
        fingerprint: vec![7; 16],
        level: Level::ERROR,
        about: None,
        run: Uuid::nil(),
        process: Process::default(),
        is_new: true,
        count,
        reported: 0,
        is_panic: false,
        opened_at: at(0),
        back_at: None,
        last_at: at(count),
        closed_at: closed_at.map(at),
        is_left: false,
        held_until: None,
        pace: Default::default(),
        recent: Default::default(),
        spread: None,
        #[cfg(feature = "postgres")]
        shared: Default::default(),
    };
    let standing = StandingRow {
        told,
        told_at: Some(at(told)),
        tellings: 1,
        due_at: due_at.map(at),
        ..StandingRow::default()
    };
    let mut page = Page { is_copy: true, ..Page::default() };
    page.incidents.insert(1, incident);
    page.standings.insert((1, Recipient::new("sms", "+1")), standing);
    page
}

#[test]
fn what_two_processes_bring_of_one_incident_is_counted_once_and_none_of_it_is_lost() {
    let (few, many) = ((10, 10, None, Some(99)), (510, 9, None, Some(50)));
    let over = (10, 10, Some(20), None);
    for (first, second, known) in [
        (few, many, (510, 510, 10, Some(10), Some(50))),
        (many, few, (510, 510, 10, Some(10), Some(50))),
        (over, many, (510, 510, 10, Some(10), Some(50))),
        (few, over, (10, 10, 10, Some(10), Some(99))),
        (few, few, (10, 10, 10, Some(10), Some(99))),
    ] {
        check_moves(async |_, file| {
            let Store::Sqlite(mut file) = file.store else { panic!("no file") };
            for brought in [first, second] {
                file.import(&[&page_of(brought)], &[], t(0)).await.unwrap();
            }
            let page = file.export().await;
            let seconds = |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
            let found = page.standings.iter().map(|((id, _), it)| {
                let incident = page.incidents.get(id).unwrap();
                (
                    incident.count,
                    seconds(incident.last_at),
                    it.told,
                    it.told_at.map(seconds),
                    it.due_at.map(seconds),
                )
            });
            assert_eq!(found.collect::<Vec<_>>(), [known], "{first:?} and {second:?}");
            file.shut().await;
        });
    }
}

#[test]
fn what_was_claimed_in_memory_is_reported_in_the_file_where_notices_have_other_numbers() {
    check_moves(async |mut memory, mut file| {
        for n in 0..3 {
            file.persist(&[captured(&format!("of the file {n}"), Level::ERROR)], t(n)).await;
            file.claim("sms", t(n + 1)).await;
        }
        memory.persist(&[captured("a", Level::ERROR)], t(4)).await;
        let claim = memory.claim("sms", t(5)).await.unwrap();
        let Store::Sqlite(file) = file.store else { panic!("no file") };
        memory.store.move_to(file, &[], &memory.targets, t(6)).await.unwrap();
        assert_eq!(memory.store.events().await.unwrap().reported, 0);
        assert!(memory.store.deliver(&claim, None, 1, None, t(7)).await.unwrap());
        assert_eq!(memory.store.events().await.unwrap().reported, 1, "another message was reported");
        memory.store.shut().await;
    });
}

#[test]
fn what_several_processes_bring_of_one_file_was_spent_once() {
    check_moves(async |_, mut bench| {
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let claim = bench.claim("sms", t(1)).await.unwrap();
        bench.store.charge(&claim, 7, None, t(1)).await.unwrap();
        bench.store.bury(&claim, "21211", t(1)).await.unwrap();
        let Store::Sqlite(mut old) = bench.store else { panic!("no file") };
        let page = old.export().await;
        old.shut().await;
        let directory = tempfile::tempdir().unwrap();
        let Store::Sqlite(mut new) = open(&directory).await else { panic!("no file") };
        for _ in 0..3 {
            new.import(&[&page], &[], t(10)).await.unwrap();
        }
        let ledger = new.ledger().await.unwrap();
        let account = ledger.accounts.get(&Recipient::new("sms", "+1")).unwrap();
        let cost = account.segments.today(&Calendar::default(), t(1));
        assert_eq!((cost, ledger.dead.get(&"sms".to_owned()).unwrap().count), (7, 1));
        new.shut().await;
    });
}

#[test]
fn what_comes_to_a_file_that_was_left_adds_up_and_is_sent_by_nobody_else() {
    check_moves(async |_, mut bench| {
        bench.persist(&[Captured { count: 10, ..captured_at("a", t(0)) }], t(0)).await;
        bench.tell("sms", t(1)).await;
        let Store::Sqlite(mut old) = bench.store else { panic!("no file") };
        let first = old.export().await;
        old.retire(t(2)).await;
        // Another process has not noticed yet.
        bench.store = Store::Sqlite(old);
        assert_eq!(bench.claim("sms", t(3)).await, None);
        assert_eq!(bench.tell("mail", t(3)).await.notice, None);
        bench.persist(&[Captured { count: 3, ..captured_at("a", t(3)) }], t(3)).await;
        let Store::Sqlite(mut old) = bench.store else { panic!("no file") };
        let second = old.export().await;
        old.shut().await;
        let directory = tempfile::tempdir().unwrap();
        let Store::Sqlite(mut new) = open(&directory).await else { panic!("no file") };
        new.import(&[&first], &[], t(4)).await.unwrap();
        bench.store = Store::Sqlite(new);
        bench.persist(&[Captured { count: 5, ..captured_at("a", t(5)) }], t(5)).await;
        let Store::Sqlite(mut new) = bench.store else { panic!("no file") };
        new.import(&[&second], &[], t(6)).await.unwrap();
        assert_eq!(new.events().await.unwrap().committed(), 18);
        new.shut().await;
    });
}

#[test]
fn in_which_instances_it_happened_is_told_as_it_was_then_and_goes_along() {
    check_moves(async |mut bench, mut file| {
        file.store.shut().await;
        bench.persist(&[captured("a", Level::ERROR)], t(0)).await;
        let Store::Memory(memory) = &mut bench.store else { panic!("no memory") };
        let spread = |instances| {
            let hosts = vec![("web-1".to_owned(), 9)];
            Some(Spread {
                instances,
                of: 34,
                versions: vec![("1.4.3".to_owned(), 9)],
                hosts,
                hosts_in_all: 1,
            })
        };
        let ids: Vec<i64> = memory.page.incidents.keys().copied().collect();
        memory.page.incidents.change(&ids[0]).unwrap().spread = spread(30);
        bench.tell("sms", t(1)).await;
        let Store::Memory(memory) = &mut bench.store else { panic!("no memory") };
        memory.page.incidents.change(&ids[0]).unwrap().spread = spread(31);
        move_on(&mut bench).await;
        let claim = bench.claim("sms", t(2)).await.unwrap();
        assert_eq!(bench.store.notice(&claim).await.unwrap().samples[0].spread, spread(30));
        // What it says of them now is known where it is counted only.
        let claim = bench.claim("mail", t(2)).await.unwrap();
        assert_eq!(bench.store.notice(&claim).await.unwrap().samples[0].spread, None);
        bench.store.shut().await;
    });
}

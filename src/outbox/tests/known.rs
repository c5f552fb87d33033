//! Recipients that were taken out of the settings.

use super::*;
use crate::policy::known::Knower;

fn knower(run: u128) -> Knower {
    Knower { run: Uuid::from_u128(run), host: "web-1".to_owned(), pid: 7, version: None }
}

#[test]
fn who_was_taken_out_hears_no_more_than_the_last_program_that_knew_them() {
    check(sqlite_bench, async |bench| {
        bench.targets.push(target("mail", "c@d", Level::ERROR));
        let is_gone = |runs: &'static [u128]| move |other: &Knower| runs.contains(&other.run.as_u128());
        bench.store.note_known(&bench.targets, &knower(1), is_gone(&[])).await.unwrap();
        bench.store.note_known(&bench.targets, &knower(2), is_gone(&[])).await.unwrap();
        bench.persist(&[captured_at("a", t(0))], t(0)).await;
        bench.tell("mail", t(1)).await;
        for claim in bench.store.claim("mail", 9, t(71), t(1)).await.unwrap() {
            assert!(bench.store.deliver(&claim, None, 1, None, t(1)).await.unwrap());
        }
        bench.persist(&[captured_at("a", t(1700)), captured_at("b", t(1700))], t(1700)).await;
        let now = bench.targets[..2].to_vec();
        bench.store.note_known(&now, &knower(3), is_gone(&[1])).await.unwrap();
        let forgotten = bench.store.forget_unknown(&now, is_gone(&[1])).await.unwrap();
        assert_eq!(forgotten, 0, "a program that runs has them");
        let forgotten = bench.store.forget_unknown(&now, is_gone(&[1, 2])).await.unwrap();
        assert_eq!(forgotten, 2, "nobody has them any more");
        bench.tell("mail", t(1801)).await;
        let claims = bench.store.claim("mail", 9, t(1900), t(1801)).await.unwrap();
        let told: Vec<_> = claims.iter().map(|claim| claim.recipient.as_str()).collect();
        assert_eq!(told, ["a@b"]);
        bench.persist(&[captured_at("a", t(1802))], t(1802)).await;
        assert_eq!(bench.store.forget_unknown(&bench.targets.clone(), is_gone(&[1, 2])).await.unwrap(), 0);
    });
}

#[test]
fn a_sink_that_is_none_of_ours_is_left_alone() {
    check(sqlite_bench, async |bench| {
        bench.persist(&[captured_at("a", t(0))], t(0)).await;
        let only_sms = bench.targets[..1].to_vec();
        assert_eq!(bench.store.forget_unknown(&only_sms, |_| true).await.unwrap(), 0);
        let of_somebody_else = [target("sms", "+2", Level::ERROR)];
        assert_eq!(bench.store.forget_unknown(&of_somebody_else, |_| true).await.unwrap(), 1);
        assert_eq!(bench.claim("sms", t(1)).await, None);
        assert!(bench.claim("mail", t(1)).await.is_some());
    });
}

//! Recipients of a fleet whom no instance's settings name any more.

use std::collections::BTreeSet;

use sqlx::{ConnectOptions, Connection};

use super::{
    fleet::{any_schema, later_instance, options, run, share},
    *,
};

const OLD: &str = "+1";
const NEW: &str = "+2";

/// A fleet in which time passes, and one error that goes on.
struct Story {
    schema: String,
    minutes: u64,
    count: u64,
}

impl Story {
    fn begin() -> Self {
        Self { schema: any_schema(), minutes: 0, count: 0 }
    }

    fn pass(&mut self, minutes: u64) {
        self.minutes += minutes;
    }

    /// The instance with this number, whose settings name these recipients of SMS.
    fn instance(&self, number: u128, names: &[&str]) -> Bench {
        let mut bench = later_instance(&self.schema, number, Duration::from_secs(60 * self.minutes));
        bench.targets = names.iter().map(|name| target("sms", name, Level::ERROR)).collect();
        bench
    }

    /// One looks, counts an event more, sweeps and sends. Returns who gets something.
    async fn turn(&mut self, number: u128, names: &[&str]) -> Vec<String> {
        let mut bench = self.instance(number, names);
        bench.appear().await;
        self.count(&mut bench).await;
        bench.sweep().await;
        let told = bench.send().await;
        bench.store.shut().await;
        told
    }

    async fn count(&mut self, bench: &mut Bench) {
        self.count += 1;
        bench.hand_over(&[share(1, "a", self.count, bench.now())]).await;
    }

    /// The same, each 20 minutes. Returns who gets something in that time.
    async fn go_on(&mut self, hours: u64, number: u128, names: &[&str]) -> BTreeSet<String> {
        let mut told = BTreeSet::new();
        for _ in 0..hours * 3 {
            self.pass(20);
            told.extend(self.turn(number, names).await);
        }
        told
    }
}

impl Bench {
    /// Looks, as one does that looks again in five minutes.
    async fn appear(&mut self) {
        let Store::Fleet(fleet) = &mut self.store else { panic!("no fleet") };
        let pause = Duration::from_secs(300);
        let presence = Presence { targets: &self.targets, pause, ..Presence::default() };
        fleet.look(presence, &[], &["sms"]).await.unwrap();
    }

    async fn sweep(&mut self) {
        let Store::Fleet(fleet) = &mut self.store else { panic!("no fleet") };
        fleet.sweep().await.unwrap();
    }

    /// The part of a sweep that these tests are about, at any time.
    async fn judge(&mut self) {
        let Store::Fleet(fleet) = &mut self.store else { panic!("no fleet") };
        let now = fleet.now();
        fleet.judge_recipients(now).await.unwrap();
    }

    /// Tells what is due, and sends it.
    async fn send(&mut self) -> Vec<String> {
        let now = self.now() + 2 * SETTLE;
        let maker = Maker {
            new_id: &*self.new_id,
            run: self.run,
            process: &self.process,
            calendar: &self.calendar,
            is_of_fleet: true,
        };
        self.store.tell(&channel("sms"), &maker, false, now).await.unwrap();
        let claims = self.store.claim("sms", 99, now + HOUR, now).await.unwrap();
        let mut told = Vec::new();
        for claim in claims {
            assert!(self.store.deliver(&claim, None, 1, None, now).await.unwrap());
            told.push(claim.recipient);
        }
        told
    }

    /// Whether something is to be told, or would be with the next event.
    fn waits_for(&self, recipient: &str) -> bool {
        let waiting = self.execute(&format!(
            "SELECT count(*) FROM standing
              WHERE recipient = '{recipient}' AND (due_at IS NOT NULL OR again_at IS NOT NULL)"
        ));
        waiting.trim() != "0"
    }
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn whom_nobody_names_for_an_hour_is_told_no_more_and_others_are() {
    run(async {
        let mut story = Story::begin();
        assert_eq!(set(&[OLD, NEW]), story.turn(1, &[OLD, NEW]).await.into_iter().collect());
        let told = story.go_on(1, 2, &[NEW]).await;
        assert_eq!(told, set(&[OLD, NEW]), "it is not an hour yet");
        story.go_on(1, 2, &[NEW]).await;
        assert_eq!(story.go_on(24, 2, &[NEW]).await, set(&[NEW]));
        // It ends, and comes back.
        story.pass(120);
        let bench = story.instance(2, &[NEW]);
        assert!(!bench.waits_for(OLD) && bench.waits_for(NEW));
        assert_eq!(story.go_on(24, 2, &[NEW]).await, set(&[NEW]));
    });
}

#[test]
fn who_is_named_instead_is_told_how_it_goes_on() {
    run(async {
        let mut story = Story::begin();
        assert_eq!(story.turn(1, &[OLD]).await, [OLD]);
        // All are deployed anew, with another number.
        assert_eq!(story.go_on(1, 2, &[NEW]).await, set(&[OLD]), "it is not an hour yet");
        story.go_on(1, 2, &[NEW]).await;
        assert_eq!(story.go_on(24, 2, &[NEW]).await, set(&[NEW]));
        assert!(!story.instance(2, &[]).waits_for(OLD));
    });
}

#[test]
fn what_nobody_told_them_yet_they_are_told() {
    run(async {
        let mut story = Story::begin();
        let mut bench = story.instance(1, &[OLD, NEW]);
        bench.appear().await;
        story.count(&mut bench).await;
        for _ in 0..9 {
            story.pass(20);
            let mut other = story.instance(2, &[NEW]);
            other.appear().await;
            other.sweep().await;
        }
        let mut other = story.instance(2, &[NEW]);
        other.appear().await;
        assert_eq!(other.send().await.into_iter().collect::<BTreeSet<_>>(), set(&[OLD, NEW]));
    });
}

#[test]
fn what_is_on_its_way_is_sent() {
    run(async {
        let mut story = Story::begin();
        let mut bench = story.instance(1, &[OLD, NEW]);
        bench.appear().await;
        story.count(&mut bench).await;
        let now = bench.now() + 2 * SETTLE;
        bench.tell("sms", now).await;
        for _ in 0..7 {
            story.pass(20);
            let mut other = story.instance(2, &[NEW]);
            other.appear().await;
            other.sweep().await;
        }
        let mut other = story.instance(2, &[NEW]);
        assert!(!other.waits_for(OLD));
        other.appear().await;
        assert_eq!(other.send().await.into_iter().collect::<BTreeSet<_>>(), set(&[OLD, NEW]));
    });
}

#[test]
fn an_instance_that_does_not_say_whom_it_names_may_name_anybody() {
    run(async {
        let mut story = Story::begin();
        story.turn(1, &[OLD, NEW]).await;
        for _ in 0..12 {
            story.pass(20);
            let mut older = story.instance(3, &[]);
            older.appear().await;
            older.execute(&format!(
                "UPDATE instance SET targets = NULL WHERE store = '{}'",
                Uuid::from_u128(3)
            ));
            story.turn(2, &[NEW]).await;
            assert!(story.instance(2, &[]).waits_for(OLD));
        }
        // For an hour after it is gone, too.
        story.go_on(1, 2, &[NEW]).await;
        assert!(story.instance(2, &[]).waits_for(OLD));
        story.go_on(1, 2, &[NEW]).await;
        assert!(!story.instance(2, &[]).waits_for(OLD));
    });
}

#[test]
fn whom_one_instance_names_stays() {
    run(async {
        let mut story = Story::begin();
        story.turn(1, &[OLD]).await;
        let mut told = BTreeSet::new();
        for _ in 0..24 {
            story.pass(20);
            story.instance(1, &[OLD]).appear().await;
            told.extend(story.turn(2, &[NEW]).await);
        }
        assert_eq!(told, set(&[OLD]), "the other tells them");
        assert!(story.instance(1, &[]).waits_for(OLD));
    });
}

#[test]
fn who_comes_back_is_told_of_what_still_goes_on() {
    run(async {
        let mut story = Story::begin();
        story.turn(1, &[OLD, NEW]).await;
        story.go_on(4, 2, &[NEW]).await;
        assert_eq!(story.go_on(24, 2, &[NEW]).await, set(&[NEW]));
        let told = story.go_on(24, 2, &[OLD, NEW]).await;
        assert_eq!(told, set(&[OLD, NEW]));
    });
}

#[test]
fn who_comes_back_is_told_of_what_is_new() {
    run(async {
        let mut story = Story::begin();
        story.turn(1, &[OLD, NEW]).await;
        story.go_on(4, 2, &[NEW]).await;
        story.pass(20);
        let mut bench = story.instance(2, &[OLD, NEW]);
        // Before anybody knows that it names them.
        bench.hand_over(&[share(2, "b", 1, bench.now())]).await;
        bench.sweep().await;
        bench.appear().await;
        story.pass(2);
        let mut bench = story.instance(2, &[OLD, NEW]);
        bench.sweep().await;
        assert!(bench.send().await.contains(&OLD.to_owned()));
    });
}

#[test]
fn whom_an_outage_kept_away_loses_nobody() {
    run(async {
        let mut story = Story::begin();
        story.turn(1, &[OLD]).await;
        story.turn(2, &[NEW]).await;
        // Nobody reaches the database for days, and one is there before the other.
        story.pass(3 * 24 * 60);
        story.turn(2, &[NEW]).await;
        story.pass(10);
        story.turn(2, &[NEW]).await;
        assert!(story.instance(2, &[]).waits_for(OLD));
        // It is there for a moment only.
        for _ in 0..3 {
            story.pass(120);
            story.turn(2, &[NEW]).await;
            assert!(story.instance(2, &[]).waits_for(OLD));
        }
        story.turn(1, &[OLD]).await;
        story.go_on(24, 1, &[OLD]).await;
        assert!(story.instance(2, &[]).waits_for(OLD));
    });
}

#[test]
fn recipients_of_a_sink_that_nobody_has_are_left_alone() {
    run(async {
        let mut story = Story::begin();
        story.turn(1, &[OLD]).await;
        for _ in 0..24 {
            story.pass(20);
            let mut bench = story.instance(2, &[]);
            bench.targets = vec![target("mail", "a@b", Level::ERROR)];
            bench.appear().await;
            story.count(&mut bench).await;
            bench.sweep().await;
            assert!(bench.waits_for(OLD));
        }
    });
}

#[test]
fn to_look_for_those_whom_nobody_names_reads_no_table_that_grows() {
    run(async {
        let mut story = Story::begin();
        let mut bench = story.instance(1, &[OLD, NEW]);
        bench.appear().await;
        story.count(&mut bench).await;
        assert_eq!(bench.send().await.len(), 2);
        bench.execute(
            "INSERT INTO incident (id, data)
             SELECT 1000000 + n, data || jsonb_build_object('fingerprint', md5(n::text), 'public_id', 'P' || n,
                                                            'closed_at', CASE WHEN n > 400 THEN 1 END)
               FROM incident, generate_series(1, 20000) AS n;
             INSERT INTO standing (incident_id, sink, recipient, data)
             SELECT incident.id, sink, recipient,
                    standing.data || jsonb_build_object('due_at', NULL, 'told_at', 1, 'again_at', CASE WHEN incident.id < 1005000 THEN 1 END)
               FROM incident, standing WHERE incident.id > 1000000;
             ANALYZE",
        );
        let judge = async |story: &mut Story, names: &[&str]| {
            story.pass(20);
            let mut bench = story.instance(2, names);
            bench.appear().await;
            bench.judge().await;
            bench.store.shut().await;
        };
        let before = bench.read_by_scan();
        for _ in 0..8 {
            judge(&mut story, &[NEW]).await;
        }
        assert!(!bench.waits_for(OLD));
        for _ in 0..2 {
            judge(&mut story, &[OLD, NEW]).await;
        }
        assert!(bench.waits_for(OLD));
        let read = bench.read_by_scan() - before;
        assert!(read < 2_000, "{read} rows were read by scans of whole tables");
    });
}

#[test]
fn to_forget_somebody_waits_for_nobody_and_is_made_up_for() {
    run(async {
        let mut story = Story::begin();
        story.turn(1, &[OLD, NEW]).await;
        for _ in 0..3 {
            story.pass(25);
            let mut bench = story.instance(2, &[NEW]);
            bench.appear().await;
            story.count(&mut bench).await;
            bench.judge().await;
        }
        story.pass(25);
        let mut other = options().connect().await.unwrap();
        // Whoever counts something locks what is told of it, and whoever decides its recipient.
        for lock in ["standing", "account"] {
            let mut deciding = other.begin().await.unwrap();
            let lock = format!("SELECT 1 FROM {}.{lock} WHERE recipient = '{OLD}' FOR UPDATE", story.schema);
            sqlx::query(sqlx::AssertSqlSafe(lock)).execute(&mut *deciding).await.unwrap();
            let mut bench = story.instance(2, &[NEW]);
            bench.appear().await;
            bench.judge().await;
            assert!(bench.waits_for(OLD));
            deciding.rollback().await.unwrap();
        }
        let mut bench = story.instance(2, &[NEW]);
        bench.appear().await;
        bench.judge().await;
        assert!(!bench.waits_for(OLD) && bench.waits_for(NEW));
    });
}

//! Whole weeks, simulated: what one recipient of each sink gets by default, as the
//! table of `src/docs/grouping.md` shows it.

use super::{
    world::{MINUTE, Provider, SINKS, World, kind},
    *,
};

/// What came of one scenario.
struct Outcome {
    scenario: &'static str,
    errors: usize,
    /// By sink, to one recipient each.
    messages: [usize; 2],
    /// The longest that an error of a kind never seen before waited, by sink.
    waits: [Option<Duration>; 2],
    /// The longest that nobody was told of a channel that did not work.
    silence: Option<Duration>,
}

/// What is captured when, and how often.
struct Story<'a> {
    world: World<'a>,
    errors: usize,
    /// When which kind that was never seen before happened first.
    new: Vec<(String, SystemTime)>,
}

impl<'a> Story<'a> {
    fn new(bench: &'a mut Bench) -> Self {
        Self { world: World::new(bench), errors: 0, new: Vec::new() }
    }

    async fn happens(&mut self, captured: Captured, at: SystemTime) {
        self.world.pass(at).await;
        let message = &captured.event.message;
        if self.new.iter().all(|(known, _)| known != message) {
            self.new.push((message.clone(), at));
        }
        self.errors += 1;
        self.world.capture(&[captured], at).await;
    }

    /// All of it happens, in the order of its times.
    async fn play(&mut self, mut events: Vec<(SystemTime, String)>, until: SystemTime) {
        events.sort();
        for (at, message) in events {
            self.happens(captured_at(&message, at), at).await;
        }
        self.world.pass(until).await;
    }

    /// When a message through `sink` was delivered that tells of this.
    fn told(&self, sink: &str, message: &str) -> Vec<SystemTime> {
        let delivered = self.world.delivered(sink).into_iter();
        let about = delivered.filter(|it| it.notice.samples.iter().any(|it| it.event.message == message));
        about.map(|sent| sent.at).collect()
    }

    /// The first of them, or of those that only count some of their kinds.
    fn first_told(&self, sink: &str, message: &str, since: SystemTime) -> Option<SystemTime> {
        let counted = self.world.delivered(sink).into_iter().filter(|it| it.notice.unsampled > 0);
        let counted = counted.map(|sent| sent.at).filter(|at| *at >= since);
        self.told(sink, message).into_iter().chain(counted).min()
    }

    /// When the inbox was told that SMS fail: first within ten minutes of the first failure.
    fn told_of_failing(&self) -> Vec<SystemTime> {
        let failed_at = self.world.sent.iter().find(|sent| sent.sink == "sms").unwrap().at;
        let told = self.told("mail", "sms: failing");
        assert!(told[0] <= failed_at + 10 * MINUTE, "after {:?}", told[0].duration_since(failed_at));
        told
    }

    /// What people got by `until`; how long they waited may be known later only.
    fn outcome(self, scenario: &'static str, until: SystemTime) -> Outcome {
        let wait = |sink| {
            let waits = self.new.iter().map(|(message, at)| {
                let told = self.first_told(sink, message, *at)?;
                told.duration_since(*at).ok()
            });
            // One that was never told waits for ever.
            waits.collect::<Option<Vec<_>>>()?.into_iter().max()
        };
        let whom = |sink| self.world.bench.targets.iter().filter(|it| it.sink == sink).count();
        Outcome {
            scenario,
            errors: self.errors,
            messages: SINKS.map(|sink| self.world.count(sink, until).div_ceil(whom(sink))),
            waits: SINKS.map(wait),
            silence: None,
        }
    }
}

/// The same error, again and again.
fn every(pause: Duration, message: &str, since: SystemTime, until: SystemTime) -> Vec<(SystemTime, String)> {
    let mut events = Vec::new();
    let mut at = since;
    while at < until {
        events.push((at, message.to_owned()));
        at += pause;
    }
    events
}

async fn periodic(bench: &mut Bench, scenario: &'static str, minutes: u32, days: u32) -> Outcome {
    let mut story = Story::new(bench);
    let end = t(0) + 24 * HOUR * days;
    story.play(every(MINUTE * minutes, "payment failed", t(0), end), end).await;
    story.outcome(scenario, end)
}

async fn every_31_minutes(bench: &mut Bench) -> Outcome {
    periodic(bench, "one kind every 31 min, 7 days", 31, 7).await
}

async fn every_29_minutes(bench: &mut Bench) -> Outcome {
    periodic(bench, "one kind every 29 min, 7 days", 29, 7).await
}

async fn every_hour(bench: &mut Bench) -> Outcome {
    periodic(bench, "one kind every hour, 30 days", 60, 30).await
}

async fn every_night(bench: &mut Bench) -> Outcome {
    periodic(bench, "one kind every night, 30 days", 24 * 60, 30).await
}

async fn a_flood_of_new_kinds(bench: &mut Bench) -> Outcome {
    let mut story = Story::new(bench);
    for number in 0..2400 {
        let at = t(36 * number);
        story.happens(kind(number, at), at).await;
    }
    let end = t(24 * 3600);
    story.world.pass(end + 24 * HOUR).await;
    story.outcome("100 new kinds an hour, 1 day", end)
}

async fn a_deploy_every_10_minutes(bench: &mut Bench) -> Outcome {
    let mut story = Story::new(bench);
    for number in 0..144 {
        let at = t(600 * number);
        story.world.pass(at).await;
        story.world.restart(true, at).await;
        story.happens(captured_at("payment failed", at), at).await;
    }
    let end = t(24 * 3600);
    story.world.pass(end).await;
    story.outcome("one kind every 10 min with a deploy each, 1 day", end)
}

async fn a_channel_that_is_refused(bench: &mut Bench) -> Outcome {
    let mut story = Story::new(bench);
    story.world.providers[0] = Provider::Refusing;
    let end = t(0) + 14 * 24 * HOUR;
    story.play(every(20 * MINUTE, "payment failed", t(0), end), end).await;
    let times: Vec<_> = [t(0)].into_iter().chain(story.told_of_failing()).chain([end]).collect();
    let silences = times.windows(2).map(|pair| pair[1].duration_since(pair[0]).unwrap());
    let silence = silences.max();
    Outcome { silence, ..story.outcome("Twilio answers 401, one kind every 20 min, 14 days", end) }
}

#[tokio::test]
async fn an_inbox_that_is_busy_hears_as_soon_of_a_channel_that_fails() {
    let mut bench = Bench::new(Store::Memory(Memory::default()), None);
    let mut story = Story::new(&mut bench);
    story.world.providers[0] = Provider::Refusing;
    for number in 0..100 {
        let at = t(20 * number);
        story.happens(kind(number, at), at).await;
    }
    story.world.pass(t(3600)).await;
    assert_eq!(story.told_of_failing().len(), 1);
}

async fn three_poisoned_mails(bench: &mut Bench) -> Outcome {
    let mut story = Story::new(bench);
    story.world.providers[1] = Provider::MuteAbout("poison");
    let poison = ["poison a", "poison b", "poison c"].into_iter().zip([0, 400, 800]);
    let mut events: Vec<_> = poison.map(|(message, at)| (t(at), message.to_owned())).collect();
    events.push((t(3600), "database down".to_owned()));
    story.play(events, t(6 * 3600)).await;
    story.new.retain(|(message, _)| message == "database down");
    story.outcome("3 mails that a proxy cuts, then another kind", t(6 * 3600))
}

async fn three_phones(bench: &mut Bench) -> Outcome {
    bench.targets.extend(["+2", "+3"].map(|phone| target("sms", phone, Level::ERROR)));
    let mut story = Story::new(bench);
    // It is 22:13 UTC at the start.
    let evening = t(0) + 22 * HOUR;
    let mut events = every(HOUR, "payment failed", t(0), evening + SETTLE);
    events.push((evening + MINUTE, "database down".to_owned()));
    story.play(events, evening + 2 * HOUR).await;
    story.new.retain(|(message, _)| message == "database down");
    story.outcome("3 phones, one kind every hour, and a new one at 20:00", evening + 2 * HOUR)
}

async fn yesterdays_error(bench: &mut Bench) -> Outcome {
    let mut story = Story::new(bench);
    let (today, evening) = (t(0) + 20 * HOUR, t(0) + 46 * HOUR);
    let mut events = every(HOUR, "payment failed", t(0), evening + SETTLE);
    events.extend(every(31 * MINUTE, "database down", t(0) + MINUTE, t(0) + 5 * HOUR));
    story.play(events, evening + MINUTE).await;
    let before = SINKS.map(|sink| story.told(sink, "database down").len());
    assert!(story.told("sms", "database down").iter().all(|at| *at < today), "it is silent since");
    let again = evening + 2 * MINUTE;
    story.play(vec![(again, "database down".to_owned())], again + 2 * HOUR).await;
    for (sink, before) in SINKS.into_iter().zip(before) {
        let told = story.told(sink, "database down").split_off(before);
        assert_eq!(told.len(), 1, "once by {sink}");
        let sent = story.world.delivered(sink).into_iter().find(|sent| sent.at == told[0]).unwrap();
        let lines = sent.notice.samples.iter().filter(|it| it.event.message == "database down");
        assert_eq!(lines.count(), 1, "in one line");
        let window = default_channel(sink).rhythm.window;
        assert!(told[0] <= again + window + SETTLE, "by {sink} at {:?}", told[0]);
    }
    story.outcome("one kind every hour; yesterday's comes back at 20:00", again + 2 * HOUR)
}

/// What there may be at most: SMS, mails, and minutes that a new kind waits by either.
type Limits = ([usize; 2], [u64; 2]);

/// Every scenario on a store of its own; asserts its limits.
async fn all(make: impl AsyncFn() -> Bench, only_short: bool) -> Vec<Outcome> {
    macro_rules! outcomes {
        ($($is_long:literal $scenario:ident $limits:expr),* $(,)?) => {{
            let mut outcomes = Vec::new();
            $(if !($is_long && only_short) {
                let mut bench = make().await;
                outcomes.push($scenario(&mut bench).await.within($limits));
                bench.store.shut().await;
            })*
            outcomes
        }};
    }
    outcomes![
        true every_31_minutes ([14, 35], [1, 1]),
        true every_29_minutes ([14, 35], [1, 1]),
        true every_hour ([40, 80], [1, 1]),
        true every_night ([30, 30], [1, 1]),
        true a_flood_of_new_kinds ([20, 60], [300, 30]),
        false a_deploy_every_10_minutes ([5, 12], [1, 1]),
        true a_channel_that_is_refused ([0, 60], [u64::MAX, 1]),
        false three_poisoned_mails ([9, 9], [2, 5]),
        false three_phones ([9, 12], [2, 5]),
        false yesterdays_error ([20, 24], [2, 5]),
    ]
}

impl Outcome {
    fn within(self, (messages, minutes): Limits) -> Self {
        let Self { scenario, .. } = self;
        for (place, sink) in SINKS.into_iter().enumerate() {
            let (sent, most) = (self.messages[place], messages[place]);
            assert!(sent <= most, "{scenario}: {sent} by {sink}, and at most {most} may be");
            let longest = Duration::from_secs(minutes[place].saturating_mul(60));
            let waited = self.waits[place].unwrap_or(Duration::MAX);
            assert!(waited <= longest || minutes[place] == u64::MAX, "{scenario}: {waited:?} by {sink}");
        }
        let daily = 24 * HOUR + 30 * MINUTE;
        assert!(self.silence.is_none_or(|silence| silence <= daily), "{scenario}: {:?}", self.silence);
        self
    }

    /// As a line of the table.
    fn line(&self) -> String {
        let Self { scenario, errors, messages: [sms, mails], waits, silence } = self;
        let spoken = |wait: Option<Duration>| wait.map_or_else(String::new, crate::host::time::spoken);
        let [by_sms, by_mail] = waits.map(spoken);
        format!("| {scenario} | {errors} | {sms} | {mails} | {by_sms} | {by_mail} | {} |", spoken(*silence))
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn whole_weeks_are_as_the_documents_say() {
    let outcomes =
        runtime().block_on(all(async || Bench::new(Store::Memory(Memory::default()), None), false));
    let table: Vec<_> = outcomes.iter().map(Outcome::line).collect();
    let page = include_str!("../../docs/grouping.md");
    let missing: Vec<_> = table.iter().filter(|line| !page.lines().any(|known| known == **line)).collect();
    assert!(missing.is_empty(), "the page lacks these lines:\n{}", table.join("\n"));
}

#[cfg(feature = "sqlite")]
#[test]
fn a_file_tells_as_memory_does() {
    let in_memory =
        runtime().block_on(all(async || Bench::new(Store::Memory(Memory::default()), None), true));
    let in_file = runtime().block_on(all(sqlite_bench, true));
    let lines = |outcomes: &[Outcome]| outcomes.iter().map(Outcome::line).collect::<Vec<_>>();
    assert_eq!(lines(&in_memory), lines(&in_file));
}

//! Storms, crash loops and outages, for hours and days: what people get, with
//! the windows and budgets that are the default.

use super::{
    world::{MINUTE, Provider, SINKS, World, errors, kind},
    *,
};
/// A storm with several kinds for most of an hour, while nothing can be sent;
/// then it can.
async fn outage(bench: &mut Bench, provider: Provider) {
    let mut world = World::new(bench);
    world.providers = [provider; 2];
    for minute in 0..50 {
        let now = t(60 * minute);
        world.pass(now).await;
        world.capture(&[kind(minute % 7, now), kind(minute, now)], now).await;
    }
    let end = t(3000);
    world.pass(end).await;
    assert_eq!(world.delivered("sms").len(), 0);
    world.providers = [Provider::Up; 2];
    // Until the circuit closes, and all that waits for its next attempt is sent.
    world.pass(end + 20 * MINUTE).await;
    let in_doubt = if provider == Provider::Mute { 7 } else { 0 };
    for sink in SINKS {
        let messages = world.count(sink, end + 20 * MINUTE);
        assert!(messages <= 1 + in_doubt, "{messages} messages by {sink} after the outage");
    }
    if provider == Provider::Down {
        assert_eq!(SINKS.map(|sink| world.events(sink)), [100; 2], "the one message tells everything");
    }
    world.pass(end + 24 * HOUR).await;
    assert_eq!(world.events("mail"), 100, "the count is exact");
}

each_own_store! {
    async fn after_an_outage_there_is_one_message(bench: &mut Bench) {
        outage(bench, Provider::Down).await;
    }

    async fn after_an_outage_there_are_one_message_and_those_in_doubt(bench: &mut Bench) {
        outage(bench, Provider::Mute).await;
    }

    async fn a_crash_loop_is_one_incident(bench: &mut Bench) {
        let seconds = if matches!(bench.store, Store::Memory(_)) { 3600 } else { 900 };
        let mut world = World::new(bench);
        for second in (0..seconds).step_by(5) {
            world.restart(second % 60 == 0, t(second)).await;
            #[cfg(feature = "sqlite")]
            world.bench.start(usize::MAX, t(second)).await;
            world.capture(&errors(1, t(second)), t(second)).await;
            world.pass(t(second + 4)).await;
            world.work(true, t(second + 4)).await;
        }
        assert!(world.count("sms", t(600)) <= 2 && world.count("mail", t(600)) <= 2, "a flood");
        world.pass(t(24 * 3600)).await;
        assert!(world.delivered("sms").len() <= 3, "{} SMS", world.delivered("sms").len());
        assert!(world.delivered("mail").len() <= 6, "{} mails", world.delivered("mail").len());
        assert_eq!(world.events("mail"), seconds / 5, "the count is exact");
        // Memory knows of no start before.
        let starts = if matches!(world.bench.store, Store::Memory(_)) { 0 } else { seconds / 5 };
        assert_eq!(world.about("mail", ""), starts, "each start counts");
    }

    async fn a_crash_loop_with_another_error_each_time_keeps_to_the_budget(bench: &mut Bench) {
        let seconds = if matches!(bench.store, Store::Memory(_)) { 3600 } else { 900 };
        let mut world = World::new(bench);
        for second in (0..seconds).step_by(10) {
            world.restart(second % 300 == 0, t(second)).await;
            #[cfg(feature = "sqlite")]
            world.bench.start(usize::MAX, t(second)).await;
            world.capture(&[kind(second, t(second))], t(second)).await;
            world.work(true, t(second)).await;
        }
        let messages = SINKS.map(|sink| world.count(sink, t(3600)));
        assert!(messages[0] <= 3 + 6 && messages[1] <= 10 + 60, "a flood: {messages:?}");
        world.pass(t(24 * 3600)).await;
        assert_eq!(world.events("mail"), seconds / 10, "the count is exact");
    }

    async fn a_million_errors_are_four_messages(bench: &mut Bench) {
        let mut world = World::new(bench);
        for n in 0..100 {
            let now = t(0) + Duration::from_millis(100) * n;
            world.capture(&errors(10_000, now), now).await;
            world.pass(now).await;
        }
        world.pass(t(600)).await;
        let messages = SINKS.map(|sink| world.count(sink, t(600)));
        assert!(messages.iter().all(|count| (1..=2).contains(count)), "a flood: {messages:?}");
        world.pass(t(7200)).await;
        assert_eq!(world.events("mail"), 1_000_000, "the count is exact");
        assert!(SINKS.iter().all(|sink| world.count(sink, t(7200)) <= 3));
    }

    async fn an_error_every_ten_seconds_is_never_silent(bench: &mut Bench) {
        let hours = if matches!(bench.store, Store::Memory(_)) { 24 } else { 2 };
        let mut world = World::new(bench);
        let end = hours * 3600;
        for second in (0..end).step_by(10) {
            world.pass(t(second)).await;
            world.capture(&errors(1, t(second)), t(second)).await;
        }
        world.pass(t(end + 48 * 3600)).await;
        let sms = world.delivered("sms");
        assert_eq!((sms[0].at, sms[0].notice.kind), (t(1), Kind::First));
        assert!(sms.len() <= 6, "{} SMS", sms.len());
        let mail = world.delivered("mail");
        let minutes = mail.iter().map(|sent| sent.at.duration_since(t(0)).unwrap().as_secs() / 60);
        let expected: &[u64] = if hours == 24 { &[0, 30, 90, 210, 450, 930] } else { &[0, 30, 90] };
        assert_eq!(minutes.collect::<Vec<_>>()[..expected.len()], *expected, "as its holds double");
        let quiet = mail.last().unwrap();
        assert_eq!((quiet.notice.kind, quiet.notice.samples[0].total), (Kind::Quiet, end / 10));
        assert_eq!(mail.iter().filter(|sent| sent.notice.kind == Kind::Quiet).count(), 1);
        assert_eq!(world.events("mail"), end / 10, "the count is exact");
    }

    async fn a_burst_of_seven_is_reported_in_full(bench: &mut Bench) {
        let mut world = World::new(bench);
        for milli in [0, 1, 900, 2000, 3000, 3500, 9000] {
            let now = t(0) + Duration::from_millis(milli);
            world.pass(now).await;
            world.capture(&errors(1, now), now).await;
        }
        world.pass(t(24 * 3600)).await;
        assert_eq!(world.events("mail"), 7, "all seven");
        assert_eq!(SINKS.map(|sink| world.count(sink, t(3600))), [1, 2]);
    }

    async fn random_kinds_keep_to_the_caps(bench: &mut Bench) {
        let mut world = World::new(bench);
        let rounds = if matches!(world.bench.store, Store::Memory(_)) { 100 } else { 8 };
        let mut random = 1_u64;
        for second in 0..rounds {
            let batch: Vec<_> = (0..1000)
                .map(|_| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    kind((random >> 33) % 5000, t(second))
                })
                .collect();
            world.pass(t(second)).await;
            world.capture(&batch, t(second)).await;
        }
        let bytes = match &world.bench.store {
            Store::Memory(memory) => memory.page.bytes(),
            #[cfg(any(feature = "postgres", feature = "sqlite"))]
            _ => 0,
        };
        assert!(bytes < 16 * 1024 * 1024, "{bytes} bytes in memory");
        if let Some(directory) = &world.bench.directory {
            let files = std::fs::read_dir(directory.path()).unwrap();
            let bytes: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
            assert!(bytes < 20 * 1024 * 1024, "{bytes} bytes on disk");
        }
        world.pass(t(600)).await;
        let messages = SINKS.map(|sink| world.count(sink, t(600)));
        assert!(messages[0] <= 3 && messages[1] <= 3, "a flood: {messages:?}");
        world.pass(t(24 * 3600)).await;
        assert_eq!(world.events("mail"), rounds * 1000, "the count is exact");
    }

    async fn no_day_has_more_sms_than_it_may(bench: &mut Bench) {
        let days = if matches!(bench.store, Store::Memory(_)) { 4 } else { 1 };
        let mut world = World::new(bench);
        let mut captured = 0;
        for minute in (0..days * 1440).step_by(4) {
            let now = t(60 * minute);
            world.pass(now).await;
            let batch = [kind(minute % 16, now), kind(1000 + minute / 40, now)];
            captured += 2;
            world.capture(&batch, now).await;
        }
        let end = t(days * 24 * 3600);
        world.pass(end + 48 * HOUR).await;
        let sms = world.delivered("sms");
        let day_of = |at| Calendar::default().day_of(at);
        let first_day = day_of(t(0));
        for day in first_day..=day_of(end) {
            let today: Vec<_> = sms.iter().filter(|sent| day_of(sent.at) == day).collect();
            let last = today.iter().filter(|sent| sent.notice.is_last_today).count();
            assert!(today.len() <= 20, "{} SMS on a day", today.len());
            let is_full = day > first_day && day < day_of(end);
            assert!(!is_full || (today.len() >= 15 && last == 1), "{} SMS, {last} say so", today.len());
            assert!(last <= 1, "said {last} times");
        }
        assert_eq!(world.events("mail"), captured, "the count is exact");
    }
}

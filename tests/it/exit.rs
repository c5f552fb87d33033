//! The end of a process, and the next start.

use std::{
    io::{BufRead, BufReader},
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use crate::support::{Answer, Harness, PATIENCE, Provider, Reaped, eventually, rows};

fn ran(output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
}

/// A process that alerts in this way and then ends has sent one SMS and one mail.
fn sends_before_it_ends(scenario: &str) {
    let harness = Harness::new();
    ran(&harness.child(scenario).output().unwrap());
    let (sms, mails) = (harness.provider.sms(), harness.provider.mails());
    assert_eq!((sms.len(), mails.len()), (1, 1));
    assert!(sms[0].text().starts_with("[MyApp] ERROR: payment failed #"), "{}", sms[0].text());
    let settled = rows(&harness.database(), "SELECT state FROM delivery");
    assert_eq!(settled, ["delivered", "delivered"]);
}

#[test]
fn returning_from_main_sends() {
    sends_before_it_ends("return");
}

// On Windows, `exit` ends every other thread before anything of ours could run.
#[test]
#[cfg(unix)]
fn exiting_sends() {
    sends_before_it_ends("exit");
}

#[test]
#[cfg(unix)]
fn exiting_on_another_thread_sends() {
    sends_before_it_ends("exit-elsewhere");
}

#[test]
fn a_runtime_that_was_there_first_sends() {
    sends_before_it_ends("tokio");
}

#[test]
fn a_runtime_that_comes_later_sends() {
    sends_before_it_ends("tokio-first");
}

#[test]
fn another_runtime_than_tokio_sends() {
    sends_before_it_ends("smol");
}

#[test]
fn a_subscriber_that_is_gone_before_the_end_sends() {
    sends_before_it_ends("subscriber-gone");
}

#[test]
fn a_flush_sends() {
    sends_before_it_ends("flush");
}

#[test]
fn flush_and_shutdown_work_inside_every_runtime() {
    let harness = Harness::new();
    ran(&harness.child("flush-in-runtimes").output().unwrap());
    assert_eq!(harness.provider.sms().len(), 2);
}

#[test]
fn a_second_run_sends_nothing_old() {
    let harness = Harness::new();
    ran(&harness.child("return").output().unwrap());
    ran(&harness.child("init-only").output().unwrap());
    assert_eq!(harness.provider.requests().len(), 2);
}

#[test]
fn a_provider_that_never_answers_holds_the_end_up_for_two_seconds_only() {
    let harness = Harness::new();
    harness.provider.always_sms(Answer::Never);
    harness.provider.always_mails(Answer::Never);
    let started = Instant::now();
    ran(&harness.child("return").output().unwrap());
    let took = started.elapsed();
    // Two seconds, and what a busy machine takes to start a process.
    assert!(took < Duration::from_secs(12), "{took:?}");
    let kept = rows(&harness.database(), "SELECT state FROM delivery");
    assert_eq!(kept, ["pending", "pending"]);
}

#[test]
fn what_a_process_left_the_next_start_sends_unasked() {
    let mut harness = Harness::new();
    let provider = harness.provider.clone();
    harness.provider = Provider::at(Provider::nowhere());
    ran(&harness.child("return").output().unwrap());
    let left = rows(&harness.database(), "SELECT state, attempt > 0 FROM delivery");
    assert_eq!(left, ["pending|1", "pending|1"]);

    harness.provider = provider;
    let _next = Reaped(harness.child("stay").spawn().unwrap());
    harness.provider.wait_for(1, 1);
}

/// Kills processes at once after they committed an event, or so long after they
/// captured it: `KILL_ROUNDS=1000 KILL_AFTER_MS=50 cargo test --test it kill`.
#[test]
fn what_a_killed_process_committed_the_next_start_sends() {
    let variable = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let rounds = variable("KILL_ROUNDS").unwrap_or(10);
    let after = variable("KILL_AFTER_MS").map(Duration::from_millis);
    // As many to a file as there is a settle time for.
    let killed: Vec<_> = (0..rounds)
        .step_by(100)
        .map(|first| {
            let count = (rounds - first).min(100);
            (killed(count, after), count)
        })
        .collect();
    for (harness, count) in killed {
        let _next = Reaped(harness.child("stay").spawn().unwrap());
        let told = "SELECT coalesce(sum(item.count), 0) FROM item JOIN delivery USING (notice_id)
                      JOIN incident ON incident.id = incident_id
                     WHERE state = 'delivered' AND about IS NULL GROUP BY sink";
        harness.provider.wait_longer_for(1, 1, settle(count) + PATIENCE);
        eventually("both ways tell of every round", || {
            rows(&harness.database(), told) == [count.to_string(), count.to_string()]
        });
        println!("{count} kills: {count} told, in {} SMS", harness.provider.sms().len());
        let text = harness.provider.sms()[0].text();
        assert!(text.contains(&format!("(x{count})")), "lost: of {count} errors told {text}");
    }
}

/// No child lives to see the end of a settle time: else it would be killed
/// while it sends, and the message kept for it until its lease ends.
fn settle(rounds: u64) -> Duration {
    // Wine takes a second or two to start a process.
    Duration::from_secs(if cfg!(windows) { 5 + 3 * rounds } else { 3 + rounds / 2 })
}

fn killed(rounds: u64, after: Option<Duration>) -> Harness {
    let harness = Harness::new();
    let (scenario, word) =
        if after.is_some() { ("capture-and-stay", "captured") } else { ("commit-and-stay", "committed") };
    for round in 0..rounds {
        // The next round must find the file as a killed process leaves it.
        let mut child = harness
            .child(scenario)
            .env("ROUND", round.to_string())
            .env("ALERT_SETTLE", format!("{:?}", settle(rounds)))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(
            lines.map_while(Result::ok).any(|line| line == word),
            "round {round}: the child said nothing"
        );
        if let Some(after) = after {
            std::thread::sleep(after);
        }
        drop(Reaped(child));
    }
    harness
}

#[test]
fn what_a_locked_database_does_not_take_before_the_end_is_told() {
    use sqlx::{ConnectOptions, Executor, sqlite::SqliteConnectOptions};

    let harness = Harness::new();
    ran(&harness.child("processes-well").output().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let output = runtime.block_on(async {
        let mut holder = SqliteConnectOptions::new().filename(harness.database()).connect().await.unwrap();
        holder.execute("BEGIN IMMEDIATE").await.unwrap();
        harness.child("return").output().unwrap()
    });
    ran(&output);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("tracing-alert: 1 event lost: "), "{stderr}");
}

#[test]
fn a_call_that_waits_for_its_commit_survives_an_abort() {
    let harness = Harness::new();
    let output = harness.child("abort-after-commit").output().unwrap();
    assert!(!output.status.success());
    assert_eq!(
        rows(&harness.database(), "SELECT payload ->> 'message' FROM first_event"),
        ["the last words"]
    );
}

#[test]
fn a_process_with_nothing_to_tell_sends_nothing() {
    let harness = Harness::new();
    ran(&harness.child("init-only").output().unwrap());
    assert_eq!(harness.provider.requests().len(), 0);
}

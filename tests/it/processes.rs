//! Several processes, one file.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use tracing::error;
use tracing_alert::{AlertLayer, MemorySink, SendError};

use crate::{
    child::processes::{MANY, READY, STORM},
    support::{
        Answer, EMAIL, Harness, PATIENCE, PHONE, Provider, Reaped, eventually, rows, time_passes, with_layer,
        word,
    },
};

/// Starts `count` children that begin at the same moment, and waits for all of
/// them. None has anything to say on stderr.
fn begin_together(count: usize, child: impl Fn() -> Command) {
    let mut children: Vec<Child> = (0..count)
        .map(|_| child().env("ALERT_SETTLE", "0s").stdin(Stdio::piped()).spawn().unwrap())
        .collect();
    let outputs: Vec<_> = children.iter_mut().map(|child| hears(child, READY)).collect();
    let stdin: Vec<_> = children.iter_mut().map(|child| child.stdin.take()).collect();
    drop(stdin);
    for (child, rest) in children.into_iter().zip(outputs) {
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let stdout: Vec<_> = rest.lines().map_while(Result::ok).collect();
        assert!(output.status.success(), "{stdout:#?}\n{stderr}");
        assert!(!stderr.contains("tracing-alert: "), "broken: locks are nobody's trouble: {stderr}");
    }
}

/// Waits until the child has said `word`. What it says later can be read.
fn hears(child: &mut Child, word: &str) -> BufReader<ChildStdout> {
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let heard = output.by_ref().lines().map_while(Result::ok).any(|line| line == word);
    assert!(heard, "the child never said {word:?}");
    output
}

/// Nothing was sent twice, and nothing had to be claimed twice.
fn was_all_sent_once(harness: &Harness) {
    let states = "SELECT DISTINCT state, attempt, claims FROM delivery";
    assert_eq!(rows(&harness.database(), states), ["delivered|1|1"]);
    let sent = harness.provider.exchanges();
    let mails: Vec<_> = sent.iter().filter(|(request, _)| request.is_mail()).collect();
    let key = |mail: &serde_json::Value| mail["headers"]["Message-ID"].as_str().unwrap().to_owned();
    let keys: BTreeSet<_> = mails.iter().map(|(request, _)| key(&request.json())).collect();
    assert_eq!(keys.len(), mails.len(), "broken: no mail is sent twice");
    let sent = [("sendgrid", mails.len()), ("twilio", harness.provider.sms().len())];
    let told = sent.map(|(sink, times)| format!("{sink}|{times}"));
    assert_eq!(
        rows(&harness.database(), "SELECT sink, count(*) FROM delivery GROUP BY sink ORDER BY sink"),
        told
    );
}

/// When time has passed and the incidents are over, the mails have told of each
/// event once.
fn counts_agree_in_the_end(harness: &Harness) {
    const HOURS: i64 = 3_600_000;
    rows(&harness.database(), &time_passes(5 * HOURS));
    let next = with_layer(harness.builder(), || ());
    eventually("all incidents are over, and told", || {
        let left = "SELECT 1 FROM standing WHERE due_at IS NOT NULL UNION ALL
                    SELECT 1 FROM delivery WHERE state <> 'delivered' UNION ALL
                    SELECT 1 FROM incident WHERE closed_at IS NULL";
        rows(&harness.database(), left).is_empty()
    });
    let wrong = "SELECT incident.count, sum(item.count) FROM incident
                   LEFT JOIN (item JOIN delivery ON delivery.notice_id = item.notice_id AND sink = 'sendgrid')
                     ON incident_id = incident.id
                  GROUP BY incident.id HAVING incident.count IS NOT sum(item.count)";
    assert_eq!(rows(&harness.database(), wrong), [""; 0], "broken: each event is told once by mail");
    assert!(next.shutdown(PATIENCE).is_complete());
}

#[test]
fn processes_that_make_the_file_at_once_all_commit_and_none_complains() {
    for _ in 0..4 {
        let harness = Harness::new();
        begin_together(8, || harness.child("processes-one"));
        assert_eq!(rows(&harness.database(), "SELECT count FROM incident"), ["8"]);
        was_all_sent_once(&harness);
        counts_agree_in_the_end(&harness);
    }
}

#[test]
fn four_processes_with_many_errors_send_each_once_and_none_complains() {
    let harness = Harness::new();
    begin_together(4, || harness.child("processes-many"));
    let counts = rows(&harness.database(), "SELECT count(*), min(count), max(count) FROM incident");
    assert_eq!(counts, [format!("{MANY}|4|4")]);
    was_all_sent_once(&harness);
    counts_agree_in_the_end(&harness);
}

/// A child whose windows and budgets are those that a program has by default.
fn limited(harness: &Harness, scenario: &str) -> Command {
    let mut child = harness.child(scenario);
    for name in ["ALERT_SMS_WINDOW", "ALERT_EMAIL_WINDOW", "ALERT_SMS_BUDGET", "ALERT_EMAIL_BUDGET"] {
        child.env_remove(name);
    }
    child
}

/// What was sent: SMS, mails.
fn messages(harness: &Harness) -> (usize, usize) {
    (harness.provider.sms().len(), harness.provider.mails().len())
}

#[test]
fn a_storm_in_four_processes_is_one_sms_and_one_mail_and_counted() {
    let harness = Harness::new();
    begin_together(4, || limited(&harness, "processes-storm"));
    assert_eq!(messages(&harness), (1, 1), "broken: it never floods");
    let counts = rows(&harness.database(), "SELECT count FROM incident");
    assert_eq!(counts, [(4 * STORM).to_string()], "broken: each is counted once");
}

#[test]
fn a_process_that_restarts_with_the_same_error_sends_one_sms_and_one_mail() {
    const STARTS: usize = 12;
    let harness = Harness::new();
    for _ in 0..STARTS {
        assert!(limited(&harness, "return").output().unwrap().status.success());
    }
    assert_eq!(messages(&harness), (1, 1), "broken: it never floods");
    let counts = rows(&harness.database(), "SELECT about, count FROM incident ORDER BY id");
    assert_eq!(counts, [format!("NULL|{STARTS}")], "each is counted, and none of them failed");
}

#[test]
fn who_is_taken_out_of_the_settings_hears_no_more_of_what_goes_on() {
    let harness = Harness::new();
    let run = |recipients: &str| {
        let mut child = limited(&harness, "return");
        assert!(child.env("ALERT_EMAIL", recipients).output().unwrap().status.success());
    };
    let mails = || {
        let mails = harness.provider.mails();
        let whom = |mail: &crate::provider::Request| {
            mail.json()["personalizations"][0]["to"][0]["email"].as_str().unwrap().to_owned()
        };
        let mut mails: Vec<_> = mails.iter().map(whom).collect();
        mails.sort();
        mails
    };
    run("a@example.com,b@example.com");
    assert_eq!(mails(), ["a@example.com", "b@example.com"]);
    // An hour later there is more to tell to both.
    rows(&harness.database(), &time_passes(3_600_000));
    rows(
        &harness.database(),
        "UPDATE standing SET data = json_set(data, '$.told', 0, '$.due_at', 1) WHERE sink = 'sendgrid'",
    );
    run("a@example.com");
    assert_eq!(mails(), ["a@example.com", "a@example.com", "b@example.com"]);
    let waits = "SELECT count(*) FROM standing WHERE recipient = 'b@example.com' AND due_at IS NOT NULL";
    assert_eq!(rows(&harness.database(), waits), ["0"]);
}

#[test]
fn a_process_that_restarts_with_other_errors_spends_from_one_budget() {
    let harness = Harness::new();
    for kind in 0..6 {
        let mut child = limited(&harness, "processes-kind");
        child.env("ALERT_SMS_WINDOW", "0").env("ALERT_EMAIL_WINDOW", "0").env("KIND", word(kind));
        assert!(child.output().unwrap().status.success());
    }
    let (sms, mails) = messages(&harness);
    assert_eq!(sms, 3, "broken: three SMS at once, and no more");
    assert_eq!(mails, 6, "broken: one for each start");
    let untold = "SELECT about, count(*) FROM standing JOIN incident ON incident.id = incident_id
                   WHERE told_at IS NULL AND sink = 'twilio' GROUP BY about";
    assert_eq!(rows(&harness.database(), untold), ["NULL|3"], "broken: what waits is kept");
}

#[cfg(unix)]
fn signal(child: &Reaped, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &child.0.id().to_string()]).status();
    assert!(status.unwrap().success(), "kill -{name}");
}

/// Waits until none of the child's threads runs on: the signal is a wish at first.
#[cfg(unix)]
#[expect(unsafe_code, reason = "the standard library only waits for the end")]
fn has_stopped(child: &Reaped) {
    let pid = libc::pid_t::try_from(child.0.id()).unwrap();
    let mut status = 0;
    // SAFETY: `status` outlives the call, which leaves the child to be waited for.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, libc::WUNTRACED) }, pid);
    assert!(libc::WIFSTOPPED(status), "it ended: {status}");
}

/// Stops the child, though not in the middle of a write, and ends its leases.
#[cfg(unix)]
fn put_to_sleep(child: &Reaped, harness: &Harness) {
    use sqlx::{ConnectOptions, Executor, sqlite::SqliteConnectOptions};

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut holder = SqliteConnectOptions::new().filename(harness.database()).connect().await.unwrap();
        holder.execute("BEGIN IMMEDIATE").await.unwrap();
        signal(child, "STOP");
        has_stopped(child);
        holder.execute("UPDATE delivery SET data = json_set(data, '$.due_at', 0); COMMIT").await.unwrap();
    });
}

#[test]
#[cfg(unix)]
fn the_answer_to_a_process_that_slept_past_its_lease_changes_nothing() {
    let harness = Harness::new();
    harness.provider.script_sms([Answer::Held]);
    harness.provider.script_mails([Answer::Held]);
    let mut sleeper = Reaped(harness.child("processes-late").spawn().unwrap());
    harness.provider.wait_for(1, 1);
    put_to_sleep(&sleeper, &harness);
    harness.provider.lets_go();

    let _other = Reaped(harness.child("stay").spawn().unwrap());
    let settled = || {
        let sql = "SELECT sink, state, claims, settled_at, reference, last_error FROM delivery ORDER BY sink";
        rows(&harness.database(), sql)
    };
    eventually("another process settles both", || settled().iter().all(|row| row.contains("|delivered|2|")));
    let before = settled();
    signal(&sleeper, "CONT");
    drop(hears(&mut sleeper.0, "late"));
    assert_eq!(settled(), before, "broken: what is settled stays as it is");
    // The mail went twice, for nobody can know better; the SMS was looked up.
    let provider = &harness.provider;
    assert_eq!((provider.mails().len(), provider.sms().len(), provider.lookups().len()), (2, 1, 1));
}

#[test]
fn each_delivery_goes_through_a_process_that_has_its_sink() {
    const OTHER_PHONE: &str = "+15551230002";
    let mut harness = Harness::new();
    let provider = harness.provider.clone();
    harness.provider = Provider::at(Provider::nowhere());
    assert!(harness.child("return").output().unwrap().status.success());
    let left = rows(&harness.database(), "SELECT sink FROM delivery WHERE state = 'pending' ORDER BY sink");
    assert_eq!(left, ["sendgrid", "twilio"]);

    harness.provider = provider;
    let start = |name: &str, but: &str, phone: &str| {
        let mut child = harness.child("commit-and-stay");
        child.env("ALERT_PHONE", phone).env("ROUND", name).env("ALERT_SETTLE", "0s").env_remove(but);
        let mut child = Reaped(child.spawn().unwrap());
        drop(hears(&mut child.0, "committed"));
        child
    };
    let _mails = start("by mail", "ALERT_PHONE", PHONE);
    let _sms = start("by SMS", "ALERT_EMAIL", OTHER_PHONE);
    eventually("nothing is left to send", || {
        let left = "SELECT 1 FROM delivery WHERE state <> 'delivered' UNION ALL
                    SELECT 1 FROM standing WHERE told_at IS NULL";
        rows(&harness.database(), left).is_empty()
    });
    let to = |phone: &str| {
        let all = harness.provider.sms();
        let texts = all.iter().filter(|sms| sms.form("To").as_deref() == Some(phone)).map(|sms| sms.text());
        texts.map(|text| text.split(" #").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(to(PHONE), ["[MyApp] ERROR: payment failed"]);
    // One joined the incident of the other.
    assert_eq!(to(OTHER_PHONE), ["[MyApp] ERROR: the payment of a round failed (x2)"]);
    let mails: Vec<_> = harness.provider.mails().iter().map(|mail| mail.json()).collect();
    assert!(mails.iter().all(|mail| mail["personalizations"][0]["to"][0]["email"] == EMAIL));
    assert!(
        mails.iter().any(|mail| mail["content"][0]["value"].as_str().unwrap().contains("round = by mail"))
    );
    assert_eq!(harness.provider.sms().len(), 2);
}

#[test]
fn a_flush_ends_when_somebody_else_has_delivered() {
    let harness = Harness::new();
    let builder = |sink: MemorySink| {
        let builder = AlertLayer::builder().database(harness.database()).settle(Duration::ZERO).panics(false);
        builder.sink(sink, ["on-call"])
    };
    let wish = Some(Duration::from_secs(3600));
    let busy = SendError::NotProcessed { reason: "busy".to_owned(), retry_after: wish };
    let handle = with_layer(builder(MemorySink::failing_with([busy])), || error!("payment failed"));
    // By then nothing but the flush keeps it awake.
    assert_eq!(handle.flush(Duration::from_millis(1500)).pending, 1);
    let flush = std::thread::spawn(move || handle.flush(Duration::MAX));

    rows(&harness.database(), "UPDATE delivery SET data = json_set(data, '$.due_at', 0)");
    let _other = with_layer(builder(MemorySink::new()), || ());
    eventually("the flush ends", || flush.is_finished());
    assert!(flush.join().unwrap().is_complete());
}

/// What a process that ended well was at, another takes up at once and not after
/// the lease, which is longer than anybody waits here.
fn gives_back(scenario: &str, until: impl FnOnce(&mut Child)) {
    let harness = Harness::new();
    harness.provider.script_sms([Answer::Never]);
    harness.provider.script_mails([Answer::Never]);
    let mut first = harness.child(scenario);
    let mut first = Reaped(first.env("ALERT_SETTLE", "0s").stdin(Stdio::piped()).spawn().unwrap());
    harness.provider.wait_for(1, 1);
    drop(first.0.stdin.take());
    until(&mut first.0);
    let _next = Reaped(harness.child("stay").spawn().unwrap());
    harness.provider.wait_for(2, 2);
    eventually("both are settled", || {
        rows(&harness.database(), "SELECT state, claims FROM delivery") == ["delivered|2", "delivered|2"]
    });
}

#[test]
fn a_process_that_is_shut_down_gives_back_what_it_is_at() {
    gives_back("processes-shutdown", |child| drop(hears(child, "shut down")));
}

#[test]
fn a_process_that_returns_from_main_gives_back_what_it_is_at() {
    gives_back("processes-return", |child| assert!(child.wait().unwrap().success()));
}

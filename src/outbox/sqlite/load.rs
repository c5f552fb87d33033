//! Loads the rows that a scope names: one statement for each scope.
//!
//! Whatever table a row is of, it comes as [`Loaded`], so one statement brings all that a
//! decision needs: a statement costs more than its rows.
//! Invariant: decides nothing, and no statement reads all of a table that grows.

use std::time::SystemTime;

use sqlx::SqliteConnection;
use uuid::Uuid;

use super::{
    super::{
        Channel, Claim, Page, StoreError, Target,
        batch::overflow_fingerprints,
        page::hex,
        scope::{Key, Scope},
    },
    MIGRATOR, json, version,
};
use crate::{
    event::to_millis,
    host::time::Saturating,
    policy::incident::{MAX_PENDING, PENDING_PAUSE, QUIET_AFTER},
};

/// A row of the table `tab`: its key and what it says, as JSON. Of `needed` it is the
/// lowest migration that a writer must know, and of `beyond` a [`Beyond`].
pub(super) struct Loaded<'a> {
    pub(super) tab: &'a str,
    pub(super) key: &'a str,
    pub(super) data: &'a str,
}

/// All rows as one text, with separators that JSON does not have: to hand over many rows,
/// one by one, from SQLite's thread would cost more than to find them.
type Rows = Result<Option<String>, sqlx::Error>;

/// The rows of a text.
pub(super) fn split(rows: &str) -> impl Iterator<Item = Loaded<'_>> {
    rows.split('\u{1e}').filter_map(|row| {
        let mut columns = row.splitn(3, '\u{1f}');
        Some(Loaded { tab: columns.next()?, key: columns.next()?, data: columns.next()? })
    })
}

/// What there is besides the rows.
#[derive(serde::Deserialize)]
struct Beyond {
    last_incident: i64,
    last_notice: i64,
    /// How many incidents are open that are events of one kind, those on the page
    /// included.
    #[serde(default)]
    open: usize,
    /// Of the fingerprints that were asked about those that there were.
    #[serde(default)]
    seen: Vec<String>,
}

/// Reads a scope with one of the statements below.
macro_rules! rows {
    ($connection:ident, $sql:literal $(, $argument:expr)*) => {
        sqlx::query_scalar!(
            r#"SELECT group_concat(tab || char(31) || key || char(31) || data, char(30)) AS "rows?: String" FROM ("#
                + $sql
                + ")"
            $(, $argument)*
        )
        .fetch_one($connection)
        .await
    };
}

/// Adds what `scope` names to `page`.
///
/// # Errors
///
/// Also if a newer version of this crate wants the file to itself, and if a row cannot
/// be understood.
pub(super) async fn load(
    connection: &mut SqliteConnection,
    page: &mut Page,
    scope: &Scope<'_>,
) -> Result<(), StoreError> {
    let rows = match scope {
        Scope::Keys(keys) => by_key(connection, keys).await,
        Scope::Batch { run, fingerprints, said, targets, now } => {
            let callsites: Vec<_> = said.iter().map(|(said, _)| said.callsite).collect();
            keep_all(page, learned(connection, &callsites).await)?;
            let groups = page.groups_of(said);
            let all: Vec<_> =
                fingerprints.iter().copied().chain(groups.iter().map(<[u8; 16]>::as_slice)).collect();
            batch(connection, *run, &all, targets, *now).await
        }
        Scope::Learned(callsites) => learned(connection, callsites).await,
        Scope::FirstEvent(fingerprint) => first_event(connection, fingerprint).await,
        Scope::Desk { channel, hurried, now, .. } => desk(connection, channel, *hurried, *now).await,
        Scope::Settled { claim, now } => settled(connection, claim, *now).await,
        Scope::Inquiries { sink, limit, now } => questions(connection, sink, *limit, *now).await,
        Scope::Fate { key, sink } => fate(connection, *key, sink).await,
        Scope::Starts { since } => starts(connection, *since).await,
        Scope::Pending => pending(connection).await,
        Scope::Live => live(connection).await,
        #[cfg(feature = "cli")]
        Scope::Refused(_) => live(connection).await,
        Scope::Recipients => recipients(connection).await,
        Scope::Notice(id) => notice(connection, *id).await,
        Scope::Events(incidents) => events(connection, incidents).await,
        Scope::Silences => silences(connection).await,
        #[cfg(feature = "postgres")]
        Scope::Shares { limit } => shares::due(connection, *limit).await,
        #[cfg(feature = "postgres")]
        Scope::Taken(ids) => shares::taken(connection, ids).await,
        #[cfg(feature = "cli")]
        Scope::Shown(shown) => more::shown(connection, shown).await,
        Scope::Absorb(others) => absorb(connection, others).await,
    };
    keep_all(page, rows)
}

fn keep_all(page: &mut Page, rows: Rows) -> Result<(), StoreError> {
    let rows = rows?.unwrap_or_default();
    split(&rows).try_for_each(|row| keep(page, &row))
}

fn keep(page: &mut Page, row: &Loaded<'_>) -> Result<(), StoreError> {
    let unreadable = |error| StoreError::Broken(format!("{} {}: {error}", row.tab, row.key));
    match row.tab {
        "needed" => return version::is_known(row.data.parse().unwrap_or(i64::MAX), &MIGRATOR),
        "beyond" => {
            let beyond: Beyond = serde_json::from_str(row.data).map_err(unreadable)?;
            let here = page.count_open();
            let known = &mut page.beyond;
            (known.last_incident, known.last_notice) = (beyond.last_incident, beyond.last_notice);
            known.open = beyond.open.saturating_sub(here);
            known.seen.extend(beyond.seen.iter().filter_map(|print| hex::bytes(print)));
        }
        // An event that cannot be understood is none: its message only counts it. What was
        // learned so is learned anew.
        "first_event" | "latest_event" | "learned" => drop(page.read(row.tab, row.key, row.data)),
        _ => page.read(row.tab, row.key, row.data).map_err(unreadable)?,
    }
    Ok(())
}

async fn by_key(connection: &mut SqliteConnection, keys: &[Key<'_>]) -> Rows {
    let (mut deliveries, mut accounts, mut dead) = (Vec::new(), Vec::new(), Vec::new());
    for key in keys {
        match key {
            Key::Delivery(key) => deliveries.push(key),
            Key::Account(claim) => accounts.push((&claim.sink, &claim.recipient)),
            Key::Dead(sink) => dead.push(sink),
        }
    }
    let (deliveries, accounts, dead) = (json(&deliveries), json(&accounts), json(&dead));
    rows!(
        connection,
        "SELECT 'delivery' AS tab, json_quote(key) AS key, data
             FROM delivery WHERE key IN (SELECT value FROM json_each(?1))
            UNION ALL
           SELECT 'account', json_array(sink, recipient), data FROM json_each(?2) AS whom
            CROSS JOIN account ON sink = whom.value ->> 0 AND recipient = whom.value ->> 1
            UNION ALL
           SELECT 'dead_told', json_quote(sink), data FROM dead_told
            WHERE sink IN (SELECT value FROM json_each(?3))
            UNION ALL
           SELECT 'needed', '', CAST(user_version AS TEXT) FROM pragma_user_version",
        deliveries,
        accounts,
        dead
    )
}

async fn batch(
    connection: &mut SqliteConnection,
    run: Uuid,
    fingerprints: &[&[u8]],
    targets: &[Target],
    now: SystemTime,
) -> Rows {
    let overflows = overflow_fingerprints();
    let all = fingerprints.iter().copied().chain(overflows.iter().map(Vec::as_slice));
    let fingerprints = json(&all.map(hex::of).collect::<Vec<_>>());
    let recipients: Vec<_> = targets.iter().map(|target| (target.sink, &*target.recipient)).collect();
    let (recipients, ended_by) = (json(&recipients), to_millis(now.earlier(QUIET_AFTER)));
    let (run, now) = (run.to_string(), to_millis(now));
    rows!(
        connection,
        "WITH silent (key, data) AS MATERIALIZED (SELECT key, data FROM silence WHERE until > ?6),
           chosen (id) AS MATERIALIZED (
               SELECT id FROM incident
                WHERE closed_at IS NULL AND fingerprint IN (SELECT value FROM json_each(?1))
                UNION
               SELECT (SELECT max(last.id) FROM incident AS last WHERE last.fingerprint = print.value)
                 FROM json_each(?1) AS print
                UNION
               SELECT id FROM incident
                WHERE closed_at IS NULL AND fingerprint IN (SELECT replace(key, '-', '') FROM silent)
                UNION
               SELECT id FROM incident WHERE closed_at IS NULL AND last_at <= ?2)
           SELECT 'incident' AS tab, CAST(id AS TEXT) AS key, data
             FROM incident WHERE id IN chosen
            UNION ALL
           SELECT 'standing', json_array(incident_id, json_array(sink, recipient)), data
             FROM standing WHERE incident_id IN chosen
            UNION ALL
           SELECT 'account', json_array(sink, recipient), data FROM json_each(?3) AS whom
            CROSS JOIN account ON sink = whom.value ->> 0 AND recipient = whom.value ->> 1
            UNION ALL
           SELECT 'delivery', json_quote(delivery.key), data FROM json_each(?3) AS whom
            CROSS JOIN delivery
                    ON delivery.id IN (SELECT own.id FROM delivery AS own
                                        WHERE own.state = 'pending' AND own.sink = whom.value ->> 0
                                          AND own.recipient = whom.value ->> 1
                                        ORDER BY own.doubtful, own.id LIMIT ?4)
            UNION ALL
           SELECT 'batch', json_quote(run), data FROM batch WHERE run = ?5
            UNION ALL
           SELECT 'silence', json_quote(key), data FROM silent
            UNION ALL
           SELECT 'beyond', '', json_object(
               'last_incident', max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'incident'), 0),
                                    (SELECT coalesce(max(id), 0) FROM incident)),
               'last_notice', (SELECT coalesce(max(id), 0) FROM notice),
               'open', (SELECT count(*) FROM incident WHERE closed_at IS NULL AND about IS NULL),
               'seen', (SELECT json_group_array(value) FROM json_each(?1) AS print
                         WHERE EXISTS (SELECT 1 FROM incident WHERE fingerprint = print.value)))
            UNION ALL
           SELECT 'needed', '', CAST(user_version AS TEXT) FROM pragma_user_version",
        fingerprints,
        ended_by,
        recipients,
        MAX_PENDING_LOADED,
        run,
        now
    )
}

async fn first_event(connection: &mut SqliteConnection, fingerprint: &[u8]) -> Rows {
    let fingerprint = hex::of(fingerprint);
    rows!(
        connection,
        "SELECT 'incident' AS tab, CAST(id AS TEXT) AS key, data
             FROM incident WHERE fingerprint = ?1 AND closed_at IS NULL
            UNION ALL
           SELECT 'first_event', CAST(id AS TEXT), payload
             FROM incident CROSS JOIN first_event ON incident_id = id
            WHERE fingerprint = ?1 AND closed_at IS NULL
            UNION ALL
           SELECT 'needed', '', CAST(user_version AS TEXT) FROM pragma_user_version",
        fingerprint
    )
}

/// Of those who got a message of an incident through another sink the last one is enough.
async fn desk(connection: &mut SqliteConnection, channel: &Channel, hurried: bool, now: SystemTime) -> Rows {
    let (sink, ended_by) = (channel.sink, to_millis(now.earlier(QUIET_AFTER)));
    let now = to_millis(now);
    rows!(
        connection,
        "WITH waiting (recipient) AS MATERIALIZED (
               SELECT DISTINCT recipient FROM standing
                WHERE sink = ?1 AND due_at IS NOT NULL
                  AND (due_at <= ?2 OR (?3 AND (told_at IS NULL OR is_back)))),
           live (incident_id, recipient, data) AS MATERIALIZED (
               SELECT incident_id, recipient, data FROM standing
                WHERE sink = ?1 AND due_at IS NOT NULL AND recipient IN waiting),
           pending (key, notice_id, data) AS MATERIALIZED (
               SELECT delivery.key, notice_id, data FROM waiting
                CROSS JOIN delivery
                        ON delivery.id IN (SELECT own.id FROM delivery AS own
                                            WHERE own.state = 'pending' AND own.sink = ?1
                                              AND own.recipient = waiting.recipient
                                            ORDER BY own.doubtful, own.id LIMIT ?4)),
           told (notice_id, incident_id, data) AS MATERIALIZED (
               SELECT item.notice_id, incident_id, item.data
                 FROM pending CROSS JOIN item ON item.notice_id = pending.notice_id),
           chosen (id) AS MATERIALIZED (
               SELECT incident_id FROM live
                UNION
               SELECT incident_id FROM told
                UNION
               SELECT id FROM incident WHERE closed_at IS NULL AND last_at <= ?5)
           SELECT 'incident' AS tab, CAST(id AS TEXT) AS key, data
             FROM incident WHERE id IN chosen
            UNION ALL
           SELECT 'standing', json_array(incident_id, json_array(?1, recipient)), data FROM live
            UNION ALL
           SELECT tab, key, data
             FROM (SELECT 'standing' AS tab, json_array(incident_id, json_array(sink, recipient)) AS key, data,
                          max(coalesce(told_at, 0))
                     FROM standing
                    WHERE incident_id IN (SELECT incident_id FROM live) AND sink <> ?1 AND reported > 0
                    GROUP BY incident_id)
            UNION ALL
           SELECT 'account', json_array(sink, recipient), data FROM account
            WHERE sink = ?1 AND recipient IN waiting
            UNION ALL
           SELECT 'notice', CAST(notice.id AS TEXT), notice.data
             FROM pending CROSS JOIN notice ON notice.id = notice_id
            UNION ALL
           SELECT 'item', json_array(notice_id, incident_id), data FROM told
            UNION ALL
           SELECT 'delivery', json_quote(key), data FROM pending
            UNION ALL
           SELECT 'silence', json_quote(key), data FROM silence WHERE until > ?2
            UNION ALL
           SELECT 'beyond', '', json_object(
               'last_incident', (SELECT coalesce(max(id), 0) FROM incident),
               'last_notice', (SELECT coalesce(max(id), 0) FROM notice))
            UNION ALL
           SELECT 'needed', '', CAST(user_version AS TEXT) FROM pragma_user_version",
        sink,
        now,
        hurried,
        MAX_PENDING_LOADED,
        ended_by
    )
}

async fn settled(connection: &mut SqliteConnection, claim: &Claim, now: SystemTime) -> Rows {
    let (key, sink, recipient) = (claim.key.to_string(), &claim.sink, &claim.recipient);
    let (now, held_until) = (to_millis(now), to_millis(now.later(PENDING_PAUSE)));
    rows!(
        connection,
        "WITH own (key, notice_id, data) AS MATERIALIZED (
               SELECT key, notice_id, data FROM delivery WHERE key = ?1),
           told (notice_id, incident_id, data) AS MATERIALIZED (
               SELECT item.notice_id, incident_id, item.data
                 FROM own CROSS JOIN item ON item.notice_id = own.notice_id)
           SELECT 'incident' AS tab, CAST(id AS TEXT) AS key, incident.data
             FROM told CROSS JOIN incident ON id = incident_id
            UNION ALL
           SELECT 'standing', json_array(incident_id, json_array(sink, recipient)), data FROM standing
            WHERE incident_id IN (SELECT incident_id FROM told) AND sink = ?2 AND recipient = ?3
            UNION ALL
           SELECT 'standing', json_array(incident_id, json_array(sink, recipient)), data FROM standing
            WHERE sink = ?2 AND due_at > ?4 AND due_at <= ?5 AND recipient = ?3
            UNION ALL
           SELECT 'account', json_array(sink, recipient), data FROM account
            WHERE sink = ?2 AND recipient = ?3
            UNION ALL
           SELECT 'notice', CAST(id AS TEXT), notice.data FROM own CROSS JOIN notice ON id = notice_id
            UNION ALL
           SELECT 'item', json_array(notice_id, incident_id), data FROM told
            UNION ALL
           SELECT 'delivery', json_quote(key), data FROM own
            UNION ALL
           SELECT 'refusal', json_array(sink, recipient), data FROM refusal WHERE sink = ?2 AND recipient = ?3
            UNION ALL
           SELECT 'dead_told', json_quote(sink), data FROM dead_told WHERE sink = ?2
            UNION ALL
           SELECT 'needed', '', CAST(user_version AS TEXT) FROM pragma_user_version",
        key,
        sink,
        recipient,
        now,
        held_until
    )
}

/// Many more than are under way to a recipient: of more, the number makes no difference.
const MAX_PENDING_LOADED: i64 = MAX_PENDING.cast_signed() + 13;

mod more;
#[cfg(feature = "postgres")]
mod shares;
use more::{absorb, events, fate, learned, live, notice, pending, questions, recipients, silences, starts};

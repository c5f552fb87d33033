//! What is loaded now and then.

use std::time::SystemTime;

use sqlx::SqliteConnection;
use uuid::Uuid;

use super::{
    super::{super::Page, json},
    Rows,
};
use crate::{event::to_millis, outbox::page::hex, policy::fingerprint::Fingerprint};

pub(super) async fn questions(
    connection: &mut SqliteConnection,
    sink: &str,
    limit: usize,
    now: SystemTime,
) -> Rows {
    let (limit, now) = (i64::try_from(limit).unwrap_or(i64::MAX), to_millis(now));
    rows!(
        connection,
        "SELECT 'delivery' AS tab, json_quote(key) AS key, data
             FROM delivery
            WHERE id IN (SELECT id FROM delivery WHERE sink = ?1 AND ask_at <= ?2 ORDER BY ask_at LIMIT ?3)
            UNION ALL
           SELECT 'needed', '', CAST(user_version AS TEXT) FROM pragma_user_version",
        sink,
        now,
        limit
    )
}

pub(super) async fn fate(connection: &mut SqliteConnection, key: Uuid, sink: &str) -> Rows {
    let key = key.to_string();
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
            WHERE incident_id IN (SELECT incident_id FROM told)
            UNION ALL
           SELECT 'notice', CAST(id AS TEXT), notice.data FROM own CROSS JOIN notice ON id = notice_id
            UNION ALL
           SELECT 'item', json_array(notice_id, incident_id), data FROM told
            UNION ALL
           SELECT 'delivery', json_quote(key), data FROM own
            UNION ALL
           SELECT 'dead_told', json_quote(sink), data FROM dead_told WHERE sink = ?2
            UNION ALL
           SELECT 'needed', '', CAST(user_version AS TEXT) FROM pragma_user_version",
        key,
        sink
    )
}

pub(super) async fn starts(connection: &mut SqliteConnection, since: SystemTime) -> Rows {
    let since = to_millis(since);
    rows!(
        connection,
        "WITH error (id, data) AS MATERIALIZED (
               SELECT id, data FROM incident
                WHERE closed_at IS NULL AND last_at >= ?1 AND about IS NULL AND level = 'ERROR'
                ORDER BY last_at DESC, id DESC LIMIT 1)
           SELECT 'start' AS tab, json_quote(run) AS key, data FROM start
            UNION ALL
           SELECT 'batch', json_quote(batch.run), batch.data
             FROM start CROSS JOIN batch ON batch.run = start.run
            UNION ALL
           SELECT 'incident', CAST(id AS TEXT), data FROM incident
            WHERE closed_at IS NULL AND about = 'crash_loop'
            UNION ALL
           SELECT 'incident', CAST(id AS TEXT), data FROM error
            UNION ALL
           SELECT 'first_event', CAST(id AS TEXT), payload FROM error CROSS JOIN first_event ON incident_id = id
            UNION ALL
           SELECT 'needed', '', CAST(user_version AS TEXT) FROM pragma_user_version",
        since
    )
}

pub(super) async fn pending(connection: &mut SqliteConnection) -> Rows {
    rows!(
        connection,
        "SELECT 'delivery' AS tab, json_quote(key) AS key, data
             FROM delivery WHERE state = 'pending'
            UNION ALL
           SELECT 'notice', CAST(notice.id AS TEXT), notice.data
             FROM delivery CROSS JOIN notice ON notice.id = notice_id WHERE state = 'pending'
            UNION ALL
           SELECT 'standing', json_array(incident_id, json_array(sink, recipient)), data
             FROM standing WHERE due_at IS NOT NULL AND not_before IS NOT NULL
            UNION ALL
           SELECT 'incident', CAST(id AS TEXT), data FROM incident
            WHERE id IN (SELECT incident_id FROM standing WHERE due_at IS NOT NULL AND not_before IS NOT NULL)
            UNION ALL
           SELECT 'silence', json_quote(key), data FROM silence
            UNION ALL
           SELECT 'needed', '', CAST(user_version AS TEXT) FROM pragma_user_version"
    )
}

pub(super) async fn live(connection: &mut SqliteConnection) -> Rows {
    rows!(
        connection,
        "WITH live (key, notice_id, data) AS MATERIALIZED (
               SELECT key, notice_id, data FROM delivery WHERE state = 'pending'),
           told (incident_id, sink, recipient, data) AS MATERIALIZED (
               SELECT incident_id, sink, recipient, data FROM standing WHERE due_at IS NOT NULL)
           SELECT 'incident' AS tab, CAST(id AS TEXT) AS key, data
             FROM incident
            WHERE id IN (SELECT incident_id FROM told
                          UNION
                         SELECT id FROM incident WHERE closed_at IS NULL)
            UNION ALL
           SELECT 'standing', json_array(incident_id, json_array(sink, recipient)), data FROM told
            UNION ALL
           SELECT 'account', json_array(sink, recipient), data FROM account
            UNION ALL
           SELECT 'notice', CAST(id AS TEXT), notice.data FROM live CROSS JOIN notice ON id = notice_id
            UNION ALL
           SELECT 'item', json_array(item.notice_id, incident_id), item.data
             FROM live CROSS JOIN item ON item.notice_id = live.notice_id
            UNION ALL
           SELECT 'delivery', json_quote(key), data FROM live
            UNION ALL
           SELECT 'refusal', json_array(sink, recipient), data FROM refusal
            UNION ALL
           SELECT 'dead_told', json_quote(sink), data FROM dead_told
            UNION ALL
           SELECT 'needed', '', CAST(user_version AS TEXT) FROM pragma_user_version"
    )
}

pub(super) async fn recipients(connection: &mut SqliteConnection) -> Rows {
    rows!(
        connection,
        "SELECT 'account' AS tab, json_array(sink, recipient) AS key, data
             FROM account
            UNION ALL
           SELECT 'refusal', json_array(sink, recipient), data FROM refusal
            UNION ALL
           SELECT 'dead_told', json_quote(sink), data FROM dead_told
            UNION ALL
           SELECT 'silence', json_quote(key), data FROM silence"
    )
}

pub(super) async fn silences(connection: &mut SqliteConnection) -> Rows {
    rows!(
        connection,
        "WITH told (incident_id, sink, recipient, data) AS MATERIALIZED (
               SELECT incident_id, sink, recipient, data FROM standing WHERE due_at IS NOT NULL),
           open (id) AS MATERIALIZED (SELECT id FROM incident WHERE closed_at IS NULL)
           SELECT 'silence' AS tab, json_quote(key) AS key, data
             FROM silence
            UNION ALL
           SELECT 'incident', CAST(id AS TEXT), data FROM incident
            WHERE id IN (SELECT incident_id FROM told UNION SELECT id FROM open)
            UNION ALL
           SELECT 'standing', json_array(incident_id, json_array(sink, recipient)), data FROM told
            UNION ALL
           SELECT 'first_event', CAST(incident_id AS TEXT), payload
             FROM open CROSS JOIN first_event ON incident_id = open.id
            UNION ALL
           SELECT 'needed', '', CAST(user_version AS TEXT) FROM pragma_user_version"
    )
}

pub(super) async fn notice(connection: &mut SqliteConnection, id: i64) -> Rows {
    rows!(
        connection,
        "SELECT 'notice' AS tab, CAST(id AS TEXT) AS key, data
             FROM notice WHERE id = ?1
            UNION ALL
           SELECT 'item', json_array(notice_id, incident_id), data FROM item WHERE notice_id = ?1
            UNION ALL
           SELECT 'incident', CAST(id AS TEXT), incident.data
             FROM item CROSS JOIN incident ON id = incident_id WHERE notice_id = ?1",
        id
    )
}

pub(super) async fn events(connection: &mut SqliteConnection, incidents: &[i64]) -> Rows {
    let incidents = json(incidents);
    rows!(
        connection,
        "SELECT 'first_event' AS tab, CAST(incident_id AS TEXT) AS key,
                  payload AS data
             FROM first_event WHERE incident_id IN (SELECT value FROM json_each(?1))
            UNION ALL
           SELECT 'latest_event', CAST(incident_id AS TEXT), payload
             FROM latest_event WHERE incident_id IN (SELECT value FROM json_each(?1))",
        incidents
    )
}

#[cfg(feature = "cli")]
pub(super) async fn shown(
    connection: &mut SqliteConnection,
    shown: &crate::outbox::operate::Shown<'_>,
) -> Rows {
    use crate::outbox::operate::Shown;
    let (last, ids) = match shown {
        Shown::Last(last) => (i64::from(*last), "[]".to_owned()),
        Shown::Ids(ids) => (-1, json(ids)),
    };
    rows!(
        connection,
        "WITH chosen (id) AS MATERIALIZED (
               SELECT id FROM incident
                WHERE ?1 >= 0 AND id > (SELECT coalesce(max(id), 0) FROM incident) - ?1
                UNION
               SELECT id FROM incident WHERE ?1 >= 0 AND closed_at IS NULL
                UNION
               SELECT id FROM incident WHERE public_id IN (SELECT value FROM json_each(?2))
                UNION
               SELECT incident_id FROM json_each(?2) AS theirs
                CROSS JOIN notice ON public_id = theirs.value
                CROSS JOIN item ON notice_id = notice.id),
           told (notice_id) AS MATERIALIZED (
               SELECT DISTINCT notice_id FROM chosen CROSS JOIN item ON incident_id = chosen.id)
           SELECT 'incident' AS tab, CAST(id AS TEXT) AS key, data
             FROM incident WHERE id IN chosen
            UNION ALL
           SELECT 'first_event', CAST(incident_id AS TEXT), payload
             FROM first_event WHERE incident_id IN chosen
            UNION ALL
           SELECT 'latest_event', CAST(incident_id AS TEXT), payload
             FROM latest_event WHERE incident_id IN chosen AND ?1 < 0
            UNION ALL
           SELECT 'standing', json_array(incident_id, json_array(sink, recipient)), data
             FROM standing WHERE incident_id IN chosen
            UNION ALL
           SELECT 'notice', CAST(notice.id AS TEXT), notice.data
             FROM told CROSS JOIN notice ON notice.id = notice_id
            UNION ALL
           SELECT 'item', json_array(item.notice_id, incident_id), item.data
             FROM told CROSS JOIN item ON item.notice_id = told.notice_id
            UNION ALL
           SELECT 'delivery', json_quote(key), data
             FROM told CROSS JOIN delivery ON delivery.notice_id = told.notice_id
            UNION ALL
           SELECT 'refusal', json_array(sink, recipient), data FROM refusal
            UNION ALL
           SELECT 'needed', '', CAST(user_version AS TEXT) FROM pragma_user_version",
        last,
        ids
    )
}

/// What was learned of callsites; most have nothing.
pub(super) async fn learned(connection: &mut SqliteConnection, callsites: &[Fingerprint]) -> Rows {
    if callsites.is_empty() {
        return Ok(None);
    }
    let callsites = json(&callsites.iter().map(json).collect::<Vec<_>>());
    rows!(
        connection,
        "SELECT 'learned' AS tab, callsite AS key, data
             FROM learned WHERE callsite IN (SELECT value FROM json_each(?1))",
        callsites
    )
}

pub(super) async fn absorb(connection: &mut SqliteConnection, others: &[&Page]) -> Rows {
    let incidents = others.iter().flat_map(|page| page.incidents.values()).map(|incident| {
        let (fingerprint, public_id, opened_at) = incident.identity();
        (hex::of(&fingerprint), public_id, opened_at)
    });
    let incidents = json(&incidents.collect::<Vec<_>>());
    let callsites = others.iter().flat_map(|page| page.learned.keys()).map(json);
    let callsites = json(&callsites.collect::<Vec<_>>());
    let runs = json(&others.iter().flat_map(|page| page.batches.keys()).collect::<Vec<_>>());
    let keys = json(&others.iter().flat_map(|page| page.deliveries.keys()).collect::<Vec<_>>());
    rows!(
        connection,
        "WITH chosen (id) AS MATERIALIZED (
               SELECT incident.id FROM json_each(?1) AS theirs CROSS JOIN incident ON fingerprint = theirs.value ->> 0
                WHERE closed_at IS NULL
                   OR (public_id = theirs.value ->> 1 AND opened_at = theirs.value ->> 2)
                   OR incident.id = (SELECT max(last.id) FROM incident AS last WHERE last.fingerprint = theirs.value ->> 0))
           SELECT 'incident' AS tab, CAST(id AS TEXT) AS key, data
             FROM incident WHERE id IN chosen
            UNION ALL
           SELECT 'standing', json_array(incident_id, json_array(sink, recipient)), data
             FROM standing WHERE incident_id IN chosen
            UNION ALL
           SELECT 'account', json_array(sink, recipient), data FROM account
            UNION ALL
           SELECT 'delivery', json_quote(key), data
             FROM delivery WHERE key IN (SELECT value FROM json_each(?2))
            UNION ALL
           SELECT 'refusal', json_array(sink, recipient), data FROM refusal
            UNION ALL
           SELECT 'dead_told', json_quote(sink), data FROM dead_told
            UNION ALL
           SELECT 'learned', callsite, data FROM learned WHERE callsite IN (SELECT value FROM json_each(?4))
            UNION ALL
           SELECT 'silence', json_quote(key), data FROM silence
            UNION ALL
           SELECT 'batch', json_quote(run), data FROM batch WHERE run IN (SELECT value FROM json_each(?3))
            UNION ALL
           SELECT 'beyond', '', json_object(
               'last_incident', max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'incident'), 0),
                                    (SELECT coalesce(max(id), 0) FROM incident)),
               'last_notice', (SELECT coalesce(max(id), 0) FROM notice))
            UNION ALL
           SELECT 'needed', '', CAST(user_version AS TEXT) FROM pragma_user_version",
        incidents,
        keys,
        runs,
        callsites
    )
}

//! What a file is asked without a turn: whether there is anything to do, what a
//! message tells, and how much there is; and the claim, which is one statement.
//!
//! Invariant: nothing here waits for another process's lock but the claim, and no
//! statement reads all of a table that grows.

use std::time::SystemTime;

use uuid::Uuid;

use super::{
    super::{
        Claim, Mark, Page, StoreError,
        keep::Keep,
        page::DeliveryRow,
        scope::{Question, Scope},
        upkeep::{Prune, Pruned},
    },
    MIGRATOR, Sqlite, json,
    load::load,
    turn::FileTurn,
    unsigned, version,
};
use crate::{
    event::{from_millis, to_millis},
    policy::notice::Notice,
    queue::stats::EventCounts,
};

impl Keep for Sqlite {
    type Turn<'a> = FileTurn<'a>;

    async fn begin(&mut self) -> Result<FileTurn<'_>, StoreError> {
        self.begin_turn().await
    }

    async fn ask(&mut self, question: &Question<'_>) -> Result<bool, StoreError> {
        let any = match *question {
            Question::Waits { sink, hurried, now } => {
                let now = to_millis(now);
                let any = sqlx::query_scalar!(
                    r#"SELECT EXISTS (SELECT 1 FROM standing
                                       WHERE sink = ?1 AND due_at IS NOT NULL
                                         AND (due_at <= ?2 OR (?3 AND (told_at IS NULL OR is_back)))) AS "any!: bool""#,
                    sink,
                    now,
                    hurried
                );
                any.fetch_one(&mut self.connection).await?
            }
            Question::Refused { claim, since } => {
                let since = to_millis(since);
                let any = sqlx::query_scalar!(
                    r#"SELECT EXISTS (SELECT 1 FROM refusal
                                       WHERE sink = ?1 AND recipient = ?2 AND since > ?3) AS "any!: bool""#,
                    claim.sink,
                    claim.recipient,
                    since
                );
                any.fetch_one(&mut self.connection).await?
            }
            Question::Ill { sink } => {
                let any = sqlx::query_scalar!(
                    r#"SELECT EXISTS (SELECT 1 FROM dead_told
                                       WHERE sink = ?1 AND (count > 0 OR failing_since IS NOT NULL)) AS "any!: bool""#,
                    sink
                );
                any.fetch_one(&mut self.connection).await?
            }
            Question::Ahead { now } => {
                let now = to_millis(now);
                let any = sqlx::query_scalar!(
                    r#"SELECT EXISTS (SELECT 1 FROM account WHERE heard_at > ?1)
                           OR EXISTS (SELECT 1 FROM standing CROSS JOIN incident ON incident.id = incident_id
                                       WHERE due_at IS NOT NULL
                                         AND (opened_at > ?1 OR last_at > ?1 OR told_at > ?1)) AS "any!: bool""#,
                    now
                );
                any.fetch_one(&mut self.connection).await?
            }
            Question::Late { first_by, again_by } => {
                let (first_by, again_by) = (to_millis(first_by), to_millis(again_by));
                let any = sqlx::query_scalar!(
                    r#"SELECT EXISTS (SELECT 1 FROM delivery WHERE state = 'pending'
                                         AND due_at > iif(claims = 0, ?1, ?2)) AS "any!: bool""#,
                    first_by,
                    again_by
                );
                any.fetch_one(&mut self.connection).await?
            }
            Question::Unknown { targets } => {
                let own: Vec<_> =
                    targets.iter().map(|target| (target.sink, target.recipient.as_str())).collect();
                let own = json(&own);
                let any = sqlx::query_scalar!(
                    r#"SELECT EXISTS (SELECT 1 FROM (SELECT DISTINCT value ->> 0 AS sink FROM json_each(?1)) AS own
                                       CROSS JOIN standing USING (sink)
                                       WHERE due_at IS NOT NULL
                                         AND NOT EXISTS (SELECT 1 FROM json_each(?1) AS whom
                                                          WHERE whom.value ->> 0 = standing.sink
                                                            AND whom.value ->> 1 = standing.recipient))
                           AS "any!: bool""#,
                    own
                );
                any.fetch_one(&mut self.connection).await?
            }
            Question::Left { sinks, before } => {
                let (sinks, before) = (json(sinks), to_millis(before));
                let any = sqlx::query_scalar!(
                    r#"SELECT EXISTS (SELECT 1 FROM json_each(?1) AS own
                                       CROSS JOIN delivery ON sink = own.value AND due_at <= ?2
                                              AND state = 'pending') AS "any!: bool""#,
                    sinks,
                    before
                );
                any.fetch_one(&mut self.connection).await?
            }
            Question::Abandoned { own, before } => {
                let (own, before) = (json(own), to_millis(before));
                let any = sqlx::query_scalar!(
                    r#"SELECT EXISTS (SELECT 1 FROM delivery
                                       WHERE state = 'pending' AND due_at <= ?1 AND expires_at <= ?1
                                         AND sink NOT IN (SELECT value FROM json_each(?2)))
                           OR EXISTS (SELECT 1 FROM standing
                                       WHERE due_at <= ?1
                                         AND sink NOT IN (SELECT value FROM json_each(?2))) AS "any!: bool""#,
                    before,
                    own
                );
                any.fetch_one(&mut self.connection).await?
            }
        };
        Ok(any)
    }

    /// pending → pending, leased: each claim counts one attempt, and grows the token.
    async fn claim(
        &mut self,
        sink: &str,
        limit: usize,
        lease_until: SystemTime,
        now: SystemTime,
    ) -> Result<Vec<Claim>, StoreError> {
        let (lease_until, now) = (to_millis(lease_until), to_millis(now));
        let (limit, known) = (i64::try_from(limit).unwrap_or(i64::MAX), version::newest(&MIGRATOR));
        let rows = sqlx::query!(
            r#"UPDATE delivery
                  SET data = json_set(data, '$.due_at', ?1, '$.attempt', attempt + 1, '$.claims', claims + 1,
                                      '$.doubtful', doubtful + 1)
                WHERE id IN (SELECT id FROM delivery
                              WHERE state = 'pending' AND sink = ?2 AND due_at <= ?3
                              ORDER BY due_at LIMIT ?4)
                  AND (SELECT user_version FROM pragma_user_version) <= ?5
               RETURNING key, data"#,
            lease_until,
            sink,
            now,
            limit,
            known
        )
        .fetch_all(&mut self.connection)
        .await?;
        self.has_written = true;
        if rows.is_empty() {
            version::is_known(version::needed(&mut self.connection).await?, &MIGRATOR)?;
        }
        let claims = rows.into_iter().map(|row| {
            let key = row.key.parse().map_err(|_| StoreError::Broken("a delivery has no key".to_owned()))?;
            let delivery: DeliveryRow =
                serde_json::from_str(&row.data).map_err(|error| StoreError::Broken(error.to_string()))?;
            Ok(Claim::of(key, &delivery))
        });
        claims.collect()
    }

    /// Reads what a notice tells.
    async fn notice(&mut self, id: i64) -> Result<Option<Notice>, StoreError> {
        let mut page = Page::default();
        load(&mut self.connection, &mut page, &Scope::Notice(id)).await?;
        let shown = page.shown(id);
        load(&mut self.connection, &mut page, &Scope::Events(&shown)).await?;
        let callsites = page.callsites();
        load(&mut self.connection, &mut page, &Scope::Learned(&callsites)).await?;
        Ok(page.notice(id))
    }

    /// When there will be something to decide for a recipient of `sink`.
    async fn next_look(&mut self, sink: &str) -> Result<Option<SystemTime>, StoreError> {
        let due = sqlx::query_scalar!(
            r#"SELECT min(due_at) AS "due_at: i64" FROM standing WHERE sink = ?1 AND due_at IS NOT NULL"#,
            sink
        )
        .fetch_one(&mut self.connection)
        .await?;
        Ok(due.map(from_millis))
    }

    async fn next_due(&mut self, sink: &str) -> Result<Option<SystemTime>, StoreError> {
        let due = sqlx::query_scalar!(
            r#"SELECT min(due_at) AS "due_at: i64" FROM delivery WHERE state = 'pending' AND sink = ?1"#,
            sink
        )
        .fetch_one(&mut self.connection)
        .await?;
        Ok(due.map(from_millis))
    }

    async fn next_inquiry(&mut self, sink: &str) -> Result<Option<SystemTime>, StoreError> {
        let at = sqlx::query_scalar!(
            r#"SELECT min(ask_at) AS "ask_at: i64" FROM delivery WHERE sink = ?1 AND ask_at IS NOT NULL"#,
            sink
        )
        .fetch_one(&mut self.connection)
        .await?;
        Ok(at.map(from_millis))
    }

    async fn sinks_of_dead(&mut self) -> Result<Vec<String>, StoreError> {
        let sinks = sqlx::query_scalar!("SELECT sink FROM dead_told WHERE count > 0 ORDER BY sink")
            .fetch_all(&mut self.connection)
            .await?;
        Ok(sinks)
    }

    async fn mark(&mut self) -> Result<Mark, StoreError> {
        let mark = sqlx::query_as!(
            Mark,
            r#"SELECT (SELECT coalesce(max(id), 0) FROM notice) AS "notice!: i64",
                      (SELECT coalesce(max(id), 0) FROM incident) AS "incident!: i64""#
        )
        .fetch_one(&mut self.connection)
        .await?;
        Ok(mark)
    }

    /// How many messages are pending, but for the deliveries with the keys in
    /// `settled`. The pluses keep SQLite from searching by notice or incident: few
    /// are pending.
    async fn pending(&mut self, run: Uuid, mark: Mark, settled: &[Uuid]) -> Result<u64, StoreError> {
        let (run, settled) = (run.to_string(), json(settled));
        let count = sqlx::query_scalar!(
            r#"SELECT (SELECT count(*) FROM delivery CROSS JOIN notice ON notice.id = notice_id
                        WHERE state = 'pending' AND +notice_id <= ?2
                          AND (notice.run = ?1
                               OR EXISTS (SELECT 1 FROM item JOIN incident ON incident.id = incident_id
                                           WHERE item.notice_id = notice.id AND incident.run = ?1))
                          AND key NOT IN (SELECT value FROM json_each(?4)))
                    + (SELECT count(*) FROM standing CROSS JOIN incident ON incident.id = incident_id
                        WHERE due_at IS NOT NULL AND (told_at IS NULL OR is_back) AND not_before IS NULL
                          AND +incident_id <= ?3 AND incident.run = ?1) AS "count!: i64""#,
            run,
            mark.notice,
            mark.incident,
            settled
        )
        .fetch_one(&mut self.connection)
        .await?;
        Ok(unsigned(count))
    }

    /// Where the events are: the totals that triggers keep, and a count of what is
    /// pending. One statement, so of one moment.
    async fn events(&mut self) -> Result<EventCounts, StoreError> {
        let counts = sqlx::query!(
            r#"WITH unsettled (incident_id, sink, recipient, more) AS (
                   SELECT incident_id, sink, recipient, item.count
                     FROM delivery CROSS JOIN item ON item.notice_id = delivery.notice_id
                    WHERE state = 'pending'
                    UNION ALL
                   SELECT incident_id, sink, recipient, count - told
                     FROM standing CROSS JOIN incident ON incident.id = incident_id
                    WHERE due_at IS NOT NULL
               ), waiting AS (
                   SELECT incident_id, sink, recipient, sum(more) AS more FROM unsettled GROUP BY 1, 2, 3
               ), pending AS (
                   SELECT min(count, max(standing.reported + more)) - incident.reported AS more
                     FROM waiting CROSS JOIN standing USING (incident_id, sink, recipient)
                     CROSS JOIN incident ON incident.id = incident_id
                    WHERE about IS NULL OR about = 'overflow'
                    GROUP BY incident_id
               )
               SELECT coalesce((SELECT committed FROM total WHERE id = 1), 0) AS "committed!: i64",
                      coalesce((SELECT reported FROM total WHERE id = 1), 0) AS "reported!: i64",
                      coalesce((SELECT sum(more) FROM pending WHERE more > 0), 0) AS "pending!: i64""#
        )
        .fetch_one(&mut self.connection)
        .await?;
        let [committed, reported, pending] =
            [counts.committed, counts.reported, counts.pending].map(unsigned);
        Ok(EventCounts::new(committed, reported, reported.saturating_add(pending)))
    }

    async fn prune(&mut self, what: Prune) -> Result<Pruned, StoreError> {
        self.prune_some(what).await
    }
}

impl Sqlite {
    /// What is known of recipients.
    pub(in crate::outbox) async fn ledger(&mut self) -> Result<Page, StoreError> {
        let mut page = Page { is_copy: true, ..Page::default() };
        load(&mut self.connection, &mut page, &Scope::Recipients).await?;
        Ok(page)
    }
}

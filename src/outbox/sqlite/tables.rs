//! The rows of one table each, by their keys.
//!
//! Invariant: decides nothing, and no statement reads all of a table that grows with
//! the events.

use super::{
    super::StoreError,
    load::Loading,
    rows::{self, json},
};

/// Adds the rows that a query finds to a table of the page.
macro_rules! load {
    ($loading:ident, $table:ident, $query:expr) => {
        for row in $query.fetch_all(&mut *$loading.connection).await? {
            let (key, row) = row.row();
            $loading.page.$table.load(key, row);
        }
    };
}

impl Loading<'_> {
    /// The incidents with the numbers of a JSON array.
    pub(super) async fn incidents(&mut self, ids: &str) -> Result<(), StoreError> {
        let rows = sqlx::query_as!(
            rows::Incident,
            r#"SELECT id, public_id, fingerprint, level, about, run, process, is_new AS "is_new: bool", count,
                      reported, opened_at, last_at, closed_at, pace
                 FROM incident WHERE id IN (SELECT value FROM json_each(?1))"#,
            ids
        );
        load!(self, incidents, rows);
        Ok(())
    }

    /// What everybody knows of these incidents.
    pub(super) async fn standings(&mut self, incidents: &str) -> Result<(), StoreError> {
        let rows = sqlx::query_as!(
            rows::Standing,
            r#"SELECT incident_id AS "incident_id!", sink, recipient, told, reported, told_at, tellings, not_before, due_at
               FROM standing WHERE incident_id IN (SELECT value FROM json_each(?1))"#,
            incidents
        )
        .fetch_all(&mut *self.connection)
        .await?;
        rows.into_iter().for_each(|row| self.keep_standing(row));
        Ok(())
    }

    /// The first events of these incidents. One that cannot be understood is none.
    pub(super) async fn firsts(&mut self, incidents: &str) -> Result<(), StoreError> {
        let rows = sqlx::query_as!(
            rows::Payload,
            "SELECT incident_id, payload FROM first_event
              WHERE incident_id IN (SELECT value FROM json_each(?1))",
            incidents
        );
        let rows = rows.fetch_all(&mut *self.connection).await?;
        rows.into_iter().filter_map(rows::Payload::row).for_each(|(id, it)| self.page.firsts.load(id, it));
        Ok(())
    }

    /// As [`firsts`](Self::firsts), of the latest events.
    pub(super) async fn latests(&mut self, incidents: &str) -> Result<(), StoreError> {
        let rows = sqlx::query_as!(
            rows::Payload,
            "SELECT incident_id, payload FROM latest_event
              WHERE incident_id IN (SELECT value FROM json_each(?1))",
            incidents
        );
        let rows = rows.fetch_all(&mut *self.connection).await?;
        rows.into_iter().filter_map(rows::Payload::row).for_each(|(id, it)| self.page.latests.load(id, it));
        Ok(())
    }

    pub(super) async fn deliveries_by_key(&mut self, keys: &[String]) -> Result<(), StoreError> {
        let keys = json(keys)?;
        let rows = sqlx::query_as!(
            rows::Delivery,
            "SELECT key, notice_id, sink, recipient, state, due_at, attempt, claims, answered, doubtful,
                    created_at, expires_at, settled_at, reference, last_error
               FROM delivery WHERE key IN (SELECT unhex(value) FROM json_each(?1))",
            keys
        )
        .fetch_all(&mut *self.connection)
        .await?;
        rows.into_iter().for_each(|row| self.keep_delivery(row));
        Ok(())
    }

    /// Of each recipient the pending deliveries, as many as make a difference: those
    /// that did not leave first.
    pub(super) async fn pending_to(&mut self, recipients: &[(&str, &str)]) -> Result<(), StoreError> {
        let (recipients, enough) = (json(recipients)?, super::load::MAX_PENDING_LOADED);
        let rows = sqlx::query_as!(
            rows::Delivery,
            r#"SELECT delivery.key, notice_id, sink, recipient, state, due_at, attempt, claims, answered,
                      doubtful, created_at, expires_at, settled_at, reference, last_error
                 FROM json_each(?1) AS whom CROSS JOIN delivery
                WHERE delivery.id IN (SELECT own.id FROM delivery AS own
                                       WHERE own.state = 'pending' AND own.sink = whom.value ->> 0
                                         AND own.recipient = whom.value ->> 1
                                       ORDER BY own.doubtful, own.id LIMIT ?2)"#,
            recipients,
            enough
        )
        .fetch_all(&mut *self.connection)
        .await?;
        rows.into_iter().for_each(|row| self.keep_delivery(row));
        Ok(())
    }

    /// The notices of the deliveries on the page, and what they tell.
    pub(super) async fn notices_of_deliveries(&mut self) -> Result<(), StoreError> {
        let notices: Vec<_> = self.page.deliveries.values().map(|delivery| delivery.notice_id).collect();
        if notices.is_empty() {
            return Ok(());
        }
        self.notices(&json(&notices)?).await
    }

    pub(super) async fn notices(&mut self, ids: &str) -> Result<(), StoreError> {
        let rows = sqlx::query_as!(
            rows::NoticeRecord,
            r#"SELECT id, public_id, run, kind, process, made_at, is_last AS "is_last: bool"
                 FROM notice WHERE id IN (SELECT value FROM json_each(?1))"#,
            ids
        );
        load!(self, notices, rows);
        let rows = sqlx::query_as!(
            rows::Item,
            "SELECT notice_id, incident_id, reason, tellings, count, total, last_at, pace
               FROM item WHERE notice_id IN (SELECT value FROM json_each(?1))",
            ids
        );
        load!(self, items, rows);
        Ok(())
    }

    pub(super) async fn accounts(&mut self, recipients: &[(&str, &str)]) -> Result<(), StoreError> {
        let recipients = json(recipients)?;
        let rows = sqlx::query_as!(
            rows::AccountRecord,
            r#"SELECT sink, recipient, heard_at, full_at, day, today
                 FROM json_each(?1) AS whom
                 JOIN account ON sink = whom.value ->> 0 AND recipient = whom.value ->> 1"#,
            recipients
        );
        load!(self, accounts, rows);
        Ok(())
    }

    /// All that is known of recipients, whatever they are told.
    pub(super) async fn recipients(&mut self) -> Result<(), StoreError> {
        self.all_accounts().await?;
        self.refusals(None).await?;
        self.dead(None).await
    }

    pub(super) async fn all_accounts(&mut self) -> Result<(), StoreError> {
        let rows = sqlx::query_as!(
            rows::AccountRecord,
            "SELECT sink, recipient, heard_at, full_at, day, today FROM account"
        );
        load!(self, accounts, rows);
        Ok(())
    }

    /// All refusals, or that of one recipient.
    pub(super) async fn refusals(&mut self, whose: Option<(&str, &str)>) -> Result<(), StoreError> {
        let (sink, recipient) = whose.unzip();
        let rows = sqlx::query_as!(
            rows::Refusal,
            "SELECT sink, recipient, since FROM refusal
              WHERE ?1 IS NULL OR (sink = ?1 AND recipient = ?2)",
            sink,
            recipient
        );
        load!(self, refusals, rows);
        Ok(())
    }

    /// What is dead in all sinks, or in one.
    pub(super) async fn dead(&mut self, sink: Option<&str>) -> Result<(), StoreError> {
        let rows = sqlx::query_as!(
            rows::Dead,
            "SELECT sink, told_at, count, recipient, public_id, reason FROM dead_told
              WHERE ?1 IS NULL OR sink = ?1",
            sink
        );
        load!(self, dead, rows);
        Ok(())
    }

    pub(super) fn keep_standing(&mut self, row: rows::Standing) {
        let (key, standing) = row.row();
        self.page.standings.load(key, standing);
    }

    pub(super) fn keep_delivery(&mut self, row: rows::Delivery) {
        if let Some((key, delivery)) = row.row() {
            self.page.deliveries.load(key, delivery);
        }
    }
}

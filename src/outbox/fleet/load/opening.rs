//! What is loaded to open incidents, and to change what many share: all of it is locked.

use std::{collections::BTreeSet, time::SystemTime};

use super::{
    super::{
        super::{StoreError, Target, batch::overflow_fingerprints, page::hex},
        bounded,
        turn::{FleetTurn, Saves},
    },
    Loaded, rows, run, unwritable,
};
use crate::{
    event::to_millis,
    policy::{budget::Account, fingerprint::Fingerprint},
};

impl FleetTurn<'_> {
    /// Locks the recipients who may be told of what is opened.
    pub(super) async fn lock_targets(&mut self, targets: &[Target]) -> Result<(), StoreError> {
        self.saves = Saves::Incidents;
        let (sinks, recipients) = whom(targets);
        let nothing = serde_json::to_value(Account::default()).map_err(unwritable)?;
        run!(
            self,
            "INSERT INTO account (sink, recipient, data)
             SELECT sink, recipient, $3 FROM unnest($1::text[], $2::text[]) AS whom (sink, recipient)
                 ON CONFLICT DO NOTHING",
            &sinks as &[_],
            &recipients as &[_],
            nothing
        )?;
        run!(
            self,
            "SELECT 1 FROM account JOIN unnest($1::text[], $2::text[]) AS whom (sink, recipient)
              USING (sink, recipient) ORDER BY sink, recipient FOR UPDATE OF account",
            &sinks as &[_],
            &recipients as &[_]
        )?;
        Ok(())
    }

    /// What is known of callsites, locked.
    pub(super) async fn learned(
        &mut self,
        callsites: BTreeSet<Fingerprint>,
    ) -> Result<Vec<Loaded>, StoreError> {
        if callsites.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<String> = callsites.iter().map(|callsite| hex::of(callsite)).collect();
        run!(
            self,
            "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' callsite ' || print, 0))
               FROM unnest($1::text[]) AS print",
            &keys
        )?;
        let callsites: Vec<_> = callsites.into_iter().collect();
        self.known_of(&callsites).await
    }

    pub(super) async fn known_of(&mut self, callsites: &[Fingerprint]) -> Result<Vec<Loaded>, StoreError> {
        let keys: Result<Vec<String>, _> = callsites.iter().map(serde_json::to_string).collect();
        let keys = keys.map_err(unwritable)?;
        rows!(
            self,
            "SELECT 'learned', callsite, data::text FROM learned
              WHERE callsite IN (SELECT key::jsonb::text FROM unnest($1::text[]) AS key)",
            &keys
        )
    }

    /// What events with these fingerprints join: locked, and who of the instances opens one
    /// locks its fingerprint before there is a row.
    pub(super) async fn incidents(
        &mut self,
        fingerprints: &[&[u8]],
        targets: &[Target],
        now: SystemTime,
    ) -> Result<Vec<Loaded>, StoreError> {
        let (sinks, recipients) = whom(targets);
        let overflows = overflow_fingerprints();
        let all = fingerprints.iter().copied().chain(overflows.iter().map(Vec::as_slice));
        let prints: BTreeSet<String> = all.map(hex::of).collect();
        let prints: Vec<String> = prints.into_iter().collect();
        run!(
            self,
            "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || print, 0))
               FROM unnest($1::text[]) AS print",
            &prints
        )?;
        run!(
            self,
            "WITH last AS MATERIALIZED (
                 SELECT max(id) AS id FROM incident
                  WHERE fingerprint = ANY (ARRAY(
                        SELECT unnest($1::text[])
                         UNION
                        SELECT replace(key::text, '-', '') FROM silence WHERE until > $2))
                  GROUP BY fingerprint),
               known AS MATERIALIZED (
                 SELECT id FROM incident WHERE id = ANY (ARRAY(SELECT id FROM last)) ORDER BY id FOR UPDATE)
             SELECT 1 FROM standing WHERE incident_id = ANY (ARRAY(SELECT id FROM known))
              ORDER BY incident_id, sink, recipient FOR UPDATE",
            &prints,
            to_millis(now)
        )?;
        rows!(
            self,
            "WITH chosen AS MATERIALIZED (
                 SELECT max(id) AS id FROM incident
                  WHERE fingerprint = ANY (ARRAY(
                        SELECT unnest($1::text[])
                         UNION
                        SELECT replace(key::text, '-', '') FROM silence WHERE until > $4))
                  GROUP BY fingerprint)
             SELECT 'incident', id::text, data::text FROM incidents_now(ARRAY(SELECT id FROM chosen))
              UNION ALL
             SELECT 'standing', jsonb_build_array(incident_id, jsonb_build_array(sink, recipient))::text, data::text
               FROM standing WHERE incident_id = ANY (ARRAY(SELECT id FROM chosen))
              UNION ALL
             SELECT 'account', jsonb_build_array(sink, recipient)::text, data::text
               FROM account JOIN unnest($2::text[], $3::text[]) AS whom (sink, recipient) USING (sink, recipient)
              UNION ALL
             SELECT 'delivery', to_jsonb(key)::text, delivery.data::text
               FROM delivery JOIN unnest($2::text[], $3::text[]) AS whom (sink, recipient) USING (sink, recipient)
              WHERE state = 'pending'
              UNION ALL
             SELECT 'silence', to_jsonb(key)::text, data::text FROM silence
              WHERE until > $4 OR replace(key::text, '-', '') = ANY ($1)
              UNION ALL
             SELECT 'beyond', '', jsonb_build_object(
                 'last_incident', nextval('incident_number'),
                 'last_notice', 0,
                 'open', (SELECT count(*) FROM incident WHERE closed_at IS NULL AND about IS NULL),
                 'seen', (SELECT coalesce(jsonb_agg(DISTINCT fingerprint), '[]') FROM incident
                           WHERE fingerprint = ANY ($1)))::text",
            &prints,
            &sinks as &[_],
            &recipients as &[_],
            to_millis(now)
        )
    }

    pub(super) async fn first_event(&mut self, fingerprint: &[u8]) -> Result<Vec<Loaded>, StoreError> {
        self.saves = Saves::Incidents;
        let print = hex::of(fingerprint);
        run!(self, "SELECT 1 FROM incident WHERE fingerprint = $1 AND closed_at IS NULL FOR UPDATE", &print)?;
        rows!(
            self,
            "SELECT 'incident', id::text, data::text FROM incidents_now(ARRAY(SELECT id FROM incident WHERE fingerprint = $1 AND closed_at IS NULL))
              UNION ALL
             SELECT 'first_event', incident_id::text, first_event.data::text
               FROM first_event JOIN incident ON id = incident_id
              WHERE fingerprint = $1 AND closed_at IS NULL",
            &print
        )
    }

    /// Everything that is not over, locked.
    pub(super) async fn live(&mut self) -> Result<Vec<Loaded>, StoreError> {
        self.saves = Saves::Incidents;
        run!(self, "SELECT 1 FROM account ORDER BY sink, recipient FOR UPDATE")?;
        run!(self, "SELECT 1 FROM dead_told ORDER BY sink FOR UPDATE")?;
        run!(self, "SELECT 1 FROM delivery WHERE state = 'pending' ORDER BY key FOR UPDATE")?;
        run!(
            self,
            "SELECT 1 FROM standing WHERE due_at IS NOT NULL ORDER BY incident_id, sink, recipient FOR UPDATE"
        )?;
        run!(self, "SELECT 1 FROM incident WHERE closed_at IS NULL ORDER BY id FOR UPDATE")?;
        rows!(
            self,
            "WITH sent AS MATERIALIZED (SELECT key, notice_id, data FROM delivery WHERE state = 'pending'),
               known AS MATERIALIZED (
                 SELECT incident_id, sink, recipient, data FROM standing WHERE due_at IS NOT NULL)
             SELECT 'incident', id::text, data::text
               FROM incidents_now(ARRAY(SELECT incident_id FROM known
                                         UNION SELECT id FROM incident WHERE closed_at IS NULL))
              UNION ALL
             SELECT 'standing', jsonb_build_array(incident_id, jsonb_build_array(sink, recipient))::text, data::text
               FROM known
              UNION ALL
             SELECT 'account', jsonb_build_array(sink, recipient)::text, data::text FROM account
              UNION ALL
             SELECT 'notice', notice.id::text, notice.data::text FROM sent JOIN notice ON notice.id = notice_id
              UNION ALL
             SELECT 'item', jsonb_build_array(item.notice_id, incident_id)::text, item.data::text
               FROM sent JOIN item USING (notice_id)
              UNION ALL
             SELECT 'delivery', to_jsonb(key)::text, data::text FROM sent
              UNION ALL
             SELECT 'dead_told', to_jsonb(sink)::text, data::text FROM dead_told"
        )
    }

    pub(super) async fn silences(&mut self) -> Result<Vec<Loaded>, StoreError> {
        self.saves = Saves::Incidents;
        run!(self, "SELECT 1 FROM account ORDER BY sink, recipient FOR UPDATE")?;
        run!(
            self,
            "SELECT 1 FROM standing WHERE due_at IS NOT NULL ORDER BY incident_id, sink, recipient FOR UPDATE"
        )?;
        run!(self, "SELECT 1 FROM incident WHERE closed_at IS NULL ORDER BY id FOR UPDATE")?;
        rows!(
            self,
            "WITH open AS MATERIALIZED (SELECT id FROM incident WHERE closed_at IS NULL)
             SELECT 'silence', to_jsonb(key)::text, data::text FROM silence
              UNION ALL
             SELECT 'incident', id::text, data::text FROM incidents_now(ARRAY(SELECT id FROM open UNION SELECT incident_id FROM standing WHERE due_at IS NOT NULL))
              UNION ALL
             SELECT 'standing', jsonb_build_array(incident_id, jsonb_build_array(sink, recipient))::text, data::text
               FROM standing WHERE due_at IS NOT NULL
              UNION ALL
             SELECT 'first_event', incident_id::text, first_event.data::text
               FROM open JOIN first_event ON incident_id = id"
        )
    }
}

/// The recipients, in the order in which they are locked.
fn whom(targets: &[Target]) -> (Vec<&str>, Vec<&str>) {
    let whom: BTreeSet<_> = targets.iter().map(|target| (target.sink, &*target.recipient)).collect();
    whom.into_iter().unzip()
}

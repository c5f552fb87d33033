//! Takes over what an instance counted.
//!
//! What is open, and that is nearly always so, takes one statement that waits for nobody: it
//! holds its incident open and adds a row of its own. What is not open is opened in a turn.
//! Invariant: what is acknowledged is counted, whenever the incident is closed.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    super::{
        Maker, Share, StoreError, Taken, Target,
        keep::Turn,
        page::{ToldHere, hex},
        scope::Scope,
    },
    Fleet, bounded,
    load::unwritable,
    save::plain,
    turn::FleetTurn,
};
use crate::{
    event::{from_millis, to_millis},
    host::time::Saturating,
    policy::incident::QUIET_AFTER,
};

/// What there is to say of a share: which, how many events, what its incident is called, and
/// when and how often it was told.
pub(super) type Answer = (i64, i64, i64, String, Option<i64>, i32);

/// The columns of an [`Answer`], of `counted` and `live`. Nobody is to be told of what no
/// recipient's level concerns: it counts as told. The compiler checks it for such arguments.
macro_rules! answer {
    ($before:literal $(, $argument:ident: $kind:ty)*) => {
        answer!(
            $before,
            " counted.local_id, live.id, counted.count, live.public_id,
              CASE known.n WHEN 0 THEN live.opened_at ELSE known.told_at END, coalesce(known.tellings, 0)
              FROM counted JOIN live ON live.id = counted.incident_id
             CROSS JOIN LATERAL (
                 SELECT count(*) AS n,
                        max(told_at) FILTER (
                            WHERE reported > 0 AND is_back IS NOT TRUE
                              AND NOT EXISTS (SELECT 1 FROM item JOIN delivery USING (notice_id)
                                               WHERE item.incident_id = live.id AND state = 'pending'
                                                 AND delivery.sink = standing.sink
                                                 AND delivery.recipient = standing.recipient)) AS told_at,
                        max((data ->> 'tellings')::integer) AS tellings
                   FROM standing WHERE standing.incident_id = live.id) known"
            $(, $argument: $kind)*
        )
    };
    ($before:literal, $columns:literal $(, $argument:ident: $kind:ty)*) => {{
        // Never runs, as in `statement!`: this is for a constant.
        let _ = |$($argument: $kind),*| {
            drop(sqlx::query_scalar!("EXPLAIN " + $before + $columns $(, $argument)*));
        };
        concat!($before, $columns)
    }};
}
pub(super) use answer;

/// Adds rows to open incidents, and has those who were told of them told in time that there
/// is more: the rows, whose they are, what time it is, and since when what is open counted.
pub(in crate::outbox) const ADD: &str = answer!(
    "WITH given AS MATERIALIZED (
         SELECT * FROM jsonb_to_recordset($1::text::jsonb)
             AS given (incident_id bigint, is_placed boolean, fingerprint text, local_id bigint, count bigint,
                       first_at bigint, last_at bigint, data jsonb)),
       live AS MATERIALIZED (
         SELECT id, fingerprint, public_id, (data ->> 'opened_at')::bigint AS opened_at FROM incident
          WHERE id = ANY (ARRAY(
                  SELECT incident_id FROM given WHERE incident_id IS NOT NULL
                   UNION
                  SELECT (SELECT id FROM incident AS own
                           WHERE own.fingerprint = given.fingerprint AND own.closed_at IS NULL)
                    FROM given WHERE incident_id IS NULL))
            AND (id = ANY (ARRAY(SELECT incident_id FROM given WHERE is_placed))
                 OR (closed_at IS NULL
                     AND (SELECT true FROM share WHERE incident_id = id AND last_at > $4 LIMIT 1)))
          ORDER BY id FOR KEY SHARE),
       added AS (
         INSERT INTO share (incident_id, store, local_id, count, first_at, last_at, data)
         SELECT live.id, $2, local_id,
                greatest(0, given.count - (SELECT coalesce(sum(moved.count), 0)::bigint FROM share AS moved
                                            WHERE moved.store = $2 AND moved.local_id = given.local_id
                                              AND moved.incident_id <> live.id)),
                least(first_at, $3), least(last_at, $3), given.data
           FROM given JOIN live
             ON live.id = given.incident_id
             OR (given.incident_id IS NULL AND live.fingerprint = given.fingerprint)
             ON CONFLICT (incident_id, store, local_id) DO UPDATE
            SET count = greatest(share.count, excluded.count),
                last_at = greatest(share.last_at, excluded.last_at),
                data = share.data || excluded.data
         RETURNING incident_id, local_id),
       woken AS (
         UPDATE standing SET data = standing.data || jsonb_build_object('due_at', again_at)
          WHERE incident_id = ANY (ARRAY(SELECT incident_id FROM added))
            AND again_at IS NOT NULL AND (due_at IS NULL OR again_at < due_at)),
       counted AS (
         SELECT added.incident_id, added.local_id, given.count FROM added JOIN given USING (local_id))
     SELECT",
    given: String,
    store: Uuid,
    now: i64,
    since: i64
);

impl Fleet {
    /// Takes over `shares`. Whatever it does not answer is to be handed over again. It fails if
    /// one of them is refused, which this instance then tells by itself; the others are taken.
    pub(crate) async fn hand_over(
        &mut self,
        shares: &[Share],
        targets: &[Target],
        maker: &Maker<'_>,
    ) -> Result<Vec<Taken>, StoreError> {
        let mut taken = Vec::new();
        let mut refused = None;
        let mut parts = vec![shares];
        while let Some(part) = parts.pop() {
            let done = self.take_all(part, targets, maker).await;
            match (done, part) {
                (Ok(more), part) => taken.extend(more.into_iter().map(|answer| answered(answer, part))),
                // One of them is what the schema does not take: the others are not kept by it.
                (Err(StoreError::Broken(_)), [_, _, ..]) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([first, second]);
                }
                (Err(error @ StoreError::Broken(_)), _) => refused = Some(error),
                (Err(error), _) => return self.note(Err(error)),
            }
        }
        self.note(refused.map_or(Ok(taken), Err))
    }

    async fn take_all(
        &mut self,
        shares: &[Share],
        targets: &[Target],
        maker: &Maker<'_>,
    ) -> Result<Vec<Taken>, StoreError> {
        let (told, plain): (Vec<&Share>, Vec<&Share>) = shares.iter().partition(|share| share.has_told());
        let mut taken = if plain.is_empty() { Vec::new() } else { self.count(&plain).await? };
        let is_open = |share: &&Share| taken.iter().any(|it: &Taken| it.local_id == share.local_id);
        let missing: Vec<Share> = plain
            .iter()
            .filter(|share| !is_open(share))
            .chain(&told)
            .map(|share| (**share).clone())
            .collect();
        if !missing.is_empty() {
            taken.extend(self.open(&missing, targets, maker).await?);
        }
        Ok(taken)
    }

    /// Counts what is open. Returns nothing of what is not.
    async fn count(&mut self, shares: &[&Share]) -> Result<Vec<Taken>, StoreError> {
        let id = self.id;
        let place = |share: &Share| {
            Some(share.row.shared.place).filter(|place| *place > 0 && share.row.shared.fleet == id)
        };
        let given = shares.iter().map(|share| row_of(share, place(share), false)).collect();
        let mut turn = self.begin_turn().await?;
        let taken = turn.add(given).await?;
        turn.end().await?;
        Ok(taken)
    }

    /// Opens what is not open, notes what was told by its instance, and counts it.
    async fn open(
        &mut self,
        shares: &[Share],
        targets: &[Target],
        maker: &Maker<'_>,
    ) -> Result<Vec<Taken>, StoreError> {
        let mut turn = self.begin_turn().await?;
        if !turn.is_first_to_open(shares).await? {
            turn.end().await?;
            return Err(StoreError::Busy);
        }
        let now = turn.now;
        let fingerprints = shares.iter().map(|share| share.row.fingerprint.as_slice()).collect();
        let said = shares.iter().filter_map(|share| Some((share.said.as_deref()?, share.row.own_count())));
        turn.load(&Scope::Batch { run: maker.run, fingerprints, said: said.collect(), targets, now }).await?;
        let before = turn.own_shares(shares).await?;
        let places = turn.page.take_shares(shares, &before, maker, targets, now);
        turn.note_counted();
        turn.save(maker.new_id).await?;
        let placed = shares.iter().zip(&places).filter_map(|(share, place)| Some((share, (*place)?)));
        let given = placed.map(|(share, place)| row_of(share, Some(place), true)).collect();
        let mut taken = turn.add(given).await?;
        turn.end().await?;
        let unplaced = shares.iter().zip(&places).filter(|(_, place)| place.is_none());
        taken.extend(unplaced.map(|(share, _)| Taken {
            local_id: share.local_id,
            fleet: Uuid::nil(),
            place: 0,
            count: 0,
            public_id: String::new(),
            told_at: None,
            tellings: 0,
            needs_event: true,
            told_here: None,
        }));
        Ok(taken)
    }
}

impl FleetTurn<'_> {
    /// Whether no other instance is just opening one of these: once it has, they need only be
    /// counted, and nobody waits for anybody. What an instance told has to be noted in any
    /// case, so that waits for its turn.
    async fn is_first_to_open(&mut self, shares: &[Share]) -> Result<bool, StoreError> {
        let new = shares.iter().filter(|share| !share.has_told());
        let prints: Vec<String> = new.map(|share| hex::of(&share.row.fingerprint)).collect();
        let is_first = statement!(
            sqlx::query_scalar::<_, bool>,
            "SELECT coalesce(bool_and(
                        pg_try_advisory_xact_lock(hashtextextended(current_schema() || ' opens ' || print, 0))), true)
               FROM unnest($1::text[]) AS print",
            &prints
        );
        bounded(is_first.fetch_one(&mut *self.transaction)).await
    }

    /// What this instance counted and told of the same incidents before, by its own numbers.
    async fn own_shares(
        &mut self,
        shares: &[Share],
    ) -> Result<BTreeMap<i64, (u64, Vec<ToldHere>)>, StoreError> {
        let ids: Vec<i64> = shares.iter().map(|share| share.local_id).collect();
        let own = statement!(
            sqlx::query_as::<_, (i64, i64, String)>,
            "SELECT local_id, sum(count)::bigint,
                    (array_agg(coalesce(data -> 'told', '[]') ORDER BY incident_id DESC))[1]::text
               FROM share WHERE store = $1 AND local_id = ANY ($2) GROUP BY local_id",
            self.store,
            &ids
        );
        let own = bounded(own.fetch_all(&mut *self.transaction)).await?;
        own.into_iter()
            .map(|(id, count, told)| {
                let told = serde_json::from_str(&told).map_err(unwritable)?;
                Ok((id, (u64::try_from(count).unwrap_or(0), told)))
            })
            .collect()
    }

    /// Adds the rows `given`.
    async fn add(&mut self, given: Vec<Value>) -> Result<Vec<Taken>, StoreError> {
        let given = serde_json::to_string(&given).map_err(unwritable)?;
        let added = sqlx::query_as::<_, Answer>(ADD);
        let added = added
            .bind(plain(&given).as_ref().to_owned())
            .bind(self.store)
            .bind(to_millis(self.now))
            .bind(to_millis(self.now.earlier(QUIET_AFTER)));
        let added = bounded(added.persistent(false).fetch_all(&mut *self.transaction)).await?;
        let fleet = self.fleet;
        Ok(added.into_iter().map(|answer| taken(answer, fleet)).collect())
    }
}

/// The answer to one of `shares`, which said what its instance told.
fn answered(answer: Taken, shares: &[Share]) -> Taken {
    let share = shares.iter().find(|share| share.local_id == answer.local_id);
    Taken { told_here: share.map(Share::told_here), ..answer }
}

pub(super) fn taken(answer: Answer, fleet: Uuid) -> Taken {
    let (local_id, place, count, public_id, told_at, tellings) = answer;
    Taken {
        local_id,
        fleet,
        place,
        count: u64::try_from(count).unwrap_or(0),
        public_id,
        told_at: told_at.map(from_millis),
        tellings: u32::try_from(tellings).unwrap_or(0),
        needs_event: false,
        told_here: None,
    }
}

/// A share as it is kept: in its incident, or in the open one of its fingerprint. One that is
/// placed is kept there although it is closed.
fn row_of(share: &Share, incident: Option<i64>, is_placed: bool) -> Value {
    let row = &share.row;
    json!({
        "incident_id": incident,
        "is_placed": is_placed,
        "fingerprint": hex::of(&row.fingerprint),
        "local_id": share.local_id,
        "count": row.own_count(),
        "first_at": to_millis(row.opened_at),
        "last_at": to_millis(row.last_at),
        "data": { "pace": row.pace, "recent": row.recent, "told": share.told },
    })
}

//! A look at the fleet: what became of the shares, and how many instances there are.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use uuid::Uuid;

use super::{
    super::{KeyedSilence, StoreError, Taken, Target},
    Fleet, bounded,
    load::{run, unwritable},
    save::plain,
    shares::{Answer, answer, taken},
    turn::FleetTurn,
};
use crate::{
    event::{from_millis, to_millis},
    host::time::Saturating,
};

/// What an instance knows of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outlook {
    /// How many instances there are.
    pub(crate) fleet: u32,
    /// How many of them come before this one.
    pub(crate) position: u32,
    /// What became of the shares that were asked about.
    pub(crate) taken: Vec<Taken>,
    /// All silences that the fleet knows, if they changed since the last look.
    pub(crate) silences: Option<Vec<KeyedSilence>>,
    /// It takes what is counted, and nobody tells it.
    pub(crate) is_stuck: bool,
}

/// What an instance says of itself when it looks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Presence<'a> {
    pub(crate) host: Option<&'a str>,
    pub(crate) version: Option<&'a str>,
    /// Whom its settings name.
    pub(crate) targets: &'a [Target],
    /// How long ago its process began, if it was not said yet.
    pub(crate) age: Option<Duration>,
    /// How soon it looks again.
    pub(crate) pause: Duration,
    /// Whether its process fails, if that ends by itself.
    pub(crate) fails: Option<bool>,
}

/// What a look comes to.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) outlook: Outlook,
    /// When something is due for one of the sinks.
    pub(crate) due_at: Option<SystemTime>,
    /// Whether something is to be told of a sink.
    pub(crate) is_ill: bool,
    /// Whether its store was never seen before.
    pub(crate) is_new: bool,
}

/// So many looks an instance may miss until it is not counted any more.
const MISSED: u32 = 2;

/// What was due so long ago, no instance can tell.
const STUCK_AFTER: Duration = Duration::from_secs(2 * 60);

impl Fleet {
    /// Says that this instance is here, and asks what became of the shares with these numbers.
    pub(crate) async fn look(
        &mut self,
        presence: Presence<'_>,
        shares: &[i64],
        sinks: &[&str],
    ) -> Result<Seen, StoreError> {
        let done = self.look_around(presence, shares, sinks).await;
        self.note(done)
    }

    async fn look_around(
        &mut self,
        presence: Presence<'_>,
        shares: &[i64],
        sinks: &[&str],
    ) -> Result<Seen, StoreError> {
        // Another database knows other silences.
        self.connected().await?;
        let (known_mark, left) = (self.silences_mark.clone(), self.left);
        let mut turn = self.begin_turn().await?;
        let (store, now) = (turn.store, to_millis(turn.now));
        let is_new = turn.appear(&presence).await?;
        if let Some(left) = left {
            turn.disappear(left).await?;
        }
        let taken = match shares {
            [] => Vec::new(),
            shares => {
                let asked = sqlx::query_as::<_, Answer>(answer!(
                    "WITH counted AS MATERIALIZED (
                         SELECT local_id, max(incident_id) AS incident_id, sum(count)::bigint AS count
                           FROM share WHERE store = $1 AND local_id = ANY ($2) GROUP BY local_id),
                       live AS MATERIALIZED (
                         SELECT id, public_id, (data ->> 'opened_at')::bigint AS opened_at FROM incident
                          WHERE id = ANY (ARRAY(SELECT incident_id FROM counted)))
                     SELECT",
                    store: Uuid,
                    shares: &[i64]
                ));
                let asked = asked.bind(store).bind(shares).persistent(false);
                let told = bounded(asked.fetch_all(&mut *turn.transaction)).await?;
                // Whoever decided while this was counted may not have seen it.
                run!(
                    turn,
                    "UPDATE standing SET data = standing.data || jsonb_build_object('due_at', again_at)
                       FROM share
                      WHERE share.store = $1 AND share.local_id = ANY ($2)
                        AND standing.incident_id = share.incident_id
                        AND again_at IS NOT NULL AND (due_at IS NULL OR again_at < due_at)
                        AND (standing.data ->> 'told')::bigint
                          < (SELECT sum(count) FROM share AS all_of WHERE all_of.incident_id = share.incident_id)",
                    store,
                    shares
                )?;
                told.into_iter().map(|answer| taken(answer, turn.fleet)).collect()
            }
        };
        let counted = statement!(
            sqlx::query_as::<_, (i64, i64, Option<i64>, bool, bool, Option<String>, i64)>,
            "SELECT count(*), count(*) FILTER (WHERE store < $1),
                    least((SELECT min(due_at) FROM standing WHERE sink = ANY ($3) AND due_at IS NOT NULL),
                          (SELECT min(due_at) FROM delivery WHERE sink = ANY ($3) AND state = 'pending'),
                          (SELECT min(ask_at) FROM delivery WHERE sink = ANY ($3) AND ask_at IS NOT NULL)),
                    EXISTS (SELECT 1 FROM dead_told
                             WHERE sink = ANY ($3) AND (count > 0 OR failing_since IS NOT NULL)),
                    EXISTS (SELECT 1 FROM standing WHERE sink = ANY ($3) AND due_at <= $4),
                    (SELECT count(*) || ' ' || sum(until) FROM silence),
                    least(current_setting('max_connections')::bigint,
                          (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user AND rolconnlimit >= 0),
                          (SELECT datconnlimit FROM pg_database
                            WHERE datname = current_database() AND datconnlimit >= 0))
               FROM instance WHERE seen_until > $2",
            store,
            now,
            sinks as &[_],
            to_millis(turn.now.earlier(STUCK_AFTER))
        );
        let (fleet, position, due_at, is_ill, is_stuck, mark, connections) =
            bounded(counted.fetch_one(&mut *turn.transaction)).await?;
        let silences = match mark == known_mark {
            true => None,
            false => Some(turn.silence_rows().await?),
        };
        turn.end().await?;
        (self.silences_mark, self.left) = (mark, None);
        // Some of them are the program's own, or somebody else's.
        self.is_crowded = fleet > connections / 2;
        let number = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
        let (fleet, position) = (number(fleet), number(position));
        let outlook = Outlook { fleet, position, taken, silences, is_stuck };
        Ok(Seen { outlook, due_at: due_at.map(from_millis), is_ill, is_new })
    }
}

impl FleetTurn<'_> {
    /// Says that this instance is here. True if its store was never seen before.
    async fn appear(&mut self, presence: &Presence<'_>) -> Result<bool, StoreError> {
        let began = presence.age.filter(|_| presence.fails != Some(false));
        let began = began.map(|age| to_millis(self.now.earlier(age)));
        let named: BTreeSet<(&str, &str)> =
            presence.targets.iter().map(|target| (target.sink, &*target.recipient)).collect();
        let named = serde_json::to_string(&named).map_err(unwritable)?;
        let named = plain(&named);
        let is_new = statement!(
            sqlx::query_scalar,
            "INSERT INTO instance (store, host, version, targets, started_at, looks_at, seen_until, ended_at)
             VALUES ($1, $2, $3, $9::text::jsonb, $4, $5, $6, CASE WHEN $7 THEN $8::bigint END)
                 ON CONFLICT (store) DO UPDATE
                SET host = excluded.host, version = excluded.version, targets = excluded.targets,
                    started_at = CASE WHEN $7 IS NOT FALSE
                                      THEN coalesce(excluded.started_at, instance.started_at) END,
                    ended_at = CASE WHEN $7 THEN coalesce(instance.ended_at, excluded.ended_at) END,
                    looks_at = excluded.looks_at, seen_until = excluded.seen_until
             RETURNING xmax = 0",
            self.store,
            presence.host,
            presence.version,
            began,
            to_millis(self.now.later(presence.pause)),
            to_millis(self.now.later(presence.pause.saturating_mul(MISSED + 1))),
            presence.fails,
            to_millis(self.now),
            &*named
        );
        bounded(is_new.fetch_one(&mut *self.transaction)).await
    }

    /// Says that this instance goes on with another store than `left`.
    async fn disappear(&mut self, left: Uuid) -> Result<(), StoreError> {
        run!(
            self,
            "UPDATE instance SET started_at = NULL, seen_until = least(seen_until, $2) WHERE store = $1",
            left,
            to_millis(self.now)
        )?;
        Ok(())
    }
}

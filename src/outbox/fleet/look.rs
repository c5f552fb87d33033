//! A look at the fleet: what became of the shares, and how many instances there are.

use std::time::{Duration, SystemTime};

use super::{
    super::{KeyedSilence, StoreError, Taken},
    Fleet, bounded,
    load::run,
    shares::{Answer, answer, taken},
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
    /// It takes what is counted, and nobody tells it.
    pub(crate) is_stuck: bool,
    /// All silences that the fleet knows, if they changed since the last look.
    pub(crate) silences: Option<Vec<KeyedSilence>>,
}

/// What a look comes to.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) outlook: Outlook,
    /// When something is due for one of the sinks.
    pub(crate) due_at: Option<SystemTime>,
    /// Whether something is to be told of a sink.
    pub(crate) is_ill: bool,
}

/// What was due so long ago, no instance can tell.
const STUCK_AFTER: Duration = Duration::from_secs(2 * 60);

impl Fleet {
    /// Says that this instance is here, and will look again within `until`; and asks what
    /// became of the shares with these numbers.
    pub(crate) async fn look(
        &mut self,
        host: Option<&str>,
        version: Option<&str>,
        until: Duration,
        shares: &[i64],
        sinks: &[&str],
    ) -> Result<Seen, StoreError> {
        let done = self.look_around(host, version, until, shares, sinks).await;
        self.note(done)
    }

    async fn look_around(
        &mut self,
        host: Option<&str>,
        version: Option<&str>,
        until: Duration,
        shares: &[i64],
        sinks: &[&str],
    ) -> Result<Seen, StoreError> {
        let known_mark = self.silences_mark.clone();
        let mut turn = self.begin_turn().await?;
        let (store, now) = (turn.store, to_millis(turn.now));
        run!(
            turn,
            "INSERT INTO instance (store, host, version, seen_until) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (store) DO UPDATE
                SET host = excluded.host, version = excluded.version, seen_until = excluded.seen_until",
            store,
            host,
            version,
            to_millis(turn.now.later(until))
        )?;
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
                     SELECT"
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
        let counted = sqlx::query_as::<_, (i64, i64, Option<i64>, bool, bool, Option<String>)>(
            "SELECT count(*), count(*) FILTER (WHERE store < $1),
                    least((SELECT min(due_at) FROM standing WHERE sink = ANY ($3) AND due_at IS NOT NULL),
                          (SELECT min(due_at) FROM delivery WHERE sink = ANY ($3) AND state = 'pending'),
                          (SELECT min(ask_at) FROM delivery WHERE sink = ANY ($3) AND ask_at IS NOT NULL)),
                    EXISTS (SELECT 1 FROM dead_told
                             WHERE sink = ANY ($3) AND (count > 0 OR failing_since IS NOT NULL)),
                    EXISTS (SELECT 1 FROM standing WHERE sink = ANY ($3) AND due_at <= $4),
                    (SELECT count(*) || ' ' || sum(until) FROM silence)
               FROM instance WHERE seen_until > $2",
        );
        let counted = counted
            .bind(store)
            .bind(now)
            .bind(sinks)
            .bind(to_millis(turn.now.earlier(STUCK_AFTER)))
            .persistent(false);
        let (fleet, position, due_at, is_ill, is_stuck, mark) =
            bounded(counted.fetch_one(&mut *turn.transaction)).await?;
        let silences = match mark == known_mark {
            true => None,
            false => Some(turn.silence_rows().await?),
        };
        turn.end().await?;
        self.silences_mark = mark;
        let number = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
        let outlook = Outlook { fleet: number(fleet), position: number(position), taken, is_stuck, silences };
        Ok(Seen { outlook, due_at: due_at.map(from_millis), is_ill })
    }
}

-- What the instances of a program share. As in a file, each table has the key of a row and,
-- in `data`, what the row says: the fields of a struct of `src/outbox/page/rows.rs`. What
-- statements ask about is a generated column. Times are milliseconds since the Unix epoch,
-- by the clock of this server.

-- The one program that this schema is of, and which versions may write to it.
CREATE TABLE meta (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- Which database it is: one that replaces it has other incidents.
    id       uuid    NOT NULL DEFAULT gen_random_uuid(),
    app      text    NOT NULL,
    version  integer NOT NULL,
    -- The lowest version that may write.
    needed   integer NOT NULL,
    -- When what is over was looked for last.
    swept_at bigint  NOT NULL DEFAULT 0
);

-- The local stores that hand over what they count.
CREATE TABLE instance (
    store      uuid   PRIMARY KEY,
    host       text,
    version    text,
    -- Whom its settings name, each as a sink and a recipient; null if it does not say.
    targets    jsonb CHECK (jsonb_typeof(targets) = 'array'),
    -- When its process began, unless that ended well, and when it ended by itself and failed.
    started_at bigint,
    ended_at   bigint,
    -- It means to look again by then, and is counted for longer if it does not.
    looks_at   bigint NOT NULL,
    seen_until bigint NOT NULL
);

-- Whoever opens something takes a thousand numbers, so that nobody waits for them.
CREATE SEQUENCE incident_number INCREMENT BY 1000;
CREATE SEQUENCE notice_number INCREMENT BY 1000;

CREATE TABLE incident (
    id          bigint PRIMARY KEY,
    data        jsonb  NOT NULL,
    public_id   text   NOT NULL GENERATED ALWAYS AS (data ->> 'public_id') STORED,
    fingerprint text   NOT NULL GENERATED ALWAYS AS (data ->> 'fingerprint') STORED,
    about       text            GENERATED ALWAYS AS (data ->> 'about') STORED,
    closed_at   bigint          GENERATED ALWAYS AS ((data ->> 'closed_at')::bigint) STORED
);

CREATE UNIQUE INDEX incident_open ON incident (fingerprint) WHERE closed_at IS NULL;
CREATE INDEX incident_fingerprint ON incident (fingerprint, id);
CREATE INDEX incident_public_id ON incident (public_id);
CREATE INDEX incident_over ON incident (closed_at) WHERE closed_at IS NOT NULL;

-- How many events one instance counted of an incident: only ever more, so what is handed
-- over twice is there once.
CREATE TABLE share (
    incident_id bigint NOT NULL REFERENCES incident (id) ON DELETE CASCADE,
    store       uuid   NOT NULL,
    -- Its number in that store; below zero for what the fleet itself counts.
    local_id    bigint NOT NULL,
    count       bigint NOT NULL CHECK (count >= 0),
    first_at    bigint NOT NULL,
    last_at     bigint NOT NULL,
    -- When there were how many, and what that instance told while the fleet was out of reach.
    data        jsonb  NOT NULL,
    PRIMARY KEY (incident_id, store, local_id)
) WITH (fillfactor = 70);

CREATE INDEX share_own ON share (store, local_id);

CREATE TABLE first_event (
    incident_id bigint PRIMARY KEY REFERENCES incident (id) ON DELETE CASCADE,
    data        jsonb  NOT NULL
);

CREATE TABLE latest_event (
    incident_id bigint PRIMARY KEY REFERENCES incident (id) ON DELETE CASCADE,
    data        jsonb  NOT NULL
);

-- How the messages of a callsite are grouped, for all instances; its key is JSON.
CREATE TABLE learned (
    callsite    text   PRIMARY KEY,
    data        jsonb  NOT NULL,
    incident_id bigint NOT NULL GENERATED ALWAYS AS ((data ->> 'incident')::bigint) STORED
        REFERENCES incident (id) ON DELETE CASCADE
);

CREATE INDEX learned_incident ON learned (incident_id);

CREATE TABLE standing (
    incident_id bigint NOT NULL REFERENCES incident (id) ON DELETE CASCADE,
    sink        text   NOT NULL,
    recipient   text   NOT NULL,
    data        jsonb  NOT NULL,
    reported    bigint NOT NULL GENERATED ALWAYS AS ((data ->> 'reported')::bigint) STORED,
    told_at     bigint          GENERATED ALWAYS AS ((data ->> 'told_at')::bigint) STORED,
    is_back     boolean         GENERATED ALWAYS AS ((data ->> 'is_back')::boolean) STORED,
    due_at      bigint          GENERATED ALWAYS AS ((data ->> 'due_at')::bigint) STORED,
    -- When it is decided anew once there are more events.
    again_at    bigint          GENERATED ALWAYS AS ((data ->> 'again_at')::bigint) STORED,
    PRIMARY KEY (incident_id, sink, recipient)
) WITH (fillfactor = 70);

CREATE INDEX standing_due ON standing (sink, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX standing_whose ON standing (sink, recipient) WHERE due_at IS NOT NULL;
CREATE INDEX standing_again ON standing (sink, recipient, again_at) WHERE again_at IS NOT NULL;

-- Whoever decides what a recipient is told locks this row.
CREATE TABLE account (
    sink          text    NOT NULL,
    recipient     text    NOT NULL,
    data          jsonb   NOT NULL,
    -- When a sweep first found no instance whose settings name them, and whether they are told
    -- nothing since, although something may go on: it is made up for when they are named again.
    unnamed_since bigint,
    is_forgotten  boolean NOT NULL DEFAULT false,
    PRIMARY KEY (sink, recipient)
) WITH (fillfactor = 70);

-- What each local store sent alone, as it said last, and when that was.
CREATE TABLE sent_alone (
    store     uuid   NOT NULL,
    sink      text   NOT NULL,
    recipient text   NOT NULL,
    at        bigint NOT NULL,
    data      jsonb  NOT NULL,
    PRIMARY KEY (store, sink, recipient)
);

CREATE TABLE notice (
    id        bigint PRIMARY KEY,
    data      jsonb  NOT NULL,
    public_id text   NOT NULL GENERATED ALWAYS AS (data ->> 'public_id') STORED
);

CREATE INDEX notice_public_id ON notice (public_id);

CREATE TABLE item (
    notice_id   bigint NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    incident_id bigint NOT NULL REFERENCES incident (id) ON DELETE CASCADE,
    data        jsonb  NOT NULL,
    PRIMARY KEY (notice_id, incident_id)
);

CREATE INDEX item_incident ON item (incident_id);

CREATE TABLE delivery (
    key        uuid   PRIMARY KEY,
    data       jsonb  NOT NULL,
    notice_id  bigint NOT NULL GENERATED ALWAYS AS ((data ->> 'notice_id')::bigint) STORED
        REFERENCES notice (id) ON DELETE CASCADE,
    sink       text   NOT NULL GENERATED ALWAYS AS (data -> 'recipient' ->> 0) STORED,
    recipient  text   NOT NULL GENERATED ALWAYS AS (data -> 'recipient' ->> 1) STORED,
    state      text   NOT NULL GENERATED ALWAYS AS (data ->> 'state') STORED
        CHECK (state IN ('pending', 'delivered', 'dead')),
    due_at     bigint NOT NULL GENERATED ALWAYS AS ((data ->> 'due_at')::bigint) STORED,
    settled_at bigint          GENERATED ALWAYS AS ((data ->> 'settled_at')::bigint) STORED,
    ask_at     bigint          GENERATED ALWAYS AS ((data ->> 'ask_at')::bigint) STORED,
    CHECK ((state = 'pending') = (settled_at IS NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

CREATE INDEX delivery_notice ON delivery (notice_id);
CREATE INDEX delivery_due ON delivery (sink, due_at) WHERE state = 'pending';
CREATE INDEX delivery_pending ON delivery (sink, recipient) WHERE state = 'pending';
CREATE INDEX delivery_asking ON delivery (sink, ask_at) WHERE ask_at IS NOT NULL;
CREATE INDEX delivery_over ON delivery (settled_at) WHERE settled_at IS NOT NULL;

CREATE TABLE refusal (
    sink      text   NOT NULL,
    recipient text   NOT NULL,
    data      jsonb  NOT NULL,
    since     bigint NOT NULL GENERATED ALWAYS AS ((data ->> 'since')::bigint) STORED,
    PRIMARY KEY (sink, recipient)
);

CREATE TABLE dead_told (
    sink          text   PRIMARY KEY,
    data          jsonb  NOT NULL,
    count         bigint NOT NULL GENERATED ALWAYS AS ((data ->> 'count')::bigint) STORED,
    failing_since bigint GENERATED ALWAYS AS ((data ->> 'failing_since')::bigint) STORED
);

CREATE TABLE silence (
    key   uuid   PRIMARY KEY,
    data  jsonb  NOT NULL,
    until bigint NOT NULL GENERATED ALWAYS AS ((data ->> 'until')::bigint) STORED
);

-- In which instances the events of these incidents happened, if there is more than one.
CREATE FUNCTION spreads(ids bigint[]) RETURNS TABLE (incident_id bigint, data jsonb) LANGUAGE sql STABLE AS $$
    WITH own AS MATERIALIZED (
        SELECT share.incident_id, store, share.first_at, share.count, instance.host, instance.version
          FROM share LEFT JOIN instance USING (store)
         WHERE share.incident_id = ANY (ids) AND local_id > 0),
      sums AS (
        SELECT own.incident_id, count(DISTINCT store) AS instances, count(DISTINCT host) AS hosts
          FROM own GROUP BY 1),
      versions AS (
        SELECT v.incident_id, jsonb_agg(jsonb_build_array(version, n) ORDER BY place) AS data
          FROM (SELECT own.incident_id, version, sum(count)::bigint AS n,
                       row_number() OVER (PARTITION BY own.incident_id ORDER BY min(first_at), version) AS place
                  FROM own WHERE version IS NOT NULL GROUP BY 1, 2) v
         WHERE place <= 4 GROUP BY 1),
      hosts AS (
        SELECT h.incident_id, jsonb_agg(jsonb_build_array(host, n) ORDER BY place) AS data
          FROM (SELECT own.incident_id, host, sum(count)::bigint AS n,
                       row_number() OVER (PARTITION BY own.incident_id ORDER BY sum(count) DESC, host) AS place
                  FROM own WHERE host IS NOT NULL GROUP BY 1, 2) h
         WHERE place <= 4 GROUP BY 1),
      alive AS (
        SELECT count(*) AS n FROM instance WHERE seen_until > extract(epoch FROM clock_timestamp()) * 1000)
    SELECT sums.incident_id,
           jsonb_build_object('instances', sums.instances,
                              'of', greatest(sums.instances, alive.n),
                              'versions', coalesce(versions.data, '[]'),
                              'hosts', coalesce(hosts.data, '[]'),
                              'hosts_in_all', sums.hosts)
      FROM sums CROSS JOIN alive
      LEFT JOIN versions ON versions.incident_id = sums.incident_id
      LEFT JOIN hosts ON hosts.incident_id = sums.incident_id
     WHERE greatest(sums.instances, alive.n) > 1
$$;

-- What these incidents say once what all instances counted is added up. For many at once,
-- every table is read once.
CREATE FUNCTION incidents_now(ids bigint[]) RETURNS TABLE (id bigint, data jsonb) LANGUAGE sql STABLE AS $$
    WITH own AS MATERIALIZED (SELECT * FROM share WHERE share.incident_id = ANY (ids)),
      sums AS (SELECT incident_id, sum(count)::bigint AS count, max(last_at) AS last_at FROM own GROUP BY 1),
      reports AS (
        SELECT incident_id, max(reported) AS reported FROM standing WHERE incident_id = ANY (ids) GROUP BY 1),
      paces AS (
        SELECT p.incident_id, jsonb_object_agg(step, n)::text AS pace
          FROM (SELECT own.incident_id, step.key AS step, sum(step.value::bigint) AS n
                  FROM own, jsonb_each_text(own.data -> 'pace') step GROUP BY 1, 2) p GROUP BY 1),
      recents AS (
        SELECT r.incident_id, jsonb_agg(jsonb_build_array(day, n) ORDER BY day) AS recent
          FROM (SELECT own.incident_id, (entry ->> 0)::bigint AS day, sum((entry ->> 1)::bigint) AS n
                  FROM own, jsonb_array_elements(own.data -> 'recent') entry GROUP BY 1, 2) r GROUP BY 1)
    SELECT incident.id,
           incident.data || jsonb_build_object(
               'count', coalesce(sums.count, 0),
               'last_at', greatest(sums.last_at, (incident.data ->> 'last_at')::bigint),
               'reported', coalesce(reports.reported, 0),
               'pace', coalesce(paces.pace, '{}'),
               'recent', coalesce(recents.recent, '[]'),
               'spread', spreads.data)
      FROM incident
      LEFT JOIN sums ON sums.incident_id = incident.id
      LEFT JOIN reports ON reports.incident_id = incident.id
      LEFT JOIN paces ON paces.incident_id = incident.id
      LEFT JOIN recents ON recents.incident_id = incident.id
      LEFT JOIN spreads(ids) ON spreads.incident_id = incident.id
     WHERE incident.id = ANY (ids)
$$;

-- The same without when and where it was, which takes the most time.
CREATE FUNCTION incidents_counted(ids bigint[]) RETURNS TABLE (id bigint, data jsonb) LANGUAGE sql STABLE AS $$
    WITH sums AS (
        SELECT incident_id, sum(share.count)::bigint AS count, max(last_at) AS last_at
          FROM share WHERE incident_id = ANY (ids) GROUP BY 1),
      reports AS (
        SELECT incident_id, max(reported) AS reported FROM standing WHERE incident_id = ANY (ids) GROUP BY 1)
    SELECT incident.id,
           incident.data || jsonb_build_object(
               'count', coalesce(sums.count, 0),
               'last_at', greatest(sums.last_at, (incident.data ->> 'last_at')::bigint),
               'reported', coalesce(reports.reported, 0))
      FROM incident
      LEFT JOIN sums ON sums.incident_id = incident.id
      LEFT JOIN reports ON reports.incident_id = incident.id
     WHERE incident.id = ANY (ids)
$$;

-- For people who ask.
CREATE VIEW incident_now AS SELECT * FROM incidents_now(ARRAY(SELECT id FROM incident));
CREATE VIEW spread AS SELECT * FROM spreads(ARRAY(SELECT id FROM incident));

-- What the instances of a program share. As in a file, each table has the key of a row and,
-- in `data`, what the row says: the fields of a struct of `src/outbox/page/rows.rs`. What
-- statements ask about is a generated column. Times are milliseconds since the Unix epoch,
-- by the clock of this server.

-- The one program that this schema is of, and which versions may write to it.
CREATE TABLE meta (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
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
    -- It is counted until then, if it does not look again.
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
    -- Its number in that store; zero for what the fleet itself counts.
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

-- Whoever decides what a recipient is told locks this row.
CREATE TABLE account (
    sink      text  NOT NULL,
    recipient text  NOT NULL,
    data      jsonb NOT NULL,
    PRIMARY KEY (sink, recipient)
) WITH (fillfactor = 70);

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

-- What an incident says once what all instances counted is added up.
CREATE VIEW incident_now (id, data) AS
SELECT i.id,
       i.data || jsonb_build_object(
           'count', coalesce(sums.count, 0),
           'last_at', greatest(sums.last_at, (i.data ->> 'last_at')::bigint),
           'reported', coalesce((SELECT max(s.reported) FROM standing s WHERE s.incident_id = i.id), 0),
           'pace', coalesce((SELECT jsonb_object_agg(step, n)::text
                               FROM (SELECT p.key AS step, sum(p.value::bigint) AS n
                                       FROM share, jsonb_each_text(share.data -> 'pace') p
                                      WHERE share.incident_id = i.id GROUP BY p.key) paces), '{}')::text,
           'recent', coalesce((SELECT jsonb_agg(jsonb_build_array(day, n) ORDER BY day)
                                 FROM (SELECT r.value -> 0 AS day, sum((r.value ->> 1)::bigint) AS n
                                         FROM share, jsonb_array_elements(share.data -> 'recent') r
                                        WHERE share.incident_id = i.id GROUP BY 1) days), '[]'))
  FROM incident i
 CROSS JOIN LATERAL (SELECT sum(share.count)::bigint AS count, max(share.last_at) AS last_at
                       FROM share WHERE share.incident_id = i.id) sums;

-- Where the events of an incident happened.
CREATE VIEW spread (incident_id, data) AS
SELECT i.id,
       jsonb_build_object(
           'instances', (SELECT count(DISTINCT store) FROM share WHERE share.incident_id = i.id),
           'versions', coalesce((SELECT jsonb_agg(jsonb_build_array(version, n) ORDER BY first_at)
                                   FROM (SELECT instance.version, sum(count)::bigint AS n, min(first_at) AS first_at
                                           FROM share JOIN instance USING (store)
                                          WHERE share.incident_id = i.id AND instance.version IS NOT NULL
                                          GROUP BY 1 ORDER BY 3 LIMIT 4) v), '[]'),
           'hosts', coalesce((SELECT jsonb_agg(jsonb_build_array(host, n) ORDER BY n DESC, host)
                                FROM (SELECT instance.host, sum(count)::bigint AS n
                                        FROM share JOIN instance USING (store)
                                       WHERE share.incident_id = i.id AND instance.host IS NOT NULL
                                       GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 4) h), '[]'))
  FROM incident i;

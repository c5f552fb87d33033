-- Times are milliseconds since the Unix epoch. Levels are 1 (ERROR) to 5 (TRACE).

-- The group of events with one fingerprint: open until `closed_at`.
CREATE TABLE incident (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    public_id   TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL,
    level       INTEGER NOT NULL CHECK (level BETWEEN 1 AND 5),
    -- NULL for events; else what it counts: 'overflow', 'dead', 'loss:<reason>'
    -- or 'crash_loop'.
    about       TEXT,
    -- The run of the process that opened it, and its facts.
    run         BLOB    NOT NULL CHECK (length(run) = 16),
    process     TEXT    NOT NULL,
    -- Whether its fingerprint was never seen before.
    is_new      INTEGER NOT NULL CHECK (is_new IN (0, 1)),
    count       INTEGER NOT NULL CHECK (count > 0),
    -- How many of these one recipient was delivered: the one who was most.
    reported    INTEGER NOT NULL DEFAULT 0 CHECK (reported >= 0),
    opened_at   INTEGER NOT NULL,
    last_at     INTEGER NOT NULL,
    closed_at   INTEGER,
    -- How many there were in each five minutes of the last hour, like
    -- {"5984588": 37}: by their number since the epoch.
    pace        TEXT    NOT NULL DEFAULT '{}',
    -- The first of its events, and the last one that is known.
    payload     TEXT,
    latest      TEXT
) STRICT;

CREATE UNIQUE INDEX incident_open ON incident (fingerprint) WHERE closed_at IS NULL;
CREATE INDEX incident_fingerprint ON incident (fingerprint);
CREATE INDEX incident_public_id ON incident (public_id);
-- With all that it takes to count events: the rows have payloads.
CREATE INDEX incident_ended ON incident (closed_at, last_at, about, count, reported);

-- What one recipient knows of an incident: `told` of its events are in notices, and
-- `reported` of them in some that were delivered. At `due_at` it is decided anew what there is to tell; NULL once that is all.
CREATE TABLE standing (
    incident_id INTEGER NOT NULL REFERENCES incident (id) ON DELETE CASCADE,
    sink        TEXT    NOT NULL,
    recipient   TEXT    NOT NULL,
    told        INTEGER NOT NULL DEFAULT 0 CHECK (told >= 0),
    reported    INTEGER NOT NULL DEFAULT 0 CHECK (reported >= 0),
    told_at     INTEGER,
    tellings    INTEGER NOT NULL DEFAULT 0 CHECK (tellings >= 0),
    -- Not told sooner: it was silenced.
    not_before  INTEGER,
    due_at      INTEGER,
    PRIMARY KEY (incident_id, sink, recipient)
) STRICT, WITHOUT ROWID;

CREATE INDEX standing_due ON standing (sink, due_at) WHERE due_at IS NOT NULL;

-- What a recipient heard through a sink and may still be sent: `full_at` is when
-- his budget's bucket is full again, `today` counts his messages on `day`. The
-- row of recipient '' counts what the sink may still cost, in segments.
CREATE TABLE account (
    sink      TEXT    NOT NULL,
    recipient TEXT    NOT NULL,
    heard_at  INTEGER,
    full_at   INTEGER,
    day       INTEGER NOT NULL DEFAULT 0,
    today     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (sink, recipient)
) STRICT, WITHOUT ROWID;

-- The decision to tell somebody something: one message.
CREATE TABLE notice (
    id        INTEGER PRIMARY KEY,
    public_id TEXT    NOT NULL,
    run       BLOB    NOT NULL CHECK (length(run) = 16),
    kind      TEXT    NOT NULL
        CHECK (kind IN ('first', 'digest', 'update', 'reminder', 'quiet', 'health')),
    process   TEXT    NOT NULL,
    made_at   INTEGER NOT NULL,
    -- Whether it has to say that the day's budget is spent.
    is_last   INTEGER NOT NULL DEFAULT 0 CHECK (is_last IN (0, 1))
) STRICT;

-- What a notice tells of an incident: `count` events that were in none before,
-- of `total` so far.
CREATE TABLE item (
    notice_id   INTEGER NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    incident_id INTEGER NOT NULL REFERENCES incident (id),
    reason      TEXT    NOT NULL CHECK (reason IN ('first', 'update', 'reminder', 'quiet')),
    -- How often the recipient was told of it before.
    tellings    INTEGER NOT NULL,
    count       INTEGER NOT NULL CHECK (count >= 0),
    total       INTEGER NOT NULL,
    last_at     INTEGER NOT NULL,
    pace        TEXT    NOT NULL DEFAULT '{}',
    PRIMARY KEY (notice_id, incident_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX item_incident ON item (incident_id);
CREATE INDEX notice_public_id ON notice (public_id);

-- One notice to one recipient through one sink: the unit of retry. `due_at` is
-- both the next attempt and the end of the lease, so a retry is a pending row
-- with a later `due_at`, and a killed process's claim comes due by itself.
-- `claims` counts claims: an answer that comes after the next claim is refused.
-- `doubtful` counts the attempts that may have reached somebody, the one under
-- way included: a claim adds one, and an answer that leaves no doubt takes it back.
-- While it is zero the message has not left: what else is to be told joins it.
CREATE TABLE delivery (
    id         INTEGER PRIMARY KEY,
    key        BLOB    NOT NULL UNIQUE CHECK (length(key) = 16),
    notice_id  INTEGER NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    sink       TEXT    NOT NULL,
    recipient  TEXT    NOT NULL,
    state      TEXT    NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'delivered', 'dead')),
    due_at     INTEGER NOT NULL,
    attempt    INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    claims     INTEGER NOT NULL DEFAULT 0 CHECK (claims >= attempt),
    doubtful   INTEGER NOT NULL DEFAULT 0 CHECK (doubtful BETWEEN 0 AND claims),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    settled_at INTEGER,
    -- Whether a notice tells, or told, that it is dead.
    told       INTEGER NOT NULL DEFAULT 0 CHECK (told IN (0, 1)),
    reference  TEXT,
    last_error TEXT,
    UNIQUE (notice_id, sink, recipient),
    CHECK ((state = 'pending') = (settled_at IS NULL))
) STRICT;

-- A recipient that the provider refused for good: for a day nothing is attempted.
CREATE TABLE refusal (
    sink      TEXT    NOT NULL,
    recipient TEXT    NOT NULL,
    since     INTEGER NOT NULL,
    PRIMARY KEY (sink, recipient)
) STRICT, WITHOUT ROWID;

-- When somebody was told last that deliveries through a sink are dead; and of
-- those that died in another store and that nobody was told of, `count` and the
-- last one.
CREATE TABLE dead_told (
    sink      TEXT    NOT NULL PRIMARY KEY,
    told_at   INTEGER,
    count     INTEGER NOT NULL DEFAULT 0 CHECK (count >= 0),
    recipient TEXT    NOT NULL DEFAULT '',
    public_id TEXT    NOT NULL DEFAULT '',
    reason    TEXT    NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE INDEX delivery_pending ON delivery (sink, recipient) WHERE state = 'pending';
CREATE INDEX delivery_due ON delivery (sink, due_at) WHERE state = 'pending';
CREATE INDEX delivery_untold ON delivery (sink) WHERE state = 'dead' AND told = 0;
CREATE INDEX delivery_settled ON delivery (settled_at) WHERE state <> 'pending';

-- The program's starts of the last minutes, to notice that it starts again and
-- again. The row of a run that ended well, and alerted nobody, is gone.
CREATE TABLE start (
    -- The first one of the process: each layer has one.
    run        BLOB    NOT NULL PRIMARY KEY CHECK (length(run) = 16),
    host       TEXT    NOT NULL,
    pid        INTEGER NOT NULL CHECK (pid > 0),
    started_at INTEGER NOT NULL,
    -- When it ended by itself. Else it runs, or was killed.
    ended_at   INTEGER
) STRICT, WITHOUT ROWID;

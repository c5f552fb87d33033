-- Times are milliseconds since the Unix epoch. Levels are 1 (ERROR) to 5 (TRACE).
-- What the rows mean, and who changes them how, is in `src/outbox/page/`.

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
    -- How many notices tell of it; the triggers below count them.
    items       INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE UNIQUE INDEX incident_open ON incident (fingerprint) WHERE closed_at IS NULL;
CREATE INDEX incident_fingerprint ON incident (fingerprint);
CREATE INDEX incident_public_id ON incident (public_id);
CREATE INDEX incident_ending ON incident (last_at, about) WHERE closed_at IS NULL;
CREATE INDEX incident_over ON incident (closed_at) WHERE closed_at IS NOT NULL AND items = 0;

-- The first of an incident's events, and the latest one that is known in full, if
-- that is another. Apart, so that no decision has to load them.
CREATE TABLE first_event (
    incident_id INTEGER PRIMARY KEY REFERENCES incident (id) ON DELETE CASCADE,
    payload     TEXT NOT NULL
) STRICT;

CREATE TABLE latest_event (
    incident_id INTEGER PRIMARY KEY REFERENCES incident (id) ON DELETE CASCADE,
    payload     TEXT NOT NULL
) STRICT;

-- How the messages of a callsite are grouped: it goes with the last incident that the
-- callsite opened.
CREATE TABLE learned (
    callsite    BLOB    NOT NULL PRIMARY KEY CHECK (length(callsite) = 16),
    incident_id INTEGER NOT NULL REFERENCES incident (id) ON DELETE CASCADE,
    map         TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX learned_incident ON learned (incident_id);

-- What one recipient knows of an incident: `told` of its events are in notices, and
-- `reported` of them in some that were delivered. At `due_at` it is decided anew what
-- there is to tell; NULL once that is all.
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
-- the budget's bucket is full again, `today` counts the messages on `day`. The
-- row of recipient '' is the sink's own: its `today` is what the sink's messages cost on
-- `day`, in segments.
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

CREATE INDEX notice_public_id ON notice (public_id);

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

CREATE TRIGGER item_added AFTER INSERT ON item BEGIN
    UPDATE incident SET items = items + 1 WHERE id = new.incident_id;
END;

CREATE TRIGGER item_deleted AFTER DELETE ON item BEGIN
    UPDATE incident SET items = items - 1 WHERE id = old.incident_id;
END;

-- One notice to one recipient through one sink: the unit of retry. `due_at` is
-- both the next attempt and the end of the lease, so a retry is a pending row
-- with a later `due_at`, and a killed process's claim comes due by itself.
-- `claims` counts claims, and is the fencing token: an answer that comes after the
-- next claim is refused; `answered` is the last claim whose answer was taken.
-- `doubtful` counts the attempts that may have reached somebody, the one under way
-- included: a claim adds one, and an answer that leaves no doubt takes it back.
-- While it is zero the message has not left: what else is to be told joins it.
CREATE TABLE delivery (
    id         INTEGER PRIMARY KEY,
    key        BLOB    NOT NULL UNIQUE CHECK (length(key) = 16),
    notice_id  INTEGER NOT NULL UNIQUE REFERENCES notice (id) ON DELETE CASCADE,
    sink       TEXT    NOT NULL,
    recipient  TEXT    NOT NULL,
    state      TEXT    NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'delivered', 'dead')),
    due_at     INTEGER NOT NULL,
    attempt    INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    claims     INTEGER NOT NULL DEFAULT 0 CHECK (claims >= attempt),
    answered   INTEGER NOT NULL DEFAULT 0 CHECK (answered BETWEEN 0 AND claims),
    doubtful   INTEGER NOT NULL DEFAULT 0 CHECK (doubtful BETWEEN 0 AND claims),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    settled_at INTEGER,
    reference  TEXT,
    last_error TEXT,
    CHECK ((state = 'pending') = (settled_at IS NULL))
) STRICT;

CREATE INDEX delivery_pending ON delivery (sink, recipient, doubtful) WHERE state = 'pending';
CREATE INDEX delivery_due ON delivery (sink, due_at) WHERE state = 'pending';

-- A recipient that the provider refused for good: for a day nothing is attempted.
CREATE TABLE refusal (
    sink      TEXT    NOT NULL,
    recipient TEXT    NOT NULL,
    since     INTEGER NOT NULL,
    PRIMARY KEY (sink, recipient)
) STRICT, WITHOUT ROWID;

-- When somebody was told last that deliveries through a sink are dead; of how many
-- nobody was told since, and the last of these.
CREATE TABLE dead_told (
    sink      TEXT    NOT NULL PRIMARY KEY,
    told_at   INTEGER,
    count     INTEGER NOT NULL DEFAULT 0 CHECK (count >= 0),
    recipient TEXT    NOT NULL DEFAULT '',
    public_id TEXT    NOT NULL DEFAULT '',
    reason    TEXT    NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

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

-- How many events all incidents have, and how many of them were reported: counted
-- by triggers, as to sum them up would take longer with each incident.
CREATE TABLE total (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    committed INTEGER NOT NULL,
    reported  INTEGER NOT NULL
) STRICT;

INSERT INTO total (id, committed, reported) VALUES (1, 0, 0);

CREATE TRIGGER incident_added AFTER INSERT ON incident
 WHEN new.about IS NULL OR new.about = 'overflow' BEGIN
    UPDATE total SET committed = committed + new.count, reported = reported + new.reported;
END;

CREATE TRIGGER incident_changed AFTER UPDATE OF count, reported ON incident
 WHEN new.about IS NULL OR new.about = 'overflow' BEGIN
    UPDATE total SET committed = committed + new.count - old.count, reported = reported + new.reported - old.reported;
END;

CREATE TRIGGER incident_deleted AFTER DELETE ON incident
 WHEN old.about IS NULL OR old.about = 'overflow' BEGIN
    UPDATE total SET committed = committed - old.count, reported = reported - old.reported;
END;

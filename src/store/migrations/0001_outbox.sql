-- Times are milliseconds since the Unix epoch. Levels are 1 (ERROR) to 5 (TRACE).

-- The decision to tell people something. Events join it until `closes_at`, or
-- until its first delivery is claimed, whichever comes first.
CREATE TABLE notice (
    id         INTEGER PRIMARY KEY,
    public_id  TEXT    NOT NULL,
    run        BLOB    NOT NULL CHECK (length(run) = 16),
    kind       TEXT    NOT NULL CHECK (kind IN ('first', 'digest', 'reminder', 'quiet', 'health')),
    -- The sink whose dead deliveries it tells of.
    about      TEXT CHECK (about IS NULL OR kind = 'health'),
    process    TEXT    NOT NULL,
    opened_at  INTEGER NOT NULL,
    closes_at  INTEGER NOT NULL
) STRICT;

-- One row per different event of a notice. `payload` is the first of them; it
-- is NULL in the one row per level that only counts what was not kept.
CREATE TABLE event (
    id          INTEGER PRIMARY KEY,
    notice_id   INTEGER NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    fingerprint BLOB    NOT NULL,
    level       INTEGER NOT NULL CHECK (level BETWEEN 1 AND 5),
    count       INTEGER NOT NULL CHECK (count > 0),
    first_at    INTEGER NOT NULL,
    last_at     INTEGER NOT NULL,
    payload     TEXT,
    UNIQUE (notice_id, fingerprint)
) STRICT;

-- Events that could not be captured, and that this notice tells of.
CREATE TABLE loss (
    notice_id INTEGER NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    reason    TEXT    NOT NULL,
    count     INTEGER NOT NULL CHECK (count > 0),
    PRIMARY KEY (notice_id, reason)
) STRICT, WITHOUT ROWID;

-- One notice to one recipient through one sink: the unit of retry. `due_at` is
-- both the next attempt and the end of the lease, so a retry is a pending row
-- with a later `due_at`, and a killed process's claim comes due by itself.
-- `claims` counts claims: an answer that comes after the next claim is refused.
-- `doubtful` counts the attempts that may have reached somebody, the one under
-- way included: a claim adds one, and an answer that leaves no doubt takes it back.
CREATE TABLE delivery (
    id         INTEGER PRIMARY KEY,
    key        BLOB    NOT NULL UNIQUE CHECK (length(key) = 16),
    notice_id  INTEGER NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    sink       TEXT    NOT NULL,
    recipient  TEXT    NOT NULL,
    level      INTEGER NOT NULL CHECK (level BETWEEN 1 AND 5),
    state      TEXT    NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'delivered', 'dead', 'superseded')),
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

CREATE INDEX delivery_due ON delivery (sink, due_at) WHERE state = 'pending';
CREATE INDEX delivery_untold ON delivery (sink) WHERE state = 'dead' AND told = 0;
CREATE INDEX delivery_settled ON delivery (settled_at) WHERE state <> 'pending';

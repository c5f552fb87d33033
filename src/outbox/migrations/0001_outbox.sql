-- Each table has the key of a row and, in `data`, what the row says: the fields of a
-- struct of `src/outbox/page/rows.rs` as JSON, where also stands what they mean. What
-- statements ask about is a generated column, so it is written nowhere else. The VIRTUAL
-- ones are for people who ask.
-- Times are milliseconds since the Unix epoch.

-- The group of events with one fingerprint: open until `closed_at`, and again if it comes
-- back within a week.
CREATE TABLE incident (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    data        TEXT    NOT NULL,
    -- How many notices tell of it; the triggers below count them.
    items       INTEGER NOT NULL DEFAULT 0,
    public_id   TEXT    NOT NULL GENERATED ALWAYS AS (data ->> 'public_id') STORED,
    fingerprint TEXT    NOT NULL GENERATED ALWAYS AS (data ->> 'fingerprint') STORED,
    -- NULL for events; else what it counts: 'overflow', 'dead', 'loss:<reason>'
    -- or 'crash_loop'.
    about       TEXT             GENERATED ALWAYS AS (data ->> 'about') STORED,
    level       TEXT    NOT NULL GENERATED ALWAYS AS (data ->> 'level') STORED,
    run         TEXT    NOT NULL GENERATED ALWAYS AS (data ->> 'run') STORED,
    count       INTEGER NOT NULL GENERATED ALWAYS AS (data ->> 'count') STORED CHECK (count > 0),
    reported    INTEGER NOT NULL GENERATED ALWAYS AS (data ->> 'reported') STORED CHECK (reported >= 0),
    opened_at   INTEGER NOT NULL GENERATED ALWAYS AS (data ->> 'opened_at') STORED,
    last_at     INTEGER NOT NULL GENERATED ALWAYS AS (data ->> 'last_at') STORED,
    closed_at   INTEGER          GENERATED ALWAYS AS (data ->> 'closed_at') STORED,
    -- 1 if the fleet, where there is one, is to be told more of it.
    to_share    INTEGER          GENERATED ALWAYS AS (data ->> '$.shared.is_due') STORED
) STRICT;

CREATE UNIQUE INDEX incident_open ON incident (fingerprint) WHERE closed_at IS NULL;
CREATE INDEX incident_fingerprint ON incident (fingerprint);
CREATE INDEX incident_public_id ON incident (public_id);
-- With what it takes to count the open ones.
CREATE INDEX incident_ending ON incident (last_at, about, closed_at) WHERE closed_at IS NULL;
CREATE INDEX incident_to_share ON incident (id) WHERE to_share;
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
    callsite    TEXT    NOT NULL PRIMARY KEY,
    data        TEXT    NOT NULL,
    incident_id INTEGER NOT NULL GENERATED ALWAYS AS (data ->> 'incident') STORED
        REFERENCES incident (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX learned_incident ON learned (incident_id);

-- What one recipient knows of an incident.
CREATE TABLE standing (
    incident_id INTEGER NOT NULL REFERENCES incident (id) ON DELETE CASCADE,
    sink        TEXT    NOT NULL,
    recipient   TEXT    NOT NULL,
    data        TEXT    NOT NULL,
    told        INTEGER NOT NULL GENERATED ALWAYS AS (data ->> 'told') STORED CHECK (told >= 0),
    reported    INTEGER NOT NULL GENERATED ALWAYS AS (data ->> 'reported') STORED CHECK (reported >= 0),
    told_at     INTEGER          GENERATED ALWAYS AS (data ->> 'told_at') STORED,
    -- 1 if it came back and nobody was told.
    is_back     INTEGER          GENERATED ALWAYS AS (data ->> 'is_back') STORED,
    not_before  INTEGER          GENERATED ALWAYS AS (data ->> 'not_before') STORED,
    due_at      INTEGER          GENERATED ALWAYS AS (data ->> 'due_at') STORED,
    PRIMARY KEY (incident_id, sink, recipient)
) STRICT, WITHOUT ROWID;

CREATE INDEX standing_due ON standing (sink, due_at) WHERE due_at IS NOT NULL;

-- What a recipient heard through a sink and may still be sent. The row of recipient ''
-- is the sink's own: it counts segments.
CREATE TABLE account (
    sink      TEXT NOT NULL,
    recipient TEXT NOT NULL,
    data      TEXT NOT NULL,
    heard_at  INTEGER GENERATED ALWAYS AS (data ->> 'heard_at') STORED,
    PRIMARY KEY (sink, recipient)
) STRICT, WITHOUT ROWID;

-- The decision to tell somebody something: one message.
CREATE TABLE notice (
    id        INTEGER PRIMARY KEY,
    data      TEXT    NOT NULL,
    public_id TEXT    NOT NULL GENERATED ALWAYS AS (data ->> 'public_id') STORED,
    run       TEXT    NOT NULL GENERATED ALWAYS AS (data ->> 'run') STORED,
    kind      TEXT    NOT NULL GENERATED ALWAYS AS (data ->> 'kind') STORED
        CHECK (kind IN ('first', 'digest', 'again', 'update', 'reminder', 'quiet', 'health')),
    made_at   INTEGER NOT NULL GENERATED ALWAYS AS (data ->> 'made_at') STORED
) STRICT;

CREATE INDEX notice_public_id ON notice (public_id);

-- What a notice tells of an incident.
CREATE TABLE item (
    notice_id   INTEGER NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    incident_id INTEGER NOT NULL REFERENCES incident (id),
    data        TEXT    NOT NULL,
    count       INTEGER NOT NULL GENERATED ALWAYS AS (data ->> 'count') STORED CHECK (count >= 0),
    total       INTEGER          GENERATED ALWAYS AS (data ->> 'total') VIRTUAL,
    last_at     INTEGER          GENERATED ALWAYS AS (data ->> 'last_at') VIRTUAL,
    PRIMARY KEY (notice_id, incident_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX item_incident ON item (incident_id);

CREATE TRIGGER item_added AFTER INSERT ON item BEGIN
    UPDATE incident SET items = items + 1 WHERE id = new.incident_id;
END;

CREATE TRIGGER item_deleted AFTER DELETE ON item BEGIN
    UPDATE incident SET items = items - 1 WHERE id = old.incident_id;
END;

-- One notice to one recipient through one sink: the unit of retry.
CREATE TABLE delivery (
    id         INTEGER PRIMARY KEY,
    key        TEXT    NOT NULL UNIQUE CHECK (length(key) = 36),
    data       TEXT    NOT NULL,
    notice_id  INTEGER NOT NULL GENERATED ALWAYS AS (data ->> 'notice_id') STORED
        UNIQUE REFERENCES notice (id) ON DELETE CASCADE,
    sink       TEXT    NOT NULL GENERATED ALWAYS AS (data ->> '$.recipient[0]') STORED,
    recipient  TEXT    NOT NULL GENERATED ALWAYS AS (data ->> '$.recipient[1]') STORED,
    state      TEXT    NOT NULL GENERATED ALWAYS AS (data ->> 'state') STORED
        CHECK (state IN ('pending', 'delivered', 'dead')),
    due_at     INTEGER NOT NULL GENERATED ALWAYS AS (data ->> 'due_at') STORED,
    attempt    INTEGER NOT NULL GENERATED ALWAYS AS (data ->> 'attempt') STORED CHECK (attempt >= 0),
    claims     INTEGER NOT NULL GENERATED ALWAYS AS (data ->> 'claims') STORED CHECK (claims >= attempt),
    doubtful   INTEGER NOT NULL GENERATED ALWAYS AS (data ->> 'doubtful') STORED
        CHECK (doubtful BETWEEN 0 AND claims),
    expires_at INTEGER NOT NULL GENERATED ALWAYS AS (data ->> 'expires_at') STORED,
    settled_at INTEGER          GENERATED ALWAYS AS (data ->> 'settled_at') STORED,
    ask_at     INTEGER          GENERATED ALWAYS AS (data ->> 'ask_at') STORED,
    created_at INTEGER          GENERATED ALWAYS AS (data ->> 'created_at') VIRTUAL,
    -- 'arrived', 'failed' or 'unconfirmed', once that is known.
    fate       TEXT             GENERATED ALWAYS AS (data ->> 'fate') VIRTUAL,
    reference  TEXT             GENERATED ALWAYS AS (data ->> 'reference') VIRTUAL,
    last_error TEXT             GENERATED ALWAYS AS (data ->> 'last_error') VIRTUAL,
    CHECK ((state = 'pending') = (settled_at IS NULL))
) STRICT;

CREATE INDEX delivery_pending ON delivery (sink, recipient, doubtful) WHERE state = 'pending';
CREATE INDEX delivery_due ON delivery (sink, due_at) WHERE state = 'pending';
CREATE INDEX delivery_asking ON delivery (sink, ask_at) WHERE ask_at IS NOT NULL;

-- A recipient that the provider refused for good: for a day nothing is attempted.
CREATE TABLE refusal (
    sink      TEXT    NOT NULL,
    recipient TEXT    NOT NULL,
    data      TEXT    NOT NULL,
    since     INTEGER NOT NULL GENERATED ALWAYS AS (data ->> 'since') STORED,
    PRIMARY KEY (sink, recipient)
) STRICT, WITHOUT ROWID;

-- What is known of a sink's deliveries that ended undelivered; of `count` of them
-- nobody was told. And since when the sink fails, if it does.
CREATE TABLE dead_told (
    sink      TEXT NOT NULL PRIMARY KEY,
    data      TEXT NOT NULL,
    count     INTEGER NOT NULL GENERATED ALWAYS AS (data ->> 'count') STORED CHECK (count >= 0),
    recipient TEXT GENERATED ALWAYS AS (data ->> 'recipient') VIRTUAL,
    public_id TEXT GENERATED ALWAYS AS (data ->> 'public_id') VIRTUAL,
    reason    TEXT GENERATED ALWAYS AS (data ->> 'reason') VIRTUAL,
    failing_since INTEGER GENERATED ALWAYS AS (data ->> 'failing_since') STORED,
    failure   TEXT GENERATED ALWAYS AS (data ->> 'failure') VIRTUAL
) STRICT, WITHOUT ROWID;

-- The program's starts of the last minutes, to notice that it starts again and
-- again. The row of a run that ended well, and alerted nobody, is gone.
CREATE TABLE start (
    -- The first one of the process: each layer has one.
    run  TEXT NOT NULL PRIMARY KEY,
    data TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The last batch of events that a run of a process committed. It may have been told of an
-- error nevertheless, and brings the same one again: then it is there already.
CREATE TABLE batch (
    run  TEXT    NOT NULL PRIMARY KEY,
    data TEXT    NOT NULL,
    at   INTEGER NOT NULL GENERATED ALWAYS AS (data ->> 'at') STORED
) STRICT, WITHOUT ROWID;

CREATE INDEX batch_at ON batch (at);

-- A wish not to hear of some events for a while. Its events are counted in the incident
-- whose fingerprint is its key, without the dashes.
CREATE TABLE silence (
    key       TEXT    NOT NULL PRIMARY KEY,
    data      TEXT    NOT NULL,
    until     INTEGER NOT NULL GENERATED ALWAYS AS (data ->> 'until') STORED,
    public_id TEXT GENERATED ALWAYS AS (data ->> 'public_id') VIRTUAL,
    held      INTEGER GENERATED ALWAYS AS (data ->> 'held') VIRTUAL
) STRICT, WITHOUT ROWID;

CREATE INDEX silence_until ON silence (until);

-- What a turn saves, in one statement: each row goes to its table. It is merged with
-- what is there, so that what only a newer version knows of a row stays.
CREATE VIEW saved (tab, key, data) AS SELECT NULL, NULL, NULL WHERE false;

CREATE TRIGGER save_incident INSTEAD OF INSERT ON saved WHEN new.tab = 'incident' BEGIN
    INSERT INTO incident (id, data) VALUES (new.key ->> '$', new.data)
        ON CONFLICT (id) DO UPDATE SET data = json_patch(data, new.data);
END;

CREATE TRIGGER save_first_event INSTEAD OF INSERT ON saved WHEN new.tab = 'first_event' BEGIN
    INSERT INTO first_event (incident_id, payload) VALUES (new.key ->> '$', new.data)
        ON CONFLICT (incident_id) DO UPDATE SET payload = new.data;
END;

CREATE TRIGGER save_latest_event INSTEAD OF INSERT ON saved
    WHEN new.tab = 'latest_event' AND new.data IS NOT NULL BEGIN
    INSERT INTO latest_event (incident_id, payload) VALUES (new.key ->> '$', new.data)
        ON CONFLICT (incident_id) DO UPDATE SET payload = new.data;
END;

CREATE TRIGGER save_learned INSTEAD OF INSERT ON saved WHEN new.tab = 'learned' BEGIN
    INSERT INTO learned (callsite, data) VALUES (new.key, new.data)
        ON CONFLICT (callsite) DO UPDATE SET data = json_patch(data, new.data);
END;

CREATE TRIGGER save_standing INSTEAD OF INSERT ON saved WHEN new.tab = 'standing' BEGIN
    INSERT INTO standing (incident_id, sink, recipient, data)
    VALUES (new.key ->> 0, new.key ->> '$[1][0]', new.key ->> '$[1][1]', new.data)
        ON CONFLICT (incident_id, sink, recipient) DO UPDATE SET data = json_patch(data, new.data);
END;

CREATE TRIGGER save_account INSTEAD OF INSERT ON saved WHEN new.tab = 'account' BEGIN
    INSERT INTO account (sink, recipient, data) VALUES (new.key ->> 0, new.key ->> 1, new.data)
        ON CONFLICT (sink, recipient) DO UPDATE SET data = json_patch(data, new.data);
END;

CREATE TRIGGER save_notice INSTEAD OF INSERT ON saved WHEN new.tab = 'notice' BEGIN
    INSERT INTO notice (id, data) VALUES (new.key ->> '$', new.data)
        ON CONFLICT (id) DO UPDATE SET data = json_patch(data, new.data);
END;

CREATE TRIGGER save_item INSTEAD OF INSERT ON saved WHEN new.tab = 'item' BEGIN
    INSERT INTO item (notice_id, incident_id, data) VALUES (new.key ->> 0, new.key ->> 1, new.data)
        ON CONFLICT (notice_id, incident_id) DO UPDATE SET data = json_patch(data, new.data);
END;

CREATE TRIGGER save_delivery INSTEAD OF INSERT ON saved WHEN new.tab = 'delivery' BEGIN
    INSERT INTO delivery (key, data) VALUES (new.key ->> '$', new.data)
        ON CONFLICT (key) DO UPDATE SET data = json_patch(data, new.data);
END;

CREATE TRIGGER save_refusal INSTEAD OF INSERT ON saved WHEN new.tab = 'refusal' AND new.data IS NOT NULL BEGIN
    INSERT INTO refusal (sink, recipient, data) VALUES (new.key ->> 0, new.key ->> 1, new.data)
        ON CONFLICT (sink, recipient) DO UPDATE SET data = json_patch(data, new.data);
END;

CREATE TRIGGER save_dead_told INSTEAD OF INSERT ON saved WHEN new.tab = 'dead_told' BEGIN
    INSERT INTO dead_told (sink, data) VALUES (new.key ->> '$', new.data)
        ON CONFLICT (sink) DO UPDATE SET data = json_patch(data, new.data);
END;

CREATE TRIGGER save_start INSTEAD OF INSERT ON saved WHEN new.tab = 'start' AND new.data IS NOT NULL BEGIN
    INSERT INTO start (run, data) VALUES (new.key ->> '$', new.data)
        ON CONFLICT (run) DO UPDATE SET data = json_patch(data, new.data);
END;

CREATE TRIGGER save_batch INSTEAD OF INSERT ON saved WHEN new.tab = 'batch' BEGIN
    INSERT INTO batch (run, data) VALUES (new.key ->> '$', new.data)
        ON CONFLICT (run) DO UPDATE SET data = json_patch(data, new.data);
END;

CREATE TRIGGER save_silence INSTEAD OF INSERT ON saved WHEN new.tab = 'silence' AND new.data IS NOT NULL BEGIN
    INSERT INTO silence (key, data) VALUES (new.key ->> '$', new.data)
        ON CONFLICT (key) DO UPDATE SET data = json_patch(data, new.data);
END;

-- The only rows that a decision removes.
CREATE TRIGGER forget_refusal INSTEAD OF INSERT ON saved WHEN new.tab = 'refusal' AND new.data IS NULL BEGIN
    DELETE FROM refusal WHERE sink = new.key ->> 0 AND recipient = new.key ->> 1;
END;

CREATE TRIGGER forget_latest_event INSTEAD OF INSERT ON saved
    WHEN new.tab = 'latest_event' AND new.data IS NULL BEGIN
    DELETE FROM latest_event WHERE incident_id = new.key ->> '$';
END;

CREATE TRIGGER forget_silence INSTEAD OF INSERT ON saved WHEN new.tab = 'silence' AND new.data IS NULL BEGIN
    DELETE FROM silence WHERE key = new.key ->> '$';
END;

CREATE TRIGGER forget_start INSTEAD OF INSERT ON saved WHEN new.tab = 'start' AND new.data IS NULL BEGIN
    DELETE FROM start WHERE run = new.key ->> '$';
END;

-- Which release of the crate brought each migration: for whoever does not know it.
CREATE TABLE release (
    migration INTEGER PRIMARY KEY,
    version   TEXT NOT NULL
) STRICT;

INSERT INTO release (migration, version) VALUES (1, '0.1.0');

-- By this name the other instances of a program know this file, if they share a store.
CREATE TABLE instance (store TEXT NOT NULL) STRICT;

INSERT INTO instance (store) VALUES (lower(hex(randomblob(16))));

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

CREATE TRIGGER incident_changed AFTER UPDATE OF data ON incident
 WHEN (new.about IS NULL OR new.about = 'overflow') AND (new.count, new.reported) <> (old.count, old.reported) BEGIN
    UPDATE total SET committed = committed + new.count - old.count, reported = reported + new.reported - old.reported;
END;

CREATE TRIGGER incident_deleted AFTER DELETE ON incident
 WHEN old.about IS NULL OR old.about = 'overflow' BEGIN
    UPDATE total SET committed = committed - old.count, reported = reported - old.reported;
END;

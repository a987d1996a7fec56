-- The namespace's counters, in one row. Deleting the namespace deletes the row: a process that still
-- has the file open sees by its absence that the namespace is gone.
CREATE TABLE counters (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    next_global_position INTEGER NOT NULL,
    -- Of the newest message that was written, not imported: the clock of the next write is not
    -- behind it.
    last_write_us INTEGER NOT NULL,
    message_count INTEGER NOT NULL,
    stream_count INTEGER NOT NULL
) STRICT;
INSERT INTO counters VALUES (1, 1, 0, 0, 0);

-- Categories that hold messages, with the counts that size a read and answer a listing. The unique
-- index finds a category by its name and lists them in order. Text compares by bytes (BINARY).
CREATE TABLE categories (
    category_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    stream_count INTEGER NOT NULL,
    message_count INTEGER NOT NULL
) STRICT;

-- Streams that hold messages. The version is kept here, so that an expectation is judged by one
-- lookup in the unique index on the name, which also lists streams in order.
-- cardinal_hash is hash_64 of the cardinal id, NULL where the name has no id: consumer groups
-- select by it.
CREATE TABLE streams (
    stream_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    category_id INTEGER NOT NULL,
    cardinal_hash INTEGER,
    version INTEGER NOT NULL,
    message_count INTEGER NOT NULL,
    -- Of the message at `version`.
    last_time_us INTEGER NOT NULL
) STRICT;

-- Messages in global order. Names are interned in the tables above. The large columns come last, so
-- that a read of headers does not follow their overflow pages.
CREATE TABLE messages (
    global_position INTEGER PRIMARY KEY,
    stream_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    category_id INTEGER NOT NULL,
    id BLOB NOT NULL,
    time_us INTEGER NOT NULL,
    type TEXT NOT NULL,
    correlation TEXT,
    data TEXT,
    metadata TEXT
) STRICT;

-- Keeps an id unique in the namespace for ever: the insert itself detects that a write is a retry.
CREATE UNIQUE INDEX messages_by_id ON messages (id);

-- Keeps positions of a stream unique; serves reads of a stream in both directions.
CREATE UNIQUE INDEX messages_by_stream ON messages (stream_id, position);

-- Serves reads of a category in global order: entries of one category are in the order of the rowid,
-- which is the global position.
CREATE INDEX messages_by_category ON messages (category_id);

-- Serves reads by correlation, of a category or of the whole namespace, in global order. It contains
-- the category so that it can be compared without fetching the message. Messages without a
-- correlation have no entry.
CREATE INDEX messages_by_correlation ON messages (correlation, global_position, category_id)
    WHERE correlation IS NOT NULL;

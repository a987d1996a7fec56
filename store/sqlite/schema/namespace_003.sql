-- A message is one value, with the lengths of what is in it: a read of many then asks SQLite for half
-- as many columns, which was most of what it cost. The layout stands in sqlite_packed.h, with the two
-- functions that make it. What the indexes search by keeps columns of its own but for the id, which
-- the packed message begins with.
CREATE TABLE messages_003 (
    global_position INTEGER PRIMARY KEY,
    stream_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    category_id INTEGER NOT NULL,
    correlation TEXT,
    packed BLOB NOT NULL,
    -- Data and metadata, where they are long.
    large BLOB
) STRICT;

INSERT INTO messages_003 (global_position, stream_id, position, category_id, correlation, packed,
                          large)
SELECT global_position, stream_id, position, category_id, correlation,
       weir_packed(id, time_us, stream_name, type, data, metadata), weir_large(data, metadata)
FROM messages
ORDER BY global_position;

-- With its indexes.
DROP TABLE messages;
ALTER TABLE messages_003 RENAME TO messages;

-- One id in a namespace, for ever: the insert itself finds out that a write is a retry.
CREATE UNIQUE INDEX messages_by_id ON messages (substr(packed, 1, 16));

-- As they were; the reasons stand in 001.
CREATE UNIQUE INDEX messages_by_stream ON messages (stream_id, position);
CREATE INDEX messages_by_category ON messages (category_id);
CREATE INDEX messages_by_correlation ON messages (correlation, global_position, category_id)
    WHERE correlation IS NOT NULL;

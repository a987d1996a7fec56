-- Packs each message into one value: a read of many rows then fetches half as many columns, which
-- were most of its cost. sqlite_packed.h describes the layout and the two functions that make it.
-- What the indexes search by keeps columns of its own, except for the id, which the packed message
-- begins with.
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

-- Drops the indexes too.
DROP TABLE messages;
ALTER TABLE messages_003 RENAME TO messages;

-- Keeps an id unique in the namespace for ever: the insert itself detects that a write is a retry.
CREATE UNIQUE INDEX messages_by_id ON messages (substr(packed, 1, 16));

-- The other indexes of 001, which gives their reasons.
CREATE UNIQUE INDEX messages_by_stream ON messages (stream_id, position);
CREATE INDEX messages_by_category ON messages (category_id);
CREATE INDEX messages_by_correlation ON messages (correlation, global_position, category_id)
    WHERE correlation IS NOT NULL;

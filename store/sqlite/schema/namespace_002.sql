-- Gives each message the name of its stream: reads of a category or of the whole namespace then need
-- this table alone, without a search in streams for each row. The name comes before the large
-- columns, so that reading it does not follow their overflow pages either.
--
-- ALTER TABLE adds columns at the end only, so the table is made anew. A message whose stream is
-- missing makes the step fail (LEFT JOIN, NOT NULL), and the file stays as it was: no message is
-- lost silently.
CREATE TABLE messages_002 (
    global_position INTEGER PRIMARY KEY,
    stream_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    category_id INTEGER NOT NULL,
    id BLOB NOT NULL,
    time_us INTEGER NOT NULL,
    type TEXT NOT NULL,
    stream_name TEXT NOT NULL,
    correlation TEXT,
    data TEXT,
    metadata TEXT
) STRICT;

INSERT INTO messages_002 (global_position, stream_id, position, category_id, id, time_us, type,
                          stream_name, correlation, data, metadata)
SELECT m.global_position, m.stream_id, m.position, m.category_id, m.id, m.time_us, m.type,
       s.name, m.correlation, m.data, m.metadata
FROM messages AS m LEFT JOIN streams AS s ON s.stream_id = m.stream_id
ORDER BY m.global_position;

-- Drops the indexes too.
DROP TABLE messages;
ALTER TABLE messages_002 RENAME TO messages;

-- The indexes of 001, which gives their reasons.
CREATE UNIQUE INDEX messages_by_id ON messages (id);
CREATE UNIQUE INDEX messages_by_stream ON messages (stream_id, position);
CREATE INDEX messages_by_category ON messages (category_id);
CREATE INDEX messages_by_correlation ON messages (correlation, global_position, category_id)
    WHERE correlation IS NOT NULL;

-- One row, as cheap to update as a row can be: half-empty pages and no index, so that every update stays on its
-- page.
CREATE TABLE @.counters (
    head int8 NOT NULL,  -- highest global position ever allotted; never goes back
    -- Time of the newest message that was written, not imported; the next write has no earlier time.
    last_write timestamp NOT NULL,
    message_count int8 NOT NULL,
    stream_count int8 NOT NULL,
    largest int4 NOT NULL,  -- no message is larger: tells how many a reader may ask for at once
    clears int8 NOT NULL,   -- tells a caller whose connection broke whether its clear was done
    last_cleared int8 NOT NULL
) WITH (fillfactor = 10);
INSERT INTO @.counters VALUES (0, 'epoch', 0, 0, 0, 0, 0);

-- Categories that hold messages, with the counts that answer a listing.
CREATE TABLE @.categories (
    name text COLLATE "C" PRIMARY KEY,
    stream_count int8 NOT NULL,
    message_count int8 NOT NULL
) WITH (fillfactor = 50);

-- The messages. Streams have no table: a stream's version is the newest entry of an index that the insert needs
-- anyway, while a row for each stream would be updated with every write (measured: a third of the throughput). JSON
-- is text, so that it comes back as it was written, at half the cost of jsonb. Times are UTC. cardinal_hash is
-- hash_64 of the cardinal id, NULL where the name has no id.
CREATE TABLE @.stored (
    global_position int8 NOT NULL,
    position int8 NOT NULL,
    time timestamp NOT NULL,
    cardinal_hash int8,
    id uuid NOT NULL,
    stream_name text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    correlation text COLLATE "C",
    data text,
    metadata text
);

-- Reads of everything in global order; no position twice.
CREATE UNIQUE INDEX stored_by_global ON @.stored (global_position);

-- One id in a namespace, for ever.
CREATE UNIQUE INDEX stored_by_id ON @.stored (id);

-- One message at a position; reads of a stream in both directions; a stream's version; streams in order of name.
CREATE UNIQUE INDEX stored_by_stream ON @.stored (stream_name, position);

-- Reads of a category, which is what stands before the first '-'.
CREATE INDEX stored_by_category ON @.stored (split_part(stream_name, '-', 1), global_position);

-- Reads by correlation, of a category or of everything. Messages without a correlation cost nothing.
CREATE INDEX stored_by_correlation
    ON @.stored (correlation, global_position, split_part(stream_name, '-', 1))
    WHERE correlation IS NOT NULL;

-- The shape that readers of Message DB expect.
CREATE VIEW @.messages AS
    SELECT id, stream_name, type, position, global_position, data::jsonb AS data,
           metadata::jsonb AS metadata, time
    FROM @.stored;

-- One row, as cheap to update as a row can be: half-empty pages and no index.
CREATE TABLE @.counters (
    head int8 NOT NULL,  -- highest global position ever allotted; never goes back
    last_write timestamp NOT NULL,
    message_count int8 NOT NULL,
    stream_count int8 NOT NULL,
    largest int4 NOT NULL,
    clears int8 NOT NULL,
    last_cleared int8 NOT NULL
) WITH (fillfactor = 10);
INSERT INTO @.counters VALUES (0, 'epoch', 0, 0, 0, 0, 0);

-- Categories that hold messages, with the counts that answer a listing.
CREATE TABLE @.categories (
    name text COLLATE "C" PRIMARY KEY,
    stream_count int8 NOT NULL,
    message_count int8 NOT NULL
) WITH (fillfactor = 50);

-- Ids and positions. A hypertable's unique indexes must contain its time, so what must be unique is kept here;
-- `time` tells in which chunk the message is.
CREATE TABLE @.keys (
    global_position int8 PRIMARY KEY,
    position int8 NOT NULL,
    time timestamp NOT NULL,
    id uuid NOT NULL UNIQUE,
    stream_name text COLLATE "C" NOT NULL,
    UNIQUE (stream_name, position)
);

-- Versions of streams whose newest message was dropped with its chunk; their positions go on behind them.
CREATE TABLE @.dropped (
    name text COLLATE "C" PRIMARY KEY,
    version int8 NOT NULL
);

-- The messages, by time in chunks of seven days. A hypertable takes a smaller range of times than PostgreSQL. A
-- time outside of it, which an import may bring, is kept in exact_time, and the nearest time in it in time.
CREATE TABLE @.stored (
    global_position int8 NOT NULL,
    position int8 NOT NULL,
    time timestamp NOT NULL,
    exact_time timestamp,
    cardinal_hash int8,
    id uuid NOT NULL,
    stream_name text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    correlation text COLLATE "C",
    data text,
    metadata text
);
SELECT create_hypertable('@name@.stored', 'time', chunk_time_interval => INTERVAL '7 days',
                         create_default_indexes => false);

-- The indexes of the layout "rows", but not unique.
CREATE INDEX stored_by_global ON @.stored (global_position);
CREATE INDEX stored_by_stream ON @.stored (stream_name, position);
CREATE INDEX stored_by_category ON @.stored (split_part(stream_name, '-', 1), global_position);
CREATE INDEX stored_by_correlation
    ON @.stored (correlation, global_position, split_part(stream_name, '-', 1))
    WHERE correlation IS NOT NULL;

-- The shape that readers of Message DB expect.
CREATE VIEW @.messages AS
    SELECT id, stream_name, type, position, global_position, data::jsonb AS data,
           metadata::jsonb AS metadata, coalesce(exact_time, time) AS time
    FROM @.stored;

-- The Apache edition of the extension has no compression; all else is alike.
DO $$
BEGIN
    IF current_setting('timescaledb.license', true) = 'timescale' THEN
        ALTER TABLE @.stored SET (
            timescaledb.compress,
            timescaledb.compress_segmentby = 'stream_name',
            timescaledb.compress_orderby = 'position, global_position, time DESC');
        PERFORM add_compression_policy('@name@.stored', INTERVAL '7 days');
    END IF;
END $$;

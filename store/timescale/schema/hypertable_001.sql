-- One row, the lightest there is to update: half-empty pages and no index.
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

-- Ids and positions. A hypertable's unique indexes must contain its time, so what must be unique is
-- kept here; the time says in which chunk the message is.
CREATE TABLE @.keys (
    global_position int8 PRIMARY KEY,
    position int8 NOT NULL,
    time timestamp NOT NULL,
    id uuid NOT NULL UNIQUE,
    stream_name text COLLATE "C" NOT NULL,
    UNIQUE (stream_name, position)
);

-- Versions of streams whose newest message has been dropped with its chunk: positions go on behind
-- them.
CREATE TABLE @.dropped (
    name text COLLATE "C" PRIMARY KEY,
    version int8 NOT NULL
);

-- The messages, by time in chunks of seven days. A hypertable takes fewer times than PostgreSQL: one
-- that is beyond them, which an import may bring, stands in exact_time, and the nearest in time.
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

-- The same as in plain PostgreSQL, but not unique.
CREATE INDEX stored_by_global ON @.stored (global_position);
CREATE INDEX stored_by_stream ON @.stored (stream_name, position);
CREATE INDEX stored_by_category ON @.stored (split_part(stream_name, '-', 1), global_position);
CREATE INDEX stored_by_correlation
    ON @.stored (correlation, global_position, split_part(stream_name, '-', 1))
    WHERE correlation IS NOT NULL;

-- The nearest time that a hypertable takes.
CREATE FUNCTION @.chunk_time(p_time timestamp) RETURNS timestamp LANGUAGE sql IMMUTABLE AS $$
    SELECT least(greatest(p_time, '4700-01-01 BC'::timestamp), '290000-01-01'::timestamp)
$$;

-- What readers of Message DB expect.
CREATE VIEW @.messages AS
    SELECT id, stream_name, type, position, global_position, data::jsonb AS data,
           metadata::jsonb AS metadata, coalesce(exact_time, time) AS time
    FROM @.stored;

-- The Apache edition of the extension has no compression; all else is the same there.
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

-- The chunks whose whole range of times lies before `p_before`, all for NULL, oldest first.
CREATE FUNCTION @.chunks(p_before timestamp,
    OUT chunk regclass, OUT name text, OUT range_start timestamp, OUT range_end timestamp,
    OUT is_compressed boolean)
RETURNS SETOF record LANGUAGE sql STABLE AS $$
    SELECT format('%I.%I', c.chunk_schema, c.chunk_name)::regclass, c.chunk_name::text,
           c.range_start AT TIME ZONE 'UTC', c.range_end AT TIME ZONE 'UTC', c.is_compressed
    FROM timescaledb_information.chunks AS c
    WHERE c.hypertable_schema = '@name@' AND c.hypertable_name = 'stored'
      AND (p_before IS NULL OR c.range_end AT TIME ZONE 'UTC' <= p_before)
    ORDER BY c.range_start
$$;

-- Chunks with their sizes. Rows are counted in each.
CREATE FUNCTION @.list_chunks(
    OUT name text, OUT range_start timestamp, OUT range_end timestamp, OUT is_compressed boolean,
    OUT size_bytes int8, OUT row_count int8)
RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT * FROM @.chunks(NULL) LOOP
        name := c.name;
        range_start := c.range_start;
        range_end := c.range_end;
        is_compressed := c.is_compressed;
        SELECT coalesce(sum(d.total_bytes), 0) INTO size_bytes
        FROM chunks_detailed_size('@name@.stored') AS d WHERE d.chunk_name = c.name;
        EXECUTE format('SELECT count(*) FROM %s', c.chunk) INTO row_count;
        RETURN NEXT;
    END LOOP;
END $$;

-- Compresses what is older and is not compressed; the names.
CREATE FUNCTION @.compress_chunks(p_lock_ms int4, p_before timestamp) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    c record;
BEGIN
    PERFORM @.lock(p_lock_ms, NULL);
    FOR c IN SELECT * FROM @.chunks(p_before) AS k WHERE NOT k.is_compressed LOOP
        PERFORM compress_chunk(c.chunk);
        RETURN NEXT c.name;
    END LOOP;
END $$;

-- Drops what is older, with its messages; the names. Streams keep their versions; ids are forgotten.
CREATE FUNCTION @.drop_chunks(p_lock_ms int4, p_before timestamp) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    names text[];
    before timestamp;
BEGIN
    PERFORM @.lock(p_lock_ms, NULL);
    SELECT array_agg(k.name ORDER BY k.range_start), max(k.range_end) INTO names, before
    FROM @.chunks(p_before) AS k;
    IF names IS NULL THEN
        RETURN;
    END IF;
    PERFORM drop_chunks('@name@.stored', older_than => before);
    WITH gone AS (
        DELETE FROM @.keys AS k WHERE k.time < before RETURNING k.stream_name, k.position
    ), by_stream AS (
        SELECT g.stream_name AS name, count(*) AS n, max(g.position) AS version,
               NOT EXISTS (SELECT FROM @.keys AS k
                           WHERE k.stream_name = g.stream_name AND k.time >= before) AS is_empty
        FROM gone AS g GROUP BY 1
    ), kept AS (
        INSERT INTO @.dropped AS d (name, version) SELECT b.name, b.version FROM by_stream AS b
        ON CONFLICT (name) DO UPDATE SET version = greatest(d.version, EXCLUDED.version)
    ), by_category AS (
        SELECT split_part(b.name, '-', 1) AS name, sum(b.n) AS n,
               count(*) FILTER (WHERE b.is_empty) AS streams
        FROM by_stream AS b GROUP BY 1
    ), counted AS (
        UPDATE @.categories AS c
        SET message_count = c.message_count - b.n, stream_count = c.stream_count - b.streams
        FROM by_category AS b WHERE b.name = c.name
    )
    UPDATE @.counters AS c
    SET message_count = c.message_count - coalesce((SELECT sum(b.n) FROM by_category AS b), 0),
        stream_count = c.stream_count - coalesce((SELECT sum(b.streams) FROM by_category AS b), 0);
    DELETE FROM @.categories AS c WHERE c.message_count = 0;
    RETURN QUERY SELECT unnest(names);
END $$;

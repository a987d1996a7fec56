-- Functions for what only hypertables have. Applied as functions.sql is.

-- Returns the nearest time that a hypertable takes.
CREATE OR REPLACE FUNCTION @.chunk_time(p_time timestamp) RETURNS timestamp LANGUAGE sql IMMUTABLE AS $$
    SELECT least(greatest(p_time, @first_time@), '290000-01-01'::timestamp)
$$;

-- Returns the chunks whose whole range of times lies before p_before, oldest first; for NULL, all chunks.
CREATE OR REPLACE FUNCTION @.chunks(p_before timestamp,
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

-- Returns all chunks with their sizes, and counts the rows of each. chunks_detailed_size measures all chunks whatever is
-- wanted of it, so it is called once.
CREATE OR REPLACE FUNCTION @.list_chunks(
    OUT name text, OUT range_start timestamp, OUT range_end timestamp, OUT is_compressed boolean,
    OUT size_bytes int8, OUT row_count int8)
RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
    c record;
BEGIN
    FOR c IN
        SELECT k.*, coalesce(s.bytes, 0) AS bytes FROM @.chunks(NULL) AS k
        LEFT JOIN (SELECT d.chunk_name::text AS name, sum(d.total_bytes) AS bytes
                   FROM chunks_detailed_size('@name@.stored') AS d GROUP BY 1) AS s USING (name)
        ORDER BY k.range_start
    LOOP
        name := c.name;
        range_start := c.range_start;
        range_end := c.range_end;
        is_compressed := c.is_compressed;
        size_bytes := c.bytes;
        EXECUTE format('SELECT count(*) FROM %s', c.chunk) INTO row_count;
        RETURN NEXT;
    END LOOP;
END $$;

-- Drops the chunks before p_before with their messages, and returns their names. Streams keep their versions; ids
-- are forgotten.
CREATE OR REPLACE FUNCTION @.drop_chunks(p_lock_ms int4, p_before timestamp) RETURNS SETOF text
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
        stream_count = c.stream_count - coalesce((SELECT sum(b.streams) FROM by_category AS b), 0),
        -- The chunk of the open span may be among them, and who makes it anew has to enter the span.
        spans_version = c.spans_version + 1, span_end = '-infinity';
    DELETE FROM @.categories AS c WHERE c.message_count = 0;
    RETURN QUERY SELECT unnest(names);
END $$;

-- Sets how wide the chunks are and when they are compressed. For a new namespace, while it is empty.
CREATE OR REPLACE FUNCTION @.set_chunk_interval(p_us int8) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    width interval := p_us * INTERVAL '1 microsecond';
BEGIN
    PERFORM set_chunk_time_interval('@name@.stored', width);
    UPDATE @.counters SET span_width = width;
    IF current_setting('timescaledb.license', true) = 'timescale' THEN
        PERFORM remove_compression_policy('@name@.stored');
        PERFORM add_compression_policy('@name@.stored', width);
    END IF;
END $$;

-- Returns the beginning of the span in which a time lies.
CREATE OR REPLACE FUNCTION @.span_of(p_time timestamp, p_width interval) RETURNS timestamp
LANGUAGE sql IMMUTABLE AS $$
    SELECT time_bucket(p_width, p_time, '1970-01-01'::timestamp)
$$;

-- Opens the span of p_time, at its first write, and closes the one before.
CREATE OR REPLACE FUNCTION @.enter_span(p_time timestamp, p_head int8) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE @.spans SET newest = p_head WHERE newest = 9223372036854775807;
    INSERT INTO @.spans (starts, newest)
    SELECT @.span_of(p_time, c.span_width), 9223372036854775807 FROM @.counters AS c
    ON CONFLICT (starts) DO UPDATE SET newest = EXCLUDED.newest;
    UPDATE @.counters AS c
    SET span_end = @.span_of(p_time, c.span_width) + c.span_width,
        spans_version = c.spans_version + 1;
END $$;

-- Returns whether a transaction is over, and not only visible. A transaction that has made a chunk tells other
-- sessions after it has become visible and before it releases its locks. A reader at that moment, with a plan from
-- before, does not look into the chunk although the head says that its messages are there, and would go on behind
-- them. So a reader that finds the spans changed waits until the transaction that last changed the counters is
-- over. That transaction held the namespace's lock until then, so all before it are over too.
CREATE OR REPLACE FUNCTION @.is_over(p_changed xid) RETURNS bool LANGUAGE sql AS $$
    SELECT NOT EXISTS (SELECT FROM pg_locks AS l
                       WHERE l.locktype = 'transactionid' AND l.transactionid = p_changed)
$$;

-- For servers of older versions. Compresses the chunks before p_before that are not compressed, and returns their
-- names. Fails if the edition cannot compress, even if there is nothing to compress. A chunk that the policy
-- compresses at the same time is no failure.
CREATE OR REPLACE FUNCTION @.compress_chunks(p_lock_ms int4, p_before timestamp) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    c record;
BEGIN
    IF current_setting('timescaledb.license', true) IS DISTINCT FROM 'timescale' THEN
        RAISE EXCEPTION 'no compression under this licence' USING ERRCODE = 'feature_not_supported';
    END IF;
    PERFORM @.lock(p_lock_ms, NULL);
    FOR c IN SELECT * FROM @.chunks(p_before) AS k WHERE NOT k.is_compressed LOOP
        PERFORM compress_chunk(c.chunk, if_not_compressed => true);
        RETURN NEXT c.name;
    END LOOP;
END $$;

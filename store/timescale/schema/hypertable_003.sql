-- What global positions the spans of time hold, so that a read from a position on touches the chunks
-- that can hold it, and no older one. Spans are as wide as chunks and begin where they begin; but the
-- bound is right whatever the chunks are, since it is one of times.
--
-- The span of the newest writes is open: its `newest` is the highest number there is, so that writes
-- touch nothing here until one enters the next span. Write times never go back. An import raises
-- `newest` of the spans of its times.
CREATE TABLE @.spans (
    starts timestamp PRIMARY KEY,
    newest int8 NOT NULL  -- no message of the span has a higher global position
) WITH (fillfactor = 50);

-- `spans_version` says whether what a reader knows of the spans still holds.
ALTER TABLE @.counters
    ADD COLUMN spans_version int8 NOT NULL DEFAULT 1,
    ADD COLUMN span_width interval NOT NULL DEFAULT '7 days',
    ADD COLUMN span_end timestamp NOT NULL DEFAULT '-infinity';  -- of the open one

-- The span that a time lies in.
CREATE FUNCTION @.span_of(p_time timestamp, p_width interval) RETURNS timestamp
LANGUAGE sql IMMUTABLE AS $$
    SELECT time_bucket(p_width, p_time, '1970-01-01'::timestamp)
$$;

INSERT INTO @.spans (starts, newest)
SELECT @.span_of(k.time, c.span_width), max(k.global_position)
FROM @.keys AS k, @.counters AS c GROUP BY 1;

-- The first write of a span closes the one before.
CREATE FUNCTION @.enter_span(p_time timestamp, p_head int8) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE @.spans SET newest = p_head WHERE newest = 9223372036854775807;
    INSERT INTO @.spans (starts, newest)
    SELECT @.span_of(p_time, c.span_width), 9223372036854775807 FROM @.counters AS c
    ON CONFLICT (starts) DO UPDATE SET newest = EXCLUDED.newest;
    UPDATE @.counters AS c
    SET span_end = @.span_of(p_time, c.span_width) + c.span_width,
        spans_version = c.spans_version + 1;
END $$;

-- As it was, but refused where the edition does not compress, also while there is nothing to compress;
-- and a chunk that the policy compresses at the same time is no failure.
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

-- For a new namespace, while it is empty: how wide chunks are and when they are compressed.
CREATE FUNCTION @.set_chunk_interval(p_us int8) RETURNS void LANGUAGE plpgsql AS $$
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

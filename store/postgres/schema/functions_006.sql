-- The import once more, which tells a record that cannot be stored nothing of the records behind it.
-- Marks are as in functions_002. Servers of the version before call this one too.
--
-- All of the records or none. One that is stored already, alike in every field, is left out. The first
-- that cannot be stored raises WR001 with, as its detail: what is in the way, the record's number and,
-- for an id, where that is.
CREATE OR REPLACE FUNCTION @.import(
    p_lock_ms int4, p_largest int4, p_globals int8[], p_positions int8[], p_times timestamp[],
    p_hashes int8[], p_ids uuid[], p_streams text[], p_types text[], p_correlations text[],
    p_data text[], p_metadata text[],
    OUT imported int8)
LANGUAGE plpgsql AS $$
DECLARE
    added int8[];  -- global positions of the records that could be stored, where that is not all
    refused int8;  -- the number of the first that could not
    is_position bool;
BEGIN
    PERFORM @.lock(p_lock_ms, p_streams);
    PERFORM set_config('weir.is_import', 'on', true);
    WITH incoming AS (
        SELECT r.* FROM unnest(p_globals, p_positions, p_times, p_hashes, p_ids, p_streams, p_types,
                               p_correlations, p_data, p_metadata)
            WITH ORDINALITY AS r (global_position, position, time, cardinal_hash, id, stream_name,
                                  type, correlation, data, metadata, at)
    ), @side{written AS (
        INSERT INTO @.keys (global_position, position, time, id, stream_name)
        SELECT i.global_position, i.position, @.chunk_time(i.time), i.id, i.stream_name
        FROM incoming AS i ORDER BY i.at
        ON CONFLICT DO NOTHING
        RETURNING stream_name, global_position, time
    ), spanned AS (
        INSERT INTO @.spans AS s (starts, newest)
        SELECT @.span_of(w.time, c.span_width), max(w.global_position)
        FROM written AS w, @.counters AS c GROUP BY 1
        ON CONFLICT (starts) DO UPDATE SET newest = greatest(s.newest, EXCLUDED.newest)
    ), appended AS (
        INSERT INTO @.stored (global_position, position, time, exact_time, cardinal_hash, id,
                              stream_name, type, correlation, data, metadata)
        SELECT i.global_position, i.position, @.chunk_time(i.time),
               nullif(i.time, @.chunk_time(i.time)), i.cardinal_hash, i.id, i.stream_name, i.type,
               i.correlation, i.data, i.metadata
        FROM incoming AS i JOIN written AS w ON w.global_position = i.global_position
        -- A record that comes twice is stored once.
        WHERE NOT EXISTS (SELECT FROM incoming AS j
                          WHERE j.global_position = i.global_position AND j.at < i.at)
    }@@plain{written AS (
        INSERT INTO @.stored (global_position, position, time, cardinal_hash, id, stream_name, type,
                              correlation, data, metadata)
        SELECT i.global_position, i.position, i.time, i.cardinal_hash, i.id, i.stream_name, i.type,
               i.correlation, i.data, i.metadata
        FROM incoming AS i ORDER BY i.at
        ON CONFLICT DO NOTHING
        RETURNING stream_name, global_position
    }@), by_stream AS (
        -- This statement does not see its own rows: a stream is new where no older one is found.
        SELECT w.stream_name AS name, count(*) AS n, max(w.global_position) AS newest,
               NOT EXISTS (SELECT FROM @keys@ AS k WHERE k.stream_name = w.stream_name) AS is_new
        FROM written AS w GROUP BY 1
    ), counted AS (
        INSERT INTO @.categories AS c (name, stream_count, message_count)
        SELECT split_part(b.name, '-', 1), count(*) FILTER (WHERE b.is_new), sum(b.n)
        FROM by_stream AS b GROUP BY 1
        ON CONFLICT (name) DO UPDATE
            SET stream_count = c.stream_count + EXCLUDED.stream_count,
                message_count = c.message_count + EXCLUDED.message_count
    ), total AS (
        SELECT coalesce(sum(b.n), 0)::int8 AS n, max(b.newest) AS newest,
               count(*) FILTER (WHERE b.is_new) AS streams
        FROM by_stream AS b
    )
    UPDATE @.counters AS c
    SET head = greatest(c.head, t.newest),
        message_count = c.message_count + t.n,
        stream_count = c.stream_count + t.streams,
        @side{spans_version = c.spans_version + (t.n > 0)::int4,
        }@largest = greatest(c.largest, p_largest)
    FROM total AS t
    RETURNING t.n, CASE WHEN t.n < cardinality(p_globals) THEN
        (SELECT coalesce(array_agg(w.global_position), '{}') FROM written AS w) END
        INTO STRICT imported, added;
    IF imported = cardinality(p_globals) THEN
        RETURN;
    END IF;

    -- What stands at a record's global position and is not alike in every field is another's.
    SELECT r.at INTO refused
    FROM unnest(p_globals, p_positions, p_times, p_ids, p_streams, p_types, p_data, p_metadata)
        WITH ORDINALITY AS r (global, position, time, id, stream, type, data, metadata, at)
    LEFT JOIN @.stored AS m ON m.global_position = r.global
        @side{AND m.time = (SELECT k.time FROM @.keys AS k
                            WHERE k.global_position = r.global AND k.id = r.id
                              AND k.stream_name = r.stream AND k.position = r.position)}@
    WHERE m.id IS NULL OR m.id <> r.id OR m.position <> r.position
       OR @side{coalesce(m.exact_time, m.time)}@@plain{m.time}@ <> r.time
       OR m.stream_name <> r.stream OR m.type <> r.type
       OR CASE WHEN m.data IS NOT DISTINCT FROM r.data THEN false
               ELSE m.data::jsonb IS DISTINCT FROM r.data::jsonb END
       OR CASE WHEN m.metadata IS NOT DISTINCT FROM r.metadata THEN false
               ELSE m.metadata::jsonb IS DISTINCT FROM r.metadata::jsonb END
    ORDER BY r.at LIMIT 1;
    IF refused IS NULL THEN
        RETURN;
    END IF;

    -- What records behind it have got was free when it was refused. Those before it are all stored.
    SELECT count(*) > 0 INTO STRICT is_position
    FROM (SELECT k.global_position AS global FROM @keys@ AS k
          WHERE k.global_position = p_globals[refused]
          UNION ALL
          SELECT k.global_position FROM @keys@ AS k
          WHERE k.stream_name = p_streams[refused] AND k.position = p_positions[refused]) AS taken
    WHERE taken.global <> ALL (added) OR array_position(p_globals, taken.global) < refused;
    RAISE EXCEPTION 'a record cannot be imported' USING ERRCODE = 'WR001', DETAIL = CASE
        WHEN is_position THEN 'position ' || refused
        ELSE 'id ' || refused || (
            SELECT ' ' || k.position || ' ' || k.global_position || ' ' || k.stream_name
            FROM @keys@ AS k WHERE k.id = p_ids[refused])
    END;
END $$;

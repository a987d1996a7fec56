-- The functions that write, one text for every layout. Where messages are kept apart from their keys
-- (ids and positions, which must be unique), @keys@ is the table of the keys, and what stands in
-- braces behind "@side" is part of the text; elsewhere @keys@ is the table of the messages, and what
-- stands in braces behind "@plain" is. Closing braces are marked as well. A later step may apply this
-- file again.

-- The one lock of the namespace's writers, held until the transaction has ended. Whoever has it sees
-- in its next statement all that was committed before; so the order in which positions are allotted
-- is the order in which they are committed. The wait is short, because a waiter holds a connection:
-- it comes back. p_names are the streams that are to be written.
CREATE OR REPLACE FUNCTION @.lock(p_lock_ms int4, p_names text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    ignored text;
BEGIN
    ignored := set_config('lock_timeout', p_lock_ms::text, true);
    ignored := pg_advisory_xact_lock(@lock@)::text;
END $$;

-- A group of appends: one call, one transaction, one commit.
--
-- An entry is the part of a write that belongs to one stream; entries of equal p_write are one
-- write, all or nothing. Streams are numbered by p_names, entries by the p_entry... arrays. Kinds of
-- expectation: 0 any, 1 exactly the version, 2 the stream exists.
--
-- Outcomes by entry: 0 appended, 1 an expectation did not hold, 2 an id is there already, which the
-- caller looks at. versions are those before the entry. The messages of the appended entries have the
-- positions that follow its version, and the global positions from head + 1 on, in their order.
CREATE OR REPLACE FUNCTION @.append(
    p_lock_ms int4, p_largest int4, p_names text[], p_hashes int8[],
    p_entry_write int4[], p_entry_stream int4[], p_entry_expect int4[], p_entry_version int8[],
    p_entry_count int4[],
    p_message_entry int4[], p_ids uuid[], p_types text[], p_correlations text[], p_data text[],
    p_metadata text[],
    OUT head int8, OUT write_time timestamp, OUT outcomes int4[], OUT versions int8[])
LANGUAGE plpgsql AS $$
DECLARE
    entries int4 := cardinality(p_entry_write);
    old_versions int8[];
    now_versions int8[];
    known int4[];       -- entries with an id that is there
    next_global int8;
    -- By entry: what added to a message's number in this call gives its positions, which may be below
    -- zero. NULL: refused.
    global_base int8[] := p_entry_version;
    position_base int8[] := p_entry_version;
    sent int4 := 0;     -- messages of the entries before
    e int4 := 1;
    first_entry int4;
    outcome int4;
    s int4;
    @side{span_end timestamp;}@
BEGIN
    PERFORM @.lock(p_lock_ms, p_names);
    SELECT c.head, greatest(clock_timestamp() AT TIME ZONE 'UTC', c.last_write),
           (SELECT array_agg(coalesce(latest.position,
                                      @side{(SELECT d.version FROM @.dropped AS d WHERE d.name = n.name),}@
                                      -1) ORDER BY n.at)
            FROM unnest(p_names) WITH ORDINALITY AS n (name, at)
            LEFT JOIN LATERAL (
                SELECT k.position FROM @keys@ AS k WHERE k.stream_name = n.name
                ORDER BY k.position DESC LIMIT 1) AS latest ON true),
           (SELECT array_agg(i.entry) FROM unnest(p_ids, p_message_entry) AS i (id, entry)
            WHERE EXISTS (SELECT FROM @keys@ AS k WHERE k.id = i.id))@side{, c.span_end}@
        INTO STRICT head, write_time, old_versions, known@side{, span_end}@ FROM @.counters AS c;
    now_versions := old_versions;
    next_global := head;
    outcomes := p_entry_write;
    versions := p_entry_version;

    -- Judged in order, because a write stands on those before it. Only numbers are touched here.
    WHILE e <= entries LOOP
        first_entry := e;
        outcome := 0;
        LOOP
            s := p_entry_stream[e];
            versions[e] := now_versions[s];
            IF known IS NOT NULL AND e = ANY (known) THEN
                outcome := 2;
            ELSIF outcome = 0 AND (
                p_entry_expect[e] = 1 AND now_versions[s] <> p_entry_version[e]
                OR p_entry_expect[e] = 2 AND now_versions[s] < 0) THEN
                outcome := 1;
            END IF;
            EXIT WHEN e = entries OR p_entry_write[e + 1] <> p_entry_write[e];
            e := e + 1;
        END LOOP;
        FOR part IN first_entry .. e LOOP
            s := p_entry_stream[part];
            outcomes[part] := outcome;
            global_base[part] := NULL;
            IF outcome = 0 THEN
                global_base[part] := next_global - sent;
                position_base[part] := now_versions[s] - sent;
                next_global := next_global + p_entry_count[part];
                now_versions[s] := now_versions[s] + p_entry_count[part];
            END IF;
            sent := sent + p_entry_count[part];
        END LOOP;
        e := e + 1;
    END LOOP;

    -- Where an id was there, something is committed all the same: a retry is acknowledged by a
    -- commit of its own, which a synchronous standby must have confirmed like the first one.
    IF next_global = head AND known IS NULL THEN
        RETURN;
    END IF;
    @side{IF write_time >= span_end THEN
        PERFORM @.enter_span(write_time, head);
    END IF;
    }@WITH incoming AS (
        SELECT global_base[m.entry] + m.at AS global_position,
               position_base[m.entry] + m.at AS position, write_time AS time,
               p_hashes[p_entry_stream[m.entry]] AS cardinal_hash, m.id,
               p_names[p_entry_stream[m.entry]] AS stream_name, m.type, m.correlation, m.data,
               m.metadata
        FROM unnest(p_message_entry, p_ids, p_types, p_correlations, p_data, p_metadata)
            WITH ORDINALITY AS m (entry, id, type, correlation, data, metadata, at)
        WHERE global_base[m.entry] IS NOT NULL
    ), @side{keyed AS (
        INSERT INTO @.keys (global_position, position, time, id, stream_name)
        SELECT i.global_position, i.position, i.time, i.id, i.stream_name FROM incoming AS i
    ), }@appended AS (
        INSERT INTO @.stored (global_position, position, time, cardinal_hash, id, stream_name, type,
                              correlation, data, metadata)
        SELECT i.* FROM incoming AS i
    ), counted AS (
        INSERT INTO @.categories AS c (name, stream_count, message_count)
        SELECT split_part(n.name, '-', 1), count(*) FILTER (WHERE n.old < 0), sum(n.new - n.old)
        FROM unnest(p_names, old_versions, now_versions) AS n (name, old, new)
        WHERE n.new > n.old
        GROUP BY 1
        ON CONFLICT (name) DO UPDATE
            SET stream_count = c.stream_count + EXCLUDED.stream_count,
                message_count = c.message_count + EXCLUDED.message_count
    )
    UPDATE @.counters AS c
    SET head = next_global, last_write = write_time,
        message_count = c.message_count + next_global - c.head,
        stream_count = c.stream_count + (
            SELECT count(*) FROM unnest(old_versions, now_versions) AS n (old, new)
            WHERE n.old < 0 AND n.new >= 0),
        largest = greatest(c.largest, p_largest);
END $$;

-- An import: all of its records or none. A record that is stored already, alike in every field, is
-- left out. The first one that cannot be stored raises WR001 with, as its detail: what is in the
-- way, the record's number and, for an id, where that is.
CREATE OR REPLACE FUNCTION @.import(
    p_lock_ms int4, p_largest int4, p_globals int8[], p_positions int8[], p_times timestamp[],
    p_hashes int8[], p_ids uuid[], p_streams text[], p_types text[], p_correlations text[],
    p_data text[], p_metadata text[],
    OUT imported int8)
LANGUAGE plpgsql AS $$
DECLARE
    conflict text;
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
    RETURNING t.n INTO STRICT imported;
    IF imported = cardinality(p_globals) THEN
        RETURN;
    END IF;

    SELECT CASE WHEN m.id IS NOT NULL OR EXISTS (
                    SELECT FROM @keys@ AS k
                    WHERE k.stream_name = r.stream AND k.position = r.position)
                THEN 'position ' || r.at
                ELSE 'id ' || r.at || (
                    SELECT ' ' || k.position || ' ' || k.global_position || ' ' || k.stream_name
                    FROM @keys@ AS k WHERE k.id = r.id)
           END INTO conflict
    FROM unnest(p_globals, p_positions, p_times, p_ids, p_streams, p_types, p_data, p_metadata)
        WITH ORDINALITY AS r (global, position, time, id, stream, type, data, metadata, at)
    LEFT JOIN @.stored AS m ON m.global_position = r.global
        @side{AND m.time = (SELECT k.time FROM @.keys AS k WHERE k.global_position = r.global)}@
    WHERE m.id IS NULL OR m.id <> r.id OR m.position <> r.position
       OR @side{coalesce(m.exact_time, m.time)}@@plain{m.time}@ <> r.time
       OR m.stream_name <> r.stream OR m.type <> r.type
       OR CASE WHEN m.data IS NOT DISTINCT FROM r.data THEN false
               ELSE m.data::jsonb IS DISTINCT FROM r.data::jsonb END
       OR CASE WHEN m.metadata IS NOT DISTINCT FROM r.metadata THEN false
               ELSE m.metadata::jsonb IS DISTINCT FROM r.metadata::jsonb END
    ORDER BY r.at LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'a record cannot be imported' USING ERRCODE = 'WR001', DETAIL = conflict;
    END IF;
END $$;

-- The removal of all messages. The head stays.
CREATE OR REPLACE FUNCTION @.clear(p_lock_ms int4, OUT deleted int8) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM @.lock(p_lock_ms, NULL);
    SELECT c.message_count INTO STRICT deleted FROM @.counters AS c;
    TRUNCATE @.stored, @.categories@side{, @.keys, @.dropped, @.spans}@;
    UPDATE @.counters AS c
    SET message_count = 0, stream_count = 0, largest = 0, clears = c.clears + 1,
        @side{spans_version = c.spans_version + 1, span_end = '-infinity',
        }@last_cleared = deleted;
END $$;

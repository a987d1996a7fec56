-- The appends that servers of older versions call. Such servers may run beside newer ones while these are brought
-- in, and either may write at any time. Once no such server can run any more, this file can be removed, with a new
-- version of each layout. Applied as functions.sql is.

-- Appends a group of writes, as the append of functions.sql does, for a caller that says less. An entry whose
-- outcome is not 0 is refused. Kinds of expectation and outcomes are those of functions.sql.
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

-- The append of functions.sql, for a caller that does not say which namespace of the id it means.
CREATE OR REPLACE FUNCTION @.append(
    p_lock_ms int4, p_largest int4, p_head int8, p_last_write timestamp, p_changed xid,
    p_names text[], p_hashes int8[], p_versions int8[], p_stream_category int4[], p_stream_count int4[],
    p_categories text[],
    p_entry_write int4[], p_entry_stream int4[], p_entry_expect int4[], p_entry_version int8[],
    p_entry_offset int4[], p_entry_count int4[],
    p_message_entry int4[], p_message_number int4[], p_ids uuid[], p_types text[], p_correlations text[],
    p_data text[], p_metadata text[],
    OUT head int8, OUT write_time timestamp, OUT outcomes int4[], OUT versions int8[],
    OUT is_current bool, OUT changed xid)
LANGUAGE plpgsql AS $$
DECLARE
    now_born timestamptz;
BEGIN
    PERFORM @.lock(p_lock_ms, p_names);
    SELECT c.born INTO STRICT now_born FROM @.counters AS c ORDER BY c.era DESC LIMIT 1;
    SELECT a.* INTO STRICT head, write_time, outcomes, versions, is_current, changed
        FROM @.append(p_lock_ms, now_born, p_largest, p_head, p_last_write, p_changed,
                      p_names, p_hashes, p_versions, p_stream_category, p_stream_count, p_categories,
                      p_entry_write, p_entry_stream, p_entry_expect, p_entry_version,
                      p_entry_offset, p_entry_count, p_message_entry, p_message_number,
                      p_ids, p_types, p_correlations, p_data, p_metadata) AS a;
END $$;

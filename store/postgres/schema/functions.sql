-- The functions that write, one text for every layout. The file is applied as it stands whenever a schema is
-- created or brought up to date, after the numbered steps. A change to it, or to another file of functions, needs a
-- new version of each layout that has the file (`version` of struct pg_layout).
--
-- In layouts that keep ids and positions, which must be unique, in a table beside the messages, @keys@ is that
-- table, and text in braces after "@side" is kept. In other layouts @keys@ is the table of the messages, and text
-- in braces after "@plain" is kept. An @ follows the closing brace.
--
-- Ids and streams are looked for one by one, by subqueries with LIMIT, which stay subqueries. A join or an EXISTS may
-- be planned as one look at all messages there are: sessions keep their plans, and an ANALYZE may have found few.
--
-- own_functions.sql or adopted_functions.sql defines the lock() that is called here, and the clear() that removes
-- the messages.

-- Fails, as if the namespace were missing, unless it is the one that was created at p_born. A write that is under
-- way while its namespace is deleted and created anew, perhaps by another server, must not land in the new one. The
-- caller holds the namespace's lock.
CREATE OR REPLACE FUNCTION @.must_be(p_born timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF p_born IS DISTINCT FROM (SELECT c.born FROM @.counters AS c ORDER BY c.era DESC LIMIT 1) THEN
        RAISE EXCEPTION 'the namespace was deleted and made anew' USING ERRCODE = 'undefined_table';
    END IF;
END $$;

-- Appends a group of writes: one call, one transaction, one commit. If nothing in the group is refused, as in
-- nearly all groups, one statement judges the group instead of a loop.
--
-- An entry is the part of a write that belongs to one stream. Entries with the same p_entry_write are one write,
-- all or nothing. Streams are numbered by p_names, entries by the p_entry_... arrays, categories by p_categories.
-- p_entry_offset is the number of messages that earlier entries have for the entry's stream, and p_message_number
-- counts from 1 within an entry. Kinds of expectation: 0 any, 1 exactly the version, 2 the stream exists.
--
-- Outcomes by entry: 0 appended, 1 an expectation did not hold, 2 an id is stored already, which the caller looks
-- at. If outcomes is NULL everything was appended. versions are those before each entry. The messages of an
-- appended entry have the positions that follow its version, and the global positions from head + 1 on, in their
-- order. The highest int8 is never a position, so that every message has a next position: `+ 1 - 1` is out of range
-- there (22003).
--
-- p_versions are the versions that the caller left or found at the end of its last call, NULL where it knows none.
-- They hold as long as nothing else has been written. Whatever writes changes the row of the counters, so they hold
-- if that row is still of transaction p_changed. Its head and time are compared too: after a failover that lost
-- something, another transaction may have the same number. is_current says whether the versions were used, and
-- changed is the transaction to name next time.
--
-- The rows of the counters and of a category are found by era (counters_010, categories_014). The place of a
-- category's row is looked up once: a writer holds the namespace's lock, so the row stays there and nobody else
-- enters the same category.
--
-- In layouts that drop messages, `dropped` has the version that a stream had reached in messages that are gone. The
-- stream may have others left, newer ones or, because imports bring any time, older ones; so its version is the
-- higher of the two. It counts as a stream again once it has messages again, whatever its version. p_versions has
-- no version of a stream without messages, so a stream whose version is given does not come back, and nothing is
-- looked up to tell.
CREATE OR REPLACE FUNCTION @.append(
    p_lock_ms int4, p_born timestamptz, p_largest int4, p_head int8, p_last_write timestamp, p_changed xid,
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
    entries int4 := cardinality(p_entry_write);
    old_versions int8[];
    now_versions int8[];
    known int4[];       -- entries with an id that is there
    is_plain bool;      -- nothing is refused
    added int4[] := p_stream_count;
    messages int8 := cardinality(p_ids);  -- appended
    sent int8 := 0;     -- messages of the entries before
    -- By entry: messages of those before that were refused. Of no meaning where it is refused itself.
    refused int8[];
    e int4 := 1;
    first_entry int4;
    outcome int4;
    s int4;
    now_era int8;
    now_born timestamptz;
    @side{span_end timestamp;}@
BEGIN
    PERFORM @.lock(p_lock_ms, p_names);
    SELECT c.head, greatest(clock_timestamp() AT TIME ZONE 'UTC', c.last_write),
           c.is_same, c.era, c.born,
           (SELECT array_agg(coalesce(CASE WHEN c.is_same THEN n.version END,
                                      @side{greatest((SELECT d.version FROM @.dropped AS d WHERE d.name = n.name),
                                               }@(SELECT k.position FROM @keys@ AS k WHERE k.stream_name = n.name
                                       ORDER BY k.position DESC LIMIT 1)@side{)}@,
                                      -1))
            FROM unnest(p_names, p_versions) AS n (name, version)),
           (SELECT array_agg(i.entry) FROM unnest(p_ids, p_message_entry) AS i (id, entry)
            WHERE (SELECT true FROM @keys@ AS k WHERE k.id = i.id LIMIT 1))@side{, c.span_end}@
        INTO STRICT head, write_time, is_current, now_era, now_born, old_versions,
            known@side{, span_end}@
        FROM (SELECT k.*, k.xmin = p_changed AND k.head = p_head AND k.last_write = p_last_write AS is_same
              FROM @.counters AS k ORDER BY k.era DESC LIMIT 1) AS c;
    IF now_born IS DISTINCT FROM p_born THEN
        PERFORM @.must_be(p_born);
    END IF;

    SELECT array_agg(v.version),
           known IS NULL AND bool_and(CASE v.expect WHEN 0 THEN true WHEN 1 THEN v.version = v.expected
                                      ELSE v.version >= 0 END)
        INTO STRICT versions, is_plain
        FROM (SELECT old_versions[i.stream] + i.before, i.expect, i.expected
              FROM unnest(p_entry_stream, p_entry_offset, p_entry_expect, p_entry_version)
                  AS i (stream, before, expect, expected)) AS v (version, expect, expected);

    IF NOT is_plain THEN
        -- Judged in order, because a write stands on those before it. Only numbers are touched here.
        now_versions := old_versions;
        outcomes := p_entry_write;
        refused := p_entry_version;
        messages := 0;
        WHILE e <= entries LOOP
            first_entry := e;
            outcome := 0;
            LOOP
                s := p_entry_stream[e];
                versions[e] := now_versions[s];
                IF e = ANY (known) THEN
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
                refused[part] := sent - messages;
                sent := sent + p_entry_count[part];
                IF outcome = 0 THEN
                    messages := messages + p_entry_count[part];
                    now_versions[s] := now_versions[s] + p_entry_count[part];
                ELSE
                    added[s] := added[s] - p_entry_count[part];
                END IF;
            END LOOP;
            e := e + 1;
        END LOOP;

        -- Where an id was there, something is committed all the same: a retry is acknowledged by a
        -- commit of its own, which a synchronous standby must have confirmed like the first one.
        IF messages = 0 AND known IS NULL THEN
            RETURN;
        END IF;
    END IF;
    @side{-- Not where all messages are there already: who enters a span makes its chunk, of which other sessions learn by
    -- the version of the spans.
    IF messages > 0 AND write_time >= span_end THEN
        PERFORM @.enter_span(write_time, head);
    END IF;
    }@WITH incoming AS (
        SELECT head + m.at - coalesce(refused[m.entry], 0) + 1 - 1 AS global_position,
               versions[m.entry] + m.number + 1 - 1 AS position, write_time AS time,
               p_hashes[p_entry_stream[m.entry]] AS cardinal_hash, m.id,
               p_names[p_entry_stream[m.entry]] AS stream_name, m.type, m.correlation, m.data,
               m.metadata
        FROM unnest(p_message_entry, p_message_number, p_ids, p_types, p_correlations, p_data, p_metadata)
            WITH ORDINALITY AS m (entry, number, id, type, correlation, data, metadata, at)
        WHERE is_plain OR outcomes[m.entry] = 0
    ), @side{keyed AS (
        INSERT INTO @.keys (global_position, position, time, id, stream_name)
        SELECT i.global_position, i.position, i.time, i.id, i.stream_name FROM incoming AS i
    ), }@appended AS (
        INSERT INTO @.stored (global_position, position, time, cardinal_hash, id, stream_name, type,
                              correlation, data, metadata)
        SELECT i.* FROM incoming AS i
    ), by_category AS (
        SELECT p_categories[n.category] AS name,
               count(*) FILTER (WHERE n.old < 0@side{ OR CASE
                   WHEN is_current AND n.known IS NOT NULL THEN false
                   ELSE coalesce((SELECT true FROM @.dropped AS d WHERE d.name = n.name), false)
                        AND (SELECT k.position FROM @.keys AS k WHERE k.stream_name = n.name
                             ORDER BY k.position DESC LIMIT 1) IS NULL END}@) AS streams,
               sum(n.added) AS messages,
               (SELECT k.ctid FROM @.categories AS k WHERE k.name = p_categories[n.category]
                ORDER BY k.era DESC LIMIT 1) AS place
        FROM unnest(p_stream_category, old_versions, added@side{, p_versions, p_names}@)
            AS n (category, old, added@side{, known, name}@)
        WHERE n.added > 0
        GROUP BY n.category
    ), counted AS (
        UPDATE @.categories AS c
        SET stream_count = c.stream_count + b.streams, message_count = c.message_count + b.messages,
            era = (c.message_count + b.messages) >> 10
        FROM by_category AS b WHERE c.ctid = b.place
    ), entered AS (
        INSERT INTO @.categories (name, stream_count, message_count, era)
        SELECT b.name, b.streams, b.messages, b.messages >> 10 FROM by_category AS b WHERE b.place IS NULL
    )
    UPDATE @.counters AS c
    SET head = c.head + messages, era = (c.head + messages) >> 10, last_write = write_time,
        message_count = c.message_count + messages,
        stream_count = c.stream_count + coalesce((SELECT sum(b.streams)::int8 FROM by_category AS b), 0),
        largest = greatest(c.largest, p_largest)
    WHERE c.era = now_era
    RETURNING c.xmin INTO STRICT changed;
END $$;

-- Imports all records or none. A record that is stored already, equal in every field, is left out. The first record
-- that cannot be stored raises WR001, whose detail is: what is in the way, the record's number and, for an id,
-- where the message with that id is. The detail says nothing of the records behind it.
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
        FROM written AS w,
             (SELECT k.span_width FROM @.counters AS k ORDER BY k.era DESC LIMIT 1) AS c GROUP BY 1
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
               (SELECT true FROM @keys@ AS k WHERE k.stream_name = w.stream_name LIMIT 1) IS NULL AS is_new
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
    SET head = greatest(c.head, t.newest), era = greatest(c.head, t.newest) >> 10,
        message_count = c.message_count + t.n,
        stream_count = c.stream_count + t.streams,
        @side{spans_version = c.spans_version + (t.n > 0)::int4,
        }@largest = greatest(c.largest, p_largest)
    FROM total AS t
    WHERE c.era = (SELECT k.era FROM @.counters AS k ORDER BY k.era DESC LIMIT 1)
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
    @plain{LEFT JOIN @.stored AS m ON m.global_position = r.global}@
    @side{-- With a bound of time the plan does not depend on the list of chunks.
    LEFT JOIN LATERAL (
        SELECT s.* FROM @.stored AS s
        WHERE s.global_position = r.global AND s.time >= @first_time@
          AND s.time = (SELECT k.time FROM @.keys AS k
                        WHERE k.global_position = r.global AND k.id = r.id
                          AND k.stream_name = r.stream AND k.position = r.position)
        OFFSET 0) AS m ON true}@
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

-- Imports into the namespace that was created at p_born.
CREATE OR REPLACE FUNCTION @.import(
    p_lock_ms int4, p_born timestamptz, p_largest int4, p_globals int8[], p_positions int8[],
    p_times timestamp[], p_hashes int8[], p_ids uuid[], p_streams text[], p_types text[],
    p_correlations text[], p_data text[], p_metadata text[],
    OUT imported int8)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM @.lock(p_lock_ms, p_streams);
    PERFORM @.must_be(p_born);
    imported := @.import(p_lock_ms, p_largest, p_globals, p_positions, p_times, p_hashes, p_ids, p_streams,
                         p_types, p_correlations, p_data, p_metadata);
END $$;

-- Clears the namespace that was created at p_born, if the count of clears is still p_clears; returns NULL if it is
-- another. A clear that arrives late does not remove what was written after the one that was sent in its place.
CREATE OR REPLACE FUNCTION @.clear(
    p_lock_ms int4, p_born timestamptz, p_clears int8, OUT deleted int8)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM @.lock(p_lock_ms, NULL);
    PERFORM @.must_be(p_born);
    IF p_clears = (SELECT c.clears FROM @.counters AS c ORDER BY c.era DESC LIMIT 1) THEN
        deleted := @.clear(p_lock_ms);
    END IF;
END $$;

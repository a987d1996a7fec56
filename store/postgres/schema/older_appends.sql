-- The appends that servers of older versions call. Such servers may run beside newer ones while these are brought
-- in, and either may write at any time. Once no such server can run any more, this file can be removed, with a new
-- version of each layout. Applied as functions.sql is.

-- The append of functions.sql, for a caller that says less: neither which namespace of the id it means nor what it
-- knows, and nothing that follows from the rest. It gets outcomes in every case.
CREATE OR REPLACE FUNCTION @.append(
    p_lock_ms int4, p_largest int4, p_names text[], p_hashes int8[],
    p_entry_write int4[], p_entry_stream int4[], p_entry_expect int4[], p_entry_version int8[],
    p_entry_count int4[],
    p_message_entry int4[], p_ids uuid[], p_types text[], p_correlations text[], p_data text[],
    p_metadata text[],
    OUT head int8, OUT write_time timestamp, OUT outcomes int4[], OUT versions int8[])
LANGUAGE plpgsql AS $$
DECLARE
    now_born timestamptz;
    in_categories text[];
    category_of int4[];      -- by stream
    messages_of int4[];      -- by stream
    messages_before int4[];  -- by entry, of the same stream
    number_of int4[];        -- by message, within its entry
BEGIN
    PERFORM @.lock(p_lock_ms, p_names);
    SELECT c.born INTO STRICT now_born FROM @.counters AS c ORDER BY c.era DESC LIMIT 1;
    in_categories := ARRAY(SELECT DISTINCT split_part(n, '-', 1) FROM unnest(p_names) AS n);
    SELECT array_agg(array_position(in_categories, split_part(n.name, '-', 1)) ORDER BY n.at),
           array_agg((SELECT coalesce(sum(e.messages), 0)::int4
                      FROM unnest(p_entry_stream, p_entry_count) AS e (stream, messages)
                      WHERE e.stream = n.at) ORDER BY n.at)
        INTO STRICT category_of, messages_of
        FROM unnest(p_names) WITH ORDINALITY AS n (name, at);
    SELECT array_agg(e.upto - e.messages ORDER BY e.at) INTO STRICT messages_before
        FROM (SELECT i.at, i.messages, sum(i.messages) OVER (PARTITION BY i.stream ORDER BY i.at)::int4 AS upto
              FROM unnest(p_entry_stream, p_entry_count) WITH ORDINALITY AS i (stream, messages, at)) AS e;
    SELECT array_agg(m.number ORDER BY m.at) INTO STRICT number_of
        FROM (SELECT i.at, row_number() OVER (PARTITION BY i.entry ORDER BY i.at)::int4 AS number
              FROM unnest(p_message_entry) WITH ORDINALITY AS i (entry, at)) AS m;
    SELECT a.head, a.write_time, coalesce(a.outcomes, array_fill(0, ARRAY[cardinality(p_entry_write)])),
           a.versions
        INTO STRICT head, write_time, outcomes, versions
        FROM @.append(p_lock_ms, now_born, p_largest, NULL, NULL, NULL,
                      p_names, p_hashes, array_fill(NULL::int8, ARRAY[cardinality(p_names)]), category_of,
                      messages_of, in_categories,
                      p_entry_write, p_entry_stream, p_entry_expect, p_entry_version,
                      messages_before, p_entry_count, p_message_entry, number_of,
                      p_ids, p_types, p_correlations, p_data, p_metadata) AS a;
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

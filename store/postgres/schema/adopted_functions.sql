-- Functions of a namespace that is Message DB's schema: its locks, the removal of its messages, and its readers'
-- wait for writers. Applied as functions.sql is.

-- Takes the locks of a writer, which are held until the transaction ends. Message DB's locks of the categories,
-- taken in order, make its functions see the versions that are written here. The lock on the table keeps all other
-- writers out, so that positions are committed in the order in which they are allotted. The counters catch up with
-- what was written in the meantime.
--
-- An autovacuum gives way to a lock that has been waited for during deadlock_timeout. The wait for it comes before
-- any lock that Message DB's writers need: they go on meanwhile, and no vacuum begins before the transaction has
-- ended.
CREATE OR REPLACE FUNCTION @.lock(p_lock_ms int4, p_names text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    ignored text;
BEGIN
    ignored := set_config('lock_timeout', p_lock_ms::text, true);
    PERFORM pg_advisory_xact_lock(@lock@);
    ignored := set_config('lock_timeout', (p_lock_ms + 1000 * extract(
        epoch FROM current_setting('deadlock_timeout')::interval))::int4::text, true);
    LOCK TABLE message_store.messages IN SHARE UPDATE EXCLUSIVE MODE;
    ignored := set_config('lock_timeout', p_lock_ms::text, true);
    PERFORM pg_advisory_xact_lock(k.key)
    FROM (SELECT DISTINCT message_store.hash_64(split_part(n, '-', 1)) AS key
          FROM unnest(p_names) AS n ORDER BY 1) AS k;
    LOCK TABLE message_store.messages IN SHARE ROW EXCLUSIVE MODE;
    UPDATE @.counters AS c
    SET head = n.head, era = n.head >> 10
    FROM (SELECT k.era, greatest(k.head,
                                 (SELECT max(m.global_position) FROM message_store.messages AS m),
                                 (SELECT CASE WHEN s.is_called THEN s.last_value END
                                  FROM message_store.messages_global_position_seq AS s)) AS head
          FROM @.counters AS k ORDER BY k.era DESC LIMIT 1) AS n
    WHERE c.era = n.era;
END $$;

-- Removes all messages. The head stays.
CREATE OR REPLACE FUNCTION @.clear(p_lock_ms int4, OUT deleted int8) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM @.lock(p_lock_ms, NULL);
    SELECT count(*) INTO STRICT deleted FROM message_store.messages;
    TRUNCATE message_store.messages, @.categories;
    UPDATE @.counters AS c SET clears = c.clears + 1, last_cleared = deleted;
END $$;

-- Returns a position up to which nothing more can appear, for readers of everything. Waits for the writers that are
-- under way, and locks nobody out: a lock would stop Message DB's writers, and would wait for a vacuum to its end.
-- A writer locks the table before it is given a position; so once the highest position that was given is known,
-- only those who hold that lock may still commit a lower one. The wait is short, because it holds a connection.
CREATE OR REPLACE FUNCTION @.settle(p_lock_ms int4) RETURNS int8 LANGUAGE plpgsql AS $$
DECLARE
    settled int8;
    writers text[];
    until timestamptz := clock_timestamp() + p_lock_ms * INTERVAL '1 millisecond';
BEGIN
    settled := greatest((SELECT c.head FROM @.counters AS c ORDER BY c.era DESC LIMIT 1),
                        (SELECT max(m.global_position) FROM message_store.messages AS m),
                        (SELECT CASE WHEN s.is_called THEN s.last_value END
                         FROM message_store.messages_global_position_seq AS s));
    LOOP
        writers := ARRAY(
            SELECT l.virtualtransaction FROM pg_locks AS l
            WHERE l.locktype = 'relation' AND l.relation = 'message_store.messages'::regclass
              AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
              AND l.mode = 'RowExclusiveLock' AND l.granted
              AND (writers IS NULL OR l.virtualtransaction = ANY (writers)));
        EXIT WHEN writers = '{}';
        IF clock_timestamp() > until THEN
            RAISE EXCEPTION 'others are writing' USING ERRCODE = 'lock_not_available';
        END IF;
        PERFORM pg_sleep(0.001);
    END LOOP;
    RETURN settled;
END $$;

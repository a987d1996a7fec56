-- As functions.sql, for a namespace that is Message DB's schema: locks and removal of its table.

-- Writers here take Message DB's locks of their categories, in order, so that its functions see
-- their versions; then they keep all other writers of the table out until they have committed, so
-- that allotment order is commit order. The counters catch up with what was written meanwhile.
--
-- A vacuum that PostgreSQL has begun by itself gives way to who has waited for deadlock_timeout. Writers
-- here wait for it so long, before they have a lock that Message DB's writers could want: so these go on
-- meanwhile, and no vacuum begins before the transaction has ended.
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

-- The removal of all messages. The head stays.
CREATE OR REPLACE FUNCTION @.clear(p_lock_ms int4, OUT deleted int8) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM @.lock(p_lock_ms, NULL);
    SELECT count(*) INTO STRICT deleted FROM message_store.messages;
    TRUNCATE message_store.messages, @.categories;
    UPDATE @.counters AS c SET clears = c.clears + 1, last_cleared = deleted;
END $$;

-- Readers of everything wait for those who are writing when they come, and lock nobody out: neither
-- Message DB's writers nor a vacuum, which such a lock would wait for to its end. A writer has the
-- table's lock before it is given a position; so those who hold it once the highest position that was
-- given is known are all who may yet commit one below. The wait is short, because it holds a connection.
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

-- The settle of adopted_009, which finds the row of the counters by its era, as the functions that write do;
-- all else is as it was.
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

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

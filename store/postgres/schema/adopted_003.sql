-- Writers here take Message DB's locks of their categories, in order, so that its functions see
-- their versions; then they keep all other writers of the table out until they have committed, so
-- that allotment order is commit order. The counters catch up with what was written meanwhile.
CREATE OR REPLACE FUNCTION @.lock(p_lock_ms int4, p_names text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    ignored text;
BEGIN
    ignored := set_config('lock_timeout', p_lock_ms::text, true);
    PERFORM pg_advisory_xact_lock(@lock@);
    PERFORM pg_advisory_xact_lock(k.key)
    FROM (SELECT DISTINCT message_store.hash_64(split_part(n, '-', 1)) AS key
          FROM unnest(p_names) AS n ORDER BY 1) AS k;
    LOCK TABLE message_store.messages IN SHARE ROW EXCLUSIVE MODE;
    UPDATE @.counters AS c
    SET head = greatest(c.head, (SELECT max(m.global_position) FROM message_store.messages AS m),
                        (SELECT CASE WHEN s.is_called THEN s.last_value END
                         FROM message_store.messages_global_position_seq AS s));
END $$;

CREATE OR REPLACE FUNCTION @.clear(p_lock_ms int4, OUT deleted int8) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM @.lock(p_lock_ms, NULL);
    SELECT count(*) INTO STRICT deleted FROM message_store.messages;
    TRUNCATE message_store.messages, @.categories;
    UPDATE @.counters AS c SET clears = c.clears + 1, last_cleared = deleted;
END $$;

CREATE TRIGGER advance AFTER UPDATE OF head ON @.counters
    FOR EACH ROW EXECUTE FUNCTION @.advance();

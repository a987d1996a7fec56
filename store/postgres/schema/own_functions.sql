-- As functions.sql, for layouts whose messages are weir's own.

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

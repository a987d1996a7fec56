-- Functions of layouts whose messages are weir's own. Applied as functions.sql is.

-- Takes the one lock of the namespace's writers, which is held until the transaction ends. Its holder sees in the
-- next statement all that was committed before; so positions are committed in the order in which they are allotted.
-- The wait is short, because a waiter holds a connection; the caller tries again. p_names are the streams to be
-- written.
CREATE OR REPLACE FUNCTION @.lock(p_lock_ms int4, p_names text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    ignored text;
BEGIN
    ignored := set_config('lock_timeout', p_lock_ms::text, true);
    ignored := pg_advisory_xact_lock(@lock@)::text;
END $$;

-- Removes all messages. The head stays.
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

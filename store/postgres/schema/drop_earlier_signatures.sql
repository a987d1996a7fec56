-- After the files of functions. Of a function that these have made or replaced, by this same transaction, what it
-- was with other parameters before goes; whatever stays keeps its privileges, and calls of it that are under way are
-- not disturbed. A function that is no more, or gives another type than it did, is dropped by a numbered step.
-- Functions of triggers stand in the steps, with these.
DO $$
DECLARE
    earlier regprocedure;
BEGIN
    FOR earlier IN
        WITH there AS (
            SELECT p.oid, p.proname, p.xmin::text::int8 = txid_current() & 4294967295 AS is_current
            FROM pg_proc AS p WHERE p.pronamespace = '@name@'::regnamespace
        )
        SELECT t.oid FROM there AS t
        WHERE NOT t.is_current AND t.proname IN (SELECT c.proname FROM there AS c WHERE c.is_current)
    LOOP
        EXECUTE format('DROP FUNCTION %s', earlier);
    END LOOP;
END $$;

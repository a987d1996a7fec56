-- Applied after the files of functions. Drops the earlier signatures of functions that were created or replaced by
-- this same transaction. Functions that stay keep their privileges, and calls of them that are under way are not
-- disturbed. A numbered step drops a function that is removed or returns another type. Trigger functions are
-- defined in the steps, with their triggers.
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

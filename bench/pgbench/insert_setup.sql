-- A table like the one that holds a namespace's messages, its indexes included, and a sequence for its positions.
DO $$
DECLARE
    source regclass;
BEGIN
    SELECT c.oid::regclass INTO STRICT source FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relname = 'stored' AND c.relkind = 'r' AND n.nspname LIKE 'weir%' LIMIT 1;
    DROP TABLE IF EXISTS public.plain;
    EXECUTE format('CREATE TABLE public.plain (LIKE %s INCLUDING ALL)', source);
END $$;
DROP SEQUENCE IF EXISTS public.plain_position;
CREATE SEQUENCE public.plain_position;

\set stream random(0, 99)
WITH next AS (SELECT nextval('public.plain_position') AS position)
INSERT INTO public.plain (global_position, position, time, cardinal_hash, id, stream_name, type, data)
SELECT position, position, clock_timestamp() AT TIME ZONE 'UTC', :stream, gen_random_uuid(),
       'load-' || lpad(:stream::text, 6, '0'), 'Deposited', '{"text":"' || repeat('x', 188) || '"}'
FROM next;

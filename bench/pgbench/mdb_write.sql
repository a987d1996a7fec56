\set stream random(0, 99)
SELECT message_store.write_message(gen_random_uuid()::varchar, ('load-' || :stream)::varchar, 'Deposited'::varchar,
                                   ('{"text":"' || repeat('x', 188) || '"}')::jsonb);

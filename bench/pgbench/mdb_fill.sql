-- 10,000 messages of one category to be read, once.
SELECT count(message_store.write_message(gen_random_uuid()::varchar, ('fill-' || n % 100)::varchar,
                                         'Deposited'::varchar, ('{"text":"' || repeat('x', 188) || '"}')::jsonb))
FROM generate_series(1, 10000) AS n
WHERE NOT EXISTS (SELECT FROM message_store.messages WHERE stream_name = 'fill-1');

-- A namespace that is the schema message_store of Message DB 1.3.0, used as it is. Messages that Message DB's
-- functions write are read here, and messages written here are read there; nothing is copied, and nothing of that
-- schema is changed. Deleting the namespace leaves that schema alone.

-- The counters, as in other layouts. The head and the counts follow what is written here; for what Message DB's
-- functions write, the table itself is asked. `largest` is 16 MiB from the start, because those messages may be of any
-- size.
CREATE TABLE @.counters (
    head int8 NOT NULL,
    last_write timestamp NOT NULL,
    message_count int8 NOT NULL,
    stream_count int8 NOT NULL,
    largest int4 NOT NULL,
    clears int8 NOT NULL,
    last_cleared int8 NOT NULL
) WITH (fillfactor = 10);
INSERT INTO @.counters VALUES (0, 'epoch', 0, 0, 16777216, 0, 0);

-- The functions of every layout write this table; in this layout nothing reads it.
CREATE TABLE @.categories (
    name text COLLATE "C" PRIMARY KEY,
    stream_count int8 NOT NULL,
    message_count int8 NOT NULL
) WITH (fillfactor = 50);

-- Message DB's table in the shape that other layouts give theirs.
CREATE VIEW @.stored AS
    SELECT m.global_position, m.position, m.time,
           CASE WHEN strpos(m.stream_name, '-') > 0 THEN
               ('x' || left(md5(split_part(substr(m.stream_name, strpos(m.stream_name, '-') + 1), '+',
                                           1)), 16))::bit(64)::int8
           END AS cardinal_hash,
           m.id, m.stream_name, m.type,
           message_store.category(m.metadata ->> 'correlationStreamName')::text AS correlation,
           m.data::text AS data, m.metadata::text AS metadata
    FROM message_store.messages AS m;

-- Turns an insert into the view into one into the table. An import skips records that conflict.
CREATE FUNCTION @.insert_stored() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('weir.is_import', true) = 'on' THEN
        INSERT INTO message_store.messages
            (global_position, position, time, stream_name, type, data, metadata, id)
        VALUES (NEW.global_position, NEW.position, NEW.time, NEW.stream_name, NEW.type,
                NEW.data::jsonb, NEW.metadata::jsonb, NEW.id)
        ON CONFLICT DO NOTHING;
        RETURN CASE WHEN FOUND THEN NEW END;
    END IF;
    INSERT INTO message_store.messages
        (global_position, position, time, stream_name, type, data, metadata, id)
    VALUES (NEW.global_position, NEW.position, NEW.time, NEW.stream_name, NEW.type,
            NEW.data::jsonb, NEW.metadata::jsonb, NEW.id);
    RETURN NEW;
END $$;
CREATE TRIGGER insert_stored INSTEAD OF INSERT ON @.stored
    FOR EACH ROW EXECUTE FUNCTION @.insert_stored();

-- Moves Message DB's sequence to the highest position that is written here.
CREATE FUNCTION @.advance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.head > OLD.head THEN
        PERFORM setval('message_store.messages_global_position_seq', NEW.head);
    END IF;
    RETURN NULL;
END $$;

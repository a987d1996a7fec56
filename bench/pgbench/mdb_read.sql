\set position random(1, 9000)
SELECT * FROM message_store.get_category_messages('fill'::varchar, :position, :batch);

-- An append finds the row of a category by its era too, as that of the counters (counters_010). What a snapshot
-- still holds of it has many entries of the name in the index, and whoever looked for the name went through all of
-- them. An era is 1024 of the category's messages. The name stays a key: imports, and appends of older programs,
-- go by it.
ALTER TABLE @.categories ADD COLUMN era int8 NOT NULL DEFAULT 0;
CREATE INDEX categories_by_era ON @.categories (name, era);

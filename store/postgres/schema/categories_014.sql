-- An append finds the row of a category by its era as well, like the row of the counters (counters_010). Versions
-- of the row that an open snapshot keeps have an entry each in the index of names, and a search by name alone goes
-- through all of them. An era is 1024 of the category's messages. The name stays the key, for imports and for
-- appends of older programs.
ALTER TABLE @.categories ADD COLUMN era int8 NOT NULL DEFAULT 0;
CREATE INDEX categories_by_era ON @.categories (name, era);

-- The row of the counters is found by an index. A snapshot that stays open, as a backup's does, keeps
-- every version of that row, and whoever looked for the one that counts went through all of them; and
-- through their pages ever after, because the row stays on the last one. An era is 1024 global positions:
-- only versions of the last era are looked at. Within it an update touches no index and stays on its page.
ALTER TABLE @.counters ADD COLUMN era int8 NOT NULL DEFAULT 0;
CREATE INDEX counters_by_era ON @.counters (era);

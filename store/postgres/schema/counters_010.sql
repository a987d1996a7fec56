-- The row of the counters is found by an index. A snapshot that stays open, as a backup's does, keeps every version
-- of the row. Without the index a search for the current one goes through all of them, and through their pages ever
-- after, because the row stays on the last page. An era is 1024 global positions, and only versions of the last era
-- are looked at. Within an era an update touches no index and stays on its page.
ALTER TABLE @.counters ADD COLUMN era int8 NOT NULL DEFAULT 0;
CREATE INDEX counters_by_era ON @.counters (era);

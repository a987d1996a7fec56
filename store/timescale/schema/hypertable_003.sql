-- The global positions that each span of time holds, so that a read from a position on touches the chunks that can
-- hold it, and no older ones. Spans are as wide as chunks and begin where chunks begin. The bound would be right
-- for any chunks, because it is a bound of times.
--
-- The span of the newest writes is open: its `newest` is the highest number there is, so that writes touch nothing
-- here until one enters the next span. Write times never go back. An import raises `newest` of the spans of its
-- times.
CREATE TABLE @.spans (
    starts timestamp PRIMARY KEY,
    newest int8 NOT NULL  -- no message of the span has a higher global position
) WITH (fillfactor = 50);

-- `spans_version` says whether what a reader knows of the spans still holds.
ALTER TABLE @.counters
    ADD COLUMN spans_version int8 NOT NULL DEFAULT 1,
    ADD COLUMN span_width interval NOT NULL DEFAULT '7 days',
    ADD COLUMN span_end timestamp NOT NULL DEFAULT '-infinity';  -- of the open span

INSERT INTO @.spans (starts, newest)
SELECT time_bucket(c.span_width, k.time, '1970-01-01'::timestamp), max(k.global_position)
FROM @.keys AS k, @.counters AS c GROUP BY 1;

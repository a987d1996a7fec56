-- `born` is when the namespace was created, as the registry says. Writes name it to say which namespace of the id
-- they mean (must_be() in functions.sql).
@side{-- Counts the streams that were dropped as a whole and have come back, which earlier versions did not count. The
-- count looks at all keys, so it comes before the counters are locked: readers need the counters.
UPDATE @.categories AS c SET stream_count = s.n
FROM (SELECT split_part(k.stream_name, '-', 1) AS name, count(*) AS n
      FROM (SELECT DISTINCT stream_name FROM @.keys) AS k GROUP BY 1) AS s
WHERE s.name = c.name AND EXISTS (SELECT FROM @.dropped);

}@-- The replica identity (counters_018) allows the update below where the table is published.
ALTER TABLE @.counters ADD COLUMN born timestamptz, REPLICA IDENTITY FULL;
UPDATE @.counters
SET @side{stream_count = coalesce((SELECT sum(c.stream_count) FROM @.categories AS c), 0),
    }@born = (SELECT n.created_at FROM weir_registry.namespaces AS n WHERE n.schema_name = '@name@');

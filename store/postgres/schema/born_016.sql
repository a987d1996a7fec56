-- When the namespace was made, as the list of namespaces says: what writes names it (must_be() of functions.sql).
@side{-- Streams that had been dropped whole were not counted when they came back. Before the counters are locked,
-- because it looks at all keys, and who reads needs the counters.
UPDATE @.categories AS c SET stream_count = s.n
FROM (SELECT split_part(k.stream_name, '-', 1) AS name, count(*) AS n
      FROM (SELECT DISTINCT stream_name FROM @.keys) AS k GROUP BY 1) AS s
WHERE s.name = c.name AND EXISTS (SELECT FROM @.dropped);

}@ALTER TABLE @.counters ADD COLUMN born timestamptz;
UPDATE @.counters
SET @side{stream_count = coalesce((SELECT sum(c.stream_count) FROM @.categories AS c), 0),
    }@born = (SELECT n.created_at FROM weir_registry.namespaces AS n WHERE n.schema_name = '@name@');

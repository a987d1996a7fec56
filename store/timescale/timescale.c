/* TimescaleDB, a dialect of the PostgreSQL backend. Messages are a hypertable, in chunks by time.
 * Ids, positions and versions, which must be unique or must survive retention, are kept in tables
 * beside it. */
#include "store/postgres/pg_dialect.h"
#include "store/timescale/timescale_sql.h"

static const struct pg_step steps[] = {
    {1, weir_timescale_sql_hypertable_001},
    {3, weir_timescale_sql_hypertable_003},
    {8, weir_pg_sql_counters_010},
    {10, weir_pg_sql_categories_014},
    {12, weir_pg_sql_born_016},
    {16, weir_pg_sql_counters_018},
};
static const char *const functions[] = {weir_timescale_sql_hypertable_functions,
                                        weir_pg_sql_own_functions, weir_pg_sql_functions,
                                        weir_pg_sql_older_appends};

#define COLUMNS                                                                                   \
    "m.global_position, m.position, coalesce(m.exact_time, m.time) AS time, m.id, m.stream_name," \
    " m.type"

static const struct pg_layout hypertable = {
    .name = "hypertable",
    .version = 17,
    .steps = steps,
    .steps_n = WEIR_COUNTOF(steps),
    .functions = functions,
    .functions_n = WEIR_COUNTOF(functions),
    .has_side_tables = true,
    .fixed =
        {
            WEIR_PG_FIXED_FUNCTIONS,
            WEIR_PG_FIXED_COUNTERS,
            [PG_FIXED_BY_IDS] =
                "SELECT " COLUMNS ", m.data, m.metadata FROM unnest($1::uuid[]) AS i (id),"
                " LATERAL (SELECT a.time, a.global_position FROM @.keys AS a WHERE a.id = i.id"
                "  OFFSET 0) AS k,"
                " LATERAL (SELECT s.* FROM @.stored AS s"
                "  WHERE s.time = k.time AND s.time >= @first_time@"
                "  AND s.global_position = k.global_position OFFSET 0) AS m",
            [PG_FIXED_VERSION] =
                "SELECT max(v.version) FROM (SELECT d.version FROM @.dropped AS d WHERE d.name = $1"
                " UNION ALL (SELECT k.position FROM @.keys AS k WHERE k.stream_name = $1"
                " ORDER BY k.position DESC LIMIT 1)) AS v (version) HAVING count(*) > 0",
            [PG_FIXED_TOTALS] =
                "SELECT c.message_count, c.stream_count, (SELECT k.time FROM @.keys AS k"
                " ORDER BY k.global_position DESC LIMIT 1) FROM " WEIR_PG_COUNTERS " AS c",
            [PG_FIXED_LIST_STREAMS] = weir_pg_list_streams_text,
            /* `f` is the first span that has such positions, since none before it matters, or the
             * last span if none has. All positions from `below` + 1 to `upto` have the same
             * answer. */
            [PG_FIXED_SINCE] =
                "SELECT c.spans_version, CASE WHEN b.newest IS NOT NULL THEN f.starts END,"
                " coalesce(b.newest, 0), CASE WHEN s.newest >= $1::int8 THEN s.newest"
                " ELSE 9223372036854775807 END,"
                " c.spans_version = $2::int8 OR @.is_over(c.changed)"
                " FROM (SELECT k.*, k.xmin AS changed FROM @.counters AS k"
                "  ORDER BY k.era DESC LIMIT 1) AS c"
                " LEFT JOIN LATERAL (SELECT coalesce(min(a.starts) FILTER (WHERE a.newest >= $1),"
                "  max(a.starts)) AS starts FROM @.spans AS a) AS f ON true"
                " LEFT JOIN LATERAL (SELECT max(a.newest) AS newest FROM @.spans AS a"
                "  WHERE a.starts < f.starts) AS b ON true"
                " LEFT JOIN @.spans AS s ON s.starts = f.starts",
            [PG_FIXED_KEEP_OUT_WRITERS] = "SELECT set_config('lock_timeout', $1::int4::text, true),"
                                          " pg_advisory_xact_lock_shared(@lock@)::text",
            [PG_FIXED_LIST_CHUNKS] = "SELECT * FROM @.list_chunks()",
            /* The server's clock may be ahead of the database's, by which writes get their times:
             * a chunk that they still go to would have rows beside its compressed form, which
             * plans of reads do not know, and only imports tell readers of that. */
            [PG_FIXED_UNCOMPRESSED] =
                "SELECT l.license IS NOT DISTINCT FROM 'timescale', k.name, k.chunk::text"
                " FROM (SELECT current_setting('timescaledb.license', true)) AS l (license)"
                " LEFT JOIN @.chunks(least($1, clock_timestamp() AT TIME ZONE 'UTC')) AS k"
                " ON NOT k.is_compressed ORDER BY k.range_start",
            [PG_FIXED_COMPRESS_CHUNK] =
                "SELECT compress_chunk($1::text::regclass, if_not_compressed => false)",
            [PG_FIXED_DROP_CHUNKS] =
                "SELECT * FROM @.drop_chunks($1 + " WEIR_PG_DEADLOCK_MS ", $2)",
        },
    .columns = COLUMNS ", m.data, m.metadata",
    .headers = COLUMNS ", NULL::text AS data, NULL::text AS metadata",
    .table = "@.stored AS m",
    .keys = "@.keys AS m",
    .category = "split_part(m.stream_name, '-', 1)",
    .correlation = "m.correlation",
    .cardinal_hash = "m.cardinal_hash",
    .size = WEIR_PG_SIZE,
    .counters = WEIR_PG_COUNTERS,
    /* SELECTs of messages name it where they have no later bound: TimescaleDB then finds the chunks
     * by their times. Without a bound it lists them from the table that a compression changes, and
     * a plan made at that moment has the compressed chunk twice, or not at all, and is kept. */
    .first_time = "'4700-01-01 BC'::timestamp",
    .set_chunk_interval = "SELECT @.set_chunk_interval($1)",
};

static const struct pg_layout *const layouts[] = {&hypertable, &weir_pg_rows_layout,
                                                  &weir_pg_adopted_layout};

static const struct pg_dialect dialect = {
    .scheme = "timescaledb://",
    .layouts = layouts,
    .layouts_n = WEIR_COUNTOF(layouts),
    .extension = "timescaledb",
};

static weir_status open_timescale(const struct weir_store_options *options,
                                  struct weir_backend **base, struct weir_error *err)
{
    return weir_pg_open(&dialect, &weir_timescale_ops, options, base, err);
}

const struct weir_store_ops weir_timescale_ops = {
    .name = "timescaledb",
    .open = open_timescale,
    WEIR_PG_SHARED_OPS,
};

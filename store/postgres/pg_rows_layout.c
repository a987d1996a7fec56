/* The layout of plain PostgreSQL: a namespace is one table with its indexes. */
#include "store/postgres/pg_dialect.h"

static const struct pg_step steps[] = {
    {1, weir_pg_sql_rows_001}, {5, weir_pg_sql_counters_010},  {7, weir_pg_sql_categories_014},
    {9, weir_pg_sql_born_016}, {12, weir_pg_sql_counters_018},
};
static const char *const functions[] = {weir_pg_sql_own_functions, weir_pg_sql_functions,
                                        weir_pg_sql_older_appends};

/* Walks from stream to stream by the index, without touching the messages between. The prefix is
 * given twice: $1 is the lowest text that has it, $4 its bytes. Where messages are dropped, a
 * stream's version may be that of a dropped one. */
const char weir_pg_list_streams_text[] =
    "WITH RECURSIVE walk (name, seen) AS ("
    " (SELECT s.stream_name, 1 FROM @keys@ AS s"
    "  WHERE s.stream_name >= $1 AND s.stream_name > $2"
    "  ORDER BY s.stream_name, s.position LIMIT 1)"
    " UNION ALL"
    " SELECT n.stream_name, w.seen + 1 FROM walk AS w,"
    "  LATERAL (SELECT s.stream_name FROM @keys@ AS s WHERE s.stream_name > w.name"
    "           ORDER BY s.stream_name, s.position LIMIT 1) AS n"
    " WHERE w.seen < $3::int8"
    "  AND substring(convert_to(n.stream_name, 'UTF8') FOR octet_length($4::bytea)) = $4)"
    " SELECT w.name, @plain{l.position}@@side{greatest(l.position,"
    "  (SELECT d.version FROM @.dropped AS d WHERE d.name = w.name))}@, l.time FROM walk AS w,"
    "  LATERAL (SELECT s.position, s.time FROM @keys@ AS s WHERE s.stream_name = w.name"
    "           ORDER BY s.position DESC LIMIT 1) AS l"
    " WHERE substring(convert_to(w.name, 'UTF8') FOR octet_length($4)) = $4";

const struct pg_layout weir_pg_rows_layout = {
    .name = "rows",
    .version = 13,
    .steps = steps,
    .steps_n = WEIR_COUNTOF(steps),
    .functions = functions,
    .functions_n = WEIR_COUNTOF(functions),
    .fixed =
        {
            WEIR_PG_FIXED_FUNCTIONS,
            WEIR_PG_FIXED_COUNTERS,
            WEIR_PG_FIXED_BY_IDS,
            [PG_FIXED_VERSION] = "SELECT m.position FROM @.stored AS m WHERE m.stream_name = $1"
                                 " ORDER BY m.position DESC LIMIT 1",
            [PG_FIXED_TOTALS] =
                "SELECT c.message_count, c.stream_count, (SELECT m.time FROM @.stored AS m"
                " ORDER BY m.global_position DESC LIMIT 1) FROM " WEIR_PG_COUNTERS " AS c",
            [PG_FIXED_LIST_STREAMS] = weir_pg_list_streams_text,
        },
    .columns = WEIR_PG_COLUMNS,
    .headers = WEIR_PG_HEADERS,
    .table = "@.stored AS m",
    .keys = "@.stored AS m",
    .category = "split_part(m.stream_name, '-', 1)",
    .correlation = "m.correlation",
    .cardinal_hash = "m.cardinal_hash",
    .size = WEIR_PG_SIZE,
    .counters = WEIR_PG_COUNTERS,
};

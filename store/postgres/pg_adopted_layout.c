/* The layout of a namespace that is Message DB's own schema, adopted. Message DB's indexes decide
 * what is fast: a listing reads all messages, and a correlation is looked for within its
 * category. */
#include "store/postgres/pg_dialect.h"

static const struct pg_step steps[] = {
    {1, weir_pg_sql_adopted_001},   {3, weir_pg_sql_adopted_003},     {6, weir_pg_sql_adopted_008},
    {8, weir_pg_sql_counters_010},  {12, weir_pg_sql_categories_014}, {14, weir_pg_sql_born_016},
    {17, weir_pg_sql_counters_018},
};
static const char *const functions[] = {weir_pg_sql_adopted_functions, weir_pg_sql_functions,
                                        weir_pg_sql_older_appends};

/* Message DB keeps no count of messages, and counting takes longer the more there are. The count is
 * needed only to notice a writer that commits after another one with a higher position: the head
 * stays, but a free place below it is filled. So the newest thousand places are counted. */
static const char head[] =
    "SELECT h.head, greatest(h.head - 1000, 0) + (SELECT count(*) FROM message_store.messages AS n"
    "  WHERE n.global_position > h.head - 1000)"
    " FROM (SELECT coalesce((SELECT max(m.global_position) FROM message_store.messages AS m),"
    "  (SELECT c.head FROM @.counters AS c)) AS head OFFSET 0) AS h";

static const char list_streams[] =
    "SELECT s.stream_name, s.position, s.time FROM ("
    " SELECT DISTINCT ON (m.stream_name COLLATE \"C\") m.stream_name, m.position, m.time"
    " FROM message_store.messages AS m"
    " WHERE m.stream_name COLLATE \"C\" >= $1 AND m.stream_name COLLATE \"C\" > $2"
    "  AND substring(convert_to(m.stream_name, 'UTF8') FOR octet_length($4::bytea)) = $4"
    " ORDER BY m.stream_name COLLATE \"C\", m.position DESC) AS s LIMIT $3::int8";

const struct pg_layout weir_pg_adopted_layout = {
    .name = "message_db",
    .version = 18,
    .steps = steps,
    .steps_n = WEIR_COUNTOF(steps),
    .functions = functions,
    .functions_n = WEIR_COUNTOF(functions),
    .is_adopted = true,
    .fixed =
        {
            WEIR_PG_FIXED_FUNCTIONS,
            [PG_FIXED_HEAD] = head,
            [PG_FIXED_SETTLE] = "SELECT @.settle($1)",
            WEIR_PG_FIXED_BY_IDS,
            [PG_FIXED_VERSION] = "SELECT m.position FROM @.stored AS m WHERE m.stream_name = $1"
                                 " ORDER BY m.position DESC LIMIT 1",
            [PG_FIXED_TOTALS] =
                "SELECT count(*), count(DISTINCT m.stream_name), (SELECT n.time FROM"
                " message_store.messages AS n ORDER BY n.global_position DESC LIMIT 1)"
                " FROM message_store.messages AS m",
            [PG_FIXED_LIST_STREAMS] = list_streams,
            [PG_FIXED_LIST_CATEGORIES] =
                "SELECT split_part(m.stream_name, '-', 1) COLLATE \"C\", count(DISTINCT"
                " m.stream_name), count(*) FROM message_store.messages AS m GROUP BY 1 ORDER BY 1",
        },
    .columns = WEIR_PG_COLUMNS,
    .headers = WEIR_PG_HEADERS,
    .table = "@.stored AS m",
    .keys = "@.stored AS m",
    .category = "message_store.category(m.stream_name)",
    .correlation = "m.correlation",
    .cardinal_hash = "m.cardinal_hash",
    .size = WEIR_PG_SIZE,
    .counters = WEIR_PG_COUNTERS,
};

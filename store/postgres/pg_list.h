/* Versions of streams, heads, totals and listings: slots of struct weir_session_ops. */
#ifndef WEIR_STORE_POSTGRES_PG_LIST_H
#define WEIR_STORE_POSTGRES_PG_LIST_H

#include "store/store_backend.h"

weir_status weir_pg_stream_version(struct weir_session *base, struct weir_slice stream,
                                   int64_t *version, struct weir_error *err);
weir_status weir_pg_head(struct weir_session *base, struct weir_head *head, struct weir_error *err);
weir_status weir_pg_totals(struct weir_session *base, struct weir_namespace_totals *totals,
                           struct weir_error *err);
weir_status weir_pg_list_streams(struct weir_session *base, const struct weir_page_query *query,
                                 struct weir_arena *arena, struct weir_stream_page *page,
                                 struct weir_error *err);
weir_status weir_pg_list_categories(struct weir_session *base, struct weir_arena *arena,
                                    struct weir_category_list *list, struct weir_error *err);

#endif

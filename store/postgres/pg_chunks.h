/* Chunks: the slot `chunks` of struct weir_session_ops. */
#ifndef WEIR_STORE_POSTGRES_PG_CHUNKS_H
#define WEIR_STORE_POSTGRES_PG_CHUNKS_H

#include "store/store_backend.h"

/* FEATURE_UNSUPPORTED for layouts without chunks, and for what the licence does not cover. */
weir_status weir_pg_chunks(struct weir_session *base, const struct weir_chunk_query *query,
                           struct weir_arena *arena, struct weir_chunk_list *list,
                           struct weir_error *err);

#endif

/* Composes the SELECTs of reads from constant pieces.
 *
 * A SELECT gives the messages and then one row about the namespace, in the same snapshot (enum
 * pg_head). If there are as many messages as wanted, that row is neither asked for nor computed.
 * The messages are ordered by an index, and their conditions are those of the index: category and
 * position are compared together, as a row, so that the planner cannot take the index of all
 * positions and discard what is of other categories. */
#include "store/postgres/pg_select.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* ---- the text ---- */

struct text {
    char *at;
    size_t left;
    int parameters;
};

static void add(struct text *text, const char *piece)
{
    const size_t n = strlen(piece);
    assert(n < text->left);
    memcpy(text->at, piece, n + 1);
    text->at += n;
    text->left -= n;
}

/* Adds the next parameter. Parameters are numbered in the order in which pg_read.c binds them. */
static void add_parameter(struct text *text, const char *before, const char *type)
{
    char piece[48];
    text->parameters++;
    (void)snprintf(piece, sizeof piece, "$%d::%s", text->parameters, type);
    add(text, before);
    add(text, piece);
}

static bool is_filtered(const struct pg_shape *shape)
{
    return shape->has_types || shape->has_group || shape->has_correlation;
}

/* Adds where a filtered read of a category ends in an adopted namespace: at the head, or at the
 * category's newest message if that is higher. Message DB's functions do not move the head, so a
 * reader of few messages among many would otherwise examine all that they have written again, each
 * time. They hold the category's lock until they have committed, so nothing appears below its
 * newest message. The index is as in add_range. */
static void add_newest_of_category(struct text *text, const struct pg_layout *layout)
{
    add(text, "greatest(c.head, (SELECT m.global_position FROM ");
    add(text, layout->table);
    add(text, " WHERE (");
    add(text, layout->category);
    add(text, ", m.global_position) <= ($1::text, 9223372036854775807) AND ");
    add(text, layout->category);
    add(text, " >= $1::text ORDER BY ");
    add(text, layout->category);
    add(text, " DESC, m.global_position DESC LIMIT 1))");
}

/* Adds the row about the namespace: where the messages end (a stream's version, else the head) and
 * the size of the largest. A page of a window has the row in any case: it also says whether the
 * spans have changed since the window was found. */
static void add_head(struct text *text, const struct pg_layout *layout,
                     const struct pg_shape *shape)
{
    add(text, " UNION ALL SELECT ");
    if (shape->selector == WEIR_SELECT_CATEGORY && layout->is_adopted && is_filtered(shape)) {
        add_newest_of_category(text, layout);
    } else if (shape->selector != WEIR_SELECT_STREAM) {
        add(text, "c.head");
    } else if (shape->has_types || shape->is_from_global) {
        add(text, "coalesce((SELECT m.position FROM ");
        add(text, layout->keys);
        add(text, " WHERE m.stream_name = $1::text ORDER BY m.position DESC LIMIT 1), -1)");
    } else {
        add(text, "NULL::int8");  // the messages alone tell
    }
    add(text, ", c.largest::int8, NULL::timestamp, NULL::uuid, ");
    if (shape->is_spanned) {
        text->parameters = shape->has_correlation ? 5 : 4;
        add_parameter(text, "CASE WHEN c.spans_version <> ", "int8 THEN '' END");
    } else {
        add(text, "NULL::text");
    }
    add(text, ", NULL::text, NULL::text, NULL::text FROM ");
    add(text, layout->counters);
    add(text, " AS c");
    add(text, shape->is_spanned ? "" : " LIMIT $3::int8");
}

/* Adds the range from ($key_parameter, $2) to the end of the key in an index that begins with (key,
 * global position). Every row is compared with both bounds, and the key alone is the cheaper
 * one. */
static void add_range(struct text *text, const char *key, int key_parameter, bool is_backward)
{
    char piece[80];
    add(text, " (");
    add(text, key);
    (void)snprintf(piece, sizeof piece, ", m.global_position) %s ($%d::text, $2::int8) AND ",
                   is_backward ? "<=" : ">=", key_parameter);
    add(text, piece);
    add(text, key);
    (void)snprintf(piece, sizeof piece, " %s $%d::text", is_backward ? ">=" : "<=", key_parameter);
    add(text, piece);
}

/* Message DB has no index by correlation. */
static bool is_by_correlation(const struct pg_layout *layout, const struct pg_shape *shape)
{
    return shape->has_correlation && !layout->is_adopted;
}

static void add_scope(struct text *text, const struct pg_layout *layout,
                      const struct pg_shape *shape)
{
    const char *compare = shape->is_backward ? " <= $2::int8" : " >= $2::int8";
    if (shape->selector == WEIR_SELECT_STREAM) {
        add(text, " m.stream_name = $1::text AND ");
        add(text, shape->is_from_global ? "m.global_position" : "m.position");
        add(text, compare);
    } else if (is_by_correlation(layout, shape)) {
        add_range(text, layout->correlation, 5, shape->is_backward);
        add(text, " AND m.correlation IS NOT NULL");
        if (shape->selector == WEIR_SELECT_CATEGORY) {
            add(text, " AND ");
            add(text, layout->category);
            add(text, " = $1::text");
        }
    } else if (shape->selector == WEIR_SELECT_CATEGORY) {
        add_range(text, layout->category, 1, shape->is_backward);
    } else {
        add(text, " m.global_position");
        add(text, compare);
    }
    /* $1 is bound as NULL then; every parameter needs a use that gives it a type. */
    add(text, shape->selector == WEIR_SELECT_ALL ? " AND $1::text IS NULL" : "");
}

static void add_order(struct text *text, const struct pg_layout *layout,
                      const struct pg_shape *shape)
{
    const char *direction = shape->is_backward ? " DESC" : "";
    add(text, " ORDER BY ");
    if (shape->selector == WEIR_SELECT_STREAM) {
        add(text, "m.position");
    } else if (is_by_correlation(layout, shape) || shape->selector == WEIR_SELECT_CATEGORY) {
        add(text, is_by_correlation(layout, shape) ? layout->correlation : layout->category);
        add(text, direction);
        add(text, ", m.global_position");
    } else {
        add(text, "m.global_position");
    }
    add(text, direction);
}

/* Adds the time before which the read looks for no messages. */
static void add_since(struct text *text, const struct pg_layout *layout, int64_t since_s)
{
    char piece[96];
    if (since_s == 0) {
        add(text, layout->first_time);
        return;
    }
    (void)snprintf(piece, sizeof piece,
                   "'1970-01-01'::timestamp + (%" PRId64 ")::float8 * INTERVAL '1 second'",
                   since_s);
    add(text, piece);
}

static void add_filters(struct text *text, const struct pg_layout *layout,
                        const struct pg_shape *shape)
{
    text->parameters = (shape->has_correlation ? 5 : 4) + (shape->is_spanned ? 1 : 0);
    if (shape->is_spanned) {
        add(text, " AND m.time >= ");
        add_since(text, layout, shape->since_s);
    }
    if (shape->has_correlation && layout->is_adopted) {
        add(text, " AND ");
        add(text, layout->correlation);
        add(text, " = $5::text");
    }
    if (shape->has_group) {
        add(text, " AND abs(mod(");
        add(text, layout->cardinal_hash);
        add_parameter(text, ", ", "int8");
        add_parameter(text, ")) = ", "int8");
    }
    if (shape->has_types) {
        add_parameter(text, " AND m.type = ANY (", "text[])");
    }
    if (shape->is_settled) {
        add_parameter(text, " AND m.global_position <= ", "int8");
    }
}

/* Adds the batch size or, if less, as many messages as fit into $4 bytes even if each is as large
 * as the largest. */
static void add_limit(struct text *text, const struct pg_shape *shape)
{
    if (shape->is_measured || shape->is_headers_only) {
        add(text, shape->is_measured ? " LIMIT $3::int8" : " LIMIT least($3::int8, $4::int8)");
        return;
    }
    add(text, " LIMIT (SELECT least($3::int8, greatest($4::int8 / greatest(c.largest, 1), 1))"
              " FROM " WEIR_PG_COUNTERS_ROW ")");
}

static void add_messages(struct text *text, const struct pg_layout *layout,
                         const struct pg_shape *shape)
{
    add(text, "SELECT ");
    add(text, shape->is_headers_only ? layout->headers : layout->columns);
    add(text, " FROM ");
    add(text, layout->table);
    add(text, " WHERE");
    add_scope(text, layout, shape);
    add_filters(text, layout, shape);
    add_order(text, layout, shape);
    add_limit(text, shape);
}

/* Sums up the sizes without fetching large values, and ends with the row that crosses $4 bytes. */
static void add_measured(struct text *text, const struct pg_layout *layout,
                         const struct pg_shape *shape)
{
    add(text, "SELECT global_position, position, time, id, stream_name, type, data, metadata FROM ("
              "SELECT p.*, sum(");
    add(text, layout->size);
    add(text, ") OVER (ROWS UNBOUNDED PRECEDING) - (");
    add(text, layout->size);
    add(text, ") AS before FROM (");
    add_messages(text, layout, shape);
    add(text, ") AS p) AS q WHERE before <= $4::int8");
}

void weir_pg_select_text(const struct pg_layout *layout, const struct pg_shape *shape,
                         char text[WEIR_PG_SELECT_BYTES])
{
    struct text t = {text, WEIR_PG_SELECT_BYTES, 0};
    add(&t, "(");
    if (shape->is_measured) {
        add_measured(&t, layout, shape);
    } else {
        add_messages(&t, layout, shape);
    }
    add(&t, ")");
    add_head(&t, layout, shape);
}

/* ---- kinds ---- */

uint32_t weir_pg_select_kind(const struct pg_shape *shape)
{
    /* The highest bit sets the kinds of SELECTs apart from those of fixed texts. */
    return UINT32_C(1) << 31 | (uint32_t)shape->selector << 8 | (uint32_t)shape->is_backward << 0 |
           (uint32_t)shape->is_from_global << 1 | (uint32_t)shape->is_headers_only << 2 |
           (uint32_t)shape->is_measured << 3 | (uint32_t)shape->has_correlation << 4 |
           (uint32_t)shape->has_group << 5 | (uint32_t)shape->has_types << 6 |
           (uint32_t)shape->is_settled << 7 | (uint32_t)shape->is_spanned << 10;
}

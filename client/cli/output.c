#include "client/cli/output.h"

#include "client/lib/json_out.h"
#include "weir/rules/time_text.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

void output_begin(struct output *o, FILE *out, bool is_for_people, const char *const *columns,
                  size_t columns_n)
{
    assert(columns_n <= OUTPUT_COLUMNS_MAX);
    *o = (struct output){
        .out = out, .columns = columns, .columns_n = columns_n, .is_for_people = is_for_people};
}

void output_begin_single(struct output *o, FILE *out, bool is_for_people,
                         const char *const *columns, size_t columns_n)
{
    output_begin(o, out, is_for_people, columns, columns_n);
    o->is_single = true;
}

/* Returns the number of UTF-8 characters: bytes that do not continue one. */
static size_t width_of(const char *text)
{
    size_t n = 0;
    for (const char *at = text; *at != '\0'; at++) {
        n += ((unsigned char)*at & 0xC0) != 0x80 ? 1 : 0;
    }
    return n;
}

/* Keeps the row's next cell; takes ownership of `text`. */
static void add_cell_take(struct output *o, char *text)
{
    assert(o->column < o->columns_n);
    o->cells[o->rows_n][o->column] = text;
    const size_t width = text == NULL ? 1 : width_of(text);
    if (!o->has_head && width > o->widths[o->column]) {
        o->widths[o->column] = width;
    }
    o->column++;
}

static void begin_member(struct output *o, bool is_first)
{
    (void)fputs(is_first ? "{\"" : ",\"", o->out);
    (void)fputs(o->columns[o->column], o->out);
    (void)fputs("\":", o->out);
}

/* Begins the row's next member. JSON rows are printed value by value; rows_n is 1 once a member of
 * the row has been printed. */
static void open_member(struct output *o)
{
    begin_member(o, o->rows_n == 0);
    o->rows_n = 1;
    o->column++;
}

typedef void (*put_value)(FILE *out, struct weir_slice value);

/* Adds a value, which `plain` writes for people and `json` as JSON. */
static void add_value(struct output *o, struct weir_slice value, put_value plain, put_value json)
{
    if (o->is_for_people) {
        char *cell = NULL;
        size_t n = 0;
        FILE *out = value.p == NULL ? NULL : open_memstream(&cell, &n);
        if (out != NULL) {
            plain(out, value);
            (void)fclose(out);
        }
        add_cell_take(o, cell);
    } else if (value.p != NULL) {
        open_member(o);
        json(o->out, value);
    } else {
        o->column++;
    }
}

void output_text(struct output *o, const char *text)
{
    add_value(o, weir_slice_of(text), json_put_plain, json_put_string);
}

void output_json(struct output *o, struct weir_slice json)
{
    add_value(o, json, json_put_plain_text, json_put_text);
}

void output_number(struct output *o, int64_t number)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRId64, number);
    if (o->is_for_people) {
        add_cell_take(o, strdup(text));
    } else {
        open_member(o);
        (void)fputs(text, o->out);
    }
}

void output_bool(struct output *o, bool value)
{
    if (o->is_for_people) {
        add_cell_take(o, strdup(value ? "yes" : "no"));
    } else {
        open_member(o);
        (void)fputs(value ? "true" : "false", o->out);
    }
}

void output_time(struct output *o, bool is_present, int64_t time_us)
{
    char text[WEIR_TIME_TEXT + 1] = "";
    const bool has_text = is_present && weir_time_format(time_us, text);
    output_text(o, has_text ? text : NULL);
}

/* ---- for people ---- */

static void put_padded(FILE *out, const char *text, size_t width, bool is_last)
{
    (void)fputs(text, out);
    for (size_t n = width_of(text); n < width && !is_last; n++) {
        (void)fputc(' ', out);
    }
    (void)fputs(is_last ? "\n" : "  ", out);
}

/* Formats a column's name: "stream_name" is STREAM NAME as a table's head, "stream name" on a
 * line. */
static void column_name(const char *name, bool is_head, char *text, size_t size)
{
    size_t n = 0;
    for (; name[n] != '\0' && n + 1 < size; n++) {
        const int c = (unsigned char)name[n];
        text[n] = (char)(c == '_' ? ' ' : is_head ? toupper(c) : c);
    }
    text[n] = '\0';
}

static void put_head(struct output *o)
{
    if (o->has_head) {
        return;
    }
    for (size_t c = 0; c < o->columns_n; c++) {
        char name[64];
        column_name(o->columns[c], true, name, sizeof name);
        if (width_of(name) > o->widths[c]) {
            o->widths[c] = width_of(name);
        }
        put_padded(o->out, name, o->widths[c], c + 1 == o->columns_n);
    }
    o->has_head = true;
}

static const char *cell_text(const char *cell)
{
    return cell == NULL ? "-" : cell;
}

static void put_table(struct output *o)
{
    put_head(o);
    for (size_t r = 0; r < o->rows_n; r++) {
        for (size_t c = 0; c < o->columns_n; c++) {
            put_padded(o->out, cell_text(o->cells[r][c]), o->widths[c], c + 1 == o->columns_n);
        }
    }
}

static void put_single(struct output *o)
{
    size_t width = 0;
    for (size_t c = 0; c < o->columns_n; c++) {
        const size_t n = strlen(o->columns[c]);
        width = n > width ? n : width;
    }
    for (size_t c = 0; c < o->columns_n && o->rows_n > 0; c++) {
        char name[64];
        column_name(o->columns[c], false, name, sizeof name);
        put_padded(o->out, name, width, false);
        put_padded(o->out, cell_text(o->cells[0][c]), 0, true);
    }
}

static void put_page(struct output *o)
{
    if (o->is_single) {
        put_single(o);
    } else {
        put_table(o);
    }
    for (size_t r = 0; r < o->rows_n; r++) {
        for (size_t c = 0; c < o->columns_n; c++) {
            free(o->cells[r][c]);
        }
    }
    o->rows_n = 0;
}

void output_end_row(struct output *o)
{
    assert(o->column == o->columns_n);
    o->column = 0;
    if (!o->is_for_people) {
        (void)fputs(o->rows_n == 0 ? "{}\n" : "}\n", o->out);
        o->rows_n = 0;
        return;
    }
    o->rows_n++;
    if (o->rows_n == OUTPUT_PAGE_ROWS) {
        put_page(o);
    }
}

void output_end(struct output *o)
{
    if (o->is_for_people) {
        put_page(o);
    }
}

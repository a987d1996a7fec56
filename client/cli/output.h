/* Prints rows of values, as a table for people or as JSON lines for programs.
 *
 * Columns have the names of the JSON members. For people a list is a table with a head, and a
 * single row is one line for each value; an absent value is "-". The JSON leaves absent values out.
 * The first page of rows fixes the widths, so memory does not grow with the list. */
#ifndef WEIR_CLIENT_OUTPUT_H
#define WEIR_CLIENT_OUTPUT_H

#include "weir/base/slice.h"

#include <stdio.h>

enum { OUTPUT_COLUMNS_MAX = 8, OUTPUT_PAGE_ROWS = 100 };

struct output {
    FILE *out;
    const char *const *columns;
    size_t columns_n;
    bool is_for_people;
    bool is_single;  // one row, not a list
    bool has_head;   // the head has been printed
    size_t column;   // of the row's next value
    size_t widths[OUTPUT_COLUMNS_MAX];
    char *cells[OUTPUT_PAGE_ROWS][OUTPUT_COLUMNS_MAX];  // the page's rows, for people
    size_t rows_n;
};

/* Begins a list of rows, or a single row. `columns` are borrowed until output_end. */
void output_begin(struct output *output, FILE *out, bool is_for_people, const char *const *columns,
                  size_t columns_n);
void output_begin_single(struct output *output, FILE *out, bool is_for_people,
                         const char *const *columns, size_t columns_n);

/* Add the row's next value. */
void output_text(struct output *output, const char *text);  // NULL: absent
void output_number(struct output *output, int64_t number);
void output_bool(struct output *output, bool value);
void output_time(struct output *output, bool is_present, int64_t time_us);
void output_json(struct output *output, struct weir_slice json);  // absent: absent

/* Ends a row, after its last value. */
void output_end_row(struct output *output);

/* Ends the output, after the last row: prints the remaining rows and frees the memory. */
void output_end(struct output *output);

#endif

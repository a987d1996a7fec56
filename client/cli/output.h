/* Rows of values, as a table for people or as JSON lines for programs.
 *
 * Columns are named as the members of the JSON objects are. For people a list is a table under a
 * headline, a single row is one line for each value; an absent value is "-" there and left out of
 * the JSON. Widths are fixed by the first page of rows, so memory does not grow with the list. */
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
    bool has_head;   // the headline has been printed
    size_t column;   // next value of the row
    size_t widths[OUTPUT_COLUMNS_MAX];
    char *cells[OUTPUT_PAGE_ROWS][OUTPUT_COLUMNS_MAX];  // for people
    size_t rows_n;
};

/* `columns` are borrowed. */
void output_begin(struct output *output, FILE *out, bool is_for_people, const char *const *columns,
                  size_t columns_n);
void output_begin_single(struct output *output, FILE *out, bool is_for_people,
                         const char *const *columns, size_t columns_n);

/* The row's next value. */
void output_text(struct output *output, const char *text);  // NULL: absent
void output_number(struct output *output, int64_t number);
void output_bool(struct output *output, bool value);
void output_time(struct output *output, bool is_present, int64_t time_us);
void output_json(struct output *output, struct weir_slice json);  // absent: absent

/* After a row's last value. */
void output_end_row(struct output *output);

/* After the last row: prints what has not been printed and frees the memory. */
void output_end(struct output *output);

#endif

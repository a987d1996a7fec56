#include "server/transport/tls_records.h"

/* The head of a record: its type, two bytes of a version, and two of its length. */
enum { HEAD_BYTES = 5, LENGTH_AT = 3, TYPE_DATA = 23 };

static void add_to_head(struct weir_tls_records *records, uint8_t byte)
{
    if (records->head_n == 0) {
        records->has_data = byte == TYPE_DATA;
        records->left = 0;
    } else if (records->head_n >= LENGTH_AT) {
        records->left = records->left << 8 | byte;
    }
    records->head_n++;
}

void weir_tls_records_add(struct weir_tls_records *records, const uint8_t *bytes, size_t n)
{
    size_t at = 0;
    while (at < n && !records->has_data) {
        if (records->head_n < HEAD_BYTES) {
            add_to_head(records, bytes[at++]);
        } else {
            const size_t passed = records->left < n - at ? records->left : n - at;
            records->left -= passed;
            at += passed;
        }
        if (records->head_n == HEAD_BYTES && records->left == 0) {
            records->head_n = 0;
        }
    }
}

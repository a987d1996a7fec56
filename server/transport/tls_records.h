/* Follows the records that nng sends on a TLS connection, up to the first one of data. nng sends
 * data once the handshake is over: first its greeting.
 *
 * The version is TLS 1.2, the latest of Debian 12's mbed TLS. One thread at a time per connection.
 */
#ifndef WEIR_SERVER_TLS_RECORDS_H
#define WEIR_SERVER_TLS_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Initial state: all zero. */
struct weir_tls_records {
    bool has_data;   // a record of data has begun; what follows is not looked at
    uint8_t head_n;  // bytes of the head of the current record
    size_t left;     // bytes of the record that come behind its head
};

/* nng has sent `n` more bytes. */
void weir_tls_records_add(struct weir_tls_records *records, const uint8_t *bytes, size_t n);

#endif

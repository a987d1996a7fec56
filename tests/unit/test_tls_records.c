/* How a handshake of TLS is followed to its end, however its records are cut (tls_records.c). */
#include "server/transport/tls_records.h"

#include "tests/lib/check_main.h"

#include <string.h>

enum { HANDSHAKE = 22, CHANGE_OF_CIPHER = 20, ALERT = 21, DATA = 23, HEAD = 5, ROOM = 4096 };

/* Puts a record of `n` bytes, which look like heads of data, behind the `at` bytes. */
static size_t put(uint8_t *bytes, size_t at, uint8_t type, size_t n)
{
    const uint8_t head[HEAD] = {type, 3, 3, (uint8_t)(n >> 8), (uint8_t)n};
    ck_assert_uint_le(at + HEAD + n, ROOM);
    memcpy(bytes + at, head, HEAD);
    memset(bytes + at + HEAD, DATA, n);
    return at + HEAD + n;
}

START_TEST(the_first_data_end_the_handshake_however_they_are_cut)
{
    uint8_t bytes[ROOM];
    size_t n = put(bytes, 0, HANDSHAKE, 1000);
    n = put(bytes, n, HANDSHAKE, 0);
    n = put(bytes, n, CHANGE_OF_CIPHER, 1);
    n = put(bytes, n, ALERT, 2);
    n = put(bytes, n, HANDSHAKE, 256);
    const size_t data_at = n;
    n = put(bytes, n, DATA, 8);
    for (size_t piece = 1; piece <= n; piece++) {
        struct weir_tls_records records = {.head_n = 0};
        for (size_t at = 0; at < n; at += piece) {
            ck_assert(records.has_data == (at > data_at));
            weir_tls_records_add(&records, bytes + at, piece < n - at ? piece : n - at);
        }
        ck_assert(records.has_data);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_records");
    TCase *tcase = tcase_create("records");
    tcase_add_test(tcase, the_first_data_end_the_handshake_however_they_are_cut);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}

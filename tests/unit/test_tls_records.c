/* How a handshake of TLS is followed to its end, however its records are cut (tls_records.c), and
 * what nng learns of a connection's end then (nng_connections.h, 3). */
#include "server/transport/tls_records.h"

#include "tests/lib/check_main.h"
#include "tests/unit/wire.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

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

/* Sends a record with one byte. */
static void send_record(uint8_t type)
{
    uint8_t bytes[ROOM];
    const size_t n = put(bytes, 0, type, 1);
    ck_assert_int_eq(wire_try_to_send(bytes, n), (ssize_t)n);
}

/* Returns the events that nng gets if it waits for `events`. */
static uint32_t get_events(int epoll, uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLONESHOT};
    ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_MOD, wire.server, &event), 0);
    return epoll_wait(epoll, &event, 1, 0) == 0 ? 0 : event.events;
}

/* Returns the failure that nng sees when it receives. */
static int receive_fault(void)
{
    char byte = 0;
    const struct iovec part = {.iov_base = &byte, .iov_len = 1};
    ck_assert_int_lt(readv(wire.server, &part, 1), 0);
    return errno;
}

/* Behind the handshake nng might be between two parts of a message. */
START_TEST(the_end_is_told_during_the_handshake_only)
{
    const bool is_over = _i == 1;
    struct epoll_event event = {.events = 0};
    const int epoll = epoll_create1(0);
    ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, wire.server, &event), 0);
    send_record(HANDSHAKE);
    if (is_over) {
        send_record(DATA);
    }
    ck_assert_uint_eq(get_events(epoll, EPOLLIN), 0);
    ck_assert_int_eq(shutdown(wire.client, SHUT_WR), 0);
    ck_assert_uint_eq(get_events(epoll, EPOLLIN), EPOLLIN);
    ck_assert_int_eq(receive_fault(), is_over ? EAGAIN : ECONNRESET);
    if (is_over) {
        ck_assert_uint_eq(get_events(epoll, EPOLLIN), 0);
        ck_assert_uint_eq(get_events(epoll, EPOLLIN | EPOLLOUT), EPOLLOUT);
        ck_assert_int_eq(receive_fault(), EAGAIN);
    }
    (void)close(epoll);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tls_records");
    TCase *tcase = tcase_create("records");
    tcase_add_test(tcase, the_first_data_end_the_handshake_however_they_are_cut);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("connection");
    tcase_add_checked_fixture(tcase, wire_open, wire_close);
    tcase_add_loop_test(tcase, the_end_is_told_during_the_handshake_only, 0, 2);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}

/* Which TCP connections the process has open (remote.c), and that asking for them leaves no
 * descriptor behind. */
#include "server/transport/remote.h"

#include "tests/lib/check_main.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAIRS = 40 };  // more ends than the list has room for at first

union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

static int listener;
static int clients[PAIRS];
static int servers[PAIRS];
static struct weir_remote remotes[PAIRS];  // of `servers`

/* Returns false where the system has no such addresses. */
static bool listen_on(int family, union address *address)
{
    socklen_t n = family == AF_INET ? sizeof address->in : sizeof address->in6;
    memset(address, 0, sizeof *address);
    address->any.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        address->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        address->in6.sin6_addr = in6addr_loopback;
    }
    listener = socket(family, SOCK_STREAM, 0);
    return listener >= 0 && bind(listener, &address->any, n) == 0 && listen(listener, 1) == 0 &&
           getsockname(listener, &address->any, &n) == 0;
}

static void open_pair(size_t i, const union address *to)
{
    union address own;
    socklen_t n = sizeof own;
    clients[i] = socket(to->any.sa_family, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(clients[i], &to->any, sizeof *to), 0);
    servers[i] = accept(listener, NULL, NULL);
    ck_assert_int_ge(servers[i], 0);
    ck_assert_int_eq(getsockname(clients[i], &own.any, &n), 0);
    if (to->any.sa_family == AF_INET) {
        remotes[i] = (struct weir_remote){.family = NNG_AF_INET, .port = own.in.sin_port};
        memcpy(remotes[i].address, &own.in.sin_addr, sizeof own.in.sin_addr);
    } else {
        remotes[i] = (struct weir_remote){.family = NNG_AF_INET6, .port = own.in6.sin6_port};
        memcpy(remotes[i].address, &own.in6.sin6_addr, sizeof remotes[i].address);
    }
}

static void close_pairs(void)
{
    for (size_t i = 0; i < PAIRS; i++) {
        (void)close(clients[i]);
        (void)close(servers[i]);
    }
    (void)close(listener);
}

/* Returns how many of the remotes are open. */
static size_t count_open(void)
{
    size_t n = SIZE_MAX;
    size_t found = 0;
    struct weir_remote *open = weir_remotes_open(&n);
    ck_assert_ptr_nonnull(open);
    for (size_t i = 0; i < PAIRS; i++) {
        found += weir_remote_is_among(&remotes[i], open, n);
    }
    free(open);
    return found;
}

/* The lowest descriptor that is free. */
static int free_descriptor(void)
{
    const int fd = dup(listener);
    (void)close(fd);
    return fd;
}

START_TEST(a_connection_is_open_until_its_peer_begins_to_close_it)
{
    union address address;
    if (!listen_on(_i == 0 ? AF_INET : AF_INET6, &address)) {
        ck_assert_int_eq(_i, 1);
        return;
    }
    for (size_t i = 0; i < PAIRS; i++) {
        open_pair(i, &address);
    }
    const int descriptor = free_descriptor();
    ck_assert_uint_eq(count_open(), PAIRS);
    ck_assert_int_eq(free_descriptor(), descriptor);
    for (size_t i = 0; i < PAIRS; i++) {
        ck_assert_int_eq(shutdown(clients[i], SHUT_WR), 0);
        ck_assert_uint_eq(count_open(), PAIRS - 1 - i);
    }
    close_pairs();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("remote");
    TCase *tcase = tcase_create("remote");
    tcase_add_loop_test(tcase, a_connection_is_open_until_its_peer_begins_to_close_it, 0, 2);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}

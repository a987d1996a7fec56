#include "tests/unit/wire.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct wire wire;

void wire_open(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t address_n = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    wire.listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(wire.listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(wire.listener, 1), 0);
    ck_assert_int_eq(getsockname(wire.listener, (struct sockaddr *)&address, &address_n), 0);
    wire.client = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(wire.client, (struct sockaddr *)&address, sizeof address), 0);
    wire.server = accept(wire.listener, NULL, NULL);
    ck_assert_int_ge(wire.server, 0);
    ck_assert_int_eq(setsockopt(wire.server, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)), 0);
    ck_assert_int_eq(ioctl(wire.server, FIONBIO, &(int){1}), 0);
    wire.key = 0;
}

void wire_close(void)
{
    (void)close(wire.server);
    (void)close(wire.client);
    (void)close(wire.listener);
}

weir_connection_key wire_key_of(int descriptor)
{
    int type = 0;
    socklen_t type_n = sizeof type;
    weir_pending_ask();
    ck_assert_int_eq(getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &type_n), 0);
    ck_assert_int_eq(type, SOCK_STREAM);
    return weir_pending_asked();
}

void wire_learn_key(void)
{
    wire.key = wire_key_of(wire.server);
    ck_assert_uint_ne(wire.key, 0);
}

ssize_t wire_try_to_send(const void *bytes, size_t n)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};
    const struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    return sendmsg(wire.server, &message, MSG_NOSIGNAL);
}

static void assert_client_receives(const void *bytes, size_t n)
{
    char received[4096];
    ck_assert_uint_lt(n, sizeof received);
    ck_assert_int_eq(recv(wire.client, received, sizeof received, MSG_DONTWAIT), (ssize_t)n);
    ck_assert_mem_eq(received, bytes, n);
}

void wire_greet(void)
{
    static const char from_server[] = "\0SP\0\0\x31\0";
    static const char from_client[] = "\0SP\0\0\x30\0";
    char received[sizeof from_client];
    const struct iovec part = {.iov_base = received, .iov_len = sizeof received};
    ck_assert_int_eq(wire_try_to_send(from_server, sizeof from_server), sizeof from_server);
    assert_client_receives(from_server, sizeof from_server);
    ck_assert_int_eq(send(wire.client, from_client, sizeof from_client, 0), sizeof from_client);
    ck_assert_int_eq(readv(wire.server, &part, 1), sizeof received);
    ck_assert_mem_eq(received, from_client, sizeof received);
}

void wire_send(const char *text)
{
    const size_t n = strlen(text);
    ck_assert_int_eq(wire_try_to_send(text, n), (ssize_t)n);
}

void wire_assert_received(const char *text)
{
    assert_client_receives(text, strlen(text));
}

void wire_announce(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_ne(weir_pending_add(wire.key), 0);
    }
}

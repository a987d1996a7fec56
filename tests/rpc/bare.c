#include "tests/rpc/bare.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { HANDSHAKE_BYTES = 8, LENGTH_BYTES = 8, REPLY_BYTES_MAX = 4096 };

static void send_all(int fd, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    while (n > 0) {
        const ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        p += sent;
        n -= (size_t)sent;
    }
}

int bare_open(const char *url)
{
    const int port = atoi(strrchr(url, ':') + 1);
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    /* Without a limit the kernel may buffer dozens of megabytes. */
    const int buffer_bytes = 65536;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

int bare_connect(const char *url)
{
    static const uint8_t handshake[HANDSHAKE_BYTES] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
    uint8_t answer[HANDSHAKE_BYTES];
    const int fd = bare_open(url);
    send_all(fd, handshake, sizeof handshake);
    ck_assert_int_eq(recv(fd, answer, sizeof answer, MSG_WAITALL), HANDSHAKE_BYTES);
    return fd;
}

void bare_send(int fd, uint32_t id, struct weir_slice request)
{
    uint8_t head[12] = {0};
    const size_t n = request.n + 4;
    head[6] = (uint8_t)(n >> 8);
    head[7] = (uint8_t)n;
    head[8] = 0x80;
    head[10] = (uint8_t)(id >> 8);
    head[11] = (uint8_t)id;
    send_all(fd, head, sizeof head);
    send_all(fd, request.p, request.n);
}

bool bare_receive(int fd)
{
    uint8_t length[LENGTH_BYTES];
    uint8_t reply[REPLY_BYTES_MAX];
    if (recv(fd, length, sizeof length, MSG_WAITALL) != LENGTH_BYTES) {
        return false;
    }
    const size_t n = (size_t)length[6] << 8 | length[7];
    ck_assert_uint_le(n, sizeof reply);
    return recv(fd, reply, n, MSG_WAITALL) == (ssize_t)n;
}

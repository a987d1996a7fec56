/* Notifications to the service manager. */
#include "server/operation/notify.h"

#include "tests/lib/check_main.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Opens a manager's socket with this name; '@' stands for the abstract namespace. */
static int listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t n = strlen(name);
    ck_assert_uint_lt(n, sizeof address.sun_path);
    memcpy(address.sun_path, name, n);
    if (name[0] == '@') {
        address.sun_path[0] = '\0';
    }
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(fd, 0);
    const socklen_t address_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, address_n), 0);
    return fd;
}

static void receive_is(int fd, const char *expected)
{
    char text[64] = "";
    const ssize_t n = recv(fd, text, sizeof text, 0);
    ck_assert_int_eq(n, (ssize_t)strlen(expected));
    ck_assert_mem_eq(text, expected, strlen(expected));
}

static void tell(const char *name)
{
    const int fd = listen_at(name);
    ck_assert_int_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
    ck_assert(weir_notify(WEIR_NOTIFY_READY));
    ck_assert(weir_notify(WEIR_NOTIFY_STOPPING));
    receive_is(fd, "READY=1");
    receive_is(fd, "STOPPING=1");
    ck_assert_int_lt(recv(fd, (char[8]){0}, 8, 0), 0);
    (void)close(fd);
}

START_TEST(a_socket_that_is_a_file_is_told)
{
    char directory[] = "/tmp/weir-notify-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(directory));
    char name[64];
    (void)snprintf(name, sizeof name, "%s/socket", directory);
    tell(name);
    ck_assert_int_eq(unlink(name), 0);
    ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

START_TEST(a_socket_that_is_a_name_is_told)
{
    char name[64];
    (void)snprintf(name, sizeof name, "@weir-notify-%ld", (long)getpid());
    tell(name);
}
END_TEST

START_TEST(without_a_manager_there_is_nothing_to_do)
{
    ck_assert_int_eq(unsetenv("NOTIFY_SOCKET"), 0);
    ck_assert(weir_notify(WEIR_NOTIFY_READY));
    ck_assert_int_eq(setenv("NOTIFY_SOCKET", "", 1), 0);
    ck_assert(weir_notify(WEIR_NOTIFY_READY));
}
END_TEST

START_TEST(a_manager_that_cannot_be_told_is_said)
{
    char long_name[256];
    memset(long_name, 'a', sizeof long_name);
    long_name[0] = '/';
    long_name[sizeof long_name - 1] = '\0';
    const char *const names[] = {"relative/socket", "@", "/nobody/listens/here", long_name};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ck_assert_int_eq(setenv("NOTIFY_SOCKET", names[i], 1), 0);
        ck_assert_msg(!weir_notify(WEIR_NOTIFY_READY), "%s", names[i]);
    }
}
END_TEST

static Suite *notify_suite(void)
{
    Suite *suite = suite_create("notify");
    TCase *tc = tcase_create("notify");
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, a_socket_that_is_a_file_is_told);
    tcase_add_test(tc, a_socket_that_is_a_name_is_told);
    tcase_add_test(tc, without_a_manager_there_is_nothing_to_do);
    tcase_add_test(tc, a_manager_that_cannot_be_told_is_said);
    return suite;
}

int main(void)
{
    return check_main(notify_suite());
}

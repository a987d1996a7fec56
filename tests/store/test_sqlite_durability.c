/* What has been synced before a write is acknowledged or shown. A counting function replaces the C
 * library's sync call. */
#define _GNU_SOURCE
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_ulong wal;  // inode of the WAL
static atomic_uint wal_synced_n;

int fdatasync(int fd)
{
    struct stat status;
    if (fstat(fd, &status) == 0 && status.st_ino == atomic_load(&wal)) {
        (void)atomic_fetch_add(&wal_synced_n, 1);
    }
    return fsync(fd);
}

static void open_namespace(bool is_durability_normal)
{
    const struct weir_store_options options = {
        .url = fx.url, .max_sessions = 8, .is_durability_normal = is_durability_normal};
    ck_assert_int_eq(weir_store_open(&options, &fx.store, &fx.err), WEIR_OK);
    must_create(fx.store, "test");
    fx.ns = must_open(fx.store, "test");
    must_put(fx.ns, "a-1", 1);
}

/* Starts counting syncs of a database's WAL, which exists after the first write. */
static void watch_wal_of(const char *database)
{
    char path[400];
    struct stat status;
    (void)snprintf(path, sizeof path, "%s-wal", database);
    ck_assert_int_eq(stat(path, &status), 0);
    atomic_store(&wal_synced_n, 0);
    atomic_store(&wal, status.st_ino);
}

static unsigned syncs_of_three_writes(void)
{
    watch_wal_of(namespace_path());
    for (unsigned n = 1; n <= 3; n++) {
        const unsigned before = atomic_load(&wal_synced_n);
        must_put(fx.ns, "a-1", 1);
        if (atomic_load(&wal_synced_n) == before) {
            return n - 1;
        }
    }
    return 3;
}

START_TEST(each_acknowledged_write_is_synced)
{
    open_namespace(false);
    ck_assert_uint_eq(syncs_of_three_writes(), 3);
}
END_TEST

START_TEST(durability_normal_leaves_the_sync_to_the_system)
{
    open_namespace(true);
    ck_assert_uint_eq(syncs_of_three_writes(), 0);
}
END_TEST

/* ---- after the end of a process ---- */

struct kept_file {
    char path[400];
    uint8_t *bytes;
    size_t n;
};

static struct kept_file keep(const char *database, const char *suffix)
{
    struct kept_file file;
    (void)snprintf(file.path, sizeof file.path, "%s%s", database, suffix);
    ck_assert(file_bytes(file.path, &file.bytes, &file.n));
    return file;
}

/* Leaves the files as a process that has been killed leaves them: the last writes are in the WALs
 * alone, whether or not they have been synced. */
static void end_as_if_killed(void)
{
    struct kept_file files[] = {keep(path_in_dir("registry.db"), ""),
                                keep(path_in_dir("registry.db"), "-wal"),
                                keep(namespace_path(), ""), keep(namespace_path(), "-wal")};
    close_all();
    for (size_t f = 0; f < WEIR_COUNTOF(files); f++) {
        write_file(files[f].path, files[f].bytes, files[f].n);
        free(files[f].bytes);
    }
}

/* Otherwise a retry would be told that its write is stored, and lose it in a power loss. */
START_TEST(what_a_killed_process_has_left_is_synced_before_it_is_shown)
{
    open_namespace(false);
    end_as_if_killed();
    watch_wal_of(namespace_path());
    fx.store = open_store(fx.url, 8);
    fx.ns = must_open(fx.store, "test");
    ck_assert_int_eq(must_version(fx.ns, "a-1"), 0);
    ck_assert_uint_ge(atomic_load(&wal_synced_n), 1);
}
END_TEST

START_TEST(so_is_what_it_has_left_of_the_list_of_namespaces)
{
    open_namespace(true);
    end_as_if_killed();
    watch_wal_of(path_in_dir("registry.db"));
    fx.store = open_store(fx.url, 8);
    ck_assert_uint_ge(atomic_load(&wal_synced_n), 1);
}
END_TEST

static Suite *durability_suite(void)
{
    Suite *suite = suite_create("sqlite_durability");
    TCase *tcase = tcase_create("durability");
    tcase_add_checked_fixture(tcase, fixture_dir_only, fixture_end);
    tcase_add_test(tcase, each_acknowledged_write_is_synced);
    tcase_add_test(tcase, durability_normal_leaves_the_sync_to_the_system);
    tcase_add_test(tcase, what_a_killed_process_has_left_is_synced_before_it_is_shown);
    tcase_add_test(tcase, so_is_what_it_has_left_of_the_list_of_namespaces);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(durability_suite());
}

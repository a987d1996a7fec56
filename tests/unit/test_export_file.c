/* The file of an export: complete and on disk before it gets its name, or absent. The linker's
 * --wrap records the disk operations and makes them fail. */
#include "client/cli/export_file.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

static char directory[64];
static char path[96];
static const char text[] = "{\"n\":1}\n";

/* The steps so far: "f" a file synced, "r" renamed, "d" a directory synced. */
static char done[8];
static off_t synced_bytes;
static char failing;  // the step that fails; 0: none
static int failure;   // the errno of that step

static int note(char step)
{
    const size_t n = strlen(done);
    ck_assert_uint_lt(n + 1, sizeof done);
    done[n] = step;
    done[n + 1] = '\0';
    if (step == failing) {
        errno = failure;
        return -1;
    }
    return 0;
}

int __wrap_fsync(int fd)
{
    struct stat info;
    ck_assert_int_eq(fstat(fd, &info), 0);
    const bool is_directory = S_ISDIR(info.st_mode);
    if (!is_directory) {
        synced_bytes = info.st_size;
    }
    return note(is_directory ? 'd' : 'f') == 0 ? __real_fsync(fd) : -1;
}

int __wrap_rename(const char *from, const char *to)
{
    return note('r') == 0 ? __real_rename(from, to) : -1;
}

static void setup(void)
{
    done[0] = '\0';
    failing = '\0';
    failure = EIO;
    synced_bytes = -1;
    (void)snprintf(directory, sizeof directory, "/tmp/weir-export-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    (void)snprintf(path, sizeof path, "%s/file", directory);
}

static void teardown(void)
{
    (void)unlink(path);
    ck_assert_int_eq(rmdir(directory), 0);
}

static size_t files_n(void)
{
    size_t n = 0;
    DIR *dir = opendir(directory);
    ck_assert_ptr_nonnull(dir);
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        n += entry->d_name[0] == '.' ? 0 : 1;
    }
    (void)closedir(dir);
    return n;
}

/* Returns whether the export's file exists with this text. */
static bool holds(const char *expected)
{
    char found[64] = "";
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    const size_t n = fread(found, 1, sizeof found - 1, file);
    (void)fclose(file);
    return n == strlen(expected) && memcmp(found, expected, n) == 0;
}

static void put_file(const char *content)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    (void)fputs(content, file);
    ck_assert_int_eq(fclose(file), 0);
}

static struct export_file *open_and_write(bool is_gzip)
{
    struct export_file *file = export_file_open(path, is_gzip);
    ck_assert_ptr_nonnull(file);
    ck_assert(export_file_write(file, text, sizeof text - 1));
    return file;
}

/* Plain and with gzip. */
START_TEST(all_bytes_are_on_disk_before_the_name_and_the_name_before_the_end)
{
    put_file("before");
    struct export_file *file = open_and_write(_i == 1);
    ck_assert(holds("before"));
    ck_assert(export_file_finish(file));
    ck_assert_str_eq(done, "frd");
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_int_eq(synced_bytes, info.st_size);
    ck_assert(_i == 1 ? synced_bytes > 0 : holds(text));
    ck_assert_uint_eq(files_n(), 1);
}
END_TEST

static const struct {
    char step;
    const char *done;
    const char *left;  // the contents of the file afterwards
} failures[] = {{'f', "f", "before"}, {'r', "fr", "before"}, {'d', "frd", text}};

START_TEST(a_disk_that_fails_is_told_and_leaves_nothing_beside_the_file)
{
    put_file("before");
    struct export_file *file = open_and_write(false);
    failing = failures[_i].step;
    ck_assert(!export_file_finish(file));
    ck_assert_int_eq(errno, EIO);
    ck_assert_str_eq(done, failures[_i].done);
    ck_assert(holds(failures[_i].left));
    ck_assert_uint_eq(files_n(), 1);
}
END_TEST

START_TEST(a_file_system_that_syncs_no_directory_is_no_fault)
{
    struct export_file *file = open_and_write(false);
    failing = 'd';
    failure = EINVAL;
    ck_assert(export_file_finish(file));
    ck_assert_str_eq(done, "frd");
    ck_assert(holds(text));
}
END_TEST

/* The directory is writable but not readable. The test drops root's rights, which would allow
 * both. */
START_TEST(a_directory_that_cannot_be_read_is_no_fault)
{
    const uid_t own = geteuid();
    const uid_t other = own == 0 ? 65534 : own;
    ck_assert_int_eq(chown(directory, other, (gid_t)-1), 0);
    ck_assert_int_eq(chmod(directory, 0300), 0);
    ck_assert_int_eq(seteuid(other), 0);
    const bool is_done = export_file_finish(open_and_write(false));
    ck_assert_int_eq(seteuid(own), 0);
    ck_assert_int_eq(chmod(directory, 0700), 0);
    ck_assert(is_done);
    ck_assert_str_eq(done, "fr");
    ck_assert(holds(text));
    ck_assert_uint_eq(files_n(), 1);
}
END_TEST

START_TEST(an_export_given_up_leaves_what_was_there)
{
    put_file("before");
    struct export_file *file = open_and_write(false);
    ck_assert_uint_eq(files_n(), 2);
    export_file_abandon(file);
    ck_assert_str_eq(done, "");
    ck_assert(holds("before"));
    ck_assert_uint_eq(files_n(), 1);
}
END_TEST

/* Symbolic links stay, as with the shell's `>`: the file is made where the last link leads, even in
 * another directory, and whether or not a file exists there. */
START_TEST(links_stay_and_the_file_is_made_where_they_lead)
{
    char link[96];
    char folder[96];
    char linked[sizeof folder + 8];
    (void)snprintf(link, sizeof link, "%s/link", directory);
    (void)snprintf(folder, sizeof folder, "%s/folder", directory);
    (void)snprintf(linked, sizeof linked, "%s/second", folder);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    ck_assert_int_eq(symlink("folder/second", link), 0);
    ck_assert_int_eq(symlink(_i % 2 == 0 ? "../file" : path, linked), 0);
    if (_i >= 2) {
        put_file("before");
    }
    struct export_file *file = export_file_open(link, false);
    ck_assert_ptr_nonnull(file);
    ck_assert(export_file_write(file, text, sizeof text - 1));
    ck_assert(export_file_finish(file));
    ck_assert(holds(text));
    ck_assert_uint_eq(files_n(), 3);
    struct stat info;
    ck_assert(lstat(link, &info) == 0 && S_ISLNK(info.st_mode));
    ck_assert(lstat(linked, &info) == 0 && S_ISLNK(info.st_mode));
    ck_assert_int_eq(unlink(linked), 0);
    ck_assert_int_eq(rmdir(folder), 0);
    ck_assert_int_eq(unlink(link), 0);
}
END_TEST

START_TEST(links_that_lead_nowhere_are_told)
{
    ck_assert_int_eq(symlink(_i == 0 ? "file" : "no-folder/file", path), 0);
    ck_assert_ptr_null(export_file_open(path, false));
    ck_assert_int_eq(errno, _i == 0 ? ELOOP : ENOENT);
    struct stat info;
    ck_assert(lstat(path, &info) == 0 && S_ISLNK(info.st_mode));
    ck_assert_uint_eq(files_n(), 1);
}
END_TEST

/* zlib buffers until it is closed, so a full disk shows only then. */
START_TEST(a_full_disk_is_told)
{
    struct export_file *file = export_file_open("/dev/full", _i == 1);
    ck_assert_ptr_nonnull(file);
    (void)export_file_write(file, text, sizeof text - 1);
    ck_assert(!export_file_finish(file));
    ck_assert_int_eq(errno, ENOSPC);
    ck_assert_str_eq(done, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("export_file");
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, setup, teardown);
    tcase_add_loop_test(files, all_bytes_are_on_disk_before_the_name_and_the_name_before_the_end, 0,
                        2);
    tcase_add_loop_test(files, a_disk_that_fails_is_told_and_leaves_nothing_beside_the_file, 0,
                        (int)(sizeof failures / sizeof failures[0]));
    tcase_add_test(files, a_file_system_that_syncs_no_directory_is_no_fault);
    tcase_add_test(files, a_directory_that_cannot_be_read_is_no_fault);
    tcase_add_test(files, an_export_given_up_leaves_what_was_there);
    tcase_add_loop_test(files, links_stay_and_the_file_is_made_where_they_lead, 0, 4);
    tcase_add_loop_test(files, links_that_lead_nowhere_are_told, 0, 2);
    tcase_add_loop_test(files, a_full_disk_is_told, 0, 2);
    suite_add_tcase(suite, files);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

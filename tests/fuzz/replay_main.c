/* Runs a fuzz target on files where no fuzzer is available. Each argument is a file or a folder of
 * files. Fails if an argument has no file, so that a missing corpus is noticed. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_BYTES_MAX = 1 << 24, PATH_BYTES = 4096 };

/* Passes the target an allocation of exactly the file's size. */
static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 0;
    }
    uint8_t *area = malloc(FILE_BYTES_MAX);
    const size_t n = area == NULL ? 0 : fread(area, 1, FILE_BYTES_MAX, file);
    uint8_t *data = area == NULL ? NULL : realloc(area, n + (n == 0));
    const int is_read = data != NULL && !ferror(file);
    if (is_read) {
        (void)LLVMFuzzerTestOneInput(data, n);
    } else {
        perror(path);
    }
    free(data != NULL ? data : area);
    (void)fclose(file);
    return is_read;
}

static int run_folder(const char *path, DIR *folder)
{
    int done = 0;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char file[PATH_BYTES];
        const int n = snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        struct stat about;
        if (n > 0 && n < PATH_BYTES && stat(file, &about) == 0 && S_ISREG(about.st_mode)) {
            done += run_file(file);
        }
    }
    return done;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        const int done = folder != NULL ? run_folder(argv[i], folder) : run_file(argv[i]);
        if (folder != NULL) {
            (void)closedir(folder);
        }
        if (done == 0) {
            (void)fprintf(stderr, "%s: nothing to run\n", argv[i]);
            return EXIT_FAILURE;
        }
        (void)printf("%s: %d files\n", argv[i], done);
    }
    return argc > 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}

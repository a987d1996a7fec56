/* The server's options. The first byte chooses an option, the rest is its value, given once in
 * the environment and once as an argument. Both must have the same result, which must match the
 * value. */
#include "server/base/config.h"
#include "tests/fuzz/fuzz.h"

#include <ctype.h>

enum kind { NUMBER, MODE, CHOICE };

static const struct {
    const char *option;
    size_t offset;
    enum kind kind;
    long long lowest;
    long long highest;
    const char *choices[5];
} options[] = {
    {"workers", offsetof(struct weir_config, workers), NUMBER, 1, 256, {NULL}},
    {"max-calls", offsetof(struct weir_config, max_calls), NUMBER, 1, 65536, {NULL}},
    {"max-waiting", offsetof(struct weir_config, max_waiting), NUMBER, 0, 1048576, {NULL}},
    {"store-connections", offsetof(struct weir_config, store_connections), NUMBER, 1, 1024, {NULL}},
    {"ipc-permissions", offsetof(struct weir_config, ipc_permissions), MODE, 0, 0777, {NULL}},
    {"durability", offsetof(struct weir_config, durability), CHOICE, 0, 0, {"full", "normal"}},
    {"log-format", offsetof(struct weir_config, log_format), CHOICE, 0, 0, {"text", "json"}},
    {"log-level",
     offsetof(struct weir_config, log_level),
     CHOICE,
     0,
     0,
     {"debug", "info", "warn", "error"}},
#define LIMIT(member, option, standard, lowest, highest, what) \
    {option, offsetof(struct weir_config, limits.member), NUMBER, lowest, highest, {NULL}},
    WEIR_LIMIT_LIST(LIMIT)
#undef LIMIT
};

/* ---- meaning of values ---- */

/* Reads a sign and digits within the range. */
static bool read_number(const char *value, unsigned base, long long lowest, long long highest,
                        long long *number)
{
    const bool is_negative = value[0] == '-';
    value += value[0] == '-' || value[0] == '+';
    long long n = 0;
    bool is_number = value[0] != '\0';
    for (; *value != '\0' && is_number; value++) {
        is_number = *value >= '0' && *value < (char)('0' + (char)base) && n < 1LL << 40;
        n = is_number ? n * base + (*value - '0') : n;
    }
    *number = is_negative ? -n : n;
    return is_number && *number >= lowest && *number <= highest;
}

static bool read_choice(const char *value, const char *const *choices, long long *number)
{
    for (*number = 0; *number < 5 && choices[*number] != NULL; (*number)++) {
        if (strcmp(value, choices[*number]) == 0) {
            return true;
        }
    }
    return false;
}

static bool read_value(size_t at, const char *value, long long *number)
{
    return options[at].kind == CHOICE
               ? read_choice(value, options[at].choices, number)
               : read_number(value, options[at].kind == MODE ? 8 : 10, options[at].lowest,
                             options[at].highest, number);
}

/* ---- the server's reading ---- */

static weir_status parse(struct weir_config *config, char *argument)
{
    char name[] = "weir-server";
    char *arguments[] = {name, argument, NULL};
    struct weir_error err;
    weir_error_init(&err);
    const weir_status st = weir_config_parse(config, argument == NULL ? 1 : 2, arguments, &err);
    require(st == WEIR_OK || (st == WEIR_INVALID_REQUEST && err.text[0] != '\0'));
    weir_config_fini(config);
    return st;
}

static weir_status parse_from_environment(struct weir_config *config, const char *option,
                                          const char *value)
{
    char variable[64];
    (void)snprintf(variable, sizeof variable, "WEIR_%s", option);
    for (char *c = variable; *c != '\0'; c++) {
        *c = (char)(*c == '-' ? '_' : toupper((unsigned char)*c));
    }
    require(setenv(variable, value, 1) == 0);
    const weir_status st = parse(config, NULL);
    require(unsetenv(variable) == 0);
    return st;
}

static weir_status parse_argument(struct weir_config *config, const char *option, const char *value)
{
    struct fuzz_text argument = {0};
    fuzz_puts(&argument, "--");
    fuzz_puts(&argument, option);
    fuzz_puts(&argument, "=");
    fuzz_put(&argument, weir_slice(value, strlen(value) + 1));
    const weir_status st = parse(config, (char *)argument.p);
    free(argument.p);
    return st;
}

/* Checks the two limits that depend on each other. */
static bool fits_together(const struct weir_limits *limits)
{
    return limits->message_bytes <= limits->request_bytes;
}

static void check(size_t at, const char *value, const struct weir_config *config, weir_status st)
{
    long long number = 0;
    const bool is_valid = read_value(at, value, &number);
    require(is_valid || st != WEIR_OK);
    if (is_valid) {
        require(*(const int64_t *)(const void *)((const char *)config + options[at].offset) ==
                number);
        require((st == WEIR_OK) == fits_together(&config->limits));
    }
}

static void run(size_t at, const char *value)
{
    struct weir_config config;
    weir_status st = parse_argument(&config, options[at].option, value);
    check(at, value, &config, st);
    if (value[0] != '\0') {
        st = parse_from_environment(&config, options[at].option, value);
        check(at, value, &config, st);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0) {
        char *value = (char *)fuzz_copy(weir_slice(data + 1, size - 1), true);
        run(data[0] % WEIR_COUNTOF(options), value);
        free(value);
    }
    return 0;
}

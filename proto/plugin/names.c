#include "plugin/names.h"

/* Independent of the locale: identifiers of .proto files are ASCII. */
static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static char to_lower(char c)
{
    return is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

static char to_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* "write_messages" -> "WriteMessages"; a name in camel case stays as it is. */
static size_t put_camel(char *out, const char *name, size_t n)
{
    size_t out_n = 0;
    bool is_start = true;
    for (size_t i = 0; i < n; i++) {
        if (name[i] == '_') {
            is_start = true;
            continue;
        }
        out[out_n++] = is_start ? to_upper(name[i]) : name[i];
        is_start = false;
    }
    return out_n;
}

/* "WriteMessages" -> "write_messages"; a run of capitals is one word: "GetURL" -> "get_url". */
static size_t put_snake(char *out, const char *name, size_t n)
{
    size_t out_n = 0;
    bool was_upper = true;
    for (size_t i = 0; i < n; i++) {
        if (is_upper(name[i]) && !was_upper) {
            out[out_n++] = '_';
        }
        out[out_n++] = to_lower(name[i]);
        was_upper = is_upper(name[i]);
    }
    return out_n;
}

typedef size_t (*put_part)(char *out, const char *name, size_t n);

/* Converts each part of a dotted name, joins the parts with "__" and appends `tail`. */
static char *convert_parts(struct weir_arena *arena, const char *full_name, put_part put,
                           const char *tail)
{
    char *out = (char *)weir_arena_bytes(arena, strlen(full_name) * 2 + strlen(tail) + 1);
    if (out == NULL) {
        return NULL;
    }
    size_t out_n = 0;
    const char *part = full_name;
    while (*part != '\0') {
        const size_t n = strcspn(part, ".");
        if (n > 0 && out_n > 0) {
            out[out_n++] = '_';
            out[out_n++] = '_';
        }
        out_n += put(out + out_n, part, n);
        part += n;
        if (*part == '.') {
            part++;
        }
    }
    memcpy(out + out_n, tail, strlen(tail) + 1);
    return out;
}

char *name_of_type(struct weir_arena *arena, const char *full_name)
{
    return convert_parts(arena, full_name, put_camel, "");
}

char *name_of_descriptor(struct weir_arena *arena, const char *full_name)
{
    return convert_parts(arena, full_name, put_snake, "__descriptor");
}

char *name_of_function(struct weir_arena *arena, const char *service, const char *rpc)
{
    char *out = (char *)weir_arena_bytes(arena, (strlen(service) + strlen(rpc)) * 2 + 2);
    if (out == NULL) {
        return NULL;
    }
    size_t n = put_snake(out, service, strlen(service));
    out[n++] = '_';
    n += put_snake(out + n, rpc, strlen(rpc));
    out[n] = '\0';
    return out;
}

char *name_in_capitals(struct weir_arena *arena, const char *name)
{
    const size_t n = strlen(name);
    char *out = (char *)weir_arena_bytes(arena, n + 1);
    for (size_t i = 0; out != NULL && i <= n; i++) {
        out[i] = to_upper(name[i]);
    }
    return out;
}

char *name_join(struct weir_arena *arena, const char *a, const char *b, const char *c,
                const char *d)
{
    const char *const parts[] = {a, b, c, d};
    size_t total = 1;
    for (size_t i = 0; i < WEIR_COUNTOF(parts); i++) {
        total += strlen(parts[i]);
    }
    char *out = (char *)weir_arena_bytes(arena, total);
    size_t n = 0;
    for (size_t i = 0; out != NULL && i < WEIR_COUNTOF(parts); i++) {
        const size_t part_n = strlen(parts[i]);
        memcpy(out + n, parts[i], part_n + 1);
        n += part_n;
    }
    return out;
}

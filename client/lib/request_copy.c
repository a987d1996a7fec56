#include "client/lib/request_copy.h"

bool copy_text(struct weir_arena *arena, const char *from, const char **to)
{
    struct weir_slice copy;
    if (!weir_arena_copy(arena, weir_slice_of(from), &copy)) {
        return false;
    }
    *to = (const char *)copy.p;
    return true;
}

/* Replaces a string by a copy. protobuf-c declares its strings without const. */
static bool copy_field(struct weir_arena *arena, char **text)
{
    const char *copy = NULL;
    if (!copy_text(arena, *text, &copy)) {
        return false;
    }
    *text = (char *)(uintptr_t)copy;
    return true;
}

bool copy_texts(struct weir_arena *arena, const char *const *from, size_t n, const char *const **to)
{
    const char **copies = weir_arena_array(arena, n, sizeof *copies);
    for (size_t i = 0; copies != NULL && i < n; i++) {
        if (!copy_text(arena, from[i], &copies[i])) {
            return false;
        }
    }
    *to = copies;
    return copies != NULL;
}

static bool copy_fields(struct weir_arena *arena, char ***texts, size_t n)
{
    const char *const *copies = NULL;
    if (!copy_texts(arena, (const char *const *)*texts, n, &copies)) {
        return false;
    }
    *texts = (char **)(uintptr_t)copies;
    return true;
}

static bool copy_metadata(struct weir_arena *arena, struct weir_call_options *options)
{
    if (options->metadata_n == 0) {
        return true;
    }
    struct weir_call_metadata *copies =
        weir_arena_array(arena, options->metadata_n, sizeof *copies);
    if (copies == NULL) {
        return false;
    }
    for (size_t i = 0; i < options->metadata_n; i++) {
        if (!copy_text(arena, options->metadata[i].key, &copies[i].key) ||
            !copy_text(arena, options->metadata[i].value, &copies[i].value)) {
            return false;
        }
    }
    options->metadata = copies;
    return true;
}

bool copy_call_options(struct weir_arena *arena, const struct weir_call_options *from,
                       struct weir_call_options *to)
{
    static const struct weir_call_options standard = WEIR_CALL_OPTIONS_INIT;
    *to = from == NULL ? standard : *from;
    return copy_text(arena, to->token, &to->token) &&
           copy_text(arena, to->namespace_id, &to->namespace_id) && copy_metadata(arena, to);
}

bool copy_stream_request(struct weir_arena *arena, const Weir__V1__GetStreamMessagesRequest *from,
                         Weir__V1__GetStreamMessagesRequest *to)
{
    *to = *from;
    to->base.n_unknown_fields = 0;
    return copy_field(arena, &to->stream_name) && copy_fields(arena, &to->types, to->n_types);
}

static bool copy_group(struct weir_arena *arena, Weir__V1__ConsumerGroup **group)
{
    if (*group == NULL) {
        return true;
    }
    Weir__V1__ConsumerGroup *copy = weir_arena_alloc(arena, sizeof *copy);
    if (copy == NULL) {
        return false;
    }
    *copy = **group;
    copy->base.n_unknown_fields = 0;
    *group = copy;
    return true;
}

bool copy_category_request(struct weir_arena *arena,
                           const Weir__V1__GetCategoryMessagesRequest *from,
                           Weir__V1__GetCategoryMessagesRequest *to)
{
    *to = *from;
    to->base.n_unknown_fields = 0;
    return copy_group(arena, &to->consumer_group) && copy_field(arena, &to->category) &&
           copy_field(arena, &to->correlation) && copy_fields(arena, &to->types, to->n_types);
}

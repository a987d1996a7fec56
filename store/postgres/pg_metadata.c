/* Reads what a new namespace's metadata asks of the store. All else in the metadata is the
 * client's. */
#include "store/postgres/pg_metadata.h"

#include "weir/rules/duration.h"
#include "weir/rules/json_text.h"

#define HOUR_US (INT64_C(3600) * 1000000)

static bool read_adopt(struct weir_slice value, struct pg_create_options *options,
                       struct weir_error *err)
{
    options->is_adoption = weir_slice_is(value, "\"message_store\"");
    if (!options->is_adoption) {
        (void)weir_fail_field(err, "metadata",
                              "\"adopt\" must be \"message_store\", the schema of Message DB");
    }
    return options->is_adoption;
}

/* Reads a duration. It needs no escapes, so its text is what stands between the quotes. */
static bool read_chunk_interval(struct weir_slice value, struct pg_create_options *options,
                                struct weir_error *err)
{
    const bool is_string = value.n >= 2 && value.p[0] == '"';
    int64_t us = 0;
    if (!is_string || !weir_duration_parse(weir_slice(value.p + 1, value.n - 2), &us)) {
        (void)weir_fail_field(err, "metadata",
                              "\"chunk_interval\" is not a duration; must be " WEIR_DURATION_FORM);
        return false;
    }
    if (us < HOUR_US || us > 366 * 24 * HOUR_US) {
        (void)weir_fail_field(err, "metadata",
                              "\"chunk_interval\" must be from one hour (1h) to a year (366d)");
        return false;
    }
    options->chunk_interval_us = us;
    return true;
}

bool weir_pg_read_metadata(struct weir_slice metadata, const struct pg_dialect *dialect,
                           struct pg_create_options *options, struct weir_error *err)
{
    size_t at = 0;
    struct weir_slice key;
    struct weir_slice value;
    const bool has_chunks = dialect->layouts[0]->set_chunk_interval != NULL;
    *options = (struct pg_create_options){.is_adoption = false};
    bool is_good = true;
    while (is_good && metadata.p != NULL && weir_json_next_member(metadata, &at, &key, &value)) {
        if (weir_slice_is(key, "adopt")) {
            is_good = read_adopt(value, options, err);
        } else if (has_chunks && weir_slice_is(key, "chunk_interval")) {
            is_good = read_chunk_interval(value, options, err);
        }
    }
    if (is_good && options->is_adoption && options->chunk_interval_us != 0) {
        (void)weir_fail_field(
            err, "metadata",
            "\"chunk_interval\" cannot be given with \"adopt\": an adopted schema has no chunks");
        return false;
    }
    return is_good;
}

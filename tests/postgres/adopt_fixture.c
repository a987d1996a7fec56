#include "tests/postgres/adopt_fixture.h"

#include "tests/postgres/pg_fixture.h"

weir_status try_adopt(struct weir_store *store, const char *id, const char *metadata)
{
    struct weir_namespace_record record = {.id = weir_slice_of(id),
                                           .metadata = weir_slice_of(metadata)};
    bool is_same = false;
    weir_error_init(&fx.err);
    return weir_namespace_create(store, &record, INT64_MAX, &is_same, &fx.err);
}

void begin_adopted(void)
{
    fixture_on_disk();
    sql("TRUNCATE message_store.messages RESTART IDENTITY");
    sql(MESSAGE_DB "SELECT write_message('00000000-0000-4000-8000-000000000001', 'a-1', 'Old',"
                   " '{\"n\": 1}', '{\"correlationStreamName\": \"flow-7\"}')");
    sql(MESSAGE_DB "SELECT write_message('00000000-0000-4000-8000-000000000002', 'b-1+x', 'Old',"
                   " '{\"n\": 2}')");
    weir_namespace_release(fx.ns);
    ck_assert_msg(try_adopt(fx.store, "adopted", "{\"adopt\": \"message_store\"}") == WEIR_OK, "%s",
                  fx.err.text);
    fx.ns = must_open(fx.store, "adopted");
}

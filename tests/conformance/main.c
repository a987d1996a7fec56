/* The conformance suite: what every store must do, tested through the client library and a real
 * server process. */
#include "tests/conformance/fixture.h"
#include "tests/lib/check_main.h"

int main(void)
{
    Suite *suite = suite_create("conformance");
    suite_add_tcase(suite, conf_write_case());
    suite_add_tcase(suite, conf_idempotence_case());
    suite_add_tcase(suite, conf_write_streams_case());
    suite_add_tcase(suite, conf_read_stream_case());
    suite_add_tcase(suite, conf_read_category_case());
    suite_add_tcase(suite, conf_group_case());
    suite_add_tcase(suite, conf_json_case());
    suite_add_tcase(suite, conf_import_case());
    suite_add_tcase(suite, conf_bad_input_case());
    if (conf_is_store_volatile()) {
        conf_tell_skipped("durability");
    } else {
        suite_add_tcase(suite, conf_durability_case());
    }
    suite_add_tcase(suite, conf_concurrency_case());
    suite_add_tcase(suite, conf_poll_case());
    suite_add_tcase(suite, conf_namespaces_case());
    suite_add_tcase(suite, conf_listing_case());
    suite_add_tcase(suite, conf_system_case());
    return check_main(suite);
}

/* The checks of the requests of the Namespaces methods. They fill slices that point into the
 * request. Failures are INVALID_REQUEST naming the field, unless said otherwise; see
 * request_check.h. */
#ifndef WEIR_SERVER_CHECK_NAMESPACE_H
#define WEIR_SERVER_CHECK_NAMESPACE_H

#include "server/calls/call.h"
#include "weir/v1/namespaces.pb-c.h"

/* Checks the required field `namespace`. */
weir_status weir_check_namespace_id(const char *text, struct weir_slice *id,
                                    struct weir_error *err);

/* Checks a token that a client has chosen: it must be a token, and of namespace `id`. */
weir_status weir_check_new_token(const char *text, const char *field, struct weir_slice id,
                                 struct weir_error *err);

/* Checks the request and fills the record's id, description and metadata. LIMIT_EXCEEDED where the
 * metadata is too large. */
weir_status weir_check_create_namespace(const struct weir_call *call,
                                        const Weir__V1__CreateNamespaceRequest *request,
                                        struct weir_namespace_record *record,
                                        struct weir_error *err);

/* Checks a page's limit, 1 to 1000; an absent one is 100. */
weir_status weir_check_list_limit(protobuf_c_boolean has_limit, int64_t limit, size_t *checked,
                                  struct weir_error *err);

/* Checks a prefix or a cursor, at most as long as a stream's name. Absent and empty are alike. */
weir_status weir_check_list_text(const char *text, const char *field, struct weir_slice *checked,
                                 struct weir_error *err);

#endif

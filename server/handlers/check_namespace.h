/* The checks of the Namespaces methods' requests; see request_check.h. */
#ifndef WEIR_SERVER_CHECK_NAMESPACE_H
#define WEIR_SERVER_CHECK_NAMESPACE_H

#include "server/calls/call.h"
#include "weir/v1/namespaces.pb-c.h"

/* The required `namespace` field. */
weir_status weir_check_namespace_id(const char *text, struct weir_slice *id,
                                    struct weir_error *err);

/* A token that a client chose: it must be one, and name this namespace. */
weir_status weir_check_new_token(const char *text, const char *field, struct weir_slice id,
                                 struct weir_error *err);

/* Fills id, description and metadata. */
weir_status weir_check_create_namespace(const struct weir_call *call,
                                        const Weir__V1__CreateNamespaceRequest *request,
                                        struct weir_namespace_record *record,
                                        struct weir_error *err);

/* 1..1000; absent is 100. */
weir_status weir_check_list_limit(protobuf_c_boolean has_limit, int64_t limit, size_t *checked,
                                  struct weir_error *err);

/* A prefix or cursor: absent and empty are the same, and it is no longer than a name can be. */
weir_status weir_check_list_text(const char *text, const char *field, struct weir_slice *checked,
                                 struct weir_error *err);

#endif

/* A namespace as the wire describes it, alone and in a list. */
#ifndef WEIR_SERVER_NAMESPACE_INFO_H
#define WEIR_SERVER_NAMESPACE_INFO_H

#include "server/calls/call.h"
#include "weir/v1/namespaces.pb-c.h"

/* The record without counts; texts are in the call's arena, the metadata's bytes are the record's.
 * LIMIT_EXCEEDED past the arena's cap. */
weir_status weir_namespace_info_fill(struct weir_call *call,
                                     const struct weir_namespace_record *record,
                                     Weir__V1__NamespaceInfo *info, struct weir_error *err);

/* Adds the counts. Fails as the store does, with the info as it was. */
weir_status weir_namespace_info_count(struct weir_call *call, struct weir_slice id,
                                      Weir__V1__NamespaceInfo *info, struct weir_error *err);

#endif

/* Fills the message that describes a namespace, for GetNamespace and ListNamespaces. */
#ifndef WEIR_SERVER_NAMESPACE_INFO_H
#define WEIR_SERVER_NAMESPACE_INFO_H

#include "server/calls/call.h"
#include "weir/v1/namespaces.pb-c.h"

/* Fills the info from the record, without counts. Texts are copied into the call's arena; the
 * metadata points into the record. LIMIT_EXCEEDED past the arena's cap. */
weir_status weir_namespace_info_fill(struct weir_call *call,
                                     const struct weir_namespace_record *record,
                                     Weir__V1__NamespaceInfo *info, struct weir_error *err);

/* Adds the counts, which it reads from the namespace `id`. Blocks on the store. Returns what
 * weir_namespace_open and weir_namespace_totals return; on failure the info is unchanged. */
weir_status weir_namespace_info_count(struct weir_call *call, struct weir_slice id,
                                      Weir__V1__NamespaceInfo *info, struct weir_error *err);

#endif

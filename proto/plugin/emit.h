/* Writes the generated files: each function writes one file. */
#ifndef WEIR_PLUGIN_EMIT_H
#define WEIR_PLUGIN_EMIT_H

#include "plugin/model.h"
#include "plugin/text.h"

void emit_methods_header(const struct model *model, struct text *out);
void emit_methods_source(const struct model *model, struct text *out);
void emit_dispatch_header(const struct model *model, struct text *out);
void emit_dispatch_source(const struct model *model, struct text *out);
void emit_stubs_header(const struct model *model, struct text *out);
void emit_stubs_source(const struct model *model, struct text *out);

#endif

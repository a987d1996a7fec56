#include "plugin/comments.h"

/* Field numbers of descriptor.proto: FileDescriptorProto.service, ServiceDescriptorProto.method. */
enum { FILE_SERVICE = 6, SERVICE_METHOD = 2 };

const char *comment_of_method(const Google__Protobuf__FileDescriptorProto *file, size_t service,
                              size_t method)
{
    const Google__Protobuf__SourceCodeInfo *info = file->source_code_info;
    for (size_t i = 0; info != NULL && i < info->n_location; i++) {
        const Google__Protobuf__SourceCodeInfo__Location *at = info->location[i];
        if (at->n_path == 4 && at->path[0] == FILE_SERVICE && at->path[1] == (int32_t)service &&
            at->path[2] == SERVICE_METHOD && at->path[3] == (int32_t)method &&
            at->leading_comments != NULL) {
            return at->leading_comments;
        }
    }
    return "";
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

char *comment_summary(struct weir_arena *arena, const char *comment)
{
    char *out = (char *)weir_arena_bytes(arena, strlen(comment) + 1);
    size_t n = 0;
    for (const char *c = comment; out != NULL && *c != '\0'; c++) {
        if (!is_blank(*c)) {
            out[n++] = *c;
        } else if (n > 0 && out[n - 1] == '.') {
            break;
        } else if (n > 0 && out[n - 1] != ' ') {
            out[n++] = ' ';
        }
    }
    while (n > 0 && out[n - 1] == ' ') {
        n--;
    }
    if (out != NULL) {
        out[n] = '\0';
    }
    return out;
}

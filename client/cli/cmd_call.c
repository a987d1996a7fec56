/* weir list, describe, call: any rpc, by the descriptors of its messages. */
#include "client/cli/cli.h"
#include "client/cli/lines.h"
#include "client/cli/message_json.h"
#include "client/cli/output.h"
#include "weir/wire/invoke.h"
#include "weir/wire/method.h"

#include <stdio.h>
#include <stdlib.h>

enum { TYPES_MAX = 256 };

static const char *access_name(enum weir_access access)
{
    static const char *const names[] = {
        [WEIR_ACCESS_NAMESPACE] = "namespace token",
        [WEIR_ACCESS_PUBLIC] = "no token",
        [WEIR_ACCESS_OWNER] = "namespace or admin token",
        [WEIR_ACCESS_ADMIN] = "admin token",
    };
    return names[access];
}

static const char *retry_name(enum weir_retry retry)
{
    static const char *const names[] = {
        [WEIR_RETRY_NEVER] = "never",
        [WEIR_RETRY_SAFE] = "safe",
        [WEIR_RETRY_BY_MESSAGE_ID] = "safe with the same message ids",
        [WEIR_RETRY_BY_TOKEN] = "safe with the same token",
    };
    return names[retry];
}

int cmd_list(struct cli *cli)
{
    static const char *const columns[] = {"method", "access", "summary"};
    const char *service = cli->values.args_n == 0 ? NULL : cli->values.args[0];
    struct output out;
    size_t n = 0;
    output_begin(&out, stdout, cli_is_for_people(cli), columns, WEIR_COUNTOF(columns));
    for (size_t i = 0; i < weir_methods_n; i++) {
        const struct weir_method *m = &weir_methods[i];
        if (service == NULL || strcmp(service, m->service) == 0) {
            output_text(&out, m->name);
            output_text(&out, access_name(m->access));
            output_text(&out, m->summary);
            output_end_row(&out);
            n++;
        }
    }
    if (n == 0) {
        return cli_usage(cli, "unknown service '%s'", service);
    }
    output_end(&out);
    return CLI_DONE;
}

/* ---- names ---- */

/* Finds a method by "weir.v1.Service/Method", "Service/Method" or "Method". NULL if there is
 * none. */
static const struct weir_method *find_method(const char *name, size_t *index)
{
    for (size_t i = 0; i < weir_methods_n; i++) {
        const struct weir_method *m = &weir_methods[i];
        const char *local = strrchr(m->name, '.') + 1;
        if (strcmp(name, m->name) == 0 || strcmp(name, local) == 0 || strcmp(name, m->rpc) == 0) {
            *index = i;
            return m;
        }
    }
    return NULL;
}

/* A set of message types. */
struct types {
    const ProtobufCMessageDescriptor *all[TYPES_MAX];
    size_t n;
};

static void add_type(struct types *types, const ProtobufCMessageDescriptor *type)
{
    for (size_t i = 0; i < types->n; i++) {
        if (types->all[i] == type) {
            return;
        }
    }
    if (types->n == TYPES_MAX) {
        return;
    }
    types->all[types->n++] = type;
    for (unsigned f = 0; f < type->n_fields; f++) {
        if (type->fields[f].type == PROTOBUF_C_TYPE_MESSAGE &&
            !message_is_map_entry(type->fields[f].descriptor)) {
            add_type(types, type->fields[f].descriptor);
        }
    }
}

/* ---- describe ---- */

static const char *type_name(const ProtobufCFieldDescriptor *field)
{
    static const char *const names[] = {
        [PROTOBUF_C_TYPE_INT32] = "int32",       [PROTOBUF_C_TYPE_SINT32] = "sint32",
        [PROTOBUF_C_TYPE_SFIXED32] = "sfixed32", [PROTOBUF_C_TYPE_INT64] = "int64",
        [PROTOBUF_C_TYPE_SINT64] = "sint64",     [PROTOBUF_C_TYPE_SFIXED64] = "sfixed64",
        [PROTOBUF_C_TYPE_UINT32] = "uint32",     [PROTOBUF_C_TYPE_FIXED32] = "fixed32",
        [PROTOBUF_C_TYPE_UINT64] = "uint64",     [PROTOBUF_C_TYPE_FIXED64] = "fixed64",
        [PROTOBUF_C_TYPE_FLOAT] = "float",       [PROTOBUF_C_TYPE_DOUBLE] = "double",
        [PROTOBUF_C_TYPE_BOOL] = "bool",         [PROTOBUF_C_TYPE_STRING] = "string",
        [PROTOBUF_C_TYPE_BYTES] = "bytes",
    };
    if (field->type == PROTOBUF_C_TYPE_ENUM) {
        return ((const ProtobufCEnumDescriptor *)field->descriptor)->name;
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        const ProtobufCMessageDescriptor *type = field->descriptor;
        return message_is_map_entry(type) ? "map<string, string>" : type->name;
    }
    return names[field->type];
}

static const char *label_name(const ProtobufCFieldDescriptor *field)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE && message_is_map_entry(field->descriptor)) {
        return "";
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        return "oneof ";
    }
    return field->label == PROTOBUF_C_LABEL_REPEATED ? "repeated " : "optional ";
}

static void put_enum_values(const ProtobufCEnumDescriptor *type)
{
    (void)printf("  // one of");
    for (unsigned i = 0; i < type->n_values; i++) {
        (void)printf("%s %s", i == 0 ? "" : ",", type->values[i].name);
    }
}

static void put_type(const ProtobufCMessageDescriptor *type)
{
    (void)printf("message %s {\n", type->name);
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        (void)printf("  %s%s %s = %u;", label_name(field), type_name(field), field->name,
                     field->id);
        if (field->type == PROTOBUF_C_TYPE_ENUM) {
            put_enum_values(field->descriptor);
        }
        (void)putchar('\n');
    }
    (void)printf("}\n");
}

static void put_method(const struct weir_method *m)
{
    (void)printf("rpc %s(%s) returns (%s)\n", m->name, m->input->name, m->output->name);
    (void)printf("  %s\n  access: %s\n  repeating it: %s\n", m->summary, access_name(m->access),
                 retry_name(m->retry));
    struct types types = {.n = 0};
    add_type(&types, m->input);
    add_type(&types, m->output);
    for (size_t i = 0; i < types.n; i++) {
        (void)putchar('\n');
        put_type(types.all[i]);
    }
}

int cmd_describe(struct cli *cli)
{
    const char *name = cli->values.args[0];
    size_t index = 0;
    const struct weir_method *m = find_method(name, &index);
    if (m != NULL) {
        put_method(m);
        return CLI_DONE;
    }
    struct types types = {.n = 0};
    for (size_t i = 0; i < weir_methods_n; i++) {
        add_type(&types, weir_methods[i].input);
        add_type(&types, weir_methods[i].output);
    }
    for (size_t i = 0; i < types.n; i++) {
        if (strcmp(name, types.all[i]->name) == 0 || strcmp(name, types.all[i]->short_name) == 0) {
            put_type(types.all[i]);
            return CLI_DONE;
        }
    }
    return cli_usage(cli, "unknown method or message '%s'; 'weir list' lists the methods", name);
}

/* ---- call ---- */

/* Reads standard input as one text, into the arena. */
static int read_standard_input(struct cli *cli, struct weir_arena *arena, struct weir_slice *text)
{
    enum { FIRST_BYTES = 64 << 10 };
    size_t size = FIRST_BYTES;
    size_t n = 0;
    char *buffer = malloc(size);
    while (buffer != NULL && n <= LINE_BYTES_MAX) {
        const size_t got = fread(buffer + n, 1, size - n, stdin);
        n += got;
        if (got == 0) {
            break;
        }
        if (n == size) {
            size *= 2;
            char *grown = realloc(buffer, size);
            if (grown == NULL) {
                free(buffer);
            }
            buffer = grown;
        }
    }
    const bool is_read = buffer != NULL && n <= LINE_BYTES_MAX && ferror(stdin) == 0 &&
                         weir_arena_copy(arena, weir_slice(buffer, n), text);
    free(buffer);
    return is_read ? CLI_DONE : cli_broken(cli, "", "standard input cannot be read or is too long");
}

static int call_method(struct cli *cli, size_t index, struct weir_slice json,
                       struct weir_arena *arena)
{
    ProtobufCMessage *request = NULL;
    ProtobufCMessage *response = NULL;
    if (message_from_json(weir_methods[index].input, json, arena, &request, &cli->err) != WEIR_OK) {
        return cli_usage(cli, "%s", cli->err.text);
    }
    const int status = cli_connect(cli);
    if (status != CLI_DONE) {
        return status;
    }
    if (weir_client_call(cli->client, index, request, &cli->call, &response, &cli->err) !=
        WEIR_OK) {
        return weir_methods[index].retry == WEIR_RETRY_SAFE ? cli_failed(cli)
                                                            : cli_failed_in_doubt(cli);
    }
    message_to_json(stdout, response);
    (void)putchar('\n');
    weir_response_free(response);
    return CLI_DONE;
}

int cmd_call(struct cli *cli)
{
    const struct cli_values *v = &cli->values;
    size_t index = 0;
    if (find_method(v->args[0], &index) == NULL) {
        return cli_usage(cli, "unknown method '%s'; 'weir list' lists the methods", v->args[0]);
    }
    struct weir_arena arena;
    weir_arena_init(&arena, SIZE_MAX, 0);
    struct weir_slice json = weir_slice_of(v->args_n < 2 ? "{}" : v->args[1]);
    int status = CLI_DONE;
    if (v->args_n == 2 && strcmp(v->args[1], "-") == 0) {
        status = read_standard_input(cli, &arena, &json);
    }
    if (status == CLI_DONE) {
        status = call_method(cli, index, json, &arena);
    }
    weir_arena_fini(&arena);
    return status;
}

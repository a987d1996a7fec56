#include "plugin/model.h"

#include "plugin/comments.h"
#include "plugin/names.h"
#include "plugin/options.h"

typedef Google__Protobuf__Compiler__CodeGeneratorRequest code_request;
typedef Google__Protobuf__FileDescriptorProto file_proto;
typedef Google__Protobuf__DescriptorProto message_proto;
typedef Google__Protobuf__FieldDescriptorProto field_proto;
typedef Google__Protobuf__ServiceDescriptorProto service_proto;
typedef Google__Protobuf__MethodDescriptorProto method_proto;

struct loader {
    const code_request *request;
    struct weir_arena *arena;
    struct option_definitions options;
    struct model *model;
    struct weir_error *err;
};

static weir_status no_memory(struct loader *loader)
{
    return weir_fail(loader->err, WEIR_LIMIT_EXCEEDED, "out of memory");
}

static const file_proto *find_file(const code_request *request, const char *name)
{
    for (size_t i = 0; i < request->n_proto_file; i++) {
        const char *file_name = request->proto_file[i]->name;
        if (file_name != NULL && strcmp(file_name, name) == 0) {
            return request->proto_file[i];
        }
    }
    return NULL;
}

/* Whether ".package.Name" is the message `name` of `package`. */
static bool is_full_name(const char *full_name, const char *package, const char *name)
{
    const size_t package_n = package == NULL ? 0 : strlen(package);
    if (full_name[0] != '.' || strncmp(full_name + 1, package == NULL ? "" : package, package_n)) {
        return false;
    }
    const char *rest = full_name + 1 + package_n;
    if (package_n > 0 && *rest++ != '.') {
        return false;
    }
    return strcmp(rest, name) == 0;
}

static const message_proto *find_message(const code_request *request, const char *full_name)
{
    for (size_t i = 0; i < request->n_proto_file; i++) {
        const file_proto *file = request->proto_file[i];
        for (size_t k = 0; k < file->n_message_type; k++) {
            const char *name = file->message_type[k]->name;
            if (name != NULL && is_full_name(full_name, file->package, name)) {
                return file->message_type[k];
            }
        }
    }
    return NULL;
}

static bool has_string_field(const message_proto *message, const char *name)
{
    for (size_t i = 0; i < message->n_field; i++) {
        const field_proto *field = message->field[i];
        if (field->name != NULL && strcmp(field->name, name) == 0) {
            return field->type == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_STRING;
        }
    }
    return false;
}

/* Checks what the server and the client library rely on for a method's options. */
static weir_status check_options(struct loader *loader, const method_proto *method,
                                 const struct method_options *options)
{
    const message_proto *input = find_message(loader->request, method->input_type);
    if (input == NULL) {
        return weir_fail(loader->err, WEIR_INVALID_REQUEST,
                         "rpc %s: %s is no message at the top of a file", method->name,
                         method->input_type);
    }
    const bool is_by_token = strcmp(options->retry, "RETRY_BY_TOKEN") == 0;
    if (is_by_token != (options->token_field != NULL)) {
        return weir_fail(loader->err, WEIR_INVALID_REQUEST,
                         "rpc %s: token_field goes with retry = RETRY_BY_TOKEN and only with it",
                         method->name);
    }
    if (is_by_token && !has_string_field(input, options->token_field)) {
        return weir_fail(loader->err, WEIR_INVALID_REQUEST, "rpc %s: %s has no string field '%s'",
                         method->name, method->input_type, options->token_field);
    }
    if (strcmp(options->access, "ACCESS_OWNER") == 0 && !has_string_field(input, "namespace")) {
        return weir_fail(loader->err, WEIR_INVALID_REQUEST,
                         "rpc %s: access = ACCESS_OWNER, but %s has no string field 'namespace'",
                         method->name, method->input_type);
    }
    return WEIR_OK;
}

/* Two rpcs may get the same C name: A.BC and AB.C may, AB.CD and ABC.D do not. */
static weir_status check_name(struct loader *loader, const struct model_method *method)
{
    for (size_t i = 0; i < loader->model->methods_n; i++) {
        if (strcmp(loader->model->methods[i].name, method->name) == 0) {
            return weir_fail(loader->err, WEIR_INVALID_REQUEST,
                             "%s and %s would have the same name in C, weir_%s", method->full_name,
                             loader->model->methods[i].full_name, method->name);
        }
    }
    return WEIR_OK;
}

/* False when out of memory. */
static bool name_method(struct weir_arena *arena, const file_proto *file,
                        const method_proto *method, struct model_method *m)
{
    const char *package = file->package == NULL ? "" : file->package;
    const char *service = name_join(arena, package, *package == '\0' ? "" : ".", m->service, "/");
    m->name = name_of_function(arena, m->service, m->rpc);
    m->input = name_of_type(arena, method->input_type);
    m->output = name_of_type(arena, method->output_type);
    m->input_descriptor = name_of_descriptor(arena, method->input_type);
    m->output_descriptor = name_of_descriptor(arena, method->output_type);
    m->summary = comment_summary(arena, m->comment);
    if (service == NULL || m->name == NULL) {
        return false;
    }
    m->full_name = name_join(arena, service, m->rpc, "", "");
    const char *capitals = name_in_capitals(arena, m->name);
    m->id = capitals == NULL ? NULL : name_join(arena, "WEIR_METHOD_", capitals, "", "");
    return m->full_name != NULL && m->id != NULL && m->input != NULL && m->output != NULL &&
           m->input_descriptor != NULL && m->output_descriptor != NULL && m->summary != NULL;
}

static weir_status load_method(struct loader *loader, const file_proto *file, size_t service_at,
                               size_t method_at)
{
    const service_proto *service = file->service[service_at];
    const method_proto *method = service->method[method_at];
    if (service->name == NULL || method->name == NULL || method->input_type == NULL ||
        method->output_type == NULL) {
        return weir_fail(loader->err, WEIR_INVALID_REQUEST, "an rpc lacks its name or its types");
    }
    if (method->client_streaming || method->server_streaming) {
        return weir_fail(loader->err, WEIR_INVALID_REQUEST,
                         "rpc %s: streams are not supported, one request has one reply",
                         method->name);
    }
    struct method_options options;
    weir_status status =
        options_read(&loader->options, method, loader->arena, &options, loader->err);
    if (status == WEIR_OK) {
        status = check_options(loader, method, &options);
    }
    if (status != WEIR_OK) {
        return status;
    }
    struct model_method *m = &loader->model->methods[loader->model->methods_n];
    *m = (struct model_method){
        .service = service->name,
        .rpc = method->name,
        .access = name_join(loader->arena, "WEIR_", options.access, "", ""),
        .retry = name_join(loader->arena, "WEIR_", options.retry, "", ""),
        .token_field = options.token_field,
        .comment = comment_of_method(file, service_at, method_at),
    };
    if (!name_method(loader->arena, file, method, m) || m->access == NULL || m->retry == NULL) {
        return no_memory(loader);
    }
    status = check_name(loader, m);
    loader->model->methods_n += status == WEIR_OK ? 1 : 0;
    return status;
}

static weir_status load_services(struct loader *loader, const file_proto *file)
{
    for (size_t s = 0; s < file->n_service; s++) {
        for (size_t m = 0; m < file->service[s]->n_method; m++) {
            const weir_status status = load_method(loader, file, s, m);
            if (status != WEIR_OK) {
                return status;
            }
        }
    }
    return WEIR_OK;
}

/* "weir/v1/system.proto" -> "weir/v1/system.pb-c.h"; NULL when out of memory. */
static const char *message_header(struct weir_arena *arena, const char *proto_name)
{
    static const char suffix[] = ".proto";
    const size_t suffix_n = sizeof suffix - 1;
    size_t n = strlen(proto_name);
    if (n > suffix_n && strcmp(proto_name + n - suffix_n, suffix) == 0) {
        n -= suffix_n;
    }
    struct weir_slice stem;
    if (!weir_arena_copy(arena, weir_slice(proto_name, n), &stem)) {
        return NULL;
    }
    return name_join(arena, (const char *)stem.p, ".pb-c.h", "", "");
}

static bool extends_descriptor(const file_proto *file)
{
    for (size_t i = 0; i < file->n_dependency; i++) {
        if (strcmp(file->dependency[i], "google/protobuf/descriptor.proto") == 0) {
            return true;
        }
    }
    return false;
}

/* All generated files go into the folder of the first file with a service. */
static bool set_folder(struct loader *loader, const char *proto_name)
{
    const char *slash = strrchr(proto_name, '/');
    const size_t n = slash == NULL ? 0 : (size_t)(slash - proto_name) + 1;
    struct weir_slice folder;
    if (!weir_arena_copy(loader->arena, weir_slice(proto_name, n), &folder)) {
        return false;
    }
    loader->model->folder = (const char *)folder.p;
    return true;
}

static weir_status load_file(struct loader *loader, const char *name)
{
    const file_proto *file = find_file(loader->request, name);
    if (file == NULL) {
        return weir_fail(loader->err, WEIR_INVALID_REQUEST, "%s was not sent along", name);
    }
    const char *header = message_header(loader->arena, name);
    if (header == NULL) {
        return no_memory(loader);
    }
    struct model *model = loader->model;
    if (extends_descriptor(file)) {
        model->stand_ins[model->stand_ins_n++] = header;
    }
    if (file->n_service == 0) {
        return WEIR_OK;
    }
    if (model->folder == NULL && !set_folder(loader, name)) {
        return no_memory(loader);
    }
    model->message_headers[model->message_headers_n++] = header;
    return load_services(loader, file);
}

/* Allocates the arrays at their greatest possible length. */
static bool allocate(const code_request *request, struct weir_arena *arena, struct model *model)
{
    size_t methods_n = 0;
    for (size_t i = 0; i < request->n_proto_file; i++) {
        const file_proto *file = request->proto_file[i];
        for (size_t s = 0; s < file->n_service; s++) {
            methods_n += file->service[s]->n_method;
        }
    }
    const size_t files_n = request->n_file_to_generate;
    model->message_headers = weir_arena_array(arena, files_n, sizeof *model->message_headers);
    model->stand_ins = weir_arena_array(arena, files_n, sizeof *model->stand_ins);
    model->methods = weir_arena_array(arena, methods_n, sizeof *model->methods);
    return model->message_headers != NULL && model->stand_ins != NULL && model->methods != NULL;
}

weir_status model_load(const code_request *request, struct weir_arena *arena, struct model *model,
                       struct weir_error *err)
{
    *model = (struct model){0};
    struct loader loader = {.request = request, .arena = arena, .model = model, .err = err};
    if (!allocate(request, arena, model)) {
        return no_memory(&loader);
    }
    weir_status status = options_find(request, &loader.options, err);
    for (size_t i = 0; i < request->n_file_to_generate && status == WEIR_OK; i++) {
        status = load_file(&loader, request->file_to_generate[i]);
    }
    if (status == WEIR_OK && model->methods_n == 0) {
        return weir_fail(err, WEIR_INVALID_REQUEST, "none of the files has a service");
    }
    return status;
}

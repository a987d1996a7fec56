#include "client/cli/cli.h"

#define END \
    {       \
        0   \
    }
#define FLAG(key, name, doc)             \
    {                                    \
        key, name, NULL, NULL, doc, NULL \
    }
#define VALUE(key, name, arg, doc)      \
    {                                   \
        key, name, arg, NULL, doc, NULL \
    }

static const char *const format_words[] = {"json", "text", NULL};

const struct cli_option cli_common_options[] = {
    {CLI_CONTEXT, "context", "NAME", "WEIR_CONTEXT",
     "Server and token file that 'weir context add' has kept under this name, which go before "
     "those "
     "of the environment (default: the current context, unless --server or WEIR_SERVER is given)",
     NULL},
    {CLI_SERVER, "server", "URL", "WEIR_SERVER",
     "Server to talk to: tcp://, ipc://, tls+tcp:// or ws:// (default " WEIR_DEFAULT_URL ")", NULL},
    {CLI_TOKEN_FILE, "token-file", "FILE", "WEIR_TOKEN_FILE",
     "File whose first line is the token; the variable WEIR_TOKEN carries a token itself "
     "(default ./weir-data/default.token if it can be read)",
     NULL},
    {CLI_NAMESPACE, "namespace", "NAME", "WEIR_NAMESPACE",
     "With an admin token: the namespace to act on", NULL},
    {CLI_TIMEOUT, "timeout", "SECONDS", "WEIR_TIMEOUT",
     "How long to wait for an answer, connecting included (default 10)", NULL},
    {CLI_TLS_CA, "tls-ca", "FILE", "WEIR_TLS_CA",
     "Certificates that may sign the server's (PEM; default: the system's)", NULL},
    {CLI_TLS_CERT, "tls-cert", "FILE", "WEIR_TLS_CERT", "Certificate to show to the server (PEM)",
     NULL},
    {CLI_TLS_KEY, "tls-key", "FILE", "WEIR_TLS_KEY", "Key of that certificate (PEM)", NULL},
    {CLI_FORMAT, "format", "FORMAT", NULL,
     "'json' or 'text' (default: text on a terminal, else json; messages are always JSON lines)",
     format_words},
    END};

static const struct cli_option write_options[] = {
    VALUE(CLI_EXPECT, "expect", "VERSION",
          "Write only if the stream's version is this number, 'no-stream' or 'stream-exists'"),
    VALUE(CLI_ID, "id", "UUID", "Id of the message (default: a new one)"),
    VALUE(CLI_METADATA, "metadata", "JSON", "Metadata of each message"), END};

static const struct cli_option read_options[] = {
    VALUE(CLI_FROM, "from", "POSITION",
          "First position to read (default 0; with --backward the newest)"),
    VALUE(CLI_GLOBAL_FROM, "global-from", "POSITION", "First global position to read, instead"),
    VALUE(CLI_LIMIT, "limit", "N", "At most N messages, or 'all' (default)"),
    VALUE(CLI_BATCH, "batch", "N", "The same as --limit"),
    FLAG(CLI_BACKWARD, "backward", "Newest first"),
    VALUE(CLI_TYPE, "type", "TYPE", "Only messages of this type; may be repeated"),
    FLAG(CLI_HEADERS_ONLY, "headers-only", "Without data and metadata"),
    END};

static const struct cli_option category_options[] = {
    VALUE(CLI_FROM, "from", "POSITION",
          "First global position to read (default 1; with --backward the newest)"),
    VALUE(CLI_LIMIT, "limit", "N", "At most N messages, or 'all' (default)"),
    VALUE(CLI_BATCH, "batch", "N", "The same as --limit"),
    FLAG(CLI_BACKWARD, "backward", "Newest first"),
    VALUE(CLI_TYPE, "type", "TYPE", "Only messages of this type; may be repeated"),
    VALUE(CLI_CORRELATION, "correlation", "CATEGORY",
          "Only messages whose metadata.correlationStreamName is of this category"),
    VALUE(CLI_GROUP, "group", "M/N", "Only member M (from 0) of a consumer group of N"),
    FLAG(CLI_HEADERS_ONLY, "headers-only", "Without data and metadata"),
    END};

static const struct cli_option last_options[] = {
    VALUE(CLI_TYPE, "type", "TYPE", "Newest message of this type"), END};

static const struct cli_option import_options[] = {
    FLAG(CLI_GZIP, "gzip", "Refuse input that is not gzip (gzip is recognised without it)"),
    FLAG(CLI_EVENTODB, "eventodb", "Read \"meta\":null as absent, as EventoDB writes it"), END};

static const struct cli_option subscribe_options[] = {
    VALUE(CLI_STREAM, "stream", "STREAM", "Follow this stream"),
    VALUE(CLI_CATEGORY, "category", "NAME", "Follow the streams of this category"),
    FLAG(CLI_ALL, "all", "Follow the whole namespace"),
    VALUE(CLI_FROM, "from", "POSITION",
          "'begin', 'end' or the first position (default: begin, with --all end)"),
    VALUE(CLI_LIMIT, "limit", "N", "End after N messages, those that are parked included"),
    VALUE(CLI_TYPE, "type", "TYPE", "Only messages of this type; may be repeated"),
    VALUE(CLI_CORRELATION, "correlation", "CATEGORY",
          "Only messages whose metadata.correlationStreamName is of this category"),
    VALUE(CLI_GROUP, "group", "M/N", "Only member M (from 0) of a consumer group of N"),
    FLAG(CLI_HEADERS_ONLY, "headers-only", "Without data and metadata"),
    VALUE(CLI_EXEC, "exec", "COMMAND", "Run a shell command for each message"),
    VALUE(CLI_DURABLE, "durable", "NAME", "Keep the position under this name in the store"),
    VALUE(CLI_ATTEMPTS, "attempts", "N",
          "With --durable: park a message after N failures (default 5)"),
    FLAG(CLI_PARKED, "parked", "With --durable: print the parked messages and end"),
    FLAG(CLI_REPLAY, "replay", "With --durable and --exec: try the parked messages again and end"),
    END};

static const struct cli_option streams_options[] = {
    VALUE(CLI_PREFIX, "prefix", "TEXT", "Only streams whose names begin with TEXT"),
    VALUE(CLI_LIMIT, "limit", "N", "At most N streams, or 'all' (default)"), END};

static const struct cli_option namespace_list_options[] = {
    VALUE(CLI_LIMIT, "limit", "N", "At most N namespaces, or 'all' (default)"), END};

static const struct cli_option namespace_create_options[] = {
    VALUE(CLI_DESCRIPTION, "description", "TEXT", "What it is for"),
    VALUE(CLI_METADATA, "metadata", "JSON", "A JSON object to keep with it"),
    VALUE(CLI_NEW_TOKEN_FILE, "new-token-file", "FILE",
          "File whose first line is to be its token (default: a new one)"),
    END};

static const struct cli_option namespace_rotate_options[] = {
    VALUE(CLI_NEW_TOKEN_FILE, "new-token-file", "FILE",
          "File whose first line is to be the token (default: a new one)"),
    END};

static const struct cli_option namespace_delete_options[] = {
    FLAG(CLI_FORCE, "force", "Also where it is 'default'"), END};

static const struct cli_option confirm_options[] = {
    VALUE(CLI_CONFIRM, "confirm", "NAME", "The namespace's name once more"), END};

static const struct cli_option export_options[] = {
    VALUE(CLI_CATEGORY, "category", "NAME", "Only this category; may be repeated"),
    VALUE(CLI_SINCE, "since", "TIME", "Only messages of this time or later"),
    VALUE(CLI_UNTIL, "until", "TIME", "Only messages before this time"),
    FLAG(CLI_GZIP, "gzip", "Compress"),
    VALUE(CLI_OUTPUT_FILE, "output", "FILE",
          "Write to FILE, which appears when it is whole (default: standard output)"),
    END};

const struct cli_command cli_commands[] = {
    {"write", "STREAM TYPE [DATA]", "Write messages to a stream",
     "DATA is JSON; without it the message has no data. DATA - reads standard input: one JSON "
     "text, "
     "or one on each line, of which each becomes a message. Up to 1000 lines are written at once, "
     "all or none, fewer where they are larger than 16 MiB. DATA that begins with - goes behind "
     "--, as in 'weir write gauge-1 Read -- -5'.\n\n"
     "Prints each message written, with its position. A write that is repeated with the same --id "
     "is "
     "stored once and printed with \"duplicate\":true.\n\n"
     "Example:\n"
     "  weir write account-1 Deposited '{\"amount\": 5}' --expect 3",
     cmd_write, write_options, 2, 3},
    {"read", "STREAM", "Read a stream's messages",
     "Prints one JSON object for each message, in the form that 'weir import' takes. A stream that "
     "does not exist has no messages.\n\n"
     "Example:\n"
     "  weir read account-1 --backward --limit 1",
     cmd_read, read_options, 1, 1},
    {"category", "NAME", "Read the messages of a category's streams",
     "The category of stream 'account-1' is 'account'. NAME '' reads the whole namespace. Messages "
     "come in the order of their global positions.\n\n"
     "Example:\n"
     "  weir category account --type Deposited --group 0/2",
     cmd_category, category_options, 1, 1},
    {"last", "STREAM", "Read the last message of a stream", "Prints nothing where there is none.",
     cmd_last, last_options, 1, 1},
    {"version", "STREAM", "Print the version of a stream",
     "The version is the position of the stream's last message, -1 where the stream does not "
     "exist. "
     "It is what 'weir write --expect' takes. Printed as a bare number, except with -o json.",
     cmd_version, NULL, 1, 1},
    {"subscribe", "(--stream STREAM | --category NAME | --all)",
     "Follow messages as they are written",
     "Prints the messages that are there, from --from on, and then each new one as it is written, "
     "until it is interrupted. Restarts of the server do not end it.\n\n"
     "--exec runs a shell command for each message, which finds the message on its standard input "
     "and in WEIR_ID, WEIR_STREAM, WEIR_TYPE, WEIR_POSITION, WEIR_GLOBAL_POSITION and "
     "WEIR_ATTEMPT. "
     "Where it fails, the subscription ends with status 1.\n\n"
     "--durable NAME keeps the position in the store and goes on there the next time: each message "
     "is "
     "handed over at least once. A message whose command fails is tried again and, after "
     "--attempts "
     "failures, parked in stream weirConsumer:parked-NAME; so is, at once, one that cannot be "
     "printed. Where a command cannot be run, or a signal ends it together with weir, the "
     "subscription ends and nothing is parked. With --all, what such subscriptions "
     "keep for themselves (categories weirConsumer:position and weirConsumer:parked) is passed "
     "over.\n\n"
     "Example:\n"
     "  weir subscribe --category account --group 0/2 --durable mailer --exec ./mail.sh",
     cmd_subscribe, subscribe_options, 0, 0},
    {"streams", "", "List streams", "In bytewise order of their names, with their versions.",
     cmd_streams, streams_options, 0, 0},
    {"categories", "", "List categories",
     "In bytewise order of their names, with how many streams and messages they have.",
     cmd_categories, NULL, 0, 0},
    {"namespace create", "NAME", "Create a namespace",
     "Prints its token, which is told only now; where no answer comes, the one that it has if it "
     "was created. Needs the admin token.",
     cmd_namespace_create, namespace_create_options, 1, 1},
    {"namespace delete", "NAME", "Delete a namespace with everything in it",
     "Its token is dead at once.", cmd_namespace_delete, namespace_delete_options, 1, 1},
    {"namespace show", "[NAME]", "Describe a namespace",
     "NAME is that of the token where it is not given.", cmd_namespace_show, NULL, 0, 1},
    {"namespace list", "", "List namespaces", "Needs the admin token.", cmd_namespace_list,
     namespace_list_options, 0, 0},
    {"namespace rotate-token", "[NAME]", "Replace a namespace's token",
     "Prints the new one; the old one is dead at once. Where no answer comes, it prints the one "
     "that is valid if the old one is dead. NAME is that of the token where it is not given.",
     cmd_namespace_rotate, namespace_rotate_options, 0, 1},
    {"namespace clear", "NAME", "Remove all messages of a namespace",
     "The namespace, its token and its counter of global positions stay. Needs --confirm NAME.",
     cmd_namespace_clear, confirm_options, 1, 1},
    {"export", "", "Write messages to a file",
     "Writes the messages that there are now, in the order of their global positions, as lines "
     "that "
     "'weir import' reads. Messages written meanwhile are not among them, and none before them is "
     "missing. TIME is as in 2025-01-15T10:00:00Z, or a day as in 2025-01-15.\n\n"
     "Example:\n"
     "  weir export --category account --since 2025-01-01 --gzip --output account.ndjson.gz",
     cmd_export, export_options, 0, 0},
    {"import", "[FILE]", "Store messages that already have positions",
     "Reads lines as 'weir read' prints them, from FILE or standard input, plain or gzip, and "
     "stores "
     "them in batches of at most 1000, each all or none. A batch has fewer where they are larger "
     "than 16 MiB, or than 64 KiB where the server seems to refuse larger ones. What is stored "
     "already, equal in every "
     "member, is "
     "skipped, so an import that was interrupted can be run again. A line that cannot be used is "
     "named, nothing of its batch is stored, and what was stored before is said.",
     cmd_import, import_options, 0, 1},
    {"health", "", "Ask whether the server can serve",
     "Exit status 1 where its store does not answer.", cmd_health, NULL, 0, 0},
    {"info", "", "Show the server's versions and backend", "It takes no token.", cmd_info, NULL, 0,
     0},
    {"stats", "", "Show the server's counters and latencies",
     "The numbers of its /metrics. Needs the admin token.", cmd_stats, NULL, 0, 0},
    {"chunks list", "", "List the chunks of a TimescaleDB store",
     "Needs the admin token and --namespace.", cmd_chunks_list, NULL, 0, 0},
    {"chunks compress", "AGE", "Compress chunks that are older",
     "AGE is a number and one of s, m, h, d, w: 90d. Prints their names. Needs the admin token and "
     "--namespace.",
     cmd_chunks_compress, NULL, 1, 1},
    {"chunks drop", "AGE", "Drop chunks that are older, with their messages",
     "AGE is a number and one of s, m, h, d, w: 90d. Prints their names. Needs the admin token, "
     "--namespace NAME and --confirm NAME.",
     cmd_chunks_drop, confirm_options, 1, 1},
    {"context add", "NAME", "Keep a server and its token file under a name",
     "Keeps --server, --token-file, --namespace and the --tls options of this command line. The "
     "first "
     "context is the current one at once.\n\n"
     "Example:\n"
     "  weir context add prod --server tls+tcp://weir.example.org:7117 --token-file ~/prod.token",
     cmd_context_add, NULL, 1, 1},
    {"context list", "", "List contexts",
     "They are kept in weir/contexts.json under the user's "
     "configuration directory.",
     cmd_context_list, NULL, 0, 0},
    {"context use", "NAME", "Make a context the current one",
     "Its server and token file then stand in for options that are not given.", cmd_context_use,
     NULL, 1, 1},
    {"context remove", "NAME", "Forget a context", "Its token file stays.", cmd_context_remove,
     NULL, 1, 1},
    {"list", "[SERVICE]", "List the methods of the server's interface",
     "From the interface that this program was built with.", cmd_list, NULL, 0, 1},
    {"describe", "NAME", "Describe a method or message of the interface",
     "NAME is a method (GetStreamMessages, MessageStore/GetStreamMessages) or a message.",
     cmd_describe, NULL, 1, 1},
    {"call", "METHOD [JSON]", "Call any method",
     "JSON is the request, an object with the names of the .proto files (default {}); - reads it "
     "from "
     "standard input. Prints the response in the same form. Fields of type bytes, which hold JSON "
     "texts, are given as JSON.\n\n"
     "Example:\n"
     "  weir call GetStreamMessages '{\"stream_name\": \"account-1\", \"batch_size\": 1}'",
     cmd_call, NULL, 1, 2},
    END};

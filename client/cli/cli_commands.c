/* The table of the commands of `weir` and their options. cli_options.c parses command lines and
 * prints --help from it, docs.c makes the man pages and the completion. Texts of options are
 * sentences without a full stop. */
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

#define ADMIN_TOKEN "the admin token (where the server has none, that of namespace default)"
#define TAKES_LONG  "May take long: give --timeout."

static const char *const format_words[] = {"json", "text", NULL};

const struct cli_option cli_common_options[] = {
    {CLI_CONTEXT, "context", "NAME", "WEIR_CONTEXT",
     "Use the server, token file and other settings that 'weir context add' has kept under this "
     "name, instead of those of the environment (default: the current context, unless --server or "
     "WEIR_SERVER is given)",
     NULL},
    {CLI_SERVER, "server", "URL", "WEIR_SERVER",
     "Server to talk to: tcp://, ipc://, tls+tcp:// or ws:// (default " WEIR_DEFAULT_URL ")", NULL},
    {CLI_TOKEN_FILE, "token-file", "FILE", "WEIR_TOKEN_FILE",
     "File whose first line is the token; the variable WEIR_TOKEN carries the token itself "
     "(default ./weir-data/default.token if it can be read)",
     NULL},
    {CLI_NAMESPACE, "namespace", "NAME", "WEIR_NAMESPACE",
     "With the admin token: the namespace to act on", NULL},
    {CLI_TIMEOUT, "timeout", "SECONDS", "WEIR_TIMEOUT",
     "Longest time to wait for an answer, connecting included (default 10)", NULL},
    {CLI_TLS_CA, "tls-ca", "FILE", "WEIR_TLS_CA",
     "Certificates of the authorities that may sign the server's certificate, in PEM (default: the "
     "system's)",
     NULL},
    {CLI_TLS_CERT, "tls-cert", "FILE", "WEIR_TLS_CERT",
     "Client certificate to show to the server, in PEM", NULL},
    {CLI_TLS_KEY, "tls-key", "FILE", "WEIR_TLS_KEY", "Private key of --tls-cert, in PEM", NULL},
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
    VALUE(CLI_GLOBAL_FROM, "global-from", "POSITION",
          "First global position to read, instead of --from"),
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
    FLAG(CLI_GZIP, "gzip",
         "Refuse input that is not gzip (gzip is recognised without this option)"),
    FLAG(CLI_EVENTODB, "eventodb", "Read \"meta\":null as absent, as EventoDB writes it"), END};

static const struct cli_option subscribe_options[] = {
    VALUE(CLI_STREAM, "stream", "STREAM", "Follow this stream"),
    VALUE(CLI_CATEGORY, "category", "NAME", "Follow the streams of this category"),
    FLAG(CLI_ALL, "all", "Follow the whole namespace"),
    VALUE(CLI_FROM, "from", "POSITION",
          "'begin', 'end' or the first position (default: begin, with --all end); with --durable "
          "only until a position is kept"),
    VALUE(CLI_LIMIT, "limit", "N", "End after N messages, parked messages included"),
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
    FLAG(CLI_REPLAY, "replay",
         "With --durable and --exec: run the command on the parked messages and end"),
    END};

static const struct cli_option streams_options[] = {
    VALUE(CLI_PREFIX, "prefix", "TEXT", "Only streams whose names begin with TEXT"),
    VALUE(CLI_LIMIT, "limit", "N", "At most N streams, or 'all' (default)"), END};

static const struct cli_option namespace_list_options[] = {
    VALUE(CLI_LIMIT, "limit", "N", "At most N namespaces, or 'all' (default)"), END};

static const struct cli_option namespace_create_options[] = {
    VALUE(CLI_DESCRIPTION, "description", "TEXT", "What the namespace is for"),
    VALUE(CLI_METADATA, "metadata", "JSON", "A JSON object to keep with the namespace"),
    VALUE(CLI_NEW_TOKEN_FILE, "new-token-file", "FILE",
          "File whose first line is the namespace's token (default: make a new token)"),
    END};

static const struct cli_option namespace_rotate_options[] = {
    VALUE(CLI_NEW_TOKEN_FILE, "new-token-file", "FILE",
          "File whose first line is the namespace's new token (default: make a new token)"),
    END};

static const struct cli_option namespace_delete_options[] = {
    FLAG(CLI_FORCE, "force", "Delete the namespace 'default' as well"), END};

static const struct cli_option confirm_options[] = {
    VALUE(CLI_CONFIRM, "confirm", "NAME", "The namespace's name once more"), END};

static const struct cli_option export_options[] = {
    VALUE(CLI_CATEGORY, "category", "NAME", "Only this category; may be repeated"),
    VALUE(CLI_SINCE, "since", "TIME", "Only messages of this time or later"),
    VALUE(CLI_UNTIL, "until", "TIME", "Only messages before this time"),
    FLAG(CLI_GZIP, "gzip", "Compress the output"),
    VALUE(CLI_OUTPUT_FILE, "output", "FILE",
          "Write to FILE, which appears once it is complete (default: standard output)"),
    END};

const struct cli_command cli_commands[] = {
    {"write", "STREAM TYPE [DATA]", "Write messages to a stream",
     "DATA is JSON; without DATA the message has no data. DATA - reads standard input: either one "
     "JSON text, or one JSON text on each line, each of which becomes a message. Up to 1000 lines "
     "are written at once, all or none; fewer where they are larger than 16 MiB. With --expect "
     "VERSION or no-stream each further write expects the version that the one before has left. "
     "DATA that begins with - goes behind --, as in 'weir write gauge-1 Read -- -5'.\n\n"
     "Prints each message written, with its position. A write that is repeated with the same --id "
     "is stored once and printed with \"duplicate\":true, so where no answer has come it may be "
     "repeated.\n\n"
     "Example:\n"
     "  weir write account-1 Deposited '{\"amount\": 5}' --expect 3",
     cmd_write, write_options, 2, 3},
    {"read", "STREAM", "Read a stream's messages",
     "Prints one JSON object for each message, in the form that 'weir import' reads. A stream that "
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
    {"last", "STREAM", "Read the last message of a stream",
     "Prints nothing where there is no message.", cmd_last, last_options, 1, 1},
    {"version", "STREAM", "Print the version of a stream",
     "The version is the position of the stream's last message, -1 where the stream does not "
     "exist; 'weir write --expect' takes it. Printed as a bare number, except with -o json.",
     cmd_version, NULL, 1, 1},
    {"subscribe", "(--stream STREAM | --category NAME | --all)",
     "Follow messages as they are written",
     "Prints the messages that exist, from --from on, and then each new message as it is written, "
     "until interrupted. Continues across restarts of the server.\n\n"
     "--exec runs a shell command for each message. The command finds the message on its standard "
     "input and in WEIR_ID, WEIR_STREAM, WEIR_TYPE, WEIR_POSITION, WEIR_GLOBAL_POSITION and "
     "WEIR_ATTEMPT. Where the command fails, the subscription ends with status 1.\n\n"
     "--durable NAME keeps the position in the store and continues there the next time: each "
     "message is handed over at least once. --from applies only until a position has been kept. A "
     "message whose command fails is tried again and, after --attempts failures, parked in stream "
     "weirConsumer:parked-NAME (with --group M/N in weirConsumer:parked-NAME+MofN); a message that "
     "cannot be printed is parked at once. Where a command cannot be run (the shell's statuses 126 "
     "and 127), or a signal ends it together with weir, the subscription ends and nothing is "
     "parked. With --all, the streams that such subscriptions keep for themselves (categories "
     "weirConsumer:position and weirConsumer:parked) are left out.\n\n"
     "--parked prints the parked messages. --replay runs the command of --exec on them; messages "
     "whose command succeeds are no longer parked.\n\n"
     "Example:\n"
     "  weir subscribe --category account --group 0/2 --durable mailer --exec ./mail.sh",
     cmd_subscribe, subscribe_options, 0, 0},
    {"streams", "", "List streams",
     "Lists the streams with their versions, in bytewise order of their names.", cmd_streams,
     streams_options, 0, 0},
    {"categories", "", "List categories",
     "Lists the categories with their numbers of streams and messages, in bytewise order of their "
     "names.",
     cmd_categories, NULL, 0, 0},
    {"namespace create", "NAME", "Create a namespace",
     "Prints the namespace's token, which cannot be shown again. Where no answer comes, prints the "
     "token that the namespace has if it was created. Needs " ADMIN_TOKEN ".",
     cmd_namespace_create, namespace_create_options, 1, 1},
    {"namespace delete", "NAME", "Delete a namespace with everything in it",
     "The namespace's token is invalid at once. " TAKES_LONG, cmd_namespace_delete,
     namespace_delete_options, 1, 1},
    {"namespace show", "[NAME]", "Describe a namespace",
     "The default NAME is the namespace of the token.", cmd_namespace_show, NULL, 0, 1},
    {"namespace list", "", "List namespaces", "Needs " ADMIN_TOKEN ".", cmd_namespace_list,
     namespace_list_options, 0, 0},
    {"namespace rotate-token", "[NAME]", "Replace a namespace's token",
     "Prints the new token; the old one is invalid at once. Where no answer comes, prints the "
     "token that is valid if the old one no longer is. The default NAME is the namespace of the "
     "token.",
     cmd_namespace_rotate, namespace_rotate_options, 0, 1},
    {"namespace clear", "NAME", "Remove all messages of a namespace",
     "The namespace, its token and its counter of global positions stay. Positions in streams "
     "start at 0 again, so a consumer that keeps a position in a stream elsewhere must be reset. "
     "Needs --confirm NAME. " TAKES_LONG,
     cmd_namespace_clear, confirm_options, 1, 1},
    {"export", "", "Write messages to a file",
     "Writes the messages that exist now, in the order of their global positions, as lines that "
     "'weir import' reads. Messages written meanwhile are not included, and no message before them "
     "is missing. TIME is as in 2025-01-15T10:00:00Z, or a day as in 2025-01-15.\n\n"
     "Example:\n"
     "  weir export --category account --since 2025-01-01 --gzip --output account.ndjson.gz",
     cmd_export, export_options, 0, 0},
    {"import", "[FILE]", "Store messages that already have positions",
     "Reads lines as 'weir read' prints them, from FILE or standard input, plain or gzip, and "
     "stores them in batches of at most 1000, each all or none. A batch has fewer messages where "
     "they are larger than 16 MiB, or larger than 64 KiB where the server seems to refuse larger "
     "requests. A message that is stored already, equal in every member, is skipped, so an "
     "interrupted import can be run again. Import into an empty namespace: two exports whose "
     "positions overlap cannot be merged. Where a line cannot be used, the error names it and says "
     "what was stored before; nothing of its batch is stored.",
     cmd_import, import_options, 0, 1},
    {"health", "", "Ask whether the server can serve",
     "Exit status 1 where the server's store does not answer. Needs no token.", cmd_health, NULL, 0,
     0},
    {"info", "", "Show the server's versions and backend", "Needs no token.", cmd_info, NULL, 0, 0},
    {"stats", "", "Show the server's counters and latencies",
     "Shows the numbers of the server's /metrics. Needs " ADMIN_TOKEN ".", cmd_stats, NULL, 0, 0},
    {"chunks list", "", "List the chunks of a TimescaleDB store",
     "Needs --namespace and " ADMIN_TOKEN ".", cmd_chunks_list, NULL, 0, 0},
    {"chunks compress", "AGE", "Compress chunks older than AGE",
     "AGE is a number and one of s, m, h, d, w, as in 90d. Prints the names of the chunks "
     "compressed. " TAKES_LONG " Needs --namespace and " ADMIN_TOKEN ".",
     cmd_chunks_compress, NULL, 1, 1},
    {"chunks drop", "AGE", "Drop chunks older than AGE, with their messages",
     "AGE is a number and one of s, m, h, d, w, as in 90d. Prints the names of the chunks "
     "dropped. " TAKES_LONG " Needs --namespace NAME, --confirm NAME and " ADMIN_TOKEN ".",
     cmd_chunks_drop, confirm_options, 1, 1},
    {"context add", "NAME", "Keep a server and its token file under a name",
     "Keeps --server, --token-file, --namespace and the --tls options of this command line. The "
     "first context becomes the current one at once.\n\n"
     "Example:\n"
     "  weir context add prod --server tls+tcp://weir.example.org:7117 --token-file ~/prod.token",
     cmd_context_add, NULL, 1, 1},
    {"context list", "", "List contexts",
     "Contexts are kept in weir/contexts.json under the user's configuration directory.",
     cmd_context_list, NULL, 0, 0},
    {"context use", "NAME", "Make a context the current one",
     "Commands then use its server and token file where no other are given.", cmd_context_use, NULL,
     1, 1},
    {"context remove", "NAME", "Forget a context", "The context's token file stays.",
     cmd_context_remove, NULL, 1, 1},
    {"list", "[SERVICE]", "List the methods of the server's interface",
     "Lists the methods that this program was built with; the server is not asked.", cmd_list, NULL,
     0, 1},
    {"describe", "NAME", "Describe a method or message of the interface",
     "NAME is a method (GetStreamMessages, MessageStore/GetStreamMessages) or a message.",
     cmd_describe, NULL, 1, 1},
    {"call", "METHOD [JSON]", "Call any method",
     "JSON is the request: an object with the field names of the .proto files (default {}); - "
     "reads it from standard input. Prints the response in the same form. Fields of type bytes, "
     "which hold JSON texts, are given as JSON.\n\n"
     "Example:\n"
     "  weir call GetStreamMessages '{\"stream_name\": \"account-1\", \"batch_size\": 1}'",
     cmd_call, NULL, 1, 2},
    END};

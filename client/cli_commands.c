#include "client/cli.h"

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
    VALUE(CLI_LIMIT, "limit", "N", "End after N messages"),
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

const struct cli_command cli_commands[] = {
    {"write", "STREAM TYPE [DATA]", "Write messages to a stream",
     "DATA is JSON; without it the message has no data. DATA - reads standard input: one JSON "
     "text, "
     "or one on each line, of which each becomes a message. Up to 1000 lines are written at once, "
     "all or none.\n\n"
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
     "failures, parked in stream weirConsumer:parked-NAME.\n\n"
     "Example:\n"
     "  weir subscribe --category account --group 0/2 --durable mailer --exec ./mail.sh",
     cmd_subscribe, subscribe_options, 0, 0},
    {"import", "[FILE]", "Store messages that already have positions",
     "Reads lines as 'weir read' prints them, from FILE or standard input, plain or gzip, and "
     "stores "
     "them in batches of 1000, each all or none. What is stored already, equal in every member, is "
     "skipped, so an import that was interrupted can be run again. A line that cannot be used is "
     "named, nothing of its batch is stored, and what was stored before is said.",
     cmd_import, import_options, 0, 1},
    {"health", "", "Ask whether the server can serve",
     "Exit status 1 where its store does not answer.", cmd_health, NULL, 0, 0},
    {"info", "", "Show the server's versions and backend", "It takes no token.", cmd_info, NULL, 0,
     0},
    END};

#!/bin/sh
# Runs a command with Message DB installed in the database of with_postgres.sh. Call it within that script:
# sh with_postgres.sh sh with_message_db.sh COMMAND...
#
# Message DB's SQL comes from an npm package, which is downloaded once (npm_package.sh). Exits 77 if it is not
# available.
set -eu
. "$(dirname "$0")/npm_package.sh"
here=$(cd "$(dirname "$0")/../message_db" && pwd)
npm_package message-db "$here" --ignore-scripts

# The order is that of Message DB's installer.
sql=$cache/node_modules/@eventide/message-db/database
export PGOPTIONS="-c client_min_messages=warning"
for file in roles/message-store schema/message-store extensions/pgcrypto tables/messages types/message \
    functions/message-store-version functions/hash-64 functions/category functions/is-category functions/id \
    functions/cardinal-id functions/stream-version functions/acquire-lock functions/write-message \
    functions/get-stream-messages functions/get-category-messages functions/get-last-stream-message \
    indexes/messages-id indexes/messages-stream indexes/messages-category; do
    PGOPTIONS="$PGOPTIONS -c search_path=message_store,public" \
        "$WEIR_TEST_PG_BIN/psql" -q -v ON_ERROR_STOP=1 -f "$sql/$file.sql" "$WEIR_TEST_STORE" >/dev/null
done
unset PGOPTIONS
exec "$@"

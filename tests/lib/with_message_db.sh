#!/bin/sh
# Runs a command with Message DB installed in the database of with_postgres.sh, within which this is to be called:
# sh with_postgres.sh sh with_message_db.sh COMMAND...
#
# Its SQL comes from a package of npm, fetched once (npm_package.sh). Exit 77 where that cannot be had.
set -eu
. "$(dirname "$0")/npm_package.sh"
here=$(cd "$(dirname "$0")/../message_db" && pwd)
npm_package message-db "$here" --ignore-scripts

# In the order of its own installer.
sql=$cache/node_modules/@eventide/message-db/database
psql="$WEIR_TEST_PG_BIN/psql -q -v ON_ERROR_STOP=1 $WEIR_TEST_STORE"
export PGOPTIONS="-c client_min_messages=warning"
for file in roles/message-store schema/message-store extensions/pgcrypto tables/messages types/message \
    functions/message-store-version functions/hash-64 functions/category functions/is-category functions/id \
    functions/cardinal-id functions/stream-version functions/acquire-lock functions/write-message \
    functions/get-stream-messages functions/get-category-messages functions/get-last-stream-message \
    indexes/messages-id indexes/messages-stream indexes/messages-category; do
    PGOPTIONS="$PGOPTIONS -c search_path=message_store,public" $psql -f "$sql/$file.sql" >/dev/null
done
unset PGOPTIONS
exec "$@"

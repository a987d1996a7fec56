#!/bin/sh
# Runs a command with Message DB installed in the database of with_postgres.sh, within which this is to be called:
# sh with_postgres.sh sh with_message_db.sh COMMAND...
#
# Its SQL comes from a package of npm, fetched once (see with_timescale.sh). Exit 77 where that cannot be had.
set -eu
here=$(cd "$(dirname "$0")/../message_db" && pwd)
for program in npm flock; do
    command -v "$program" >/dev/null || {
        echo "skipped: there is no $program" >&2
        exit 77
    }
done
cache=${WEIR_TEST_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/weir-tests}/message-db-$(cksum <"$here/package-lock.json" | tr ' ' -)
mkdir -p "$cache"
(
    flock 9
    [ -e "$cache/installed" ] || {
        cp "$here/package.json" "$here/package-lock.json" "$cache/"
        (cd "$cache" && npm ci --no-audit --no-fund --ignore-scripts >npm.log 2>&1 && touch installed)
    }
) 9>"$cache/lock" || {
    echo "skipped: the package of Message DB cannot be had: $(tail -n 1 "$cache/npm.log")" >&2
    exit 77
}

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

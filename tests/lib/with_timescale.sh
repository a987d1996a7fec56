#!/bin/sh
# Runs a command with a temporary TimescaleDB: sh with_timescale.sh COMMAND...
#
# The database is the real extension, compiled to WebAssembly together with PostgreSQL (tests/timescale/serve.mjs). It
# runs in memory and accepts one connection at a time. The command gets WEIR_TEST_STORE, WEIR_STORE_CONNECTIONS=1, and
# WEIR_TEST_ONE_SERVER=1, which makes cases that need several connections count as skipped.
#
# If WEIR_TEST_TIMESCALE names a native TimescaleDB ("timescaledb://..."), the command uses that one instead, with any
# number of connections and a new database that is dropped afterwards. WEIR_TEST_NATIVE=1, for cases that need several
# connections, requires a native one: that of WEIR_TEST_TIMESCALE, or one that with_postgres.sh starts from the
# installed packages. Exits 77 if none is available.
set -eu
[ $# -gt 0 ] || {
    echo "usage: with_timescale.sh COMMAND..." >&2
    exit 2
}
. "$(dirname "$0")/with_command.sh"
. "$(dirname "$0")/npm_package.sh"

if [ -n "${WEIR_TEST_TIMESCALE:-}" ]; then
    command -v psql >/dev/null || {
        echo "skipped: there is no psql to make a database with" >&2
        exit 77
    }
    given=postgresql${WEIR_TEST_TIMESCALE#timescaledb}
    case $given in
    *\?*) mark="&" ;;
    *) mark="?" ;;
    esac
    database=weir_test_$$
    clean_up() {
        psql -q -d "$given" -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" || true
    }
    psql -q -d "$given" -c "CREATE DATABASE $database"
    clean_up_at_end
    WEIR_TEST_SQL="$given${mark}dbname=$database"
    WEIR_TEST_STORE="$WEIR_TEST_TIMESCALE${mark}dbname=$database"
    export WEIR_TEST_SQL WEIR_TEST_STORE
    psql -q -d "$WEIR_TEST_SQL" -c "SET client_min_messages = error" -c "CREATE EXTENSION IF NOT EXISTS timescaledb"
    run_command "$@"
fi
if [ -n "${WEIR_TEST_NATIVE:-}" ]; then
    WEIR_TEST_PG_EXTENSION=timescaledb exec sh "$(dirname "$0")/with_postgres.sh" "$@"
fi

here=$(cd "$(dirname "$0")/../timescale" && pwd)
npm_package timescale "$here"

dir=$(mktemp -d "${TMPDIR:-/tmp}/weir-ts-XXXXXX")
server=
clean_up() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$dir"
}
clean_up_at_end

# Node.js looks for modules next to the program.
cp "$here/serve.mjs" "$cache/serve-$$.mjs"
mkfifo "$dir/ready"
node "$cache/serve-$$.mjs" "$dir" >"$dir/ready" 2>"$dir/log" &
server=$!
read -r line <"$dir/ready" || line=
rm -f "$cache/serve-$$.mjs"
[ "$line" = ready ] || {
    cat "$dir/log" >&2
    echo "TimescaleDB does not start" >&2
    exit 1
}

WEIR_TEST_STORE="timescaledb://postgres:postgres@/postgres?host=$dir&sslmode=disable"
WEIR_STORE_CONNECTIONS=1
WEIR_TEST_ONE_SERVER=1
export WEIR_TEST_STORE WEIR_STORE_CONNECTIONS WEIR_TEST_ONE_SERVER
run_command "$@"

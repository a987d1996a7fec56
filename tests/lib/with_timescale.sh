#!/bin/sh
# Runs a command with a TimescaleDB of its own: sh with_timescale.sh COMMAND...
#
# It is the real extension, compiled to WebAssembly together with PostgreSQL (tests/timescale/serve.mjs), in memory, and
# takes one connection at a time. The command gets WEIR_TEST_STORE, WEIR_STORE_CONNECTIONS=1, and WEIR_TEST_ONE_SERVER=1,
# by which cases that need several connections count as skipped. Where
# WEIR_TEST_TIMESCALE names a native TimescaleDB ("timescaledb://..."), that is used instead, with as many connections as
# the command likes. With WEIR_TEST_NATIVE=1, for cases that need several connections, it is that one or else one that
# with_postgres.sh starts from what is installed on this machine. Exit 77 where none can be had.
#
# A native one gets a new database for the command, which is dropped after it.
#
# The package is installed once, under WEIR_TEST_CACHE (default: the user's cache directory), by its lock file.
set -eu
[ $# -gt 0 ] || {
    echo "usage: with_timescale.sh COMMAND..." >&2
    exit 2
}
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
    child=
    drop() {
        status=$?
        trap '' INT TERM
        trap - EXIT
        [ -z "$child" ] || kill "$child" 2>/dev/null || true
        psql -q -d "$given" -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" || true
        exit "$status"
    }
    psql -q -d "$given" -c "CREATE DATABASE $database"
    trap drop EXIT
    trap "trap '' INT TERM; exit 143" INT TERM
    WEIR_TEST_SQL="$given${mark}dbname=$database"
    WEIR_TEST_STORE="$WEIR_TEST_TIMESCALE${mark}dbname=$database"
    export WEIR_TEST_SQL WEIR_TEST_STORE
    psql -q -d "$WEIR_TEST_SQL" -c "SET client_min_messages = error" -c "CREATE EXTENSION IF NOT EXISTS timescaledb"
    "$@" &
    child=$!
    status=0
    wait "$child" || status=$?
    child=
    exit "$status"
fi
if [ -n "${WEIR_TEST_NATIVE:-}" ]; then
    WEIR_TEST_PG_EXTENSION=timescaledb exec sh "$(dirname "$0")/with_postgres.sh" "$@"
fi

here=$(cd "$(dirname "$0")/../timescale" && pwd)
for program in node npm flock; do
    command -v "$program" >/dev/null || {
        echo "skipped: there is no $program" >&2
        exit 77
    }
done

cache=${WEIR_TEST_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/weir-tests}/timescale-$(cksum <"$here/package-lock.json" | tr ' ' -)
mkdir -p "$cache"
(
    flock 9
    [ -e "$cache/installed" ] || {
        cp "$here/package.json" "$here/package-lock.json" "$cache/"
        (cd "$cache" && npm ci --no-audit --no-fund >npm.log 2>&1 && touch installed)
    }
) 9>"$cache/lock" || {
    echo "skipped: the package of TimescaleDB cannot be had: $(tail -n 1 "$cache/npm.log")" >&2
    exit 77
}

dir=$(mktemp -d "${TMPDIR:-/tmp}/weir-ts-XXXXXX")
server=
child=
finish() {
    status=$?
    trap '' INT TERM
    trap - EXIT
    [ -z "$child" ] || kill "$child" 2>/dev/null || true
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$dir"
    exit "$status"
}
trap finish EXIT
# The command may pass a signal on to its whole group.
trap "trap '' INT TERM; exit 143" INT TERM

# Modules are looked for beside the program.
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
"$@" &
child=$!
status=0
wait "$child" || status=$?
child=
exit "$status"

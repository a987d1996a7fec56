#!/bin/sh
# Runs a command with a temporary PostgreSQL server: sh with_postgres.sh COMMAND...
#
# The server has a new temporary directory, listens on a Unix socket there, and is removed when the command ends. The
# command gets WEIR_TEST_STORE, the URL of the database; WEIR_TEST_SQL, the same URL for libpq; WEIR_TEST_PG_DIR, the
# directory (data/, log); and WEIR_TEST_PG_BIN, the directory of PostgreSQL's programs. The server's user `locked` has
# the password `open sesame`.
#
# WEIR_TEST_PG_OPTIONS contains further options of the server ("-c fsync=on"). WEIR_TEST_PG_WITH_STANDBY=1 adds a
# synchronous standby, the second host of the URL, with the directory WEIR_TEST_PG_STANDBY.
# WEIR_TEST_PG_EXTENSION=timescaledb makes it a TimescaleDB, as installed on this machine. Exits 77 if PostgreSQL or the
# extension is not installed.
set -eu
[ $# -gt 0 ] || {
    echo "usage: with_postgres.sh COMMAND..." >&2
    exit 2
}
. "$(dirname "$0")/with_command.sh"

bin=
for dir in "$(pg_config --bindir 2>/dev/null || true)" $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -Vr); do
    if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then
        bin=$dir
        break
    fi
done
[ -n "$bin" ] || {
    echo "skipped: no PostgreSQL server is installed" >&2
    exit 77
}

extension=${WEIR_TEST_PG_EXTENSION:-}
scheme=postgresql
preload=
if [ -n "$extension" ]; then
    sharedir=$("$bin/pg_config" --sharedir 2>/dev/null || pg_config --sharedir 2>/dev/null || true)
    [ -e "$sharedir/extension/$extension.control" ] || {
        echo "skipped: no native $extension is installed here for $bin" >&2
        exit 77
    }
    scheme=$extension
    preload="-c shared_preload_libraries=$extension"
fi

# PostgreSQL refuses to run as root.
as=
if [ "$(id -u)" -eq 0 ]; then
    id postgres >/dev/null 2>&1 || {
        echo "skipped: PostgreSQL does not run as root, and there is no user postgres" >&2
        exit 77
    }
    as="runuser -u postgres --"
fi

dir=$(mktemp -d "${TMPDIR:-/tmp}/weir-pg-XXXXXX")
chmod 755 "$dir"
[ -z "$as" ] || chown postgres "$dir"

clean_up() {
    for data in "$dir/data" "$dir/standby/data"; do
        [ ! -e "$data/postmaster.pid" ] || (cd / && $as "$bin/pg_ctl" -D "$data" -m immediate stop) >/dev/null 2>&1 || true
    done
    rm -rf "$dir"
}
clean_up_at_end

(
    cd /
    $as "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$dir/initdb.log" 2>&1
    $as sh -c "sed -i '1i local all locked scram-sha-256' '$dir/data/pg_hba.conf'"
    $as "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 start -o "-c listen_addresses='' -k '$dir' \
        -c fsync=off -c max_connections=200 -c shared_buffers=128MB -c log_min_messages=fatal \
        -c password_encryption=scram-sha-256 $preload ${WEIR_TEST_PG_OPTIONS:-}"
) >"$dir/start.log" 2>&1 || {
    cat "$dir/initdb.log" "$dir/start.log" "$dir/log" 2>/dev/null >&2 || true
    echo "PostgreSQL does not start" >&2
    exit 1
}
"$bin/psql" -q -h "$dir" -U postgres -c "CREATE ROLE locked LOGIN PASSWORD 'open sesame'" \
    -c "CREATE DATABASE weir" postgres
[ -z "$extension" ] || "$bin/psql" -q -h "$dir" -U postgres -c "SET client_min_messages = error" \
    -c "CREATE EXTENSION IF NOT EXISTS $extension" weir

WEIR_TEST_STORE="$scheme://postgres@/weir?host=$dir"
if [ -n "${WEIR_TEST_PG_WITH_STANDBY:-}" ]; then
    (
        cd /
        $as mkdir "$dir/standby" &&
            $as "$bin/pg_basebackup" -h "$dir" -U postgres -D "$dir/standby/data" -R -c fast &&
            $as "$bin/pg_ctl" -D "$dir/standby/data" -l "$dir/standby/log" -w -t 60 start -o "-c listen_addresses='' \
            -k '$dir/standby' -c fsync=off -c max_connections=200" &&
            "$bin/psql" -q -h "$dir" -U postgres -c "ALTER SYSTEM SET synchronous_standby_names = '*'" \
                -c "SELECT pg_reload_conf()" postgres
    ) >"$dir/standby.log" 2>&1 || {
        cat "$dir/standby.log" >&2
        echo "the standby does not start" >&2
        exit 1
    }
    WEIR_TEST_STORE="$WEIR_TEST_STORE,$dir/standby"
    WEIR_TEST_PG_STANDBY=$dir/standby
    export WEIR_TEST_PG_STANDBY
fi
WEIR_TEST_SQL="postgresql${WEIR_TEST_STORE#"$scheme"}"
WEIR_TEST_PG_DIR=$dir
WEIR_TEST_PG_BIN=$bin
export WEIR_TEST_SQL WEIR_TEST_STORE WEIR_TEST_PG_DIR WEIR_TEST_PG_BIN
run_command "$@"

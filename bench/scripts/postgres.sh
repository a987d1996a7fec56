#!/bin/sh
# Measures weir on PostgreSQL, plain PostgreSQL and Message DB. Runs inside tests/lib/with_postgres.sh, which has
# started the server. Unless MESSAGE_DB_URL names another database, Message DB is the one installed on this server.
set -eu
bin=$WEIR_BENCH_BIN
. bench/scripts/measure.sh
. bench/scripts/optional.sh
. bench/scripts/subjects.sh
trap end_measuring EXIT
trap 'exit 143' INT TERM
PATH=$WEIR_TEST_PG_BIN:$PATH
if [ -z "${MESSAGE_DB_URL:-}" ] && psql -q "$WEIR_TEST_STORE" -c 'SELECT message_store.message_store_version()' \
    >/dev/null 2>&1; then
    MESSAGE_DB_URL=$WEIR_TEST_STORE
fi

bench weir-bench-postgres --store "$WEIR_TEST_STORE"

# TCP for the tables, then a Unix socket, as pgbench uses for PostgreSQL, unless Message DB runs elsewhere.
if is_any postgres_tcp_write_64 postgres_tcp_read_10 postgres_tcp_read_10_by_10; then
    start_server "$WEIR_TEST_STORE"
    load postgres_tcp_write_64 --profile write $workers64
    load postgres_tcp_read_10 --profile read-category --batch 10 $workers1
    load postgres_tcp_read_10_by_10 --profile read-category --batch 10 $workers10
    stop_server
fi
case ${MESSAGE_DB_URL:-} in
"" | "$WEIR_TEST_STORE") serve_by_socket ;;
esac
start_server "$WEIR_TEST_STORE"
load postgres_write_1 --profile write $workers1
load postgres_write_10 --profile write $workers10
load postgres_write_64 --profile write $workers64

# Inserts into the same table with the same indexes and nothing else.
if wanted pgbench_insert_64; then
    psql -q "$WEIR_TEST_STORE" -v ON_ERROR_STOP=1 -f bench/pgbench/insert_setup.sql
    run_pgbench pgbench_insert_64 "$WEIR_TEST_STORE" 64 insert.sql
fi
# Filled first: mdb_read.sql begins anywhere among the first 9,000 positions.
fill_message_db
run_message_db mdb_write_64 64 mdb_write.sql
load postgres_read_10 --profile read-category --batch 10 $workers1
run_message_db mdb_read_10 1 mdb_read.sql -D batch=10
load postgres_read_10_by_10 --profile read-category --batch 10 $workers10
run_message_db mdb_read_10_by_10 10 mdb_read.sql -D batch=10
load postgres_read_1000 --profile read-category --batch 1000 $workers1
run_message_db mdb_read_1000 1 mdb_read.sql -D batch=1000
load postgres_mixed_10 --profile mixed $workers10
stop_server

if is_any counted_postgres_empty counted_postgres_write counted_postgres_read_10 counted_postgres_read_100 \
    counted_postgres_read_1000; then
    start_server "$WEIR_TEST_STORE" count
    count_calls postgres
    stop_server
fi

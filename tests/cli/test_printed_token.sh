#!/bin/sh
# The token of namespace default where the store has no directory to keep it in: the server that makes the namespace
# prints it, once, and no server prints another one. Run by tests/lib/with_postgres.sh.
. "$(dirname "$0")/lib.sh"
: "${WEIR_TEST_STORE:?is set by tests/lib/with_postgres.sh}"

# printed LOG...: the tokens that servers printed, one a line.
printed() {
    sed -n 's/^token of namespace default: //p' "$@"
}

sql() {
    "$WEIR_TEST_PG_BIN/psql" -q -v ON_ERROR_STOP=1 -d "$WEIR_TEST_SQL" "$@"
}

start_server --store "$WEIR_TEST_STORE"
printed server.log >first.token
is_equal "$(wc -l <first.token)" 1
is_equal "$(grep -c -F -f first.token server.log)" 1
run 0 "$weir" --token-file first.token write a-1 T
stop_server
is_equal "$server_status" 0

# The next start makes no token, and the first one still opens the namespace.
start_server --store "$WEIR_TEST_STORE"
is_equal "$(printed server.log)" "$(cat first.token)"
run 0 "$weir" --token-file first.token version a-1
out_is 0
run 0 env WEIR_TOKEN="$admin_token" "$weir" namespace delete default --force
stop_server
is_equal "$server_status" 0

# Two servers miss the namespace at once, because neither can enter it before both have tried to: one of them makes it.
sql >locked 2>&1 <<'SQL' &
SET statement_timeout = '60s';
BEGIN;
LOCK TABLE weir_registry.namespaces IN SHARE MODE;
\echo locked
DO $$ BEGIN
    WHILE (SELECT count(*) FROM pg_locks WHERE NOT granted) < 2 LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
COMMIT;
SQL
holder=$!
until grep -q locked locked || ! kill -0 "$holder" 2>/dev/null; do
    sleep 0.1
done
servers=
for i in 1 2; do
    "$server" --store "$WEIR_TEST_STORE" --listen "ipc://$work/$i.ipc" >"out.$i" 2>"log.$i" &
    servers="$servers $!"
done
run 0 wait "$holder"
for i in 1 2; do
    run 0 "$weir" --server "ipc://$work/$i.ipc" --timeout 30 health
done
printed log.1 log.2 >second.token
is_equal "$(wc -l <second.token)" 1
for i in 1 2; do
    run 0 "$weir" --server "ipc://$work/$i.ipc" --token-file second.token write a-1 T
    run 1 "$weir" --server "ipc://$work/$i.ipc" --token-file first.token version a-1
done
for pid in $servers; do
    kill "$pid"
    run 0 wait "$pid"
done
finish

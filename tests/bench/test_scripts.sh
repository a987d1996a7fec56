#!/bin/sh
# The benchmark scripts: every PostgreSQL measurement can be selected by its name alone, and a signal that ends the script
# of these measurements ends its server too. A measurement of Redis that gives no figures has failed.
set -eu
cd "$1"
results=results round=1 seconds=1 warmup=0 work=work output=output build=build bin=bin size=quick except=
. bench/scripts/measure.sh
. bench/scripts/optional.sh
MESSAGE_DB_URL=
run_postgres() {
    has_run=yes
}

n=0
for name in weir-bench-postgres counted_postgres_empty counted_postgres_write counted_postgres_read_10 \
    counted_postgres_read_100 counted_postgres_read_1000 \
    $(sed -n 's/^ *\(load\|run_pgbench\|run_message_db\) \([a-z0-9_]*\) .*/\2/p' bench/scripts/postgres.sh); do
    only=$name has_run=no
    measure_postgres
    [ $has_run = yes ] || {
        echo "--only $name measures nothing"
        exit 1
    }
    n=$((n + 1))
done
[ $n -ge 20 ] || {
    echo "only $n measurements were seen in bench/scripts/postgres.sh"
    exit 1
}
only=disk_write_1 has_run=no
measure_postgres
[ $has_run = no ] || {
    echo "PostgreSQL is measured where it was not asked for"
    exit 1
}
echo "$n measurements"

build=$(mktemp -d)
export build results round only except work size warmup seconds
trap 'rm -rf "$build"' EXIT
work=$build results=$build only=postgres_write_1
mkdir "$build/server" "$build/1"
cat >"$build/server/weir-server" <<'END'
#!/bin/sh
echo $$ >"$build/pid"
echo "listening on nothing"
exec sleep 60
END
printf '#!/bin/sh\nkill -TERM $PPID\n' >"$build/weir-load"
chmod +x "$build/server/weir-server" "$build/weir-load"
status=0
WEIR_BENCH_BIN=$build WEIR_TEST_PG_BIN=$build WEIR_TEST_STORE=none sh bench/scripts/postgres.sh >"$build/log" 2>&1 ||
    status=$?
pid=$(cat "$build/pid")
if kill "$pid" 2>/dev/null || [ $status -ne 143 ]; then
    echo "a signal left the server $pid, or the exit status $status:"
    cat "$build/log"
    exit 1
fi

only='redis_*'
printf '#!/bin/sh\nexec sleep 60\n' >"$build/redis-server"
printf '#!/bin/sh\n' >"$build/redis-cli"
printf '#!/bin/sh\necho "no Redis" >&2\nexit 1\n' >"$build/redis-benchmark"
chmod +x "$build"/redis-*
PATH=$build:$PATH
measure_redis 10 >"$build/log.redis" 2>&1
if ! grep -q 'redis_10: FAILED' "$build/log.redis" || [ -e "$results/$round/redis_10.json" ]; then
    echo "a benchmark of Redis without figures has not failed:"
    cat "$build/log.redis"
    exit 1
fi

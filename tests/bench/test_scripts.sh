#!/bin/sh
# The benchmark scripts: every PostgreSQL measurement can be selected by its name alone, and a signal that ends the
# script of these measurements ends its server too and leaves no result. A measurement of Redis that gives no figures
# has failed. A measurement whose settings come from another one is not made without it. pgbench's first second does
# not count. run.sh refuses what makes no sense.
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
cat >"$build/weir-load" <<'END'
#!/bin/sh
while [ "$1" != --json ]; do
    shift
done
echo '{"operations_per_s":1}' >"$2"
kill -TERM $PPID
END
chmod +x "$build/server/weir-server" "$build/weir-load"
status=0
WEIR_BENCH_BIN=$build WEIR_TEST_PG_BIN=$build WEIR_TEST_STORE=none sh bench/scripts/postgres.sh >"$build/log" 2>&1 ||
    status=$?
pid=$(cat "$build/pid")
if kill "$pid" 2>/dev/null || [ $status -ne 143 ] || [ -e "$build/1/postgres_write_1.json" ]; then
    echo "a signal left the server $pid, a result, or the exit status $status:"
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
grep -q '^redis_10$' "$work/failed" || {
    echo "run.sh would not end with the name of what failed"
    exit 1
}

# What a round measures, and with which rate or batch, where all programs are left out.
. bench/scripts/subjects.sh
start_echo() { echo_url=none; }
stop_echo() { :; }
start_server() { :; }
stop_server() { :; }
load() { :; }
load_echo() { :; }
floor() { wanted "$1" && made="$made $*" || :; }
on() { wanted "$2" && made="$made $*" || :; }
measure_derived() {
    made=
    only='memory_open' && measure_memory
    only='sqlite_group' && measure_writes
    only='disk_open' && measure_writes
}
measure_derived 2>"$build/log.derived"
if [ -n "$made" ] || ! grep -q 'memory_open: not measured, as there is no memory_mixed_64' "$build/log.derived"; then
    echo "settings were made up:$made"
    cat "$build/log.derived"
    exit 1
fi
for name in memory_mixed_64 disk_write_64; do
    echo '{"operations":3000.0,"operations_per_s":5000.5,"messages_per_s":9}' >"$results/$round/$name.json"
done
echo '{"operations_per_s":9,"counts":{"syncs_per_operation":0.03}}' >"$results/$round/disk_write_64_counted.json"
measure_derived
case $made in
*' memory_open --profile mixed --rate 2500.25 '*' --batch 33 '*' disk_open --profile write --rate 2500.25 '*) ;;
*)
    echo "wrong settings:$made"
    exit 1
    ;;
esac

figures=$(printf '%s\n' 'progress: 1.5 s, 10.0 tps, lat 900.000 ms stddev 1.000, 0 failed' \
    'progress: 2.0 s, 100.0 tps, lat 4.000 ms stddev 1.000, 0 failed' \
    'progress: 3.0 s, 250.0 tps, lat 2.000 ms stddev 1.000' 'tps = 80.1 (without initial connection time)' |
    take_pgbench)
[ "$figures" = '{"operations_per_s":200,"messages_per_s":200,"latency_us":{"mean":2333.33333}}' ] || {
    echo "pgbench's figures: $figures"
    exit 1
}
if echo 'progress: 1.0 s, 10.0 tps, lat 9.000 ms stddev 1.000' | take_pgbench; then
    echo "the warm-up alone is a result"
    exit 1
fi

for wrong in '--rounds none' '--rounds 0' '--rounds 65' '--seconds 1s' '--seconds 0' '--rounds' '--output' \
    '--nonsense'; do
    status=0
    sh bench/run.sh --page --output "$build/out" $wrong >/dev/null 2>"$build/log.run" || status=$?
    if [ $status -ne 2 ] || ! grep -q "^run.sh: .*${wrong%% *}" "$build/log.run"; then
        echo "run.sh $wrong: exit status $status"
        cat "$build/log.run"
        exit 1
    fi
done
(cd bench && sh run.sh --help) | grep -q '^  --add ' || {
    echo "run.sh --help does not tell what there is"
    exit 1
}

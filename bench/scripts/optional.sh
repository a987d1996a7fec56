# Measures third-party limits where they are available: Redis, gRPC, PostgreSQL and Message DB. Sourced by run.sh after
# measure.sh.

optional_notes=
redis_pid=
grpc_pid=

# All measurements of scripts/postgres.sh.
postgres_names='postgres_write_1 postgres_write_10 postgres_write_64 postgres_mixed_10 postgres_read_10
    postgres_read_10_by_10 postgres_read_1000 postgres_tcp_write_64 postgres_tcp_read_10 postgres_tcp_read_10_by_10
    pgbench_insert_64 mdb_write_64 mdb_read_10 mdb_read_10_by_10 mdb_read_1000 counted_postgres_empty
    counted_postgres_write counted_postgres_read_10 counted_postgres_read_100 counted_postgres_read_1000
    weir-bench-postgres'

note() {
    optional_notes="$optional_notes- $1
"
}

# can_install PACKAGE...: succeeds if the packages are installed, or if root can install them.
can_install() {
    missing=
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
            missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    [ "$(id -u)" -eq 0 ] || return 1
    say "installing$missing"
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing; } \
        >"$work/log" 2>&1
}

prepare_optional() {
    # redis-tools contains the server program under another name and, unlike redis-server, starts no service.
    if is_any redis_10 redis_64 && ! { can_install redis-tools && prepare_redis; }; then
        note "Redis was not measured: its package could not be installed."
    fi
    if is_any grpc_10 grpc_64 && ! { can_install g++ libgrpc++-dev protobuf-compiler-grpc && build_grpc; }; then
        note "gRPC was not measured: its packages could not be installed, or its echo not be built."
    fi
    if is_any $postgres_names && ! can_install postgresql postgresql-contrib; then
        note "PostgreSQL was not measured: it is not installed."
    fi
}

end_optional() {
    [ -z "$redis_pid" ] || stop "$redis_pid"
    [ -z "$grpc_pid" ] || stop "$grpc_pid"
    redis_pid=
    grpc_pid=
}

# ---- Redis

redis_port=17117

prepare_redis() {
    ln -sf "$(command -v redis-check-rdb)" "$work/redis-server"
    [ -x "$work/redis-server" ] && command -v redis-benchmark >/dev/null
}

# measure_redis IN_FLIGHT: measures XADD with the payload of weir's writes and appendfsync always.
measure_redis() {
    wanted "redis_$1" && [ -x "$work/redis-server" ] || return 0
    rm -rf "$work/redis"
    mkdir "$work/redis"
    "$work/redis-server" --port $redis_port --bind 127.0.0.1 --dir "$work/redis" --appendonly yes --appendfsync always \
        --save '' >"$work/redis/log" 2>&1 &
    redis_pid=$!
    tries=0
    until redis-cli -p $redis_port ping >/dev/null 2>&1 || [ $tries -gt 50 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    data=$(awk 'BEGIN { for (i = 0; i < 200; i++) printf "x" }')
    # A short first run determines how many requests fill the measured time.
    rate=$(run_redis "$1" 2000 "$data" | cut -d, -f2 | tr -d '"')
    n=$(awk -v rate="$rate" -v s="$seconds" 'BEGIN { n = int(rate * s); print (n < 100 ? 100 : n) }')
    run_redis "$1" "$n" "$data" | tr -d '"' | awk -F, '{
        printf "{\"operations_per_s\":%s,\"messages_per_s\":%s,\"latency_us\":{\"mean\":%s,\"p50\":%s,\"p99\":%s,\"max\":%s}}\n",
            $2, $2, $3 * 1000, $5 * 1000, $7 * 1000, $8 * 1000 }' >"$results/$round/redis_$1.json"
    # A server that did not run here may have left the port to another one.
    if kill -0 "$redis_pid" 2>/dev/null && [ -s "$results/$round/redis_$1.json" ]; then
        show "redis_$1"
    else
        failed "redis_$1"
    fi
    stop "$redis_pid"
    redis_pid=
}

run_redis() {
    redis-benchmark -p $redis_port -c "$1" -n "$2" --csv XADD load '*' data "$3" 2>"$work/log" | tail -1
}

# ---- gRPC

build_grpc() {
    [ "$output/grpc-echo" -nt bench/grpc/echo.cc ] && return 0
    mkdir -p "$work/grpc"
    {
        protoc --proto_path=bench/grpc --cpp_out="$work/grpc" --grpc_out="$work/grpc" \
            --plugin=protoc-gen-grpc="$(command -v grpc_cpp_plugin)" echo.proto &&
            g++ -O2 -std=c++17 -I"$work/grpc" -o "$output/grpc-echo" bench/grpc/echo.cc "$work/grpc/echo.pb.cc" \
                "$work/grpc/echo.grpc.pb.cc" $(pkg-config --cflags --libs grpc++ protobuf) -lpthread
    } >"$output/grpc.log" 2>&1
}

# measure_grpc IN_FLIGHT
measure_grpc() {
    wanted "grpc_$1" && [ -x "$output/grpc-echo" ] || return 0
    : >"$work/grpc.out"
    "$output/grpc-echo" server >"$work/grpc.out" 2>"$work/log" &
    grpc_pid=$!
    weir_url=$url
    wait_for_line "$work/grpc.out" $grpc_pid
    if "$output/grpc-echo" client "$url" "$1" "$seconds" >"$results/$round/grpc_$1.json" 2>"$work/log"; then
        show "grpc_$1"
    else
        failed "grpc_$1"
    fi
    stop "$grpc_pid"
    grpc_pid=
    url=$weir_url
}

# ---- PostgreSQL and Message DB

# run_pgbench NAME URL CLIENTS SCRIPT [OPTION...]
run_pgbench() {
    wanted "$1" || return 0
    name=$1 database=$2 clients=$3 script=$4
    shift 4
    threads=$([ "$clients" -gt 1 ] && echo 2 || echo 1)
    time=$(awk -v s="$seconds" 'BEGIN { print 2 + (s < 1 ? 1 : int(s + 0.5)) }')
    if pgbench -n -M prepared -c "$clients" -j "$threads" -T "$time" -P 1 -f "bench/pgbench/$script" "$@" "$database" \
        >"$work/log" 2>&1 && take_pgbench <"$work/log" >"$results/$round/$name.json"; then
        show "$name"
    else
        failed "$name"
    fi
}

# take_pgbench: makes a result of pgbench's lines of progress. The first second is the warm-up: in it each connection
# loads catalogues and makes its plans. Fails without lines after it.
take_pgbench() {
    awk '/^progress: / {
            length_s = $2 - before
            if (before > 0) { s += length_s; n += $4 * length_s; ms += $7 * $4 * length_s }
            before = $2
        }
        END {
            if (n == 0) exit 1
            printf "{\"operations_per_s\":%.9g,\"messages_per_s\":%.9g,\"latency_us\":{\"mean\":%.9g}}\n",
                n / s, n / s, ms / n * 1000
        }'
}

# Functions of Message DB call each other without a schema name.
message_db_options='-c search_path=message_store,public'

# run_message_db NAME CLIENTS SCRIPT [OPTION...]
run_message_db() {
    [ -n "${MESSAGE_DB_URL:-}" ] || return 0
    name=$1
    shift
    PGOPTIONS=$message_db_options
    export PGOPTIONS
    run_pgbench "$name" "$MESSAGE_DB_URL" "$@"
    unset PGOPTIONS
}

# Fills Message DB for the read measurements.
fill_message_db() {
    [ -n "${MESSAGE_DB_URL:-}" ] && is_any mdb_read_10 mdb_read_1000 mdb_read_10_by_10 || return 0
    PGOPTIONS=$message_db_options psql -q "$MESSAGE_DB_URL" -f bench/pgbench/mdb_fill.sql >/dev/null
}

# run_postgres [WRAPPER...]: runs scripts/postgres.sh on a new PostgreSQL server; sets status.
run_postgres() {
    status=0
    WEIR_TEST_PG_OPTIONS='-c fsync=on' sh tests/lib/with_postgres.sh "$@" sh bench/scripts/postgres.sh || status=$?
    return $status
}

# Runs all PostgreSQL measurements on a temporary server, with Message DB installed where possible. The script runs
# inside with_postgres.sh.
measure_postgres() {
    is_any $postgres_names || return 0
    export WEIR_BENCH_BIN="$bin"
    export build results round seconds warmup only except output work size
    with_message_db='sh tests/lib/with_message_db.sh'
    [ -z "${MESSAGE_DB_URL:-}" ] || with_message_db=
    run_postgres $with_message_db && return
    [ $status -eq 77 ] && [ -n "$with_message_db" ] && run_postgres && return
    [ $status -eq 77 ] && return
    echo PostgreSQL >>"$work/failed"
    echo "  PostgreSQL: FAILED ($status)" >&2
}

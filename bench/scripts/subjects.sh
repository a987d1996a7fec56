# The measurements of a round, in order. Sourced by run.sh after measure.sh and optional.sh.
#
# Measurements that are compared run next to each other: a ratio of measurements minutes apart mostly reflects the state
# of the machine.

workers64='--workers 8 --in-flight 8'
workers10='--workers 10'
workers8='--workers 8'
workers1='--workers 1'

# bench NAME OPTION...: runs weir-bench.
bench() {
    name=$1
    shift
    wanted "$name" || return 0
    case $size in
    quick) options=--quick ;;
    *) options='--rounds 21' ;;
    esac
    if "$bin/weir-bench" $options --json --directory "$work" "$@" >"$results/$round/$name.json" 2>"$work/log"; then
        echo "  $name"
    else
        failed "$name"
    fi
}

# Measures everything without a disk: the nng limit, weir in memory and gRPC.
measure_memory() {
    start_echo --batch 10
    floor echo_raw_64 echo-client --url "$echo_url" --in-flight 64 --connections 8
    load_echo echo_write_64 --profile write $workers64
    load_echo echo_mixed_64 --profile mixed $workers64
    on sqlite::memory: memory_mixed_64 --profile mixed $workers64
    on sqlite::memory: memory_write_64 --profile write $workers64
    floor store_memory_write_64 store --url sqlite::memory: --in-flight 64
    floor sqlite_memory_1 sqlite --in-memory
    load_echo echo_mixed_10 --profile mixed $workers10
    on sqlite::memory: memory_mixed_10 --profile mixed $workers10
    floor echo_raw_10 echo-client --url "$echo_url" --in-flight 10 --connections 10
    floor echo_raw_1 echo-client --url "$echo_url"
    floor echo_raw_empty_1 echo-client --url "$echo_url" --operation empty
    measure_idle idle_echo "$echo_pid"
    stop_echo
    start_server sqlite::memory:
    load memory_empty_1 --profile empty $workers1
    load memory_empty_idle --profile empty $workers1 --rate 200
    load memory_tail --profile tail --subscribers 1 $workers1 --rate 200
    load memory_empty_10 --profile empty $workers10
    load memory_shared_empty_10 --profile empty $workers10 --connections 1
    measure_grpc 10
    load memory_empty_64 --profile empty $workers64
    load memory_shared_empty_64 --profile empty $workers64 --connections 1
    measure_grpc 64
    stop_server
    if follows memory_open memory_mixed_64; then
        on sqlite::memory: memory_open --profile mixed --rate "$(half_of memory_mixed_64)" --workers 64 --in-flight 16 \
            --connections 8
    fi
}

# Reads of 1,000 messages end to end, next to an echo of the same size.
measure_large_reads() {
    if is_any echo_read_1000 echo_raw_read_1000; then
        start_echo --batch 1000
        load_echo echo_read_1000 --profile read-category --batch 1000 $workers8
        floor echo_raw_read_1000 echo-client --url "$echo_url" --operation read-category --batch 1000 --in-flight 8 \
            --connections 8
        stop_echo
    fi
    on "sqlite:$work/data" disk_read_category_1000 --profile read-category --batch 1000 --messages 50000 $workers8
    floor store_read_1000 store --operation read-category --batch 1000
}

# Durable writes, next to the disk, SQLite, the store and Redis.
measure_writes() {
    floor disk_append disk
    floor disk_overwrite disk --overwrite
    floor sqlite_1 sqlite
    on "sqlite:$work/data" disk_write_1 --profile write $workers1
    floor store_write_1 store
    on "sqlite:$work/data" disk_write_10 --profile write $workers10
    measure_redis 10
    floor sqlite_10 sqlite --batch 10
    measure_counted disk_write_10_counted $workers10
    measure_counted disk_write_64_counted $workers64
    if follows sqlite_group disk_write_64_counted; then
        group=$(awk -v syncs="$(figure disk_write_64_counted syncs_per_operation)" \
            'BEGIN { print (syncs == 0 ? 0 : syncs > 1 ? 1 : int(1 / syncs + 0.5)) }')
        floor sqlite_group sqlite --batch "$group"
    fi
    on "sqlite:$work/data" disk_write_64 --profile write $workers64
    on_socket "sqlite:$work/data" disk_socket_write_64 --profile write $workers64
    measure_redis 64
    floor sqlite_64 sqlite --batch 64
    floor store_write_64 store --in-flight 64
    if follows disk_open disk_write_64; then
        on "sqlite:$work/data" disk_open --profile write --rate "$(half_of disk_write_64)" --workers 64 --in-flight 16 \
            --connections 8
    fi
}

# measure_counted NAME OPTION...: measures writes on a server whose heap calls and disk syncs are counted.
measure_counted() {
    wanted "$1" || return 0
    start_server "sqlite:$work/data" count
    load "$@" --profile write
    stop_server
}

# count_calls STORE_NAME: counts the heap calls of single requests on the running server.
count_calls() {
    load "counted_${1}_empty" --profile empty $workers1
    load "counted_${1}_write" --profile write $workers1
    for batch in 10 100 1000; do
        load "counted_${1}_read_$batch" --profile read-category --batch $batch $workers1
    done
}

measure_heap() {
    is_any counted_sqlite_empty counted_sqlite_write counted_sqlite_read_10 counted_sqlite_read_100 \
        counted_sqlite_read_1000 || return 0
    start_server "sqlite:$work/data" count
    count_calls sqlite
    stop_server
}

measure_others() {
    on "sqlite:$work/data" disk_mixed_10 --profile mixed $workers10
    on "sqlite:$work/data" disk_conditional_write_10 --profile conditional-write $workers10
    on "sqlite:$work/data" disk_batch_10 --profile batch $workers10
    on "sqlite:$work/data" disk_import_4 --profile import --workers 4
    on "sqlite:$work/data" disk_read_stream_10 --profile read-stream --batch 10 $workers10
    on "sqlite:$work/data" disk_read_category_10 --profile read-category --batch 10 $workers10
    on "sqlite:$work/data" disk_group_10 --profile group --group-size 10 $workers10
    if wanted idle; then
        # The idle server runs with default limits.
        busy_options=$server_options server_options=
        start_server "sqlite:$work/data"
        measure_idle idle "$server_pid"
        stop_server
        server_options=$busy_options
    fi
    if wanted waiting_idle; then
        start_server sqlite::memory:
        load waiting_idle --profile empty --rate 2 --workers 64 --connections 64 --waiting 10000
        stop_server
    fi
}

# ---- cost as work grows

grow_messages() {
    is_any "grow_messages_${1}_read" "grow_messages_${1}_write" "grow_messages_${1}_stream" || return 0
    start_server "sqlite:$work/data"
    load "grow_messages_${1}_read" --profile read-category --batch 1000 --newest --messages "$1" --streams 100 \
        --timeout 60000 $workers1
    load "grow_messages_${1}_write" --profile write $workers1
    load "grow_messages_${1}_stream" --profile read-stream --batch 1000 --newest --messages 10000 --streams 10 $workers1
    stop_server
}

measure_growth() {
    case $size in
    quick) messages=10000 streams='1 100' namespaces='1 10' connections='1 10' waiting='0 100' ;;
    normal)
        messages='10000 100000 1000000' streams='1 10 100 1000 10000' namespaces='1 10 100 1000'
        connections='1 10 100 1000' waiting='0 10 100 1000 10000'
        ;;
    full)
        messages='10000 100000 1000000 10000000' streams='1 10 100 1000 10000 100000' namespaces='1 10 100 1000'
        connections='1 10 100 1000' waiting='0 10 100 1000 10000'
        ;;
    esac
    for n in $messages; do
        grow_messages "$n"
    done
    for n in $streams; do
        on "sqlite:$work/data" "grow_streams_$n" --profile write --streams "$n" $workers64
    done
    for n in $namespaces; do
        on "sqlite:$work/data" "grow_namespaces_$n" --profile tenants --namespaces "$n" --streams 10 --timeout 60000 \
            $workers64
    done
    for n in $connections; do
        on sqlite::memory: "grow_connections_$n" --profile mixed --workers "$n" --connections "$n"
    done
    for n in $waiting; do
        on sqlite::memory: "grow_waiting_$n" --profile mixed --workers 64 --connections 64 --waiting "$n"
    done
}

measure_round() {
    bench weir-bench
    measure_memory
    measure_large_reads
    measure_writes
    measure_heap
    measure_postgres
    measure_others
    measure_growth
}

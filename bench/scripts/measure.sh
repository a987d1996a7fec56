# Starts and stops the servers under test and runs single measurements. Sourced by run.sh, which sets bin, build,
# results, round, seconds, warmup, only, except, output and work.
#
# The result of a measurement is a JSON file, $results/$round/NAME.json. A failed measurement is reported and has no
# file; the report page shows what is missing.

export WEIR_ADMIN_TOKEN=bench-admin-token-0123456789abcdefghijkl
server_pid=
echo_pid=

# wanted NAME: succeeds if --only and --except select the measurement.
wanted() {
    case $1 in
    $except) return 1 ;;
    $only) return 0 ;;
    esac
    return 1
}

# figure NAME KEY: prints the first number with that key in this round's result; 0 if there is none.
figure() {
    value=$(grep -o "\"$2\":[0-9.e+-]*" "$results/$round/$1.json" 2>/dev/null | head -1 | cut -d: -f2)
    echo "${value:-0}"
}

# follows NAME SOURCE: succeeds if the measurement is wanted and this round has the one that gives its settings.
# Settings made up instead would be shown as those of this machine.
follows() {
    wanted "$1" || return 1
    [ ! -e "$results/$round/$2.json" ] || return 0
    echo "  $1: not measured, as there is no $2" >&2
    return 1
}

# half_of NAME: prints half of the rate that a measurement of this round reached.
half_of() {
    awk -v rate="$(figure "$1" operations_per_s)" 'BEGIN { print rate / 2 }'
}

# show NAME: prints a result as one line.
show() {
    awk -v name="$1" -v rate="$(figure "$1" operations_per_s)" -v p50="$(figure "$1" p50)" -v p99="$(figure "$1" p99)" \
        'BEGIN {
            printf "  %-28s %12.0f/s", name, rate
            if (p50 > 0) printf "   p50 %10.1f µs   p99 %10.1f µs", p50, p99
            print ""
        }'
}

# failed NAME: prints the log of a failed measurement and removes its result, since results with errors do not count.
# run.sh ends with the names in $work/failed.
failed() {
    echo "$1" >>"$work/failed"
    echo "  $1: FAILED" >&2
    sed 's/^/    /' "$work/log" | tail -12 >&2
    rm -f "$results/$round/$1.json"
}

# measure NAME COMMAND...: runs the command with --json and the durations. A signal ends the command too, which then
# writes what it has measured until then: that is no result.
measure() {
    name=$1
    shift
    wanted "$name" || return 0
    if "$@" --seconds "$seconds" --warmup "$warmup" --quiet --json "$work/result.json" >"$work/log" 2>&1; then
        mv "$work/result.json" "$results/$round/$name.json"
        show "$name"
    else
        failed "$name"
    fi
}

# wait_for_line FILE PID: waits until a server prints that it listens; sets url.
wait_for_line() {
    tries=0
    until grep -q '^listening on ' "$1"; do
        tries=$((tries + 1))
        if [ $tries -gt 300 ] || ! kill -0 "$2" 2>/dev/null; then
            echo "a server did not start:" >&2
            cat "$work/server.log" >&2
            exit 1
        fi
        sleep 0.1
    done
    url=$(sed -n 's/^listening on //p' "$1" | head -1)
}

# stop PID: sends SIGTERM and, after 10 s, SIGKILL.
stop() {
    kill "$1" 2>/dev/null || return 0
    tries=0
    while kill -0 "$1" 2>/dev/null && [ $tries -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    if kill -9 "$1" 2>/dev/null; then
        echo "  a server did not end when asked to, and was killed" >&2
    fi
    wait "$1" 2>/dev/null || true
}

# Options of a server under load. measure_idle runs a server without them.
server_options='--max-calls 4096'

# The listen address: TCP, or a Unix socket after serve_by_socket.
tcp=tcp://127.0.0.1:0
listen=$tcp

serve_by_socket() {
    listen=ipc://$work/socket
}

# start_server STORE [count]: starts a server; SQLite data are removed first. `count` preloads libweir-count.so, which
# counts heap allocations and disk syncs at some cost in speed.
start_server() {
    rm -rf "$work/data"
    : >"$work/listening"
    : >"$work/counts"
    token=ns_ZGVmYXVsdA_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    (
        export WEIR_DEFAULT_TOKEN=$token
        if [ "${2:-}" = count ]; then
            export LD_PRELOAD="$bin/libweir-count.so" WEIR_COUNT_FILE="$work/counts"
        fi
        exec "$build/server/weir-server" --store "$1" --listen "$listen" --log-level warn \
            $server_options >"$work/listening" 2>"$work/server.log"
    ) &
    server_pid=$!
    wait_for_line "$work/listening" $server_pid
    export WEIR_SERVER="$url" WEIR_TOKEN="$token"
}

stop_server() {
    [ -z "$server_pid" ] || stop "$server_pid"
    server_pid=
}

# start_echo [OPTION...]
start_echo() {
    : >"$work/echo"
    "$bin/weir-floor" echo-server --url tcp://127.0.0.1:0 "$@" >"$work/echo" 2>"$work/server.log" &
    echo_pid=$!
    wait_for_line "$work/echo" $echo_pid
    echo_url=$url
}

stop_echo() {
    [ -z "$echo_pid" ] || stop "$echo_pid"
    echo_pid=
}

# load NAME OPTION...: runs weir-load against the running server.
load() {
    name=$1
    shift
    measure "$name" "$bin/weir-load" --server-pid "$server_pid" --counts "$work/counts" "$@"
}

# load_echo NAME OPTION...: runs weir-load against the running echo server.
load_echo() {
    name=$1
    shift
    measure "$name" "$bin/weir-load" --against-echo --server "$echo_url" --server-pid "$echo_pid" "$@"
}

# floor NAME COMMAND OPTION...
floor() {
    name=$1
    shift
    measure "$name" "$bin/weir-floor" "$@" --directory "$work"
}

# on STORE NAME OPTION...: runs one measurement on a new server.
on() {
    store=$1
    shift
    wanted "$1" || return 0
    start_server "$store"
    load "$@"
    stop_server
}

# on_socket STORE NAME OPTION...: as `on`, over a Unix socket.
on_socket() {
    serve_by_socket
    on "$@"
    listen=$tcp
}

# is_any NAME...: succeeds if one of the measurements is wanted.
is_any() {
    for one in "$@"; do
        if wanted "$one"; then
            return 0
        fi
    done
    return 1
}

# switches PID: prints the number of voluntary context switches of all threads.
switches() {
    cat /proc/"$1"/task/*/status 2>/dev/null | awk '/^voluntary_ctxt_switches/ { n += $2 } END { print n + 0 }'
}

# measure_idle NAME PID: measures memory and wake-ups of an idle process.
measure_idle() {
    wanted "$1" || return 0
    sleep 1
    before=$(switches "$2")
    sleep 5
    after=$(switches "$2")
    resident=$(awk '/^VmRSS/ { print $2 }' /proc/"$2"/status)
    printf '{"resident_kib":%s,"wakeups_per_s":%s}\n' "$resident" \
        "$(awk -v n=$((after - before)) 'BEGIN { print n / 5 }')" >"$results/$round/$1.json"
    printf '  %-28s %12s KiB resident, %s wake-ups in 5 s\n' "$1" "$resident" $((after - before))
}

end_measuring() {
    stop_server
    stop_echo
    end_optional
}

# write_notes WHAT: prints the conditions of this run for the report page.
write_notes() {
    printf -- '- %s on %s from commit %s, with %s s for each measurement after %s s of warm-up.\n' "$1" "$(date +%F)" \
        "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)" "$seconds" "$warmup"
    printf -- '- The files were on %s.\n' "$(df -T "$work" | awk 'NR == 2 { print $2 ", " $1 }')"
    echo '- Client and server share the cores of this machine, so each has about half of it.'
    printf '%s' "$optional_notes"
}

# Library for tests of the program `weir`; sourced. Provides a server for each test and functions that check output.
#
# $weir is the program. Commands run in an empty directory, $work, with the server's address in WEIR_SERVER and the
# default token where weir finds it. A test ends with `finish`.
set -u
weir=${WEIR_PROGRAM:?the path of the program weir}
server=${WEIR_SERVER_PROGRAM:?the path of the program weir-server}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
cd "$work" || exit 1
unset WEIR_TOKEN WEIR_TOKEN_FILE WEIR_NAMESPACE WEIR_TIMEOUT WEIR_TLS_CA WEIR_TLS_CERT WEIR_TLS_KEY WEIR_CONTEXT
export XDG_CONFIG_HOME="$work/config"
# Of a locale that is not installed, bash and man say so.
[ -z "$(locale 2>&1 >/dev/null)" ] || export LC_ALL=C.UTF-8
admin_token=test-admin-token-0123456789abcdefghijkl
server_pid=
checks=0
failures=0

stop_server() {
    if [ -n "$server_pid" ]; then
        kill "$server_pid" 2>/dev/null
        wait "$server_pid"
        server_status=$?
        server_pid=
    fi
}

clean_up() {
    stop_server
    cd /
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 143' INT TERM

# start_server [OPTION...]: listens on a free port the first time, and on the same port again after a stop.
start_server() {
    : >listening
    WEIR_ADMIN_TOKEN=$admin_token "$server" --listen "${listen_url:-tcp://127.0.0.1:0}" "$@" >listening 2>>server.log &
    server_pid=$!
    tries=0
    until grep -q '^listening on ' listening; do
        tries=$((tries + 1))
        if [ $tries -gt 300 ] || ! kill -0 "$server_pid" 2>/dev/null; then
            cat server.log >&2
            echo "the server did not start" >&2
            exit 1
        fi
        sleep 0.1
    done
    listen_url=$(sed -n 's/^listening on //p' listening)
    export WEIR_SERVER="$listen_url"
}

fail() {
    failures=$((failures + 1))
    printf 'FAILED: %s\n' "$1" >&2
    [ ! -s err ] || sed 's/^/  stderr: /' err >&2
    [ ! -s out ] || sed 's/^/  stdout: /' out | head -20 >&2
}

# run STATUS WORD...: runs a command with its output in the files `out` and `err`, and checks its exit status.
run() {
    want=$1
    shift
    checks=$((checks + 1))
    "$@" >out 2>err
    got=$?
    [ "$got" -eq "$want" ] || fail "exit status $got instead of $want: $*"
}

# out_is TEXT, out_has PATTERN, err_has PATTERN: check the output of the last `run`. Patterns are grep's.
out_is() {
    checks=$((checks + 1))
    [ "$(cat out)" = "$1" ] || fail "standard output is not: $1"
}
out_has() {
    checks=$((checks + 1))
    grep -q -e "$1" out || fail "standard output has no: $1"
}
err_has() {
    checks=$((checks + 1))
    grep -q -e "$1" err || fail "standard error has no: $1"
}

# out_lines N: checks the number of output lines.
out_lines() {
    checks=$((checks + 1))
    [ "$(wc -l <out)" -eq "$1" ] || fail "standard output has $(wc -l <out) lines instead of $1"
}

is_equal() {
    checks=$((checks + 1))
    [ "$1" = "$2" ] || fail "'$1' is not '$2'"
}

finish() {
    stop_server
    [ "${server_status:-0}" -eq 0 ] || fail "the server's exit status was $server_status"
    echo "$checks checks, $failures failed"
    [ "$checks" -gt 0 ] && [ "$failures" -eq 0 ]
    exit
}

#!/bin/sh
# The benchmark programs against a real server: each profile and each floor runs, verifies its replies, and gives
# consistent figures. Speed is not tested.
. "$(dirname "$0")/../cli/lib.sh"
bench=${WEIR_BENCH_PROGRAM:?the path of weir-bench}
load=${WEIR_LOAD_PROGRAM:?the path of weir-load}
floor=${WEIR_FLOOR_PROGRAM:?the path of weir-floor}
export WEIR_ADMIN_TOKEN=$admin_token

# holds FILE EXPRESSION...: checks Python expressions about the JSON in the file, which is `j`.
holds() {
    file=$1
    shift
    checks=$((checks + $#))
    wrong=$(python3 -c 'import json, sys
j = json.load(open(sys.argv[1]))
print(*(e for e in sys.argv[2:] if not eval(e)), sep="; ")' "$file" "$@" 2>&1)
    [ -z "$wrong" ] || fail "not so in $file: $wrong"
}

# is_sound FILE: checks what holds for every result of weir-load and weir-floor.
is_sound() {
    holds "$1" 'j["operations"] > 0 and abs(j["operations"] / j["seconds"] - j["operations_per_s"]) < 1' \
        'sum(n for _, n in j["histogram_us"]) == j["operations"]' \
        'j["latency_us"]["p50"] <= j["latency_us"]["p99"] <= j["latency_us"]["p99.99"] <= j["latency_us"]["max"]' \
        'j["errors"] == [] and j["outages"] == []' \
        'j["generator"]["cores"] > 0 and j["machine"]["cores"] > 0'
}

# weir-bench: three ways of doing six reads, and one read that finds nothing.
run 0 "$bench" --quick --json
cp out bench.json
holds bench.json '[r["messages"] for r in j["reads"]] == [10, 100, 1000, 10, 100, 1000, 0]' \
    'all(r[w]["ns"]["median"] > 0 for r in j["reads"][:6] for w in ("floor", "sized", "grown"))' \
    'all(r["sized"]["reply_bytes"] > 300 * r["messages"] for r in j["reads"][:6])' \
    'all(r["sized"]["reply_bytes"] - r["grown"]["reply_bytes"] < 8 for r in j["reads"][:6])' \
    'all({"what", "limit", "value", "met"} <= t.keys() for t in j["targets"]) and len(j["targets"]) >= 1'
run 0 "$bench" --quick --rounds 2
out_has 'sized/floor'
out_has '^category  *1000 '
# A signal ends it, while it writes and while it measures, and nothing is left behind.
for messages in 1000000 12000; do
    mkdir scratch
    "$bench" --messages $messages --rounds 10000 --directory scratch >out 2>err &
    pid=$!
    tries=0
    until [ -n "$(ls scratch)" ] || [ $tries -gt 200 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    sleep 1
    kill -TERM $pid
    wait $pid
    is_equal $? 1
    err_has '^weir-bench: ended by a signal'
    rmdir scratch || fail "weir-bench leaves its store behind"
done
run 2 "$bench" --messages 5
err_has "'5' is not a number"
run 2 "$bench" extra
run 1 "$bench" --directory /nonexistent
err_has 'cannot create'

start_server

# Every profile against the server.
for profile in mixed write conditional-write batch read-stream read-category group tail import empty; do
    run 0 "$load" --profile $profile --workers 3 --seconds 0.5 --json $profile.json --server-pid $server_pid
    out_has "^weir-load $profile: "
    is_sound $profile.json
    holds $profile.json 'j["server"]["resident_kib"] > 0'
    is_equal "$(cat err)" ''
done
run 0 "$load" --profile tenants --namespaces 3 --streams 5 --seconds 0.5 --json tenants.json
is_sound tenants.json
run 0 env WEIR_TOKEN=$admin_token "$weir" namespace list
out_has '"default"'
checks=$((checks + 1))
[ "$(grep -c . out)" -eq 1 ] || fail "namespaces are left behind"
holds mixed.json '{"read", "write"} == j["by_operation"].keys()'
holds conditional-write.json 'j["conflicts"] >= 0 and "version" in j["by_operation"]' \
    'j["by_operation"]["write"]["latency_us"]["mean"] < j["latency_us"]["mean"]'
holds tail.json 'j["by_operation"]["delivery"]["operations"] > 0'

# No stream is left without messages: each read of one finds its message.
run 0 "$load" --profile read-stream --messages 1500 --streams 1000 --batch 1 --seconds 0.3 --json thin.json
is_sound thin.json
holds thin.json 'j["messages_per_s"] == j["operations_per_s"]'

# Replies that the server truncates, and reads that need several requests.
for profile in read-stream read-category group; do
    run 0 "$load" --profile $profile --batch 1000 --data-bytes 20000 --messages 2000 --streams 2 --workers 2 \
        --seconds 2 --timeout 60000 --json large.json
    is_sound large.json
done
run 0 "$load" --profile read-category --data-bytes 1000000 --messages 100 --seconds 0.2 --timeout 60000
run 0 "$load" --profile write --data-bytes 1000000 --batch 67 --workers 1 --seconds 0.2 --timeout 60000

# A category that already holds other messages and those of earlier loads.
for stream in 000000 000001 000002; do
    run 0 "$weir" write "shared-$stream" Other '"of somebody else"'
done
for profile in mixed write conditional-write batch read-stream read-category import; do
    streams='--streams 3'
    [ $profile != import ] || streams=
    run 0 "$load" --profile $profile --category shared $streams --workers 3 --seconds 0.5 --json shared.json
    is_sound shared.json
    case $profile in
    read-*) is_equal "$(cat err)" '' ;;
    *) err_has 'what was acknowledged was not counted: the category may hold other messages' ;;
    esac
done

# Open loop, the chart, quiet mode, waiting readers.
run 0 "$load" --rate 200 --arrivals random --seconds 0.5 --plot plot.svg --json - --quiet --waiting 5
cp out open.json
is_sound open.json
holds open.json '60 <= j["operations"] <= 140'
run 0 "$load" --profile empty --rate 0.01 --seconds 0.1 --json none.json
holds none.json 'j["operations"] == 0 and j["latency_us"] == {}'
run 0 "$load" --profile empty --seconds 0.1 --plot -
cp out plot2.svg
checks=$((checks + 1))
python3 -c 'import sys, xml.dom.minidom
for file in sys.argv[1:]: xml.dom.minidom.parse(file)' plot.svg plot2.svg || fail "a picture is not whole, or no picture"

# A signal ends the load; the results so far are shown.
"$load" --seconds 60 --warmup 0.2 --json signal.json >out 2>err &
pid=$!
sleep 1.5
kill -INT $pid
wait $pid
is_equal $? 0
holds signal.json 'j["interrupted"] and 0 < j["seconds"] < 50'

# A signal also ends the preparation; namespaces created by then are deleted.
for preparing in 'read-stream --messages 100000000' 'tenants --namespaces 100000'; do
    "$load" --profile $preparing >out 2>err &
    pid=$!
    sleep 1
    kill -INT $pid
    wait $pid
    is_equal $? 1
    err_has '^weir-load: CANCELLED: ended by a signal'
done
run 0 env WEIR_TOKEN=$admin_token "$weir" namespace list
out_lines 1

# An empty environment variable counts as unset.
cp weir-data/default.token other.token
mv weir-data/default.token hidden.token
run 0 env WEIR_TOKEN= WEIR_TOKEN_FILE=other.token "$load" --profile write --seconds 0.1
mv hidden.token weir-data/default.token
run 0 env WEIR_TOKEN= WEIR_TOKEN_FILE= "$load" --profile write --seconds 0.1
env WEIR_SERVER= "$load" --profile empty --seconds 0.1 --timeout 200 >out 2>err
[ $? -ne 2 ] || fail "an empty WEIR_SERVER is taken for a URL"

# Contradictory options are refused with a message that names them.
for wrong in '--profile nonsense' '--group-size 3' '--arrivals random' '--workers 0' '--seconds x' '--data-bytes 1' \
    '--profile write --batch 1001' '--connections 99' '--category a-b' '--profile tail --category a' \
    '--profile write --data-bytes 1000000 --batch 68' '--profile batch --data-bytes 100000' \
    '--profile import --data-bytes 100000' '--profile read-stream --batch 100 --messages 99' \
    '--profile read-stream --batch 101' '--on-error perhaps' '--server foo' '--server tcp://127.0.0.1' \
    '--json no-such-directory/file' '--plot no-such-directory/file' '--json .' '--json - --plot -' \
    '--server-pid 4194304' '--counts no-such-file'; do
    run 2 "$load" $wrong
    err_has '^weir-load: '
done
run 0 "$load" --help
out_has 'conditional-write '
for program in "$bench" "$load" "$floor"; do
    run 1 sh -c "'$program' --help >/dev/full"
    err_has "^${program##*/}: standard output: "
done

# A server that is down for longer than a call waits and comes back: the outage is reported, and the load continues or
# ends.
"$load" --profile read-stream --seconds 6 --timeout 1000 --json away.json >out 2>err &
pid=$!
sleep 2
stop_server
sleep 1.5
start_server
wait $pid
is_equal $? 1
err_has 'after [0-9.]* s: the server has stopped answering'
err_has 'after [0-9.]* s: the server answers again'
holds away.json 'len(j["outages"]) >= 1 and j["outages"][0]["to_s"] > j["outages"][0]["from_s"]'
"$load" --profile empty --seconds 60 --timeout 1000 --on-error stop >out 2>err &
pid=$!
sleep 1
stop_server
wait $pid
is_equal $? 1
out_has 'BACKEND_UNAVAILABLE\|SHUTTING_DOWN'
run 3 "$load" --seconds 1 --timeout 300
err_has 'BACKEND_UNAVAILABLE'

# A server that does not come back is not waited for once per namespace.
start_server
"$load" --profile tenants --namespaces 100 --streams 1 --seconds 60 --timeout 1000 --on-error stop >out 2>err &
pid=$!
tries=0
until [ "$(env WEIR_TOKEN=$admin_token "$weir" namespace list | wc -l)" -gt 100 ] || [ $tries -gt 200 ]; do
    tries=$((tries + 1))
done
stop_server
wait $pid
is_equal $? 1
err_has '^weir-load: 100 namespaces are left behind, load[0-9a-f]*-000000 to load[0-9a-f]*-000099: '

# The floors.
for floor_of in 'disk' 'disk --overwrite' 'sqlite --batch 3' 'sqlite --in-memory' 'store --in-flight 8' \
    'store --operation read-stream --batch 10 --messages 12000' \
    'store --operation read-category --batch 1000 --messages 12000'; do
    run 0 "$floor" $floor_of --seconds 0.3 --warmup 0.1 --directory "$work" --json floor.json
    is_sound floor.json
done
"$floor" echo-server --url tcp://127.0.0.1:0 --batch 10 >echo 2>err &
pid=$!
tries=0
until grep -q '^listening on ' echo || [ $tries -gt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
url=$(sed -n 's/^listening on //p' echo)
for operation in write 'read-category --batch 10' empty; do
    run 0 "$floor" echo-client --url "$url" --operation $operation --in-flight 4 --seconds 0.3 --json echo.json
    is_sound echo.json
done
holds echo.json 'j["messages_per_s"] == 0'
# Replies of 10 messages are not counted as those of 1,000.
run 1 "$floor" echo-client --url "$url" --operation read-category --batch 1000 --seconds 0.2 --json echo.json
holds echo.json '[e["reason"] for e in j["errors"]] == ["WRONG_REPLY"]'
run 0 "$load" --against-echo --server "$url" --profile mixed --seconds 0.3 --json echo.json
is_sound echo.json
kill $pid
wait $pid
is_equal $? 0
for wrong in nonsense '' 'store --operation empty' 'echo-client --operation nonsense' 'sqlite --batch 1.5' \
    'disk --workers 2' 'store --workers 65536 --in-flight 2' 'disk --seconds x' \
    'disk --json no-such-directory/file'; do
    run 2 "$floor" $wrong
    err_has '^weir-floor: '
done

finish

#!/bin/sh
# The commands streams, categories, namespace, stats, context, list, describe and call; chunks on a store without
# chunks.
. "$(dirname "$0")/lib.sh"
start_server
printf '%s\n' "$admin_token" >admin.token
admin() { status=$1; shift; run "$status" "$weir" --token-file admin.token "$@"; }

for i in 1 2 3; do "$weir" write "account-$i" T >/dev/null; done
"$weir" write other-1 T >/dev/null

# Listings as JSON and as text.
run 0 "$weir" streams
out_lines 4
out_has '^{"stream":"account-1","version":0,"last_activity":"2'
run 0 "$weir" streams --prefix acc --limit 2 -o text
out_lines 3
out_has '^STREAM     VERSION  LAST ACTIVITY$'
out_has '^account-2  0        2'
run 0 "$weir" streams --limit 0
out_is ''
run 0 "$weir" categories
out_is '{"category":"account","stream_count":3,"message_count":3}
{"category":"other","stream_count":1,"message_count":1}'

# More streams than one page of the server holds.
for part in $(seq 0 11); do
    list=$(seq $((part * 100)) $((part * 100 + 99)) | sed 's/.*/{"stream_name":"many-&","messages":[{"type":"T"}]},/' | tr -d '\n')
    run 0 "$weir" call WriteStreams "{\"writes\":[${list%,}]}"
done
run 0 "$weir" streams --prefix many-
out_lines 1200
is_equal "$(sed 's/.*"stream":"\([^"]*\)".*/\1/' out | LC_ALL=C sort -u | wc -l)" 1200

# Namespaces.
admin 0 namespace create tenant --description 'A tenant' --metadata '{"plan":"free"}'
out_has '^{"namespace":"tenant","token":"ns_dGVuYW50_[0-9a-f]*","created_at":"2'
sed 's/.*"token":"\([^"]*\)".*/\1/' out >tenant.token
admin 1 namespace create tenant
err_has '^weir: NAMESPACE_EXISTS'
run 1 "$weir" namespace create another
err_has '^weir: AUTH_UNAUTHORIZED'
run 0 "$weir" --token-file tenant.token write account-1 T
out_has '"gpos":1,'
admin 0 --namespace tenant version account-1
out_is 0
run 0 "$weir" --token-file tenant.token namespace show
out_has '"namespace":"tenant","description":"A tenant"'
out_has '"message_count":1,"stream_count":1,'
out_has '"metadata":{"plan":"free"}}$'
run 0 "$weir" --token-file tenant.token namespace show -o text
out_has '^message count  1$'
run 2 "$weir" --token-file admin.token namespace show
err_has 'NAME is required because the token does not name a namespace'
admin 1 version account-1
err_has '^weir: INVALID_REQUEST'
err_has '^  name it with --namespace NAME$'
# A namespace id that is too long must not be truncated to an existing one.
longest=$(printf '%0128d' 0)
admin 0 namespace create "$longest"
admin 0 namespace show --namespace "$longest"
admin 2 namespace show --namespace "${longest}0"
admin 2 namespace rotate-token --namespace "${longest}0"
admin 0 namespace delete "$longest"
admin 0 namespace list
out_lines 2
admin 0 namespace list --limit 1
out_lines 1
run 0 "$weir" --token-file tenant.token namespace rotate-token
sed 's/.*"token":"\([^"]*\)".*/\1/' out >new.token
run 1 "$weir" --token-file tenant.token version account-1
run 0 "$weir" --token-file new.token version account-1
run 0 "$weir" --token-file new.token namespace rotate-token --new-token-file tenant.token
run 0 "$weir" --token-file tenant.token version account-1
# A token chosen in advance contains its namespace; a token of another namespace is refused.
printf 'ns_Y2hvc2Vu_%064d\n' 7 >chosen.token
admin 0 namespace create chosen --new-token-file chosen.token
out_has "\"token\":\"$(cat chosen.token)\""
run 0 "$weir" --token-file chosen.token version account-1
out_is -1
admin 1 namespace create other --new-token-file chosen.token
err_has '^weir: INVALID_REQUEST'
admin 2 namespace create other --new-token-file no-such-file
err_has 'no-such-file'
# The environment can name the namespace for an admin; the option takes precedence.
run 0 env WEIR_NAMESPACE=chosen "$weir" --token-file admin.token write account-1 T
run 0 env WEIR_NAMESPACE=chosen "$weir" --token-file admin.token version account-1
out_is 0
run 0 env WEIR_NAMESPACE=tenant "$weir" --token-file admin.token --namespace chosen version account-2
out_is -1
run 0 env WEIR_NAMESPACE=chosen "$weir" --token-file admin.token namespace show
out_has '^{"namespace":"chosen",'
run 1 env WEIR_NAMESPACE=nowhere "$weir" --token-file admin.token version account-1
err_has '^weir: NAMESPACE_NOT_FOUND'
admin 0 namespace delete chosen
run 0 "$weir" namespace clear --help
out_has '--confirm NAME\.'
run 1 "$weir" --token-file tenant.token namespace clear tenant
err_has '^weir: PRECONDITION'
# Another process holds the store's lock until the deadline has passed, so the outcome is unknown.
python3 -c 'import glob, sqlite3, time
held = [sqlite3.connect(path, isolation_level=None) for path in glob.glob("weir-data/*.db")]
for db in held:
    db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(60)' >held &
holder=$!
until [ -s held ]; do kill -0 $holder || break; done
run 3 "$weir" --token-file tenant.token --timeout 1 namespace clear tenant --confirm tenant
err_has '^weir: DEADLINE_EXCEEDED'
err_has '^  it may have been done all the same; look before you repeat it$'
kill $holder
wait $holder 2>/dev/null
run 0 "$weir" --token-file tenant.token namespace clear tenant --confirm tenant
out_is '{"namespace":"tenant","messages_deleted":1}'
admin 0 namespace delete tenant
admin 1 namespace delete tenant
err_has '^weir: NAMESPACE_NOT_FOUND'
admin 1 namespace delete default
err_has '^weir: PRECONDITION'

# The server's counters, which equal those of /metrics.
run 1 "$weir" stats
err_has '^weir: AUTH_UNAUTHORIZED'
admin 0 stats
out_has '^{"name":"weir_build_info","labels":{.*"backend":"sqlite".*},"value":1}$'
out_has '^{"name":"weir_messages_written_total","labels":{},"value":[1-9][0-9]*}$'
out_has '^{"name":"weir_requests_total","labels":{.*GetStreamVersion.*},"value":[1-9][0-9]*}$'
out_has '^{"name":"weir_request_duration_seconds","labels":{.*},"histogram":{"count":[1-9].*"cumulative_counts":\['
cp out stats
run 0 python3 -c 'import json, sys
for line in open(sys.argv[1]):
    metric = json.loads(line)
    h = metric.get("histogram")
    assert ("value" in metric) != (h is not None), metric
    if h:
        assert len(h["bounds"]) <= len(h["cumulative_counts"]), metric
        assert h["cumulative_counts"] == sorted(h["cumulative_counts"]), metric
        assert h["cumulative_counts"][-1] <= h["count"], metric' stats
admin 0 stats -o text
out_has '^NAME  *LABELS  *VALUE$'
out_has '^weir_messages_written_total  *-  *[1-9][0-9]*$'
out_has '^weir_request_duration_seconds  *{.*}  *[1-9][0-9]* samples, mean .*, p50 <= .*, p99 <= '

# Chunks exist only on TimescaleDB.
for asked in 'chunks list' 'chunks compress 90d' 'chunks drop 90d --confirm default'; do
    admin 1 --namespace default $asked
    err_has '^weir: FEATURE_UNSUPPORTED'
done
run 2 "$weir" chunks compress

# The interface, described from the generated descriptors alone.
run 0 "$weir" list
out_has '"method":"weir.v1.MessageStore/WriteMessages"'
run 0 "$weir" list System
out_lines 3
run 2 "$weir" list Nothing -o text
out_is ''
run 0 "$weir" describe WriteMessages
out_has '^  repeated weir.v1.NewMessage messages = 2;$'
run 0 "$weir" describe Expectation
out_has '^  oneof int64 exact = 1;$'
run 2 "$weir" describe Nothing
run 0 "$weir" call CheckHealth
out_has '"status":"SERVING"'
run 0 "$weir" call MessageStore/WriteMessages \
    '{"stream_name":"exact-1","messages":[{"type":"T","data":{"n":12345678901234567890.10},"metadata":null}],"expectation":{"exact":-1}}'
out_has '"position":0,'
run 0 "$weir" call weir.v1.MessageStore/GetStreamMessages '{"stream_name":"exact-1","direction":"BACKWARD","types":["T","U"]}'
out_has '"data":{"n":12345678901234567890.10},"metadata":null,'
echo '{"stream_name":"exact-1"}' >request
run 0 "$weir" call GetStreamVersion - <request
out_is '{"exists":true,"version":0}'
run 1 "$weir" call WriteMessages '{"stream_name":"exact-1","messages":[{"type":"T"}],"expectation":{"no_stream":true}}'
err_has '^weir: STREAM_VERSION_CONFLICT'
run 2 "$weir" call WriteMessages '{"stream_name":"exact-1","messages":[{"typ":"T"}]}'
err_has 'messages\[0\].typ: weir.v1.NewMessage has no such field'
run 2 "$weir" call WriteMessages '{"stream_name":"exact-1","messages":[{"typ":"T"},{"type":"T"}]}'
run 2 "$weir" call WriteMessages '{"stream_name":"exact-1","messages":[{"type":"T"}],"expectation":{"exact":0,"no_stream":true}}'
err_has 'expectation.no_stream: cannot be given together with exact'
run 2 "$weir" call GetStreamVersion '{"stream_name":"exact-1","stream_name":"exact-2"}'
err_has 'stream_name: given twice'
run 2 "$weir" call GetStreamMessages '{"stream_name":7}'
run 2 "$weir" call GetStreamMessages '{"direction":"SIDEWAYS"}'
run 2 "$weir" call GetStreamMessages '{"wait_ms":-1}'
run 2 "$weir" call GetStreamMessages '[]'
run 2 "$weir" call GetStreamMessages '{"stream_name":"a"'
run 2 "$weir" call Nothing

# Contexts. An explicit server overrides the settings of the current context.
mkdir other
cp weir-data/default.token other/default.token
run 0 "$weir" context list
out_is ''
run 2 "$weir" context add here --token-file other/default.token
run 0 "$weir" context add here --server "$WEIR_SERVER" --token-file other/default.token
run 0 "$weir" context add gone --server tcp://127.0.0.1:9
run 0 "$weir" context list -o text
out_has "^here  yes      $WEIR_SERVER"
is_equal "$(ls -l config/weir/contexts.json | cut -c1-10)" -rw-------
run 1 grep -q ns_ config/weir/contexts.json
(
    cd other && unset WEIR_SERVER && "$weir" version account-1 >../out 2>../err
) || fail 'the current context was not used'
out_is 0
run 3 env -u WEIR_SERVER "$weir" version account-1 --context gone --timeout 0.2
run 2 env -u WEIR_SERVER "$weir" version account-1 --context nothing
run 3 "$weir" version account-1 --server tcp://127.0.0.1:9 --timeout 0.2
# An explicit context overrides the environment, so that no token reaches another server; options override the context.
run 3 "$weir" version account-1 --context gone --timeout 0.2
run 3 env WEIR_CONTEXT=gone "$weir" version account-1 --timeout 0.2
run 0 "$weir" version account-1 --context gone --server "$WEIR_SERVER"
run 0 env WEIR_TOKEN=another "$weir" version account-1 --context here
run 1 env WEIR_TOKEN=another "$weir" version account-1 --context gone --server "$WEIR_SERVER"
run 0 "$weir" context use gone
run 3 env -u WEIR_SERVER "$weir" version account-1 --timeout 0.2
run 0 "$weir" version account-1
run 0 "$weir" context remove gone
run 2 "$weir" context use gone
run 2 "$weir" context remove gone
# Names that JSON cannot represent would make the file unreadable.
run 2 "$weir" context add "$(printf 'odd-\377')" --server "$WEIR_SERVER"
run 2 "$weir" context add odd --server "$(printf 'tcp://\377:1')"
mkdir "$(printf 'odd-\377')"
cp other/default.token "$(printf 'odd-\377')"
(
    cd "$(printf 'odd-\377')" && "$weir" context add odd --server "$WEIR_SERVER" --token-file default.token 2>../err
)
is_equal $? 2
err_has 'not UTF-8'
run 0 "$weir" context list
out_lines 1
run 2 "$weir" context add '' --server "$WEIR_SERVER"
run 2 "$weir" context add here --server nonsense
err_has "'nonsense' is not a URL"
run 2 "$weir" context add here --server tcp://127.0.0.1
err_has 'has no port'
run 2 "$weir" context add here --server tls+tcp://localhost:1 --tls-ca no-such-file
err_has 'no-such-file'
run 0 "$weir" context list
out_has "\"name\":\"here\",.*\"server\":\"$WEIR_SERVER\""
run 2 "$weir" context add odd --server "$WEIR_SERVER" --token-file no-such-file
err_has "'no-such-file': No such file or directory"
# Another process may be writing the file at the same time, under a temporary name of its own.
mkdir config/weir/contexts.json.new
run 0 "$weir" context add second --server "$WEIR_SERVER"
rmdir config/weir/contexts.json.new
is_equal "$(ls -A config/weir)" contexts.json
# A file with more contexts than the limit must not lose any in a change.
{
    printf '{"current":null,"contexts":{'
    seq -f '"c%g":{"server":"tcp://127.0.0.1:9"},' 256 | tr -d '\n'
    printf '"last":{"server":"tcp://127.0.0.1:9"}}}'
} >config/weir/contexts.json
run 1 "$weir" context use c1
err_has 'more than 256 contexts'
run 0 grep -q '"last"' config/weir/contexts.json
echo '{"broken"' >config/weir/contexts.json
run 1 env -u WEIR_SERVER "$weir" version account-1
err_has 'contexts.json'

# The contents of a namespace with a damaged file are unknown, which is not reported as empty.
admin 0 namespace create damaged
stop_server
file=weir-data/ns-$(printf damaged | sha256sum | cut -c1-64).db
[ -f "$file" ] || fail "there is no $file"
rm -f "$file"-*
echo 'no database' >"$file"
start_server
admin 0 namespace list
out_has '^{"namespace":"damaged","created_at":"[^"]*"}$'
out_has '^{"namespace":"default".*"message_count":[1-9]'
admin 0 namespace list -o text
out_has '^damaged .*Z  -  *-  *-  *-$'
finish

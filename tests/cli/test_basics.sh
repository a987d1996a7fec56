#!/bin/sh
# The commands write, read, category, last, version, health and info: output, exit statuses and environment.
. "$(dirname "$0")/lib.sh"
start_server

# Usage.
run 2 "$weir"
err_has 'no command given'
run 2 "$weir" nonsense
err_has "unknown command 'nonsense'"
run 2 "$weir" write stream-1
err_has 'STREAM TYPE'
run 2 "$weir" version a b
run 2 "$weir" version stream-1 --no-such-option
run 2 "$weir" version stream-1 --timeout soon
err_has "'soon'"
run 2 "$weir" version stream-1 --server tcp://127.0.0.1
err_has 'has no port'
run 2 "$weir" version stream-1 -o xml
err_has "'xml' is not one of: json, text"
run 2 "$weir" read stream-1 --from x
run 2 "$weir" write stream-1 Type --expect never
err_has "not a version, 'no-stream' or 'stream-exists'"
run 2 "$weir" streams --limit many
err_has "not a whole number (0 or more) or 'all'"
run 2 "$weir" subscribe --stream stream-1 --from middle
err_has "not a position, 'begin' or 'end'"
run 2 "$weir" subscribe --all --durable name --attempts 0 --server tcp://127.0.0.1:1 --timeout 1
run 2 "$weir" category account --group 1
run 0 "$weir" --help
out_has '^  write '
run 0 "$weir" help write
out_has 'expect'
run 0 "$weir" write --help
out_has 'expect'
run 0 "$weir" --version
out_has '^weir [0-9]'

# The server.
run 0 "$weir" health
out_has '"status":"SERVING"'
run 0 "$weir" info
out_has '"message_db_compat":"1.3.0"'
info='{"server_version","protocol_version","message_db_compat","backend","schema_version"}'
is_equal "$(sed 's/:[^,}]*//g' out)" "$info"
run 0 "$weir" call GetServerInfo
is_equal "$(sed 's/:[^,}]*//g' out)" "$info"
run 0 "$weir" info -o text
out_has '^backend  *sqlite'

# Writing and reading back.
run 0 "$weir" version account-1
out_is -1
run 0 "$weir" last account-1
out_is ''
run 0 "$weir" write account-1 Opened '{"amount": 12345678901234567890.10}' --expect no-stream \
    --id a5eb2a97-84d9-4ccf-8a56-7160338b11e2 --metadata '{"correlationStreamName":"deal-7"}'
out_has '^{"id":"a5eb2a97-84d9-4ccf-8a56-7160338b11e2","stream":"account-1","type":"Opened","pos":0,"gpos":1,"time":"2[0-9-]*T[0-9:.]*Z"}$'
run 0 "$weir" write account-1 Opened '{"amount": 12345678901234567890.10}' --expect no-stream \
    --id a5eb2a97-84d9-4ccf-8a56-7160338b11e2 --metadata '{"correlationStreamName":"deal-7"}'
out_has '"pos":0,.*"duplicate":true}$'
run 0 "$weir" version account-1
out_is 0
run 0 "$weir" version account-1 -o json
out_is '{"stream":"account-1","exists":true,"version":0}'
run 1 "$weir" write account-1 Opened --expect no-stream
err_has '^weir: STREAM_VERSION_CONFLICT: '
err_has '^  actual: 0$'
run 1 "$weir" write account-1 Opened --expect -1
run 0 "$weir" write account-1 Closed --expect stream-exists
run 1 "$weir" write account-1 Closed '{"broken"'
err_has '^weir: INVALID_REQUEST: '
err_has '^  field: messages\[0\].data$'
run 0 "$weir" read account-1
out_lines 2
out_has '"data":{"amount": 12345678901234567890.10},"meta":{"correlationStreamName":"deal-7"},"time"'
out_has '"type":"Closed","pos":1,"gpos":2,"time"'
run 0 "$weir" read account-1 --backward --limit 1
out_lines 1
out_has '"pos":1'
run 0 "$weir" read account-1 --headers-only
out_lines 2
run 1 grep -q data out
run 0 "$weir" read account-1 --type Closed --type Other
out_lines 1
run 0 "$weir" read account-1 --from 1
out_lines 1
run 0 "$weir" read account-1 --global-from 2
out_lines 1
run 1 "$weir" read account-1 --from 1 --global-from 2
err_has INVALID_REQUEST
run 0 "$weir" read account-1 --batch 0
out_is ''
run 0 "$weir" last account-1 --type Opened
out_has '"pos":0'
run 0 "$weir" category account --correlation deal
out_lines 1
run 1 "$weir" category account-1
err_has INVALID_REQUEST

# Standard input as one text of several lines, and as several texts.
printf '{\n  "n": 1\n}\n' >input
run 0 "$weir" write list-1 N - <input
out_lines 1
run 0 "$weir" last list-1
out_has '"data":{   "n": 1 },'
: >input
for i in $(seq 2500); do echo "{\"n\":$i}"; done >input
run 0 "$weir" write list-2 N - --expect no-stream <input
out_lines 2500
run 0 "$weir" version list-2
out_is 2499
run 0 "$weir" read list-2
out_lines 2500
is_equal "$(sed -n 's/.*"data":\(.*\),"time.*/\1/p' out | cksum)" "$(cksum <input)"
# Between two batches another writer may come. Where a version was expected, the next batch finds it changed; where only
# the stream was to exist, it still does.
mkfifo lines
for expected in 2499 stream-exists; do
    "$weir" write list-2 N - --expect "$expected" <lines >written 2>write.err &
    writer=$!
    exec 3>lines
    head -1000 input >&3
    until [ "$(wc -l <written)" -eq 1000 ]; do kill -0 $writer || break; done
    "$weir" write list-2 Other >/dev/null
    seq 3 >&3
    exec 3>&-
    wait $writer
    is_equal "$expected $?" "$expected $([ "$expected" = 2499 ] && echo 1 || echo 0)"
done
is_equal "$(wc -l <written)" 1003
# Each message carries the metadata, 68 MB in total.
head -560 input >some
run 0 "$weir" write list-4 N - --expect no-stream --metadata "\"$(printf '%0122000d' 0)\"" <some
out_lines 560
run 0 "$weir" version list-4
out_is 559
printf '1\n{"broken"\n' >input
run 1 "$weir" write list-3 N - <input
err_has 'line 2: not valid JSON'
run 0 "$weir" version list-3
out_is -1
printf '1\n2\n' >input
run 2 "$weir" write list-3 N - --id a5eb2a97-84d9-4ccf-8a56-7160338b11e2 <input
run 0 "$weir" write list-3 N - </dev/null
out_is ''

# Consumer groups: each stream belongs to one member.
for i in 1 2 3 4 5 6; do "$weir" write "group-$i" N >/dev/null; done
"$weir" category group --group 0/2 >first
"$weir" category group --group 1/2 >second
is_equal "$(cat first second | wc -l)" 6
is_equal "$(cat first second | sort -u | wc -l)" 6
for group in 0 / 0/ /2 0/0 -1/2 2/2 0/-2 0/2/2 0/2x ' 0/2' '0/ 2' 0/99999999999999999999; do
    run 2 "$weir" category group --group "$group"
    err_has "'$group' does not have the form M/N"
    run 2 "$weir" subscribe --category group --limit 1 --group "$group"
done

# Names must not send control sequences to a terminal.
run 0 "$weir" write "$(printf 'odd-\033[31m')" N
out_has 'odd-\\u001b\[31m'
run 2 "$weir" call GetStreamMessages '{"odd\u001b[31m": 1}'
err_has 'odd\\u001b\[31m: weir.v1.GetStreamMessagesRequest has no such field'

# Tokens.
cp weir-data/default.token my.token
mv weir-data/default.token weir-data/hidden.token
run 1 "$weir" version account-1
err_has '^weir: AUTH_REQUIRED'
err_has '^  give one with --token-file FILE or WEIR_TOKEN$'
run 0 "$weir" version account-1 --token-file my.token
run 0 env WEIR_TOKEN_FILE=my.token "$weir" version account-1
run 0 env WEIR_TOKEN="$(cat my.token)" "$weir" version account-1
run 1 env WEIR_TOKEN=nonsense WEIR_TOKEN_FILE=my.token "$weir" version account-1
err_has '^weir: AUTH_INVALID_TOKEN'
run 0 env WEIR_TOKEN=nonsense "$weir" version account-1 --token-file my.token
run 2 "$weir" version account-1 --token-file no-such-file
err_has 'no-such-file'
run 0 "$weir" health
mv weir-data/hidden.token weir-data/default.token

# No server.
run 3 "$weir" version account-1 --server tcp://127.0.0.1:9 --timeout 0.3
err_has '^weir: BACKEND_UNAVAILABLE: .*tcp://127.0.0.1:9'
stop_server
run 3 env WEIR_TIMEOUT=0.3 "$weir" version account-1

# A want of file descriptors is no wrong usage.
run 1 sh -c "ulimit -n 4; exec '$weir' version account-1"
is_equal "$(cat err)" 'weir: BACKEND_UNAVAILABLE: out of file descriptors'

# A full disk, and closed standard streams: output must never go elsewhere, for example into a connection.
for asked in --help --usage --version help 'help write' 'write --help'; do
    run 1 sh -c "'$weir' $asked >/dev/full"
    err_has '^weir.*: standard output: No space left on device'
done
run 1 sh -c "'$weir' --version >&-"
err_has '^weir: standard output: Bad file descriptor'
start_server
run 1 sh -c "'$weir' read list-2 >/dev/full"
err_has 'standard output: No space left on device'
run 1 sh -c "'$weir' write account-8 T 1 >/dev/full"
is_equal "$(cat err)" 'weir: standard output: No space left on device'
run 1 sh -c "timeout 60 '$weir' version account-1 >&-"
err_has 'standard output: Bad file descriptor'
run 1 sh -c "timeout 60 '$weir' write account-9 T - <&-"
err_has "'standard input': Bad file descriptor"
seq 3 | gzip | head -c -4 >short.gz
run 1 sh -c "'$weir' write account-9 T - <short.gz"
err_has '^weir: standard input, after line 3: the gzip stream ends too early'
run 1 sh -c "timeout 60 '$weir' version account-1 <&- >&- 2>&-"
run 0 sh -c "timeout 60 '$weir' version account-1 <&- 2>&-"
finish

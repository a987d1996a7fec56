#!/bin/sh
# Commands against a server with lower limits than weir's own defaults.
. "$(dirname "$0")/lib.sh"
start_server --max-batch-size 100 --max-import-records 100 --max-wait-ms 1000

record() { printf '{"id":"00000000-0000-4000-8000-%012d","stream":"a-1","type":"T","pos":%d,"gpos":%d,"time":"2024-01-01T00:00:00.000000Z"}\n' "$1" "$1" "$1"; }
for i in $(seq 350); do record "$i"; done >records
run 0 "$weir" import records
out_has '^{"imported":350,"skipped_identical":0,"max_gpos":350,'
{ for i in $(seq 351 600); do record "$i"; done; record 590 | sed 's/"T"/"U"/'; record 601; } >conflict
run 1 "$weir" import conflict
err_has 'line 251, record 251 of the input'
err_has 'stored so far: [12][0-9]* records imported'

run 0 "$weir" read a-1 --limit 350
is_equal "$(cksum <out)" "$(cksum <records)"
run 0 "$weir" read a-1 --limit 150
out_lines 150
run 0 "$weir" read a-1 --backward
out_has '"pos":1,'
run 0 "$weir" category a --limit 350
is_equal "$(cksum <out)" "$(cksum <records)"
run 0 "$weir" export
head -350 out >exported
is_equal "$(cksum <exported)" "$(cksum <records)"
run 0 "$weir" subscribe --stream a-1 --limit 350
is_equal "$(cksum <out)" "$(cksum <records)"
run 0 "$weir" subscribe --category a --durable worker --limit 350
is_equal "$(cksum <out)" "$(cksum <records)"

# A user's explicit value above a limit is refused.
run 1 "$weir" call GetStreamMessages '{"stream_name": "a-1", "batch_size": 101}'
err_has 'field: batch_size'

# A server with a smaller request limit than weir assumes, which closes the connection without a reply. Futile retries
# would last until the command's timeout.
stop_server
start_server --max-request-bytes 65536 --max-message-bytes 65536
export WEIR_TIMEOUT=86400
text() { head -c "$1" /dev/zero | tr '\0' x; }
large() { printf '{"id":"00000000-0000-4000-8000-%012d","stream":"%s","type":"T","pos":%d,"gpos":%d,"data":"%s","time":"2024-01-01T00:00:00.000000Z"}\n' "$2" "$1" "$2" "$2" "$(text "$3")"; }
{ for i in $(seq 1000 1040); do large b-1 "$i" 9000; done; for i in $(seq 1041 2400); do large b-1 "$i" 40; done; for i in $(seq 2401 2420); do large b-1 "$i" 9000; done; } >records
run 0 "$weir" import records
out_has '^{"imported":1421,"skipped_identical":0,"max_gpos":2420,'
is_equal "$(grep -c 'was lost.* larger than its --max-request-bytes: this one has [0-9]* bytes; continuing with smaller requests$' err)" 1
is_equal "$(wc -l <err)" 1
is_equal "$(grep -c 'closing a connection: its request is longer than --max-request-bytes' server.log)" 1
run 0 "$weir" import records
out_has '^{"imported":0,"skipped_identical":1421,'
run 0 "$weir" read b-1 --limit all
is_equal "$(cksum <out)" "$(cksum <records)"

{ large c-1 3000 60000; echo; large c-1 3001 65400; large c-1 3002 1; } >records
run 3 "$weir" import records
err_has 'continuing with smaller requests$'
err_has '^weir: BACKEND_UNAVAILABLE: .*larger than its --max-request-bytes: this one has 65[0-9]* bytes$'
err_has 'line 3, record 2 of the input'
err_has 'stored so far: 1 records imported'
{ for i in $(seq 3100 3120); do large c-2 "$i" 9000; done; large c-2 3115 1; } >records
run 1 "$weir" import records
err_has 'line 22, record 22 of the input'
text 65536 | sed 's/.*/{"namespace":"&"}/' >request
run 3 "$weir" call DeleteNamespace - <request
err_has '^weir: BACKEND_UNAVAILABLE: .*larger than its --max-request-bytes: this one has 65[0-9]* bytes$'

# One write request is atomic, and is retried as long as its deadline allows.
for i in $(seq 1 2300); do printf '{"n":%d}\n' "$i"; done >lines
run 0 "$weir" write d-1 T - --expect no-stream <lines
out_lines 2300
run 0 "$weir" read d-1 --limit all
sed 's/.*"data":\(.*\),"time".*/\1/' out >data
is_equal "$(cksum <data)" "$(cksum <lines)"
{ echo; head -99 lines; printf '"%s"\n' "$(text 65500)"; } >too-large
run 3 "$weir" write d-2 T - --timeout 1 <too-large
err_has 'the write had lines 2 to 101 of standard input'
{ echo; printf '"%s"\n' "$(text 65500)"; } >too-large
run 3 "$weir" write d-2 T - --timeout 1 <too-large
err_has 'the write had line 2 of standard input'
run 0 "$weir" last d-2
out_is ''
run 1 "$weir" write d-1 T - --expect 7 <lines
err_has 'STREAM_VERSION_CONFLICT'
err_has 'the write had lines 1 to 1000 of standard input'
finish

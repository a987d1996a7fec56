#!/bin/sh
# Commands against a server whose limits are lower than the numbers that weir chooses by itself.
. "$(dirname "$0")/lib.sh"
start_server --max-batch-size 100 --max-import-records 100 --max-wait-ms 1000

record() { printf '{"id":"00000000-0000-4000-8000-%012d","stream":"a-1","type":"T","pos":%d,"gpos":%d,"time":"2024-01-01T00:00:00.000000Z"}\n' "$1" "$1" "$1"; }
for i in $(seq 350); do record "$i"; done >records
run 0 "$weir" import records
out_has '^{"imported":350,"skipped_identical":0,"max_gpos":350,'
{ for i in $(seq 351 600); do record "$i"; done; record 590 | sed 's/"T"/"U"/'; record 601; } >conflict
run 1 "$weir" import conflict
err_has 'line 251, record 251 of the input'
err_has 'stored before: [12][0-9]* records imported'

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

# What a user asks for is refused where it is too much.
run 1 "$weir" call GetStreamMessages '{"stream_name": "a-1", "batch_size": 101}'
err_has 'field: batch_size'

# A server that reads smaller requests than weir would make, and says nothing to larger ones.
stop_server
start_server --max-request-bytes 65536 --max-message-bytes 65536
run 0 "$weir" info
out_has '"max_request_bytes":65536'
text() { head -c "$1" /dev/zero | tr '\0' x; }
large() { printf '{"id":"00000000-0000-4000-8000-%012d","stream":"%s","type":"T","pos":%d,"gpos":%d,"data":"%s","time":"2024-01-01T00:00:00.000000Z"}\n' "$2" "$1" "$2" "$2" "$(text "$3")"; }
{ for i in $(seq 1000 1040); do large b-1 "$i" 9000; done; for i in $(seq 1041 1900); do large b-1 "$i" 40; done; } >records
run 0 "$weir" import records
out_has '^{"imported":901,"skipped_identical":0,"max_gpos":1900,'
run 0 "$weir" import records
out_has '^{"imported":0,"skipped_identical":901,'
run 0 "$weir" read b-1
is_equal "$(cksum <out)" "$(cksum <records)"

{ large c-1 2000 60000; echo; large c-1 2001 65400; large c-1 2002 1; } >records
run 1 "$weir" import records
err_has '^weir: LIMIT_EXCEEDED: the size of the request in bytes is 65[0-9]*, the limit is 65536$'
err_has 'line 3, record 2 of the input'
err_has 'stored before: 1 records imported'
{ for i in $(seq 2100 2120); do large c-2 "$i" 9000; done; large c-2 2115 1; } >records
run 1 "$weir" import records
err_has 'line 22, record 22 of the input'

# Each line is written once, behind the one before it.
for i in $(seq 1 2300); do printf '{"n":%d,"x":"%s"}\n' "$i" "$(text $((i % 40 * 20)))"; done >lines
run 0 "$weir" write d-1 T - --expect no-stream <lines
out_lines 2300
run 0 "$weir" read d-1
sed 's/.*"data":\(.*\),"time".*/\1/' out >data
is_equal "$(cksum <data)" "$(cksum <lines)"
{ head -99 lines; echo; printf '"%s"\n' "$(text 65500)"; } >too-large
run 1 "$weir" write d-2 T - <too-large
err_has '^weir: LIMIT_EXCEEDED: the size of the request in bytes is 65[0-9]*, the limit is 65536$'
err_has 'about line 101 of standard input'
out_lines 99
run 1 "$weir" write d-1 T - --expect 7 <lines
err_has 'STREAM_VERSION_CONFLICT'
err_has 'about lines 1 to [0-9]* of standard input'
text 65536 | sed 's/.*/{"stream_name":"e-1","messages":[{"type":"T","data":"&"}]}/' >request
run 1 "$weir" call WriteMessages - <request
err_has '^weir: LIMIT_EXCEEDED: the size of the request'
finish

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
finish

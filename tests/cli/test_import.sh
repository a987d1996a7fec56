#!/bin/sh
# weir import: accepted and refused input, and its messages.
. "$(dirname "$0")/lib.sh"
start_server

id() { printf '00000000-0000-4000-8000-%012d' "$1"; }
record() { printf '{"id":"%s","stream":"a-%d","type":"T","pos":0,"gpos":%d,"data":{"n":%d},"meta":null,"time":"2024-01-01T00:00:00.000001Z"}\n' "$(id "$1")" "$1" "$1" "$1"; }
for i in $(seq 1 2500); do record "$i"; done >records

: >empty
run 0 "$weir" import empty
out_has '^{"imported":0,"skipped_identical":0,'
run 0 "$weir" import records
out_has '^{"imported":2500,"skipped_identical":0,"max_gpos":2500,'
run 0 "$weir" category ''
is_equal "$(cksum <out)" "$(cksum <records)"
run 0 "$weir" import - <records
out_has '^{"imported":0,"skipped_identical":2500,'

# A long import reports progress: as lines if standard error is no terminal; on a terminal errors get a line of their
# own.
mkfifo slowly
{ head -n 1000 records; sleep 1.2; tail -n +1001 records; } >slowly &
run 0 "$weir" import - <slowly
wait $!
# The first progress line may report 1,000 records if those took a second as well.
err_has '^weir: [12]000 records, [0-9]*/s, gpos [12]000$'
{ head -n 1500 records; echo '{"id":"nonsense"}'; } >late
run 1 script -qec "'$weir' import late" /dev/null
out_has '1000 records, [0-9]*/s, gpos 1000 '
out_has '^weir: INVALID_RECORD: line 1501, '
{ head -n 1500 records; record 1 | sed 's/"n":1/"n":0/'; } >late
run 1 script -qec "'$weir' import late" /dev/null
out_has '^weir: POSITION_EXISTS: '

# gzip input: detected and required, truncated and damaged.
for i in $(seq 2501 5000); do record "$i"; done >more
gzip -k more
run 1 "$weir" import --gzip more
err_has 'not gzip'
run 0 "$weir" import more.gz
out_has '^{"imported":2500,'
run 1 "$weir" import --gzip empty
err_has 'the input is empty, so it is not gzip$'
run 1 "$weir" import --gzip - </dev/null
gzip -k empty
run 0 "$weir" import --gzip empty.gz
out_has '^{"imported":0,"skipped_identical":0,'
"$weir" export --category none --gzip >none.gz
run 0 "$weir" import --gzip - <none.gz
out_has '^{"imported":0,"skipped_identical":0,'
run 0 "$weir" import --gzip more.gz
out_has '"skipped_identical":2500,'
for i in $(seq 5001 9000); do record "$i"; done >rest
gzip -k rest
head -c 20000 rest.gz >short.gz
run 1 "$weir" import short.gz
err_has 'gzip stream ends too early'
err_has 'stored so far: [0-9]*000 records imported'
err_has "stored so far: $("$weir" category '' --from 5001 | wc -l) records"
{ head -c 10000 rest.gz; printf 'garbage and more of it'; tail -c +10023 rest.gz; } >broken.gz
run 1 "$weir" import broken.gz
err_has 'gzip stream'
run 0 "$weir" import rest.gz
run 2 "$weir" import no-such-file
err_has 'no-such-file'
run 2 "$weir" import .
err_has "'.': "

# A file of several gzip members, and one with other data after the first member.
cat more.gz rest.gz >two.gz
run 0 "$weir" import two.gz
out_has '"skipped_identical":6500,'
{ cat more.gz; tail -c +2 rest.gz; } >no-head.gz
{ cat more.gz; printf '\37'; } >one-byte.gz
{ cat more.gz; printf 'garbage'; } >garbage.gz
for file in no-head one-byte garbage; do
    run 1 "$weir" import $file.gz
    err_has 'gzip stream'
    err_has 'stored so far: 0 records imported, 2000 skipped'
    run 1 "$weir" import --gzip - <$file.gz
done

# Invalid records are named; nothing of their batch is stored.
before=$("$weir" category '' | wc -l)
{ record 9001; echo; record 9002; echo '{"id":"nonsense"}'; record 9003; } >bad
run 1 "$weir" import bad
err_has '^weir: INVALID_RECORD: line 4, record 3: '
is_equal "$("$weir" category '' | wc -l)" "$before"
{ for i in $(seq 9001 10003); do record "$i"; done; record 9005 | sed 's/"n":9005/"n":0/'; } >conflict
run 1 "$weir" import conflict
err_has '^weir: POSITION_EXISTS: '
err_has '^  import into an empty namespace; two exports cannot be merged$'
err_has 'line 1004, record 1004 of the input'
err_has 'stored so far: 1000 records imported'

# EventoDB's files, in which absent metadata is null.
record 20000 >eventodb
run 0 "$weir" import --eventodb eventodb
run 0 "$weir" read a-20000
run 1 grep -q '"meta"' out

# CRLF line ends, unknown members, members in any order, escapes in names.
printf '{"time":"2024-01-01t01:00:00+01:00","gpos":30000,"new":[{"x":1}],"pos":3,"type":"","str\u0065am":"b-\u0031","id":"{%s}"}\r\n' "$(id 30000)" >odd
run 0 "$weir" import odd
run 0 "$weir" read b-1
out_is "{\"id\":\"$(id 30000)\",\"stream\":\"b-1\",\"type\":\"\",\"pos\":3,\"gpos\":30000,\"time\":\"2024-01-01T00:00:00.000000Z\"}"
finish

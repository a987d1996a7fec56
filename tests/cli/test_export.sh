#!/bin/sh
# weir export: the records it writes, the files it makes, and that importing an export reproduces it.
. "$(dirname "$0")/lib.sh"
start_server

id() { printf '00000000-0000-4000-8000-%012d' "$1"; }
# record GPOS STREAM POS DAY
record() {
    printf '{"id":"%s","stream":"%s","type":"T","pos":%d,"gpos":%d,"data":{"n":%d},"time":"2024-01-%02dT00:00:00.000000Z"}\n' \
        "$(id "$1")" "$2" "$3" "$1" "$1" "$4"
}
for i in $(seq 1 500); do
    record $((3 * i)) "a-$i" 0 1
    record $((3 * i + 1)) "b-1" "$i" 2
    record $((3 * i + 2)) c $((10 * i)) 3
done >all
run 0 "$weir" export
out_is ''
run 0 "$weir" export --output empty
is_equal "$(wc -c <empty)" 0
run 0 "$weir" import empty
run 0 "$weir" import all

run 0 "$weir" export
is_equal "$(cksum <out)" "$(cksum <all)"
run 0 "$weir" export --output copy
out_has '^{"exported":1500,"max_gpos":1502,'
run 0 cmp copy all
run 0 "$weir" export --gzip --output copy.gz
run 0 gzip -t copy.gz
gzip -dc copy.gz >copy
run 0 cmp copy all
"$weir" export --gzip | gzip -dc >copy
run 0 cmp copy all
is_equal "$(ls | grep -c 'copy.*\.......$')" 0
# A target other than a regular file is written to and keeps its type; a symbolic link stays.
mkfifo piped
cat piped >copy &
reader=$!
run 0 "$weir" export --output piped
[ -p piped ] || {
    fail 'the pipe is one no more'
    kill $reader
}
wait $reader
run 0 cmp copy all
mkdir behind
echo old >behind/file
ln -s behind/file link
run 0 "$weir" export --output link
[ -L link ] || fail 'the link is one no more'
run 0 cmp behind/file all
run 2 "$weir" export --output behind
err_has 'behind: Is a directory'
umask 022
run 0 "$weir" export --output shared
is_equal "$(ls -l shared | cut -c1-10)" -rw-r--r--
chmod 600 shared
run 0 "$weir" export --output shared
is_equal "$(ls -l shared | cut -c1-10)" -rw-------

# Categories, merged by global position; time ranges.
run 0 "$weir" export --category b --category a --category b
grep -v '"stream":"c"' all >some
is_equal "$(cksum <out)" "$(cksum <some)"
run 0 "$weir" export --category '' --category a
is_equal "$(cksum <out)" "$(cksum <all)"
run 0 "$weir" export --category a --category ''
is_equal "$(cksum <out)" "$(cksum <all)"
run 0 "$weir" export --since 2024-01-02 --until 2024-01-03
grep '"stream":"b-1"' all >some
is_equal "$(cksum <out)" "$(cksum <some)"
run 0 "$weir" export --since 2024-01-02T01:00:00+01:00 --until 2024-01-02T00:00:00.000001Z
is_equal "$(cksum <out)" "$(cksum <some)"
run 2 "$weir" export --since yesterday
err_has "'yesterday'"

# The file appears completely or not at all.
run 2 "$weir" export --output no-such-directory/file
err_has 'no-such-directory'
echo before >kept
run 1 "$weir" export --category with-hyphen --output kept
is_equal "$(cat kept)" before
run 1 sh -c "'$weir' export >/dev/full"
err_has 'standard output'
is_equal "$(ls | grep -c 'kept\.')" 0

# A file that has reached its size limit.
run 1 sh -c "ulimit -f 8; '$weir' export --output kept"
err_has 'kept: File too large'
is_equal "$(cat kept)" before
is_equal "$(ls | grep -c 'kept\.')" 0

# An export of the imported copy is identical.
printf '%s\n' "$admin_token" >admin.token
run 0 "$weir" --token-file admin.token namespace create copy
run 0 "$weir" --token-file admin.token --namespace copy import copy.gz
run 0 "$weir" --token-file admin.token --namespace copy export
is_equal "$(cksum <out)" "$(cksum <all)"

# Data keep their length: a megabyte of characters that would be escaped on a terminal.
run 0 "$weir" --token-file admin.token namespace create odd
python3 -c 'print("\"" + "\u0085\u007f" * 349000 + "\"")' >odd-data
"$weir" --token-file admin.token --namespace odd write odd-1 T - <odd-data >/dev/null || fail 'odd data are not taken'
run 0 "$weir" --token-file admin.token --namespace odd export --output odd-export
run 0 "$weir" --token-file admin.token namespace create even
run 0 "$weir" --token-file admin.token --namespace even import odd-export
run 0 "$weir" --token-file admin.token --namespace even export
is_equal "$(cksum <out)" "$(cksum <odd-export)"
# On a terminal these characters are escaped, for standard output and for a named file alike.
for output in '' '--output /dev/tty'; do
    run 0 script -qec "'$weir' --token-file admin.token --namespace even export $output" /dev/null
    out_has '"data":"\\u0085\\u007f\\u0085'
done
for name in odd even; do
    run 0 "$weir" --token-file admin.token namespace delete $name
done

# Messages written during an export are not in it; the export waits for its reader half way.
run 0 "$weir" --token-file admin.token namespace create large
pad=$(printf '%01000d' 0 | tr 0 x)
for i in $(seq 3000); do printf '"%s"\n' "$pad"; done | "$weir" --token-file admin.token --namespace large write early-1 T - >/dev/null
mkfifo pipe
"$weir" --token-file admin.token --namespace large export >pipe &
exporter=$!
exec 3<pipe
read -r line <&3
run 0 "$weir" --token-file admin.token --namespace large write late-1 T
cat <&3 >rest
exec 3<&-
wait $exporter
is_equal $? 0
is_equal "$(wc -l <rest)" 2999
run 1 grep -q late-1 rest

# With concurrent writers an export ends at the head at its start, without gaps.
{ while :; do "$weir" write live-1 T >/dev/null 2>&1 || exit 0; done; } &
writer=$!
run 0 "$weir" export
kill "$writer"
wait "$writer" 2>/dev/null
n=$(grep -c '"stream":"live-1"' out)
is_equal "$(grep '"stream":"live-1"' out | sed 's/.*"pos":\([0-9]*\).*/\1/' | tr '\n' ' ')" \
    "$(i=0; while [ $i -lt "$n" ]; do printf '%d ' $i; i=$((i + 1)); done)"

# Under nohup the export outlives its terminal.
kill -STOP "$server_pid"
(
    trap '' HUP
    exec "$weir" export --output whole
) &
exporter=$!
until [ -n "$(ls whole.* 2>/dev/null)" ]; do kill -0 $exporter || break; done
kill -HUP $exporter
kill -CONT "$server_pid"
wait $exporter
is_equal $? 0
run 0 grep -q '"stream":"live-1"' whole

# A time outside the text range, which earlier imports accepted: the error names the message; no file and no partial
# answer.
stop_server
python3 - <<'EOF' || fail 'the store cannot be changed'
import glob, sqlite3
for path in glob.glob("weir-data/*.db"):
    with sqlite3.connect(path) as db:
        if db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'messages'").fetchone():
            (packed,) = db.execute("SELECT packed FROM messages WHERE global_position = 1500").fetchone()
            changed = packed[:16] + (2**63 - 1).to_bytes(8, "big") + packed[24:]
            db.execute("UPDATE messages SET packed = ? WHERE global_position = 1500", (changed,))
EOF
start_server
echo before >kept
run 1 "$weir" export --output kept
err_has '^weir: DATA_CORRUPT: .* global position 1500 '
is_equal "$(cat kept)" before
run 1 script -qec "'$weir' export --output kept" /dev/null
out_has '^weir: DATA_CORRUPT: '
run 0 "$weir" export --category b
run 0 "$weir" export --until 2024-01-03
run 1 "$weir" read a-500
err_has 'global position 1500 '
out_is ''
run 1 "$weir" category a --from 1497
err_has 'global position 1500 '
out_lines 1
run 1 "$weir" last a-500
run 1 "$weir" subscribe --stream a-500 --limit 1
err_has 'global position 1500 '
run 1 "$weir" subscribe --stream a-500 --limit 1 --exec true
# A durable subscription parks the message and continues.
run 0 "$weir" subscribe --all --from 1499 --durable odd --limit 3
out_lines 2
err_has 'global position 1500 '
run 0 "$weir" subscribe --all --durable odd --limit 1
is_equal "$(cat err)" ''
run 1 "$weir" subscribe --all --durable odd --parked
err_has 'global position 1500 '
err_has 'global position 1500 '
finish

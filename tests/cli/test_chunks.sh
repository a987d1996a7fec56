#!/bin/sh
# chunks list, compress and drop on the TimescaleDB named by WEIR_TEST_STORE (tests/lib/with_timescale.sh).
. "$(dirname "$0")/lib.sh"
start_server --store "${WEIR_TEST_STORE:?the URL of a TimescaleDB}"
printf '%s\n' "$admin_token" >admin.token
admin() { status=$1; shift; run "$status" "$weir" --token-file admin.token --namespace tenant "$@"; }

# One message a day, from 40 to 21 days ago.
admin 0 namespace create tenant
sed 's/.*"token":"\([^"]*\)".*/\1/' out >tenant.token
for day in $(seq 1 20); do
    printf '{"id":"00000000-0000-4000-8000-%012d","stream":"a-1","type":"T","pos":%d,"gpos":%d,"time":"%s"}\n' \
        "$day" $((day - 1)) "$day" "$(date -u -d "$((41 - day)) days ago" +%Y-%m-%dT12:00:00Z)"
done >records
admin 0 import records

admin 0 chunks list
cp out chunks
chunks=$(wc -l <chunks)
[ "$chunks" -ge 3 ] && [ "$chunks" -le 4 ] || fail "20 days are in $chunks chunks of a week"
out_has '^{"name":"[^"]*","range_start":"2[^"]*Z","range_end":"2[^"]*Z","compressed":\(true\|false\),"size_bytes":[1-9][0-9]*,"row_count":[0-9]*}$'
admin 0 chunks list -o text
out_has '^NAME  *RANGE START  *RANGE END  *COMPRESSED  *SIZE BYTES  *ROW COUNT$'
out_lines $((chunks + 1))

# All chunks that end before the limit are compressed, by this command or earlier by the policy.
admin 0 chunks compress 10d
cp out compressed
run 0 sh -c '! grep -v "^{\"name\":\"[^\"]*\"}\$" compressed'
admin 0 chunks list
is_equal "$(grep -c '"compressed":true' out)" "$chunks"
admin 0 chunks compress 10d
out_is ''
run 0 "$weir" --token-file tenant.token read a-1
out_lines 20

# Dropped chunks lose their messages, and the stream keeps its version.
admin 1 chunks drop 28d
err_has '^weir: PRECONDITION'
admin 1 chunks drop 28d --confirm default
err_has '^weir: PRECONDITION'
admin 0 chunks list
out_lines "$chunks"
admin 0 chunks drop 28d --confirm tenant
cp out dropped
dropped=$(wc -l <dropped)
[ "$dropped" -ge 1 ] || fail 'nothing was dropped'
admin 0 chunks list
cp out left
out_lines $((chunks - dropped))
while read -r name; do
    run 1 grep -F "${name%\}}" left
done <dropped
run 0 "$weir" --token-file tenant.token read a-1
[ "$(wc -l <out)" -lt 20 ] && [ "$(wc -l <out)" -gt 0 ] || fail "$(wc -l <out) messages are left of 20"
run 0 "$weir" --token-file tenant.token version a-1
out_is 19

# Ages are validated, and only an admin may use the commands.
admin 1 chunks compress soon
err_has '^weir: INVALID_REQUEST'
admin 1 chunks drop --confirm tenant -- -1d
run 1 "$weir" --token-file tenant.token chunks list
err_has '^weir: AUTH_UNAUTHORIZED'
finish

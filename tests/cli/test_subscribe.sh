#!/bin/sh
# weir subscribe: printing, commands, durable positions, parking, signals.
. "$(dirname "$0")/lib.sh"
start_server

run 2 "$weir" subscribe
run 2 "$weir" subscribe --all --stream a-1
run 2 "$weir" subscribe --all --from never
run 2 "$weir" subscribe --all --parked
run 2 "$weir" subscribe --all --durable x --replay
run 2 "$weir" subscribe --all --durable x --parked --exec true
err_has 'to run --exec on parked messages use --replay'
run 2 "$weir" subscribe --category a --group x
run 3 "$weir" subscribe --all --server tcp://127.0.0.1:9 --timeout 0.2
run 1 "$weir" subscribe --category a-1
err_has '^weir: INVALID_REQUEST'

for i in 1 2 3; do "$weir" write "account-$i" T "{\"n\":$i}" >/dev/null; done
run 0 "$weir" subscribe --category account --limit 3
out_lines 3
out_has '"data":{"n":3}'
run 0 "$weir" subscribe --stream account-1 --headers-only --limit 1
run 1 grep -q data out
run 0 "$weir" subscribe --all --from 2 --limit 2
out_lines 2
run 0 "$weir" subscribe --category account --limit 0
out_is ''

for type in T U V; do "$weir" write typed-1 "$type" >/dev/null; done
run 0 "$weir" subscribe --category typed --type U --type V --limit 2
out_lines 2
out_has '"type":"V"'

# A live message ends a waiting subscription with --limit 1.
"$weir" subscribe --all --limit 1 >live 2>live.err &
follower=$!
while kill -0 $follower 2>/dev/null; do "$weir" write live-1 T '"live"' >/dev/null; done
wait $follower || fail "subscribe --all ended with $?"
checks=$((checks + 1))
grep -q '"data":"live"' live || fail 'the live message was not printed'

# Commands.
run 0 "$weir" subscribe --category account --limit 2 --exec \
    'read -r line; echo "$WEIR_STREAM $WEIR_TYPE $WEIR_POSITION $WEIR_GLOBAL_POSITION $WEIR_ATTEMPT"'
out_is 'account-1 T 0 1 1
account-2 T 0 2 1'
run 0 "$weir" subscribe --category account --limit 3 --exec true
run 1 "$weir" subscribe --category account --limit 3 --exec 'exit 3'
err_has 'status 3'

# A durable subscription continues at its stored position.
run 0 "$weir" subscribe --category account --durable worker --limit 2
out_lines 2
run 0 "$weir" subscribe --category account --durable worker --limit 1
out_lines 1
out_has '"stream":"account-3"'
run 1 "$weir" subscribe --category other --durable worker --limit 1
err_has '^weir: PRECONDITION'
# --from counts only while no position has been stored.
run 0 "$weir" subscribe --category account --durable started --from 2 --limit 1
out_has '"stream":"account-2"'
is_equal "$(cat err)" ''
run 0 "$weir" subscribe --category account --durable started --from begin --limit 1
out_has '"stream":"account-3"'
err_has '^weir: --from is ignored.* 3$'

# Of two concurrent subscriptions with one name, one ends and reports why.
"$weir" subscribe --category rival --durable rival >rival 2>rival.err &
follower=$!
until [ "$("$weir" version weirConsumer:position-rival)" -eq 0 ]; do kill -0 $follower || break; done
"$weir" write rival-1 T >/dev/null
run 0 "$weir" subscribe --category rival --durable rival --limit 1
wait $follower
is_equal $? 1
run 0 grep -q '^weir: STREAM_VERSION_CONFLICT' rival.err
run 0 grep -q '^  another subscription of this name is running, or the namespace was cleared$' rival.err

# A message that could not be printed does not count as handled, even if no buffered output is left to flush.
run 1 env ASAN_OPTIONS=verify_asan_link_order=0 stdbuf -o0 sh -c \
    "exec '$weir' subscribe --category account --durable unprinted --limit 1 >/dev/full"
err_has '^weir: standard output: No space left on device$'
run 1 sh -c "'$weir' subscribe --category account --limit 1 >/dev/full"
err_has '^weir: standard output: No space left on device$'
# A reader that has gone is no news.
run 0 sh -c "'$weir' subscribe --category account --limit 3 | head -n 1"
is_equal "$(cat err)" ''
run 0 "$weir" subscribe --category account --durable unprinted --limit 1
out_has '"stream":"account-1"'

# A message that keeps failing is parked, listed and replayed. A parked message counts as handled.
run 0 timeout 60 "$weir" subscribe --category account --durable failing --limit 2 --attempts 1 --exec 'cat; exit 1'
out_lines 2
err_has "^weir: parking the message at position 0 of stream 'account-1' after 1 attempt\$"
run 0 timeout 60 "$weir" subscribe --category account --durable failing --limit 1 --exec 'echo "$WEIR_ATTEMPT"; exit 1'
out_is '1
2
3
4
5'
run 0 "$weir" subscribe --category account --durable failing --parked
out_lines 3
run 0 "$weir" subscribe --category account --durable failing --parked --limit 2
out_lines 2
out_has '"data":'
run 0 "$weir" subscribe --category account --durable failing --parked --headers-only
out_lines 3
is_equal "$(grep -c '"data":' out)" 0
run 0 "$weir" subscribe --category account --durable failing --replay --limit 1 --exec cat
out_lines 1
run 0 "$weir" subscribe --category account --durable failing --parked
out_lines 2
run 0 "$weir" subscribe --category account --durable picky --limit 3 --attempts 2 \
    --exec 'echo "$WEIR_STREAM $WEIR_ATTEMPT"; [ "$WEIR_STREAM" != account-2 ]'
out_is 'account-1 1
account-2 1
account-2 2
account-3 1'
run 0 "$weir" subscribe --category account --durable picky --parked
out_lines 1
out_has '"stream":"account-2"'
run 1 "$weir" subscribe --category account --durable picky --replay --exec 'exit 1'
# A command that is not there parks nothing.
run 1 timeout 60 "$weir" subscribe --category account --durable misspelt --limit 1 --attempts 1 --exec ./misspelt
err_has '^weir: the command cannot be run: the shell ended with status 127$'
run 0 "$weir" subscribe --category account --durable misspelt --parked
out_lines 0
run 0 timeout 60 "$weir" subscribe --category account --durable misspelt --limit 1 --exec 'echo "$WEIR_STREAM"'
out_is account-1
# A signal ends a replay after the current message.
run 0 "$weir" subscribe --category account --durable lazy --limit 3 --attempts 1 \
    --exec '[ "$WEIR_STREAM" = account-3 ]'
run 0 "$weir" subscribe --category account --durable lazy --replay --exec 'cat; kill -TERM $PPID; sleep 0.5'
out_lines 1
run 0 "$weir" subscribe --category account --durable lazy --parked
out_lines 1
run 0 "$weir" subscribe --category account --durable picky --replay --exec 'cat'
out_lines 1
run 0 "$weir" subscribe --category account --durable picky --parked
out_is ''

# A signal ends the subscription with exit status 0 and the position stored.
"$weir" subscribe --category account --durable ended --exec 'echo $WEIR_STREAM' >ended 2>ended.err &
follower=$!
until [ "$(wc -l <ended)" -eq 3 ]; do kill -0 $follower || break; done
kill -TERM $follower
wait $follower
is_equal $? 0
"$weir" write account-4 T >/dev/null
run 0 "$weir" subscribe --category account --durable ended --limit 1
out_has '"stream":"account-4"'

# A signal that ends the command as well, before or after weir, even at the last attempt: the message is delivered
# again.
for killing in 'kill -TERM $PPID $$' '(sleep 0.05; kill -TERM $PPID) & kill -TERM $$'; do
    run 0 timeout 60 "$weir" subscribe --category account --durable "together-${#killing}" --limit 1 --attempts 1 \
        --exec "$killing"
    run 0 "$weir" subscribe --category account --durable "together-${#killing}" --parked
    out_is ''
    run 0 "$weir" subscribe --category account --durable "together-${#killing}" --limit 1
    out_has '"stream":"account-1"'
    run 0 timeout 60 "$weir" subscribe --category account --exec "$killing"
done
# A signal to the command alone counts as a failure of the command.
run 0 timeout 60 "$weir" subscribe --category account --durable alone --limit 1 --attempts 1 --exec 'kill -TERM $$'
err_has '^weir: parking the message at position 0 '

# The parent process may have set SIGCHLD to be ignored.
run 0 python3 -c 'import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])' "$weir" subscribe --category account --durable deserted --limit 1 --attempts 1 \
    --exec true
is_equal "$(cat err)" ''

# Other signals have their default effect, and do not stop weir from noticing SIGTERM.
"$weir" subscribe --category account --from begin >deaf 2>deaf.err &
follower=$!
until [ -s deaf ]; do kill -0 $follower || break; done
kill -USR1 $follower
kill -TERM $follower 2>/dev/null
tries=0
while kill -0 $follower 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -le 100 ] || { fail 'subscribe outlives SIGTERM after SIGUSR1'; kill -KILL $follower; }
    sleep 0.1
done
wait $follower
is_equal $? 138

# Signals ignored by the parent process, as under nohup, stay ignored; SIGTERM always ends the subscription.
(
    trap '' HUP INT
    exec "$weir" subscribe --category account --from begin
) >ignoring 2>ignoring.err &
follower=$!
until [ -s ignoring ]; do kill -0 $follower || break; done
kill -HUP $follower
kill -INT $follower
"$weir" write account-6 T >/dev/null
until grep -q account-6 ignoring; do kill -0 $follower || break; done
run 0 grep account-6 ignoring
kill -TERM $follower
wait $follower
is_equal $? 0

# Before the subscription has started, a signal has its default effect.
for ignored in '' TERM; do
    (
        [ -z "$ignored" ] || trap '' "$ignored"
        exec "$weir" subscribe --all --server tcp://127.0.0.1:9 --timeout 60
    ) 2>early.err &
    follower=$!
    until grep -q '^SigBlk:.*[1-9a-f]' "/proc/$follower/status"; do kill -0 $follower || break; done
    kill -TERM $follower
    wait $follower
    is_equal $? 143
done

# A restart of the server does not end the subscription.
"$weir" subscribe --category account --from end --limit 1 >after 2>after.err &
follower=$!
stop_server
is_equal "$server_status" 0
start_server
while kill -0 $follower 2>/dev/null; do "$weir" write account-5 T >/dev/null; done
wait $follower || fail "subscribe did not live through the restart: $(cat after.err)"
checks=$((checks + 1))
grep -q account-5 after || fail 'no message after the restart'

# A last message that could not be parked does not count as handled.
run 1 "$weir" subscribe --category account --durable away --limit 1 --attempts 1 --timeout 1 \
    --exec "kill -KILL $server_pid; exit 1"
err_has '^weir: the last message could not be parked; it will be delivered again'
wait "$server_pid" 2>/dev/null
start_server
run 0 "$weir" subscribe --category account --durable away --limit 1
out_has '"stream":"account-1"'
finish

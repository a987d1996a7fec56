#!/bin/sh
# From an empty machine to messages written and read back: installs missing packages, builds, starts weir-server on its
# SQLite default, imports real events, writes, reads, and stops the server. Each run has a new directory of its own,
# build/quickstart/1, 2, …, so the script can be run any number of times.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
bin=$root/build/release
steps=8
step=0
pid=

run=1
mkdir -p build/quickstart
while ! mkdir "build/quickstart/$run" 2>/dev/null; do
    run=$((run + 1))
done
work=$root/build/quickstart/$run

# say TEXT: one numbered line for each step.
say() {
    step=$((step + 1))
    printf '\n[%d/%d] %s\n' "$step" "$steps" "$1"
}

# show WORD...: shows a command as it would be typed, runs it and shows its output; ends the script where it fails. No word
# may contain a single quote.
show() {
    line=
    for word; do
        case $word in
        *[!A-Za-z0-9_./:=-]*) line="$line '$word'" ;;
        *) line="$line $word" ;;
        esac
    done
    printf '  $%s\n' "$line"
    "$@" >"$work/output" 2>&1 || {
        sed 's/^/    /' "$work/output"
        echo "quickstart: the command above should have succeeded" >&2
        exit 1
    }
    sed 's/^/    /' "$work/output"
    rm -f "$work/output"
}

stop_server() {
    if [ -n "$pid" ]; then
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
        pid=
    fi
}
trap stop_server EXIT
trap 'exit 130' INT TERM

say "Packages"
sh server/packages.sh build
echo "  all installed"

say "Build (in build/release; about a minute the first time)"
if ! { cmake --preset release && cmake --build --preset release --parallel "$(nproc)" --target weir-server weir; } \
    >"$work/build.log" 2>&1; then
    cat "$work/build.log" >&2
    echo "quickstart: the build failed; its output is above" >&2
    exit 1
fi
PATH=$bin/server:$bin/client:$PATH
echo "  $(weir-server --version)"

say "Start weir-server on the SQLite default"
cd "$work"
mkfifo listening
weir-server --listen tcp://127.0.0.1:0 >listening 2>server.log &
pid=$!
read -r line <listening || {
    cat server.log >&2
    echo "quickstart: weir-server did not start; its log is above" >&2
    exit 1
}
rm -f listening
echo "  $line"
WEIR_SERVER=${line#listening on }
export WEIR_SERVER
show weir health

say "Import real events: a git history, one message a commit and one a changed file"
if sh "$root/server/git_events.sh" "$root" >events.ndjson 2>/dev/null; then
    echo "  this repository's history: $(wc -l <events.ndjson) records"
else
    echo "  no git history here: a small sample"
    cat >events.ndjson <<'SAMPLE'
{"id":"00000000-0000-4000-8000-000000000001","stream":"commit-a1","type":"CommitMade","pos":0,"gpos":1,"data":{"subject":"Begin"},"time":"2025-01-15T10:00:00.000001Z"}
{"id":"00000000-0000-4000-8000-000000000002","stream":"file-README.md","type":"FileChanged","pos":0,"gpos":2,"data":{"added":12,"removed":0},"meta":{"correlationStreamName":"commit-a1"},"time":"2025-01-15T10:00:00.000002Z"}
{"id":"00000000-0000-4000-8000-000000000003","stream":"commit-b2","type":"CommitMade","pos":0,"gpos":3,"data":{"subject":"Say more"},"time":"2025-01-15T11:30:00.000001Z"}
{"id":"00000000-0000-4000-8000-000000000004","stream":"file-README.md","type":"FileChanged","pos":1,"gpos":4,"data":{"added":3,"removed":1},"meta":{"correlationStreamName":"commit-b2"},"time":"2025-01-15T11:30:00.000002Z"}
SAMPLE
fi
show weir import events.ndjson
echo "  by category, and by stream:"
show weir category commit --limit 2
longest=$(sed -n 's/.*"stream":"\(file-[^"]*\)".*/\1/p' events.ndjson | sort | uniq -c | sort -rn |
    sed -n '1s/^ *[0-9]* //p')
show weir read "$longest" --limit 2

say "Write with an expected version, and meet the conflict of a second writer"
version=$(weir version account-1)
echo "  account-1 is at version $version; two writers have read that version"
show weir write account-1 Deposited '{"amount": 100}' --expect "$version"
echo "  the second writer expects the same version, and is refused:"
if weir write account-1 Withdrawn '{"amount": 70}' --expect "$version" >conflict 2>&1; then
    echo "quickstart: the second write should have been refused" >&2
    exit 1
fi
sed 's/^/    /' conflict
rm -f conflict
echo "  it reads again, decides again, and writes with the new version:"
show weir write account-1 Withdrawn '{"amount": 70}' --expect "$((version + 1))"

say "Read it back"
show weir read account-1 --backward --limit 2
show weir category account --limit 2

say "Follow a live write: a subscription waits for the next message"
next=$((version + 3))
echo "  \$ weir subscribe --stream account-1 --from $next --limit 1 &"
weir subscribe --stream account-1 --from "$next" --limit 1 >followed 2>&1 &
follower=$!
show weir write account-1 Closed '{"reason": "moved"}' --expect "$((next - 1))"
wait "$follower" || {
    cat followed >&2
    echo "quickstart: the subscription should have seen the write" >&2
    exit 1
}
echo "  and the subscription prints:"
sed 's/^/    /' followed
rm -f followed

say "Stop the server"
stop_server
echo "  stopped; the data stays in build/quickstart/$run/weir-data"
cat <<NEXT

What to type next:
    cd build/quickstart/$run && PATH=$bin/server:$bin/client:\$PATH
    weir-server &                                        # on tcp://127.0.0.1:7117, with this data
    weir write account-2 Opened '{"owner": "you"}' --expect no-stream
    weir subscribe --category account                    # another terminal sees what you write
    weir --help
NEXT

#!/bin/sh
# Measures weir on this machine, next to the limits that bound it, and makes a page of it:
# `sh bench/run.sh` builds the release, runs everything in interleaved rounds and writes build/bench/report.md with its
# charts. It shows what it does, and ends with status 1 where a measurement failed. Further words:
#
#   --rounds N        rounds (6: fewer give no 95 % interval)
#   --seconds S       measured time of each measurement (2)
#   --full            up to 10^7 messages and 10^5 streams, not 10^6 and 10^4: some minutes more for each round
#   --quick           one short round: to see that it works, not to measure
#   --only PATTERN    only measurements whose names match (a shell pattern)
#   --except PATTERN  none whose names match
#   --output DIR      instead of build/bench; what is in DIR/results goes
#   --add             what is there stays, and the page shows both: for parts that are measured one after the other
#   --page            only make the page again out of the results that are there
#
# PostgreSQL, Redis and gRPC are measured where they are installed or can be (apt-get, as root). Message DB is measured
# where npm can bring it, or MESSAGE_DB_URL names a database that holds it: messages are written to it.
set -eu
called_from=$PWD
cd "$(dirname "$0")/.."

rounds=6
seconds=2
warmup=0.5
size=normal
only='*'
except=
adds=no
output=$PWD/build/bench
page_only=no

# wrong MESSAGE: ends a call that makes no sense.
wrong() {
    echo "run.sh: $1; sh bench/run.sh --help tells what there is" >&2
    exit 2
}

# Prints the value of the option that the arguments start with.
value() {
    [ $# -gt 1 ] && [ -n "$2" ] || wrong "$1 takes a value"
    printf '%s\n' "$2"
}

# is_within TEXT PATTERN LOW HIGH: succeeds if the text is a number of that form and size.
is_within() {
    awk -v text="$1" -v form="$2" -v low="$3" -v high="$4" \
        'BEGIN { exit !(text ~ form && text + 0 >= low && text + 0 <= high) }'
}

while [ $# -gt 0 ]; do
    case $1 in
    --rounds)
        rounds=$(value "$@") || exit 2
        shift
        ;;
    --seconds)
        seconds=$(value "$@") || exit 2
        shift
        ;;
    --full) size=full ;;
    --quick) size=quick && rounds=1 && seconds=0.3 && warmup=0.1 ;;
    --only)
        only=$(value "$@") || exit 2
        shift
        ;;
    --except)
        except=$(value "$@") || exit 2
        shift
        ;;
    --output)
        output=$(value "$@") || exit 2
        shift
        ;;
    --add) adds=yes ;;
    --page) page_only=yes ;;
    --help)
        sed -n '2,/^set/p' bench/run.sh | sed -n 's/^# \{0,1\}//p'
        exit 0
        ;;
    *) wrong "there is no $1" ;;
    esac
    shift
done
is_within "$rounds" '^[0-9]+$' 1 64 || wrong "--rounds: '$rounds' is not a whole number from 1 to 64"
is_within "$seconds" '^[0-9]*[.]?[0-9]+$' 0.01 3000 || wrong "--seconds: '$seconds' is not a number from 0.01 to 3000"
case $output in
/*) ;;
*) output=$called_from/$output ;;
esac

build=$PWD/build/release
bin=$build/bench
results=$output/results
work=
mkdir -p "$output"

say() {
    printf '%s  %s\n' "$(date +%T)" "$*"
}

if [ "$page_only" = no ]; then
    say "packages"
    sh server/packages.sh build
    say "build"
    cmake --preset release >"$output/build.log" 2>&1 && cmake --build --preset release --parallel "$(nproc)" \
        >>"$output/build.log" 2>&1 || {
        tail -40 "$output/build.log" >&2
        exit 1
    }
    . bench/scripts/measure.sh
    . bench/scripts/optional.sh
    . bench/scripts/subjects.sh
    [ "$adds" = yes ] || rm -rf "$results" "$output/notes.md"
    work=$(mktemp -d "${TMPDIR:-/tmp}/weir-bench-XXXXXX")
    trap 'end_measuring; rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM
    prepare_optional
    write_notes "$([ "$adds" = yes ] && echo Added || echo Made)" >>"$output/notes.md"
    round=1
    while [ "$round" -le "$rounds" ]; do
        say "round $round of $rounds"
        mkdir -p "$results/$round"
        measure_round
        round=$((round + 1))
        # The page is rewritten after every round, for readers who do not wait for all rounds.
        "$bin/weir-bench-page" "$output"
    done
fi
"$bin/weir-bench-page" "$output"
say "the page: $output/report.md"
sed -n '/^## Targets/,/^## Reads/p' "$output/report.md" | sed '$d'
if [ "$page_only" = no ]; then
    [ -n "$(find "$results" -name '*.json')" ] || wrong "no measurement was made: --only and --except leave none"
    if [ -e "$work/failed" ]; then
        echo "run.sh: failed: $(sort -u "$work/failed" | tr '\n' ' ')" >&2
        exit 1
    fi
fi

#!/bin/sh
# weir-bench-page on invented results with known figures: three rounds of some measurements, others missing.
set -u
page=${WEIR_PAGE_PROGRAM:?the path of weir-bench-page}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
checks=0
failures=0

has() {
    checks=$((checks + 1))
    grep -q -F -e "$2" "$work/$1" || {
        failures=$((failures + 1))
        printf 'FAILED: %s has no: %s\n' "$1" "$2" >&2
    }
}

is_equal() {
    checks=$((checks + 1))
    [ "$1" = "$2" ] || {
        failures=$((failures + 1))
        printf 'FAILED: %s is not %s\n' "$1" "$2" >&2
    }
}

# result ROUND NAME RATE P50
result() {
    mkdir -p "$work/results/$1"
    cat >"$work/results/$1/$2.json" <<EOF
{"operations_per_s":$3,"messages_per_s":$3,"latency_us":{"mean":$4,"p50":$4,"p75":$4,"p90":$4,"p95":$4,"p99":$4,
"p99.9":$4,"p99.99":$4,"max":$4},"generator":{"cpu_us_per_operation":3},"server":{"cpu_us_per_operation":5},
"counts":{"syncs_per_operation":0.15},"machine":{"cpu":"of this test","cores":2}}
EOF
}

"$page" "$work" 2>"$work/err"
is_equal $? 1
has err 'no results found'

# Ratios are computed in each round: 0.7, 0.5 and 0.8 give 0.7, whatever the ratio of the medians.
result 1 memory_mixed_64 70 100
result 1 echo_mixed_64 100 50
result 2 memory_mixed_64 50 100
result 2 echo_mixed_64 100 50
result 3 memory_mixed_64 800 100
result 3 echo_mixed_64 1000 50
result 1 disk_write_10_counted 1000 100
result 1 memory_open 20000 250
result 1 grow_streams_1 5000 100
result 1 grow_streams_1000 4000 100
result 1 disk_open 900 1500
# Broken results are reported and left out.
echo '{"operations_per_s":' >"$work/results/2/memory_open.json"
: >"$work/results/3/memory_open.json"

"$page" "$work" 2>"$work/err"
is_equal $? 0
has err 'memory_open.json'
has report.md '3 rounds'
has report.md '| mixed, SQLite in memory, 64 in flight / that echo | ≥ 0.6 | 0.7 (0.5 – 0.8) | met |'
has report.md '| fdatasyncs a write, times 10, with 10 in flight | ≤ 2 | 1.5 | met |'
has report.md '| `mixed`, 64 in flight | 70 (50 – 800) |'
has report.md '| open loop at half the highest rate, in memory: p99 / median | ≤ 5 | 1 | met |'
has report.md '| server with nothing to do: KiB resident | ≤ 16,384 | – | not measured |'
has report.md '| 1,000 | 4,000 |'
has report.md '![](grow-streams.svg)'
has grow-streams.svg '</svg>'
has latency.svg 'durable write, at half the highest rate'
has memory.svg 'weir, mixed'
checks=$((checks + 1))
python3 -c 'import sys, xml.dom.minidom
for file in sys.argv[1:]: xml.dom.minidom.parse(file)' "$work"/*.svg || {
    failures=$((failures + 1))
    echo "FAILED: a chart is not XML" >&2
}
is_equal "$(grep -c 'met |$' "$work/report.md")" "$(grep -c '"met"' "$work/targets.json")"
checks=$((checks + 1))
if [ -e "$work/grow-messages.svg" ] || grep -q 'PostgreSQL$' "$work/report.md"; then
    failures=$((failures + 1))
    echo "FAILED: the page shows what was not measured" >&2
fi

# A file that cannot be written is a failure, and the rest is there.
for file in latency.svg targets.json report.md; do
    rm "$work/$file"
    mkdir "$work/$file"
    "$page" "$work" 2>"$work/err"
    is_equal $? 1
    has err "$file"
    rmdir "$work/$file"
    "$page" "$work" 2>/dev/null
    is_equal $? 0
done

"$page" 2>/dev/null
is_equal $? 2
"$page" --help 2>/dev/null
is_equal $? 0
"$page" "$work/nowhere" 2>/dev/null
is_equal $? 1

echo "$checks checks, $failures failed"
[ "$failures" -eq 0 ]

#!/bin/sh
# Installs what is needed, builds weir in every way it is tested, and runs every test there is, with real servers.
# `sh tests/run.sh` runs all; further words go to ctest, e.g. `sh tests/run.sh -R conformance`.
#
# Four builds, one run: dev (gcc, ASan and UBSan), tsan (clang, TSan), release (gcc, optimised) and fuzz (clang with
# libFuzzer). ctest closes with one count over all builds; a test's name begins with its build's ("dev/arena").
set -eu
cd "$(dirname "$0")/.."

step() {
    printf '\n== %s (%s)\n' "$1" "$(date +%T)"
}

step "packages"
sh server/packages.sh test

mkdir -p build
builds="dev tsan release fuzz"
for build in $builds; do
    step "build: $build"
    cmake --preset "$build" -DWEIR_WERROR=ON >"build/$build.log" 2>&1 || {
        cat "build/$build.log"
        exit 1
    }
    cmake --build --preset "$build" --parallel "$(nproc)"
done

step "tests"
mkdir -p build/all
for build in $builds; do
    printf 'subdirs("%s")\n' "$PWD/build/$build"
done >build/all/CTestTestfile.cmake
# The tests use real servers and real timeouts, so a busy machine may starve a test. A failed test therefore runs a
# second time, and ctest shows both runs. A race in the code may also pass the second time, so the tests that needed a
# second run are listed at the end; each of them deserves a look.
log=$PWD/build/all/tests.log
status=0
ctest --test-dir build/all --output-on-failure --repeat until-pass:2 --output-log "$log" --parallel "$(nproc)" "$@" ||
    status=$?

repeated=$(awk '/Test +#[0-9]+: / {
        for (i = 1; i < NF; i++) if ($i ~ /^#[0-9]+:$/) name = $(i + 1)
        if (/\*\*\*(Failed|Timeout|Exception)/) failed[name]
        else if (/ Passed /) passed[name]
    }
    END { for (name in failed) if (name in passed) print "    " name }' "$log" | sort)
if [ -n "$repeated" ]; then
    printf '\nPassed only when repeated (both runs are in %s):\n%s\n' "$log" "$repeated"
fi
exit "$status"

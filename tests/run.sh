#!/bin/sh
# Installs what is needed, builds weir in every way it is tested, and runs every test there is, with real servers.
# `sh tests/run.sh` runs all; further words go to ctest, e.g. `sh tests/run.sh -R conformance`.
#
# Four builds, one run: dev (gcc, ASan and UBSan), tsan (clang, TSan), release (gcc, optimised) and fuzz (clang with
# libFuzzer). ctest closes with the one count of all of them; a test's name begins with its build's.
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
    cmake --preset "$build" >"build/$build.log" 2>&1 || {
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
# Real servers, real time-outs: on a machine that is busy with something else a test may be starved. What fails is run
# once more, and the log shows both; a fault in the code fails twice.
exec ctest --test-dir build/all --output-on-failure --repeat until-pass:2 --parallel "$(nproc)" "$@"

#!/bin/sh
# Installs the missing ones of the Debian packages that weir needs: `sh server/packages.sh build` those for building,
# packing (cpack) and running it, `sh server/packages.sh test` those for the tests as well. Does nothing where all are installed.
set -eu

build="gcc libc6-dev cmake ninja-build pkg-config git ca-certificates
  libnng-dev libmbedtls-dev libprotobuf-c-dev protobuf-c-compiler protobuf-compiler libprotobuf-dev libprotoc-dev
  libsqlite3-dev libpq-dev libjansson-dev libssl-dev zlib1g-dev file dpkg-dev"
test="$build check libsubunit-dev clang libclang-rt-14-dev llvm clang-format libnanomsg-dev nanomsg-utils
  openssl sqlite3 postgresql python3 gzip g++ man-db systemd"

# The tests' TimescaleDB runs on Node.js. One that was not installed by apt will do.
command -v npm >/dev/null || test="$test nodejs npm"

case "${1:-}" in
build) wanted=$build ;;
test) wanted=$test ;;
*)
    echo "usage: sh server/packages.sh build|test" >&2
    exit 2
    ;;
esac

missing=
for package in $wanted; do
    if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$'; then
        missing="$missing $package"
    fi
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "packages.sh: run it as root or install sudo; these packages are missing:$missing" >&2
        exit 1
    fi
    as_root=sudo
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "installing$missing"
# The tests start a PostgreSQL of their own, so the package is to create no cluster of the system's.
case "$missing " in
*" postgresql "*)
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        $as_root mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' | $as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
    ;;
esac
# `env` comes behind sudo, because sudo passes no variable on that is set before it.
if ! { $as_root apt-get update -q && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
    --no-install-recommends $missing; } >"$log" 2>&1; then
    cat "$log" >&2
    echo "packages.sh: apt-get could not install the packages; its output is above" >&2
    exit 1
fi

#!/bin/sh
# Holds every C source and header to .clang-format: names what clang-format would change. `clang-format -i` mends it.
set -eu
root=${1:?usage: format.sh ROOT}
command -v clang-format >/dev/null || {
    echo "skipped: there is no clang-format"
    exit 77
}
# Versions differ in what they do; this is Debian 12's.
clang-format --version | grep -q 'version 14\.' || {
    echo "skipped: $(clang-format --version) is not version 14"
    exit 77
}
cd "$root"
files=$(find proto server store client tests bench -name '*.[ch]')
count=$(echo "$files" | wc -l)
[ "$count" -gt 100 ] || {
    echo "only $count files seen: is $root the root?"
    exit 1
}
# shellcheck disable=SC2086
clang-format --dry-run -Werror $files
echo "$count files are formatted"

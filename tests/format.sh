#!/bin/sh
# Checks all C sources and headers against .clang-format and names the files that differ; `clang-format -i` formats
# them.
set -eu
root=${1:?usage: format.sh ROOT}
command -v clang-format >/dev/null || {
    echo "skipped: there is no clang-format"
    exit 77
}
# Versions of clang-format differ in their results; this is the version of Debian 12.
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

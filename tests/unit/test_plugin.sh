#!/bin/sh
# protoc-gen-weir with input that it must refuse and input that could break its output: test_plugin.sh PLUGIN PROTOC
# PROTOC_C CC PROTO_DIR
set -eu
plugin=$1 protoc=$2 protoc_c=$3 cc=$4 protos=$5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

fail() {
    echo "FAILED: $1"
    failed=1
}

# Bytes that are not a request: no output, an error message, exit status 1.
refuses_input() {
    if "$plugin" <"$work/in" >"$work/out" 2>"$work/err"; then
        fail "$1: accepted"
    fi
    [ -s "$work/out" ] && fail "$1: wrote something"
    grep -q '^protoc-gen-weir: ' "$work/err" || fail "$1: no message"
    grep -q 'ERROR: ' "$work/err" && { cat "$work/err"; fail "$1: sanitizer"; }
    return 0
}
printf 'garbage' >"$work/in"
refuses_input "garbage"
printf '\012\377\377\377\377\017' >"$work/in"
refuses_input "a length beyond the end"
head -c 100000 /dev/zero >"$work/in"
refuses_input "zeros"

# A request without files is well-formed; the response reports the fault.
if ! "$plugin" </dev/null >"$work/out" || ! grep -q 'method options' "$work/out"; then
    fail "an empty request is not answered with an error"
fi

# A failure to write the response is an error.
if [ -e /dev/full ] && "$plugin" </dev/null >/dev/full 2>"$work/err"; then
    fail "a full disk goes unnoticed"
fi

# Runs protoc on $work/weir/v1/t.proto, which has a service T with the given body.
generate() {
    mkdir -p "$work/weir/v1" "$work/gen"
    {
        printf 'syntax = "proto2";\npackage weir.v1;\nimport "weir/v1/options.proto";\n'
        printf 'message A { optional string namespace = 1; optional int32 n = 2; }\n'
        printf 'message B {}\nservice T {\n%s\n}\n' "$1"
    } >"$work/weir/v1/t.proto"
    "$protoc" -I"$work" -I"$protos" --plugin=protoc-gen-weir="$plugin" --weir_out="$work/gen" \
        weir/v1/options.proto weir/v1/t.proto 2>"$work/err"
}

refuses_service() {
    if generate "$2"; then
        fail "accepted: $1"
    fi
    grep -q -- "$1" "$work/err" || { cat "$work/err"; fail "no message: $1"; }
}
refuses_service 'streams are not supported' 'rpc Do(stream A) returns (B);'
refuses_service 'streams are not supported' 'rpc Do(A) returns (stream B);'
refuses_service 'token_field goes with' 'rpc Do(A) returns (B) { option (retry) = RETRY_BY_TOKEN; }'
refuses_service 'token_field goes with' 'rpc Do(A) returns (B) { option (token_field) = "namespace"; }'
refuses_service "no string field 'n'" \
    'rpc Do(A) returns (B) { option (retry) = RETRY_BY_TOKEN; option (token_field) = "n"; }'
refuses_service "no string field 'namespace'" 'rpc Do(B) returns (A) { option (access) = ACCESS_OWNER; }'
refuses_service 'the same name in C' 'rpc DoIt(A) returns (B); rpc do_it(A) returns (B);'
refuses_service 'has a service' ''

# Comments with text that would end, open or continue something in C, in a header that must compile alone.
generate '
// Ends */ int broken; /* and opens /*/ again, **/ twice.
//
// Quotes " \" and a backslash \
///starts with a slash, and %s %n.
rpc HTTPGet(A) returns (B);
/* Block
 * comment. */
rpc Other(A) returns (B) { option (access) = ACCESS_OWNER; }
// A "quoted" \ trigraph ??/ in the first sentence.
rpc Third(A) returns (B);
rpc WithoutComment(A) returns (B);
' || { cat "$work/err"; fail "odd comments are refused"; }
"$protoc_c" -I"$work" -I"$protos" --c_out="$work/gen" weir/v1/t.proto
for file in stubs dispatch methods; do
    "$cc" -std=c11 -pedantic -Wall -Wextra -Werror -I"$work/gen" -I"$protos" \
        -c "$work/gen/weir/v1/$file.c" -o "$work/$file.o" || fail "$file.c does not compile"
done
grep -q 'weir_t_httpget_async' "$work/gen/weir/v1/stubs.h" || fail "runs of capitals are not one word"
grep -q '^#include "weir/v1/options.pb-c.h"' "$work/gen/weir/v1/t.pb-c.h" ||
    fail "the stand-in for options.pb-c.h is not what protoc-c includes"

exit "$failed"

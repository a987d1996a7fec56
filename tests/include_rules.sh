#!/bin/sh
# Checks the rules of who may include whom: reads every #include "…" below the given root and prints those that the
# table below does not allow. Exits 1 if there are any.
#
#   base <- rules <- wire <- {server, client}     base <- rules <- store <- server     client <- {bench, tests}
#   client/lib <- client/cli                      nng: server/transport and client/lib alone
#
# Inside server/ the folders have an order, and each sees only what stands before it: base, namespaces, waiting,
# transport, calls, operation, handlers. The transport sees neither the store nor namespaces, and of waiting/ only the
# struct that an exchange has as a member.
set -eu
root=${1:?usage: include_rules.sh ROOT}

# Each entry has a folder, then the prefixes of the headers that its files may include.
rules='
proto/weir/base    weir/base/
proto/weir/rules   weir/base/ weir/rules/
proto/weir/wire    weir/base/ weir/rules/ weir/wire/ weir/v1/
proto/plugin       plugin/ google/ weir/base/ weir/wire/pb_arena.h
store/sqlite       weir/base/ weir/rules/ store/
store/postgres     weir/base/ weir/rules/ store/
store/timescale    weir/base/ weir/rules/ store/
store              weir/base/ weir/rules/ store/
server             weir/ store/store.h server/
server/base        weir/ store/store.h server/base/
server/namespaces  weir/ store/store.h server/base/ server/namespaces/
server/waiting     weir/ store/store.h server/base/ server/namespaces/ server/waiting/
server/transport   weir/base/ weir/wire/ server/base/ server/waiting/waiter.h server/transport/
server/calls       weir/ store/store.h server/base/ server/namespaces/ server/waiting/ server/transport/exchange.h \
                   server/transport/deferred.h server/transport/nng_tasks.h server/calls/
server/operation   weir/ store/store.h server/base/ server/namespaces/ server/transport/ server/calls/server_parts.h \
                   server/operation/
server/handlers    weir/ server/base/ server/namespaces/ server/calls/auth.h server/calls/call.h server/calls/dispatch.h \
                   server/calls/long_poll.h server/calls/reply_rows.h server/calls/server_parts.h \
                   server/operation/samples.h server/handlers/
client/lib         weir/ weir.h client/weir.h client/lib/
client/cli         weir/ weir.h client/
client             weir/ weir.h
'
rules=$(printf '%s' "$rules" | sed -e ':more' -e '/\\$/N' -e 's/\\\n//' -e 't more')

folder_of() {
    case $1 in
    store/sqlite/* | store/postgres/* | store/timescale/* | proto/plugin/* | client/*/* | server/*/*) echo "${1%/*}" ;;
    proto/weir/*/*) echo "${1%/*}" ;;
    *) echo "${1%%/*}" ;;
    esac
}

cd "$root"
bad=0
checked=0
for file in $(find proto store server client -name '*.[ch]'); do
    folder=$(folder_of "$file")
    allowed=$(printf '%s' "$rules" | awk -v f="$folder" '$1 == f { $1 = ""; print }')
    if [ -z "$allowed" ]; then
        echo "$file: its folder $folder has no line in include_rules.sh"
        bad=1
        continue
    fi
    for included in $(sed -n 's/^ *# *include *"\([^"]*\)".*/\1/p' "$file"); do
        checked=$((checked + 1))
        ok=no
        for prefix in $allowed; do
            case $included in
            "$prefix"*) ok=yes ;;
            esac
        done
        # Only backends include the interface for backends, and no backend includes files of another one.
        case $folder:$included in
        server*:store/store_backend.h) ok=no ;;
        store/sqlite:store/postgres/* | store/sqlite:store/timescale/* | store/postgres:store/sqlite/* | \
            store/postgres:store/timescale/* | store/timescale:store/sqlite/*) ok=no ;;
        store/timescale:store/postgres/pg_dialect.h) ok=yes ;;
        store/timescale:store/postgres/*) ok=no ;;
        store:store/sqlite/* | store:store/postgres/* | store:store/timescale/*) ok=no ;;
        client/*:weir/v1/dispatch.h | server*:weir/v1/stubs.h | server*:weir/wire/invoke.h) ok=no ;;
        esac
        [ "$ok" = yes ] || {
            echo "$file: may not include \"$included\""
            bad=1
        }
    done
    case $folder in
    store | store/*)
        if grep -nE '^ *# *include *<(nng|protobuf-c)/' "$file"; then
            echo "$file: the store sees neither nng nor protobuf"
            bad=1
        fi
        ;;
    esac
    case $file in
    server/transport/* | client/lib/*) ;;
    *)
        if grep -nE '^ *# *include *<nng/' "$file"; then
            echo "$file: only server/transport and client/lib see nng"
            bad=1
        fi
        ;;
    esac
done
[ "$checked" -gt 50 ] || {
    echo "only $checked includes seen: is $root the root?"
    bad=1
}
[ "$bad" -eq 0 ] && echo "$checked includes keep the rules"
exit "$bad"

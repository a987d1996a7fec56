#!/bin/sh
# The layout of an installation: below /usr as in a distribution, staged in DESTDIR without a trace of the stage, and
# with settings preserved that an administrator has changed.
. "$(dirname "$0")/lib.sh"

DESTDIR=$work/stage
export DESTDIR
run_install --prefix /usr
usr=$DESTDIR/usr
is_file "$usr/bin/weir" "$usr/bin/weir-server" "$usr/include/weir.h" "$usr/include/weir/v1/stubs.h" \
    "$usr/share/weir/proto/weir/v1/message_store.proto" "$usr/share/man/man1/weir.1" "$usr/share/man/man8/weir-server.8" \
    "$usr/share/bash-completion/completions/weir" "$usr/share/bash-completion/completions/weir-server" \
    "$usr/lib/systemd/system/weir-server.service" "$DESTDIR/etc/default/weir-server"
for file in libweir.so libweir.so.0 pkgconfig/weir.pc cmake/weir/weir-config.cmake; do
    checks=$((checks + 1))
    [ -n "$(find "$usr" -path "*/$file")" ] || fail "there is no $file"
done
# The documents link only to installed files.
documents=0
for page in $(find "$usr/share/doc/weir" -name '*.md'); do
    documents=$((documents + 1))
    grep -o ']([^()]*)' "$page" | sed -e 's/^](//' -e 's/)$//' -e 's/#.*//' >links
    while read -r link; do
        checks=$((checks + 1))
        case $link in
        '' | *://*) ;;
        *) [ -e "$(dirname "$page")/$link" ] || fail "$page has a dead link: $link" ;;
        esac
    done <links
done
is_equal "$([ $documents -ge 5 ] && echo enough)" enough
is_equal "$(find "$usr" -name '*.a')" ""
is_equal "$(ls "$DESTDIR")" "etc
usr"

unit=$usr/lib/systemd/system/weir-server.service
run 0 grep -x 'ExecStart=/usr/bin/weir-server' "$unit"
run 0 grep -x 'EnvironmentFile=-/etc/default/weir-server' "$unit"
run 1 grep -rIl -e "$work" -e "$build" "$DESTDIR"
is_equal "$(stat -c %a "$DESTDIR/etc/default/weir-server")" 640
run 1 grep -v -e '^#' -e '^$' "$DESTDIR/etc/default/weir-server"

echo WEIR_WORKERS=3 >"$DESTDIR/etc/default/weir-server"
run_install --prefix /usr
is_equal "$(cat "$DESTDIR/etc/default/weir-server")" WEIR_WORKERS=3
finish

#!/bin/sh
# libweir.so exports exactly the functions and objects that the installed headers declare.
. "$(dirname "$0")/lib.sh"
need nm python3 readelf

install_to "$work/prefix"
cd "$prefix/include" || exit 1
find . -name '*.h' | sed 's|^\./\(.*\)$|#include <\1>|' >"$work/all.c"
cd "$work" || exit 1
run 0 "$CC" -std=c11 -I"$prefix/include" -E all.c -o all.i
python3 "$here/declared_symbols.py" "$prefix/include" <all.i | sort >declared
nm -D --defined-only --without-symbol-versions "$libdir/libweir.so" | awk '$2 != "A" { print $3 }' | sort >exported
is_equal "$(wc -l <declared | awk '$1 >= 200 { print "enough" }')" enough
run 0 comm -13 declared exported
out_is ""
[ ! -s out ] || echo "exported and not declared in an installed header: see client/packaging/libweir.map" >&2
run 0 comm -23 declared exported
out_is ""
[ ! -s out ] || echo "declared in an installed header and not exported: see client/packaging/libweir.map" >&2

run 0 readelf -d "$libdir/libweir.so"
out_has 'SONAME.*\[libweir\.so\.[0-9]*\]'
soname=$(sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p' out)
checks=$((checks + 1))
[ -L "$libdir/$soname" ] || fail "$soname is no link to the library"
# The symbols are versioned, so that a program records the version that it was built with.
run 0 nm -D --defined-only "$libdir/libweir.so"
out_has ' weir_client_open@@WEIR_0$'
finish

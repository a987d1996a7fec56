#!/bin/sh
# Each installed header compiles alone, as strict C11 and as C++, and declares to C++ the names that the library
# exports.
. "$(dirname "$0")/lib.sh"
need c++ pkg-config

install_to "$work/prefix"
cd "$prefix/include" || exit 1
find . -name '*.h' | sed 's|^\./||' | sort >"$work/headers"
cd "$work" || exit 1
is_equal "$(wc -l <headers | awk '$1 >= 14 { print "enough" }')" enough
while read -r header; do
    # A header may contain only comments; a source file may not.
    printf '#include <%s>\nextern int something;\n' "$header" | tee one.c >one.cc
    run 0 "$CC" -std=c11 -pedantic -Wall -Wextra -Werror -I"$prefix/include" -fsyntax-only one.c
    run 0 c++ -std=c++11 -pedantic -Wall -Wextra -Werror -I"$prefix/include" -fsyntax-only one.cc
done <headers

cat >program.cc <<'PROGRAM'
#include <weir/rules/stream_name.h>
#include <weir/rules/time_text.h>
#include <weir/rules/token.h>
#include <weir/rules/uuid.h>
#include <weir.h>

int main()
{
    weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    options.url = "tcp://127.0.0.1:1";
    weir_error err;
    weir_error_init(&err);
    weir_client *client = nullptr;
    weir_uuid id;
    if (weir_client_open(&options, &client, &err) != WEIR_OK || !weir_uuid_make_v7(&id)) {
        return 1;
    }
    weir_client_close(client);
    const struct weir_slice category = weir_name_category(weir_slice_of("account-1"));
    return weir_now_us() > 0 && weir_slice_is(category, "account") && weir_name_is_category(weir_slice_of("account-1")) ? 1 : 0;
}
PROGRAM
run 0 c++ -std=c++11 -Wall -Wextra -I"$prefix/include" program.cc -L"$libdir" -lweir -o program
LD_LIBRARY_PATH=$libdir run 0 ./program
finish

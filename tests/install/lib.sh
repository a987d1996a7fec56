# For tests of an installation. Sourced; adds to tests/cli/lib.sh an installation of its own:
#
#   install_to DIRECTORY   installs there, with DIRECTORY as the prefix, and sets prefix, weir and server
#   need PROGRAM...        skips the test where one of them is missing
build=${WEIR_BUILD:?the build directory}
: "${CMAKE:?the program cmake}" "${CC:?the C compiler}"
WEIR_PROGRAM=weir
WEIR_SERVER_PROGRAM=weir-server
. "$(dirname "$0")/../cli/lib.sh"
# The environment of the test must not influence where things are found.
unset DESTDIR CMAKE_PREFIX_PATH PKG_CONFIG_PATH LD_LIBRARY_PATH

need() {
    for program in "$@"; do
        command -v "$program" >/dev/null || {
            echo "skipped: there is no $program"
            exit 77
        }
    done
}

# run_install WORD...: runs `cmake --install` with these words.
run_install() {
    if ! "$CMAKE" --install "$build" "$@" >install.log 2>&1; then
        cat install.log >&2
        echo "cmake --install failed" >&2
        exit 1
    fi
}

install_to() {
    prefix=$1
    run_install --prefix "$prefix"
    weir=$prefix/bin/weir
    server=$prefix/bin/weir-server
    libdir=$(dirname "$(find "$prefix" -name libweir.so)")
}

# is_file PATH..., is_no_file PATH...: check that files exist, or do not.
is_file() {
    for path in "$@"; do
        checks=$((checks + 1))
        [ -f "$path" ] || fail "there is no file $path"
    done
}
is_no_file() {
    for path in "$@"; do
        checks=$((checks + 1))
        [ ! -e "$path" ] || fail "there is $path"
    done
}

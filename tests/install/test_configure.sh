#!/bin/sh
# Configuring fails, and says why, where weir would be built and not work: on a system of 32 bits, and with another version
# of nng. A build for another machine runs the programs that it makes by their paths, so that the system's emulator takes them.
# Each file is compiled by itself, also where a distribution wishes for units of several.
. "$(dirname "$0")/lib.sh"
source=$(cd "$(dirname "$0")/../.." && pwd)

# configure WORD...: configures weir anew with these words.
configure() {
    "$CMAKE" -S "$source" -B "$work/configured" --fresh -DCMAKE_C_COMPILER="$CC" -DBUILD_TESTING=OFF "$@" 2>&1
}

run 0 configure

echo 'set(CMAKE_SIZEOF_VOID_P 4)' >of_32_bits.cmake
run 1 configure -DCMAKE_PROJECT_weir_INCLUDE="$work/of_32_bits.cmake"
out_has 'needs a system of 64 bits'

real=$("$CMAKE" -N -LA "$build" | sed -n 's/^nng_DIR:PATH=//p')
outside=${real#/usr}
mkdir nng
touch nng/nng-config.cmake
sed 's/1\.5\.2/1.5.3/' "$real/nng-config-version.cmake" >nng/nng-config-version.cmake
run 1 configure -Dnng_DIR="$work/nng" "-DCMAKE_IGNORE_PATH=$outside;/usr$outside"
out_has 'requested version "1.5.2"'

need ninja
run 0 configure -G Ninja -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=other -DCMAKE_UNITY_BUILD=ON
ninja -C configured -t commands weir_generate weir_docs weir_server_docs >commands
run 0 grep -e '--plugin=protoc-gen-weir=/[^ ]*/protoc-gen-weir ' commands
run 0 grep -e ' && /[^ ]*/weir-docs man .* && /[^ ]*/weir-docs bash ' commands
run 0 grep -e ' && /[^ ]*/weir-server-docs ' commands
ninja -C configured -t commands weir-server >commands
run 0 grep ' -c [^ ]*/server/main.c$' commands
run 1 grep -i unity commands
finish

#!/bin/sh
# Configuring fails, and says why, where weir would be built and not work: on a system of 32 bits, and with another version
# of nng.
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
finish

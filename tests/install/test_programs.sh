#!/bin/sh
# The program of README.md builds against an installation with pkg-config and with CMake, also after the installation
# has been moved, and works with the installed server.
. "$(dirname "$0")/lib.sh"
. "$here/../readme/program_lib.sh"
example=${WEIR_README_PROGRAM:?the program of README.md as a file}
need pkg-config

install_to "$work/first"
mv first second
prefix=$work/second
libdir=$prefix${libdir#"$work/first"}
weir=$prefix/bin/weir
server=$prefix/bin/weir-server

start_server
WEIR_TOKEN=$(cat weir-data/default.token)
export WEIR_TOKEN
run 0 "$weir" health

export PKG_CONFIG_PATH="$libdir/pkgconfig"
run 0 pkg-config --cflags --libs weir
flags=$(cat out)
# pkg-config writes them, and paths, for a shell.
eval "run 0 \"\$CC\" -std=c11 -Wall -Wextra -Werror \"\$example\" $flags -o by_pkg_config"
LD_LIBRARY_PATH=$libdir program_works ./by_pkg_config account-1
eval "is_file $(pkg-config --variable=protodir weir)/weir/v1/message_store.proto"

mkdir project
cat >project/CMakeLists.txt <<PROJECT
cmake_minimum_required(VERSION 3.16)
project(example C)
find_package(weir \${WANTED} REQUIRED)
add_executable(by_cmake $example)
target_link_libraries(by_cmake PRIVATE weir::client)
if(NOT EXISTS \${weir_PROTO_DIR}/weir/v1/message_store.proto)
  message(FATAL_ERROR "no .proto files in '\${weir_PROTO_DIR}'")
endif()
PROJECT
unset PKG_CONFIG_PATH
run 0 "$CMAKE" -S project -B project/build -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$CC" -DWANTED=0.1
run 0 "$CMAKE" --build project/build
program_works project/build/by_cmake account-2
run 1 "$CMAKE" -S project -B project/other -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$CC" -DWANTED=9.0
err_has 'weir-config\.cmake, version: 0\.'
finish

#!/bin/sh
# test_program.sh PROGRAM: the program of README.md reports success, and reports failures.
program=${1:?the program of README.md}
. "$(dirname "$0")/../cli/lib.sh"
. "$here/program_lib.sh"

start_server
WEIR_TOKEN=$(cat weir-data/default.token)
export WEIR_TOKEN
program_works "$program" account-1
program_works "$program" account-2
WEIR_TOKEN=nonsense run 1 "$program"
err_has '^AUTH_INVALID_TOKEN: '
finish

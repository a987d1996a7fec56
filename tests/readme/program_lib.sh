# Runs the program of README.md and checks its effect. Sourced after tests/cli/lib.sh, with a server running.

# program_works PROGRAM STREAM: the stream must not exist yet.
program_works() {
    run 0 "$1" "$2"
    out_has "^$2: written at position 0\$"
    out_has "^[0-9]* $2 Opened {\"owner\":\"Ada\"}\$"
    run 0 "$1" "$2"
    out_has '^it exists already, at version 0$'
    checks=$((checks + 1))
    [ "$(grep -c " $2 Opened " out)" -eq 1 ] || fail "the message of $2 is not there once"
}

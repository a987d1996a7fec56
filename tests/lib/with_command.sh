# Sourced by scripts that run a command with a temporary server. Such a script defines clean_up, which is called once
# when the command or the script ends, for whatever reason.
child=

finish() {
    status=$?
    trap '' INT TERM
    trap - EXIT
    [ -z "$child" ] || kill "$child" 2>/dev/null || true
    clean_up
    exit "$status"
}

# clean_up_at_end: call as soon as there is something to clean up.
clean_up_at_end() {
    trap finish EXIT
    # The command may send a signal to its whole process group.
    trap "trap '' INT TERM; exit 143" INT TERM
}

# run_command COMMAND...: runs the command and exits with its status.
run_command() {
    "$@" &
    child=$!
    status=0
    wait "$child" || status=$?
    child=
    exit "$status"
}

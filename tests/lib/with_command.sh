# For scripts that run a command with a server of its own; they source this, and define clean_up, which is called once
# the command has ended, or the script, however that was.
child=

finish() {
    status=$?
    trap '' INT TERM
    trap - EXIT
    [ -z "$child" ] || kill "$child" 2>/dev/null || true
    clean_up
    exit "$status"
}

# From here on there is something to clean up.
clean_up_at_end() {
    trap finish EXIT
    # The command may pass a signal on to its whole group.
    trap "trap '' INT TERM; exit 143" INT TERM
}

# Exits with its status.
run_command() {
    "$@" &
    child=$!
    status=0
    wait "$child" || status=$?
    child=
    exit "$status"
}

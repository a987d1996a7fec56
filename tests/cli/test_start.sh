#!/bin/sh
# What keeps weir-server from starting, and how it says so: in words, with an exit status, and in time.
. "$(dirname "$0")/lib.sh"

# Under every limit of threads it starts or says that it needs more. Root has no such limit, so another user is taken.
limits_threads() {
    n=$1
    shift
    if [ "$(id -u)" -eq 0 ]; then
        set -- setpriv --reuid=64999 --regid=64999 --clear-groups prlimit --nproc="$n" -- "$@"
    else
        set -- prlimit --nproc="$n" -- "$@"
    fi
    timeout --preserve-status -k 5 2 "$@" >out 2>err
}
if limits_threads 500 "$server" --version; then
    threads=2
    status=1
    while [ "$status" -eq 1 ] && [ "$threads" -lt 500 ]; do
        threads=$((threads + 1))
        limits_threads "$threads" "$server" --test-mode --store sqlite::memory: --listen tcp://127.0.0.1:0 --workers 1
        status=$?
        [ "$status" -ne 1 ] || err_has '^weir-server: the system gives [0-9]* threads and no more'
    done
    is_equal "$status" 0
    out_has '^listening on '
fi

# What may be otherwise tomorrow ends with 1, and what has to be written otherwise with 2: a service is started again
# after the one and not after the other.
starts_not() {
    status=$1
    shift
    run "$status" timeout -k 5 20 "$server" --store sqlite::memory: "$@"
}
starts_not 1 --listen tcp://nowhere.invalid:7117
err_has "^weir-server: cannot listen on 'tcp://nowhere.invalid:7117': its host has no address"
starts_not 2 --listen ws://127.0.0.1:0/%ff
finish

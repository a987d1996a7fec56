#!/bin/sh
# Failures of weir-server to start: the message, the exit status, and the time it takes.
. "$(dirname "$0")/lib.sh"

# timeout runs in the foreground where the server must stop in an orderly way: otherwise timeout sends its signal twice,
# and a second signal ends the server at once.

# Root ignores permissions and limits, so tests of these run as another user that no other program uses.
chmod 755 .
user=$((100000 + $$))
as_user() {
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid="$user" --regid="$user" --clear-groups "$@"
    else
        "$@"
    fi
}
as_user "$server" --version >out || exit 77

# Help that could not be printed must not count as printed.
run 0 "$server" --help
for asked in --help --usage --version; do
    run 1 sh -c "'$server' $asked >/dev/full"
    err_has '^weir-server: standard output: No space left on device'
done

# Under any limit of threads the server either starts or reports that it needs more. Only root can switch to a user
# without other threads.
limits_threads() {
    n=$1
    shift
    as_user timeout --foreground --preserve-status -k 5 2 prlimit --nproc="$n" -- "$@" >out 2>err
}
threads=2
status=1
while [ "$(id -u)" -eq 0 ] && [ "$status" -eq 1 ] && [ "$threads" -lt 500 ]; do
    threads=$((threads + 1))
    limits_threads "$threads" "$server" --test-mode --store sqlite::memory: --listen tcp://127.0.0.1:0 --workers 1
    status=$?
    if [ "$status" -eq 1 ]; then
        err_has '^weir-server: \(the system allows only [0-9]* threads\|cannot start a thread: \)'
    else
        is_equal "$status" 0
        out_has '^listening on '
    fi
done

# With too few descriptors the server does not start. With the minimum that it reports it serves.
limits_files() {
    (ulimit -n "$1" && shift && exec "$@")
}
run 1 limits_files 16 timeout -k 5 20 "$server" --listen tcp://127.0.0.1:0
err_has '^weir-server: the process may open only 16 files, but the server needs [0-9]*: raise the limit'
[ ! -e weir-data ] || fail 'it has made a store'
fewest=$(sed -n 's/.*the server needs \([0-9]*\):.*/\1/p' err)
run 1 limits_files $((fewest - 1)) timeout -k 5 20 "$server" --listen tcp://127.0.0.1:0
program=$server
printf '#!/bin/sh\nulimit -n %d\nexec "%s" "$@"\n' "$fewest" "$program" >limited
chmod +x limited
server=$work/limited
start_server
followers=
for i in 1 2 3; do
    timeout 20 "$weir" subscribe --stream "account-$i" --from 0 --limit 1 >"out.$i" 2>&1 &
    followers="$followers $!"
done
for i in 1 2 3; do
    run 0 "$weir" write "account-$i" T
done
for follower in $followers; do
    run 0 wait "$follower"
done
stop_server
is_equal "$server_status" 0
server=$program

# Closed standard streams are opened on /dev/null: otherwise log output would go into a connection.
"$server" --store sqlite::memory: --listen "ipc://$work/closed.ipc" <&- >&- 2>&- &
server_pid=$!
run 0 "$weir" --server "ipc://$work/closed.ipc" --timeout 30 health
for fd in 0 1 2; do
    is_equal "$(readlink "/proc/$server_pid/fd/$fd")" /dev/null
done
# SQLite opens low descriptors too, but for reading; a server on PostgreSQL has no such protection.
is_equal "$(stat -c %A "/proc/$server_pid/fd/0")" l-wx------
stop_server
is_equal "$server_status" 0

# Where there is no /dev/null the programs say so, where they can, and end.
without_dev() {
    unshare -r -m sh -c 'mount -t tmpfs none /dev && exec "$@"' sh "$@"
}
if without_dev true 2>/dev/null; then
    for command in "$server --store sqlite::memory:" "$weir health"; do
        run 1 without_dev sh -c "exec timeout 20 $command <&-"
        err_has '^weir[a-z-]*: cannot open /dev/null in place of a closed standard stream: No such file or directory'
    done
fi

# A store in memory has no directory for a file: the token of namespace default is printed, once, and opens it.
start_server --store sqlite::memory:
is_equal "$(grep -c '^token of namespace default: ' server.log)" 1
sed -n 's/^token of namespace default: //p' server.log >printed.token
is_equal "$(grep -c -F -f printed.token server.log)" 1
run 0 "$weir" --token-file printed.token write a-1 T
stop_server
is_equal "$server_status" 0

# A file that has reached its size limit makes the write fail that meets the limit.
printf '#!/bin/sh\nulimit -f 4096\nexec "%s" "$@"\n' "$program" >limited
server=$work/limited
start_server --store sqlite:narrow
"$weir" --token-file narrow/default.token health >/dev/null
head -c 900000 /dev/zero | tr '\0' 1 | sed 's/.*/"&"/' >large
status=0
tries=0
while [ "$status" -eq 0 ] && [ "$tries" -lt 20 ]; do
    tries=$((tries + 1))
    "$weir" --token-file narrow/default.token --timeout 1 write large-1 T - <large >out 2>err
    status=$?
done
[ "$status" -ne 0 ] || fail 'the file grows without end'
run 0 grep -q 'the store cannot write' server.log
run 0 "$weir" --token-file narrow/default.token read large-1 --headers-only
stop_server
is_equal "$server_status" 0
server=$program

# Failures that may be temporary exit with 1, wrong settings with 2: a service manager restarts the server only after
# the former.
starts_not() {
    status=$1
    shift
    run "$status" timeout -k 5 20 "$server" --store sqlite::memory: "$@"
}
starts_not 1 --listen tcp://nowhere.invalid:7117
err_has "^weir-server: cannot listen on 'tcp://nowhere.invalid:7117': the host has no address"
starts_not 2 --listen ws://127.0.0.1:0/%ff

# Errors about a directory name the path and give the system's message.
cannot_use() {
    run 1 as_user timeout -k 5 20 "$server" --store "sqlite:$1" --listen tcp://127.0.0.1:0
}
mkdir store shut
chmod 777 store
as_user timeout --foreground --preserve-status 2 "$server" --store sqlite:store --listen tcp://127.0.0.1:0 >out 2>err
is_equal "$?" 0
[ -f store/registry.db ] || fail 'there is no store to begin with'
chmod 555 store shut
cannot_use shut/new
err_has '^weir-server: cannot create the directory shut/new: Permission denied$'
cannot_use shut
err_has '^weir-server: cannot create a file in shut: Permission denied$'
cannot_use store
err_has '^weir-server: cannot create a file in store: Permission denied$'
chmod 444 store/registry.db
cannot_use store
err_has '^weir-server: cannot write store/registry.db: Permission denied$'
chmod 755 store  # or its files could not be removed

# A token that cannot be saved is not given to the namespace.
mkdir astray
ln -s nowhere astray/default.token
run 1 timeout -k 5 20 "$server" --store sqlite:astray --listen tcp://127.0.0.1:0
err_has '^weir-server: astray/default.token is a dangling symbolic link$'
echo "ns_ZGVmYXVsdA_$(printf '%064d' 0)" >astray/nowhere
start_server --store sqlite:astray
run 0 "$weir" --token-file astray/nowhere version a-1
stop_server
is_equal "$server_status" 0

echo >file
cannot_use file/new
err_has '^weir-server: cannot create the directory file/new: Not a directory$'
finish

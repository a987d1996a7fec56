#!/bin/sh
# systemd accepts the unit without warnings and rates the service's remaining privileges as low.
. "$(dirname "$0")/lib.sh"
need systemd-analyze man

install_to "$work/prefix"
unit=$prefix/lib/systemd/system/weir-server.service
export MANPATH="$prefix/share/man:"
run 0 systemd-analyze verify --man=yes "$unit"
checks=$((checks + 1))
[ ! -s err ] || fail "systemd has something to say about the unit"

# The unit waits for a PostgreSQL of this machine, retries while a database is away at boot, and leaves the scheduling policy to the server.
run 0 grep -x 'After=.* postgresql.service' "$unit"
run 0 grep -x 'Restart=on-failure' "$unit"
run 0 grep -x 'RestartSec=2s' "$unit"
run 0 grep -x 'StartLimitIntervalSec=0' "$unit"
run 0 grep -x 'SystemCallFilter=sched_setscheduler' "$unit"
run 1 grep 'CPUSchedulingPolicy' "$unit"

# The threshold is in tenths; the remainder is due to network access and to running without an image of its own.
run 0 systemd-analyze security --offline=true --no-pager --threshold=15 "$unit"

# Under a prefix with blanks and a '%', given by its relative path too, the unit names the program and its settings.
odd="a prefix, 100%"
run_install --prefix "$odd"
run 0 systemd-analyze verify --man=no "$work/$odd/lib/systemd/system/weir-server.service"
checks=$((checks + 1))
[ ! -s err ] || fail "systemd has something to say about the unit under '$odd'"
run 0 grep -x "EnvironmentFile=-$work/a prefix, 100%%/etc/default/weir-server" "$odd/lib/systemd/system/weir-server.service"

# The settings in the unit's environment file are options of the server.
run 0 grep -h -o '^#*WEIR_[A-Z_]*=' "$prefix/etc/default/weir-server"
for name in $(tr -d '#=' <out) WEIR_STORE; do
    case $name in
    WEIR_ADMIN_TOKEN) run 0 grep -e "$name" "$prefix/share/man/man8/weir-server.8" ;;
    *)
        "$server" --help >help
        run 0 grep -e "\[$name\]" help
        ;;
    esac
done
finish

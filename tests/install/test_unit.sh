#!/bin/sh
# systemd takes the unit without a complaint and finds little that the service may do beyond its work.
. "$(dirname "$0")/lib.sh"
need systemd-analyze man

install_to "$work/prefix"
unit=$prefix/lib/systemd/system/weir-server.service
export MANPATH="$prefix/share/man:"
run 0 systemd-analyze verify --man=yes "$unit"
checks=$((checks + 1))
[ ! -s err ] || fail "systemd has something to say about the unit"

# A database that is away at boot is waited for, and the scheduling is what the server by itself would have.
run 0 grep -x 'Restart=on-failure' "$unit"
run 0 grep -x 'RestartSec=2s' "$unit"
run 0 grep -x 'StartLimitIntervalSec=0' "$unit"
run 0 grep -x 'CPUSchedulingPolicy=batch' "$unit"

# In tenths; what remains is that it serves a network and is in no image of its own.
run 0 systemd-analyze security --offline=true --no-pager --threshold=15 "$unit"

# The unit's settings are options that the server knows.
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

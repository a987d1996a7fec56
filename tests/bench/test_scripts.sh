#!/bin/sh
# The benchmark scripts: every PostgreSQL measurement can be selected by its name alone.
set -eu
cd "$1"
results=results round=1 seconds=1 warmup=0 work=work output=output build=build bin=bin size=quick except=
. bench/scripts/measure.sh
. bench/scripts/optional.sh
MESSAGE_DB_URL=
run_postgres() {
    has_run=yes
}

n=0
for name in weir-bench-postgres counted_postgres_empty counted_postgres_write counted_postgres_read_10 \
    counted_postgres_read_100 counted_postgres_read_1000 \
    $(sed -n 's/^ *\(load\|run_pgbench\|run_message_db\) \([a-z0-9_]*\) .*/\2/p' bench/scripts/postgres.sh); do
    only=$name has_run=no
    measure_postgres
    [ $has_run = yes ] || {
        echo "--only $name measures nothing"
        exit 1
    }
    n=$((n + 1))
done
[ $n -ge 20 ] || {
    echo "only $n measurements were seen in bench/scripts/postgres.sh"
    exit 1
}
only=disk_write_1 has_run=no
measure_postgres
[ $has_run = no ] || {
    echo "PostgreSQL is measured where it was not asked for"
    exit 1
}
echo "$n measurements"

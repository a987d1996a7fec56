#!/bin/sh
# server/packages.sh installs what cpack needs with what a build needs, asks no questions, even through a sudo that clears the
# environment, and configures the system's PostgreSQL only if it installs it. The test changes neither the system nor its
# packages.
. "$(dirname "$0")/lib.sh"

mkdir stubs
printf '#!/bin/sh\nexit 1\n' >stubs/dpkg-query
printf '#!/bin/sh\necho "$1 $DEBIAN_FRONTEND" >>%s\necho " $* " >>%s\n' "$work/calls" "$work/packages" >stubs/apt-get
printf '#!/bin/sh\necho 1000\n' >stubs/id
printf '#!/bin/sh\nexec env -i PATH="$PATH" "$@"\n' >stubs/sudo
chmod +x stubs/*
sed "s#/etc/postgresql-common#$work/postgresql#" "$(dirname "$0")/../../server/packages.sh" >packages.sh
PATH=$work/stubs:$PATH

run 0 sh packages.sh build
run 0 grep -x 'install noninteractive' calls
run 0 grep ' file .*dpkg-dev ' packages
is_no_file "$work/postgresql"
run 0 sh packages.sh test
run 0 grep -x 'create_main_cluster = false' "$work/postgresql/createcluster.conf"
finish

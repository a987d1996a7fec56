#!/bin/sh
# cpack makes Debian packages with the right contents and dependencies, whose programs run and, built with optimisation, are
# hardened.
. "$(dirname "$0")/lib.sh"
: "${CPACK:?the program cpack}"
need dpkg-deb dpkg-parsechangelog dpkg-shlibdeps file gzip readelf

run 0 "$CPACK" --config "$build/CPackConfig.cmake" -B "$work/packages"
weir_deb=$(echo packages/weir_*.deb)
library_deb=$(echo packages/libweir0_*.deb)
dev_deb=$(echo packages/libweir-dev_*.deb)
is_file "$weir_deb" "$library_deb" "$dev_deb"

run 0 dpkg-deb -c "$weir_deb"
for path in usr/bin/weir usr/bin/weir-server usr/share/man/man1/weir.1.gz usr/share/man/man8/weir-server.8.gz \
    usr/lib/systemd/system/weir-server.service etc/default/weir-server usr/share/bash-completion/completions/weir; do
    out_has " \./$path\$"
done
checks=$((checks + 1))
! grep -q -e '\./usr/include' -e 'libweir' out || fail "the package weir has parts of the library"
run 0 dpkg-deb -c "$library_deb"
out_has '/libweir\.so\.0 -> libweir\.so\.0\.'
run 0 dpkg-deb -c "$dev_deb"
out_has '\./usr/include/weir\.h$'
out_has '/libweir\.so -> libweir\.so\.0$'
out_has '\./usr/share/weir/proto/weir/v1/envelope\.proto$'

run 0 dpkg-deb -f "$weir_deb" Depends
for package in libc6 libnng1 libprotobuf-c1 libsqlite3-0; do
    out_has "$package"
done
out_has 'libnng1 (<< 1\.5\.3)'
run 0 dpkg-deb -f "$library_deb" Depends
out_has 'libnng1 (<< 1\.5\.3)'
run 0 dpkg-deb -f "$dev_deb" Depends
out_has 'libweir0 (= .*), libprotobuf-c-dev'
dpkg-deb --ctrl-tarfile "$library_deb" | tar -xO ./shlibs >shlibs
run 0 grep -x 'libweir 0 libweir0 (>= .*)' shlibs
dpkg-deb -e "$weir_deb" control
is_equal "$(cat control/conffiles)" /etc/default/weir-server
for script in control/postinst control/prerm control/postrm; do
    run 0 sh -n "$script"
    checks=$((checks + 1))
    [ -x "$script" ] || fail "$script cannot be run"
done

dpkg-deb -x "$weir_deb" root
dpkg-deb -x "$library_deb" root
dpkg-deb -x "$dev_deb" root
for package in weir libweir0 libweir-dev; do
    run 0 dpkg-parsechangelog -l "root/usr/share/doc/$package/changelog.gz" -S Version
    out_is "$(dpkg-deb -f "$weir_deb" Version)"
done
if "$CMAKE" -N -LA "$build" | grep -q '^CMAKE_BUILD_TYPE:.*Rel'; then
    for file in root/usr/bin/weir root/usr/bin/weir-server "$(find root -name 'libweir.so.0.*')"; do
        run 0 readelf -W -h -l -d --dyn-syms "$file"
        out_has 'Type: *DYN '
        out_has 'GNU_RELRO'
        out_has '(FLAGS).*BIND_NOW'
        out_has ' __stack_chk_fail@'
        out_has ' __[a-z]*_chk@'
    done
fi

run 0 grep -x 'ExecStart=/usr/bin/weir-server' root/usr/lib/systemd/system/weir-server.service
weir=$work/root/usr/bin/weir
server=$work/root/usr/bin/weir-server
start_server
run 0 "$weir" health
finish

# `cpack` in a build directory makes three Debian packages: weir (the programs and the service), libweir0 (the library)
# and libweir-dev (what is needed to build with it).
set(WEIR_PACKAGE_CONTACT "weir maintainers <weir@localhost>" CACHE STRING "Maintainer of the packages")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT ${WEIR_PACKAGE_CONTACT})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_COMPONENTS_ALL weir libweir0 libweir-dev)
set(CPACK_STRIP_FILES ON)
# Files outside of /usr, and files that are made when they are installed, need the real prefix.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/finish_contents.cmake)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")  # programs go on with later libraries of the same soname
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

# Later versions of nng have the same soname; see the top CMakeLists.txt.
set(CPACK_DEBIAN_WEIR_PACKAGE_DEPENDS "libnng1 (<< 1.5.3)")
set(CPACK_DEBIAN_LIBWEIR0_PACKAGE_DEPENDS "libnng1 (<< 1.5.3)")

set(CPACK_DEBIAN_WEIR_PACKAGE_NAME weir)
set(CPACK_DEBIAN_WEIR_PACKAGE_SECTION database)
set(CPACK_DEBIAN_WEIR_PACKAGE_CONTROL_EXTRA
  ${CMAKE_CURRENT_LIST_DIR}/postinst ${CMAKE_CURRENT_LIST_DIR}/prerm ${CMAKE_CURRENT_LIST_DIR}/postrm
  ${CMAKE_CURRENT_LIST_DIR}/conffiles)
set(CPACK_COMPONENT_WEIR_DESCRIPTION
  "Services append messages to streams, with optimistic concurrency, and read them
back by stream and by category. Data is kept in SQLite files or in PostgreSQL.
This package has the server, weir-server, as a systemd service, and the command
line program weir.")

set(CPACK_DEBIAN_LIBWEIR0_PACKAGE_NAME libweir0)
set(CPACK_DEBIAN_LIBWEIR0_PACKAGE_SECTION libs)
set(CPACK_COMPONENT_LIBWEIR0_DESCRIPTION
  "The client library of weir, a message store that microservices talk to by RPC.
This package is what programs run with.")

set(CPACK_DEBIAN_LIBWEIR-DEV_PACKAGE_NAME libweir-dev)
set(CPACK_DEBIAN_LIBWEIR-DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_LIBWEIR-DEV_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_LIBWEIR-DEV_PACKAGE_DEPENDS "libweir0 (= ${PROJECT_VERSION}), libprotobuf-c-dev")
set(CPACK_COMPONENT_LIBWEIR-DEV_DESCRIPTION
  "The client library of weir, a message store that microservices talk to by RPC.
This package has headers, pkg-config and CMake package files, and the .proto
files for programs in other languages.")

include(CPack)

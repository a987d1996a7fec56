# Runs in cpack: man pages are packed as Debian wants them, and each package has a changelog, which names the version.
file(GLOB_RECURSE pages "${CPACK_TEMPORARY_DIRECTORY}/*/usr/share/man/man?/*.[1-8]")
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
foreach(package IN LISTS CPACK_COMPONENTS_ALL)
  set(changelog "${CPACK_TEMPORARY_DIRECTORY}/${package}/usr/share/doc/${package}/changelog")
  file(WRITE "${changelog}" "weir (${CPACK_PACKAGE_VERSION}) UNRELEASED; urgency=medium

  * Packages of weir ${CPACK_PACKAGE_VERSION}, made from its sources by cpack.

 -- ${CPACK_PACKAGE_CONTACT}  ${date}
")
  list(APPEND pages "${changelog}")
endforeach()
foreach(page IN LISTS pages)
  execute_process(COMMAND gzip -9nf ${page} COMMAND_ERROR_IS_FATAL ANY)
endforeach()

# Runs as part of `cmake --install`: the systemd unit, and the file of its settings unless there is one already.

# An absolute path, under the prefix; GNU's rule that /usr has its settings in /etc.
function(full_path result path)
  if(IS_ABSOLUTE "${path}")
    set(${result} "${path}" PARENT_SCOPE)
  elseif(path MATCHES "^etc" AND CMAKE_INSTALL_PREFIX STREQUAL "/usr")
    set(${result} "/${path}" PARENT_SCOPE)
  else()
    cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_PREFIX OUTPUT_VARIABLE prefix)
    set(${result} "${prefix}/${path}" PARENT_SCOPE)
  endif()
endfunction()

full_path(BINDIR "${server_CMAKE_INSTALL_BINDIR}")
full_path(SYSCONFDIR "${server_CMAKE_INSTALL_SYSCONFDIR}")
# In a unit '%' begins a specifier, and blanks end the words of a command.
string(REPLACE "%" "%%" UNIT_SYSCONFDIR "${SYSCONFDIR}")
string(REPLACE "%" "%%" UNIT_PROGRAM "${BINDIR}/weir-server")
if(UNIT_PROGRAM MATCHES " ")
  set(UNIT_PROGRAM "\"${UNIT_PROGRAM}\"")
endif()
set(unit "${CMAKE_INSTALL_PREFIX}/lib/systemd/system/weir-server.service")
message(STATUS "Installing: $ENV{DESTDIR}${unit}")
configure_file("${server_CMAKE_CURRENT_SOURCE_DIR}/packaging/weir-server.service.in" "$ENV{DESTDIR}${unit}" @ONLY)
list(APPEND CMAKE_INSTALL_MANIFEST_FILES "${unit}")

if(EXISTS "$ENV{DESTDIR}${SYSCONFDIR}/default/weir-server")
  message(STATUS "Kept: $ENV{DESTDIR}${SYSCONFDIR}/default/weir-server")
else()
  # It may come to hold a token.
  file(INSTALL "${server_CMAKE_CURRENT_SOURCE_DIR}/packaging/weir-server.default" DESTINATION "${SYSCONFDIR}/default"
    RENAME weir-server PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)
endif()

# What `cmake --install` puts where: the library in both kinds with its headers, the CMake package, dmmap.pc, the program
# with its man pages, and what makes services of its devices.
include(CMakePackageConfigHelpers)

# The two kinds are exported apart, since only who links the static one needs fmt.
set_target_properties(dmmap_shared PROPERTIES EXPORT_NAME dmmap)
install(TARGETS dmmap_shared EXPORT dmmap-shared
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT development)
install(TARGETS dmmap_static EXPORT dmmap-static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/dmmap DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development
        FILES_MATCHING PATTERN "*.h")

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/dmmap)
foreach(kind shared static)
  install(EXPORT dmmap-${kind} NAMESPACE dmmap:: FILE dmmap-${kind}-targets.cmake DESTINATION ${package_dir}
          COMPONENT development)
endforeach()
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/dmmap-config.cmake.in ${CMAKE_BINARY_DIR}/dmmap-config.cmake
                              INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/dmmap-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/dmmap-config.cmake ${CMAKE_BINARY_DIR}/dmmap-config-version.cmake
        DESTINATION ${package_dir} COMPONENT development)

# The prefix is found from where dmmap.pc lies, so that an installed tree can be moved, and --prefix given at install.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  message(FATAL_ERROR "CMAKE_INSTALL_LIBDIR and CMAKE_INSTALL_INCLUDEDIR have to be relative to the prefix")
endif()
file(RELATIVE_PATH pc_to_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" pc_to_prefix "${pc_to_prefix}")
configure_file(${CMAKE_CURRENT_LIST_DIR}/dmmap.pc.in ${CMAKE_BINARY_DIR}/dmmap.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/dmmap.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

install(TARGETS dmmap_preload LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/dmmap COMPONENT runtime)
install(TARGETS dmmap RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
install(FILES ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR}
        COMPONENT runtime)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime
        FILES_MATCHING PATTERN "*.md" PATTERN "*.png")

# The prefix may be given at install, and a unit has to have it: systemd wants an absolute path.
foreach(service camera sound)
  install(CODE "
    cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_PREFIX NORMALIZE OUTPUT_VARIABLE prefix)
    cmake_path(APPEND prefix \"${CMAKE_INSTALL_BINDIR}\" OUTPUT_VARIABLE bindir)
    configure_file(\"${CMAKE_SOURCE_DIR}/packaging/systemd/dmmap-${service}.service.in\"
                   \"${CMAKE_BINARY_DIR}/packaging/dmmap-${service}.service\" @ONLY)" COMPONENT runtime)
  # Not below CMAKE_INSTALL_LIBDIR: systemd looks into PREFIX/lib alone.
  install(FILES ${CMAKE_BINARY_DIR}/packaging/dmmap-${service}.service DESTINATION lib/systemd/system COMPONENT runtime)
  # An example, since /etc is out of a prefix's reach.
  install(FILES ${CMAKE_SOURCE_DIR}/packaging/default/dmmap-${service} DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples
          COMPONENT runtime)
endforeach()
install(FILES ${CMAKE_SOURCE_DIR}/packaging/tmpfiles/dmmap-sound.conf DESTINATION lib/tmpfiles.d COMPONENT runtime)

foreach(page dmmap.1 dmmap-camera.1 dmmap-probe.1 dmmap-regions.1 dmmap-run.1 dmmap-sound.1 dmmap-store.1)
  configure_file(${CMAKE_SOURCE_DIR}/packaging/man/${page}.in ${CMAKE_BINARY_DIR}/packaging/${page} @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/packaging/${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT runtime)
endforeach()

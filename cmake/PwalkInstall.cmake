# cmake --install: libraries and headers with pwalkConfig.cmake.
include(CMakePackageConfigHelpers)
get_property(exported GLOBAL PROPERTY PWALK_EXPORTED)
install(TARGETS ${exported} EXPORT pwalkTargets COMPONENT development
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT pwalkTargets NAMESPACE pwalk:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/pwalk COMPONENT development)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/pwalkConfig.cmake.in ${PROJECT_BINARY_DIR}/pwalkConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/pwalk)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/pwalkConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/pwalkConfig.cmake ${PROJECT_BINARY_DIR}/pwalkConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/pwalk COMPONENT development)
file(RELATIVE_PATH up "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
set(PWALK_PC_PREFIX "\${pcfiledir}/${up}")  # wherever it was installed to
configure_file(${CMAKE_CURRENT_LIST_DIR}/pwalk.pc.in ${PROJECT_BINARY_DIR}/pwalk.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/pwalk.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

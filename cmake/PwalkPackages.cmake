# cpack: Debian packages, a component each. The libraries are archives, so what runs is in one package and what is built
# against in another.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME pwalk)
set(CPACK_PACKAGE_CONTACT "pwalk")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL runtime development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME pwalk)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libpwalk-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "libboost-dev, libexpected-dev, libfmt-dev, libxxhash-dev, libhwy-dev, libflatbuffers-dev, liburing-dev, libnuma-dev, libbpf-dev")
if(TARGET pwalk_python)
  list(APPEND CPACK_COMPONENTS_ALL debian_python)
  set(CPACK_DEBIAN_DEBIAN_PYTHON_PACKAGE_NAME python3-pwalk)
  set(CPACK_DEBIAN_DEBIAN_PYTHON_PACKAGE_SECTION python)
  # The extension is for one minor version of Python.
  find_package(Python COMPONENTS Interpreter QUIET)
  math(EXPR next_python "${Python_VERSION_MINOR} + 1")
  set(CPACK_DEBIAN_DEBIAN_PYTHON_PACKAGE_DEPENDS "pwalk (= ${PROJECT_VERSION}), python3-numpy, \
python3 (>= ${Python_VERSION_MAJOR}.${Python_VERSION_MINOR}), python3 (<< ${Python_VERSION_MAJOR}.${next_python})")
endif()
include(CPack)

# Settings that every target shares, and the two functions rooms declare themselves with.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_VERIFY_INTERFACE_HEADER_SETS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE}")
endif()

# `python3` on PATH may be a private build without numpy.
if(NOT DEFINED Python_EXECUTABLE AND EXISTS /usr/bin/python3)
  set(Python_EXECUTABLE /usr/bin/python3)
endif()
set(Python3_EXECUTABLE "${Python_EXECUTABLE}")
set(PYBIND11_FINDPYTHON ON)

add_library(pwalk_settings INTERFACE)
target_compile_options(pwalk_settings INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor)
if(PWALK_WERROR)
  target_compile_options(pwalk_settings INTERFACE -Werror)
endif()
if(PWALK_SANITIZE)
  target_compile_options(pwalk_settings INTERFACE -fsanitize=${PWALK_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all)
  target_link_options(pwalk_settings INTERFACE -fsanitize=${PWALK_SANITIZE})
  if(PWALK_SANITIZE MATCHES "address.*undefined")  # ASan stops at what these two find; they take a fifth of the compile time
    target_compile_options(pwalk_settings INTERFACE -fno-sanitize=null,vptr)
  endif()
endif()
if(PWALK_WITH_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "PWALK_WITH_FUZZ needs clang for libFuzzer, and the compiler is ${CMAKE_CXX_COMPILER_ID}: "
                        "configure with -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_C_COMPILER=clang")
  endif()
  # Coverage in every room; only the targets in tests/fuzz get libFuzzer's main.
  target_compile_options(pwalk_settings INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(pwalk_settings INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Link-time optimisation takes 5 % off a whole walk (frames around a system call are
# dear, see core/README.md). Libraries keep ordinary code beside it, so that whoever
# links without it (tests, an installed consumer) does not pay at every link; GCC's
# linker plugin would, unless told not to.
if(PWALK_WITH_LTO AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug"
   AND NOT PWALK_SANITIZE)
  set(PWALK_LTO_COMPILE -flto=auto -ffat-lto-objects)
  set(PWALK_LTO_LINK -flto=auto)
  add_link_options(-fno-lto)
  # ar takes its index from the LTO symbols when it can, and those claim templates that
  # the ordinary code leaves to libstdc++: a member is then drawn in for them twice.
  set(CMAKE_CXX_ARCHIVE_CREATE "<CMAKE_AR> --plugin /dev/null qc <TARGET> <LINK_FLAGS> <OBJECTS>")
  set(CMAKE_CXX_ARCHIVE_APPEND "<CMAKE_AR> --plugin /dev/null q <TARGET> <LINK_FLAGS> <OBJECTS>")
  set(CMAKE_CXX_ARCHIVE_FINISH "<CMAKE_RANLIB> --plugin /dev/null <TARGET>")
endif()

# pwalk_link_as_one(TARGET): optimise a program across the rooms it is made of.
function(pwalk_link_as_one target)
  target_compile_options(${target} PRIVATE ${PWALK_LTO_COMPILE})
  target_link_options(${target} PRIVATE ${PWALK_LTO_LINK})
endfunction()

# pwalk_library(NAME SOURCES ... PUBLIC targets... PRIVATE targets...)
# A room: headers in include/ are its contract, src/ is its own.
function(pwalk_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(pwalk_${name} STATIC ${ARG_SOURCES})
  add_library(pwalk::${name} ALIAS pwalk_${name})
  target_compile_options(pwalk_${name} PRIVATE ${PWALK_LTO_COMPILE})
  set_target_properties(pwalk_${name} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(pwalk_${name}
    PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
    PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
  target_link_libraries(pwalk_${name} PUBLIC ${ARG_PUBLIC} PRIVATE $<BUILD_INTERFACE:pwalk_settings> ${ARG_PRIVATE})
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/include/*.h)
  target_sources(pwalk_${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_CURRENT_SOURCE_DIR}/include FILES ${headers})
  set_property(GLOBAL APPEND PROPERTY PWALK_EXPORTED pwalk_${name})
endfunction()

# The headers that every test begins with, compiled once.
function(pwalk_test_headers)
  file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/test_headers.cc CONTENT "")
  add_library(pwalk_test_headers OBJECT ${CMAKE_CURRENT_BINARY_DIR}/test_headers.cc)
  target_link_libraries(pwalk_test_headers PRIVATE pwalk_settings GTest::gmock)
  target_compile_options(pwalk_test_headers PRIVATE -fPIE)  # as in the programs that take them over
  target_precompile_headers(pwalk_test_headers PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
endfunction()

# pwalk_test(NAME SOURCES ... LINK targets... [LABELS ...] [ROOM dir-whose-src-it-may-see])
function(pwalk_test name)
  cmake_parse_arguments(ARG "" "ROOM" "SOURCES;LINK;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE pwalk_settings ${ARG_LINK} GTest::gmock GTest::gtest_main)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_precompile_headers(${name} REUSE_FROM pwalk_test_headers)
  if(ARG_ROOM)
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/${ARG_ROOM}/src)
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  # No SKIP_REGULAR_EXPRESSION: one skipped case would hide a failed one. tests/tally.py counts cases from the report.
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 300
    ENVIRONMENT_MODIFICATION "GTEST_OUTPUT=set:xml:${PROJECT_BINARY_DIR}/test-results/${name}.xml")
endfunction()

# pwalk_pytest(NAME FILE [LABELS ...]): one file of Python tests. PWALK_BUILD_DIR tells it where the programs are.
# A test that hangs shows where before ctest ends it.
function(pwalk_pytest name file)
  cmake_parse_arguments(ARG "" "" "LABELS" ${ARGN})
  add_test(NAME ${name} COMMAND ${Python_EXECUTABLE} -m pytest -q -rs -p no:cacheprovider -o faulthandler_timeout=240 ${file}
           --junit-xml=${PROJECT_BINARY_DIR}/test-results/${name}.xml
           WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 300
    ENVIRONMENT "PWALK_BUILD_DIR=${PROJECT_BINARY_DIR};PWALK_SANITIZE=${PWALK_SANITIZE};PYTHONDONTWRITEBYTECODE=1")
endfunction()

# Debian's libraries as imported targets under deps::. The packages stand in tools/packages.txt.
# Paths are Debian's own: an interpreter or a library that happens to be first in PATH is never taken.
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(spdlog REQUIRED)
find_package(fmt REQUIRED)

# dependency(NAME header library...): a library that comes without a CMake package.
function(dependency name header)
  find_path(TROUPE_${name}_INCLUDE ${header} PATHS /usr/local/include /usr/include NO_DEFAULT_PATH REQUIRED)
  add_library(troupe_dep_${name} INTERFACE)
  target_include_directories(troupe_dep_${name} SYSTEM INTERFACE $<BUILD_INTERFACE:${TROUPE_${name}_INCLUDE}>)
  foreach(library IN LISTS ARGN)
    find_library(TROUPE_LIB_${library} ${library} PATHS /usr/lib /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE} NO_DEFAULT_PATH REQUIRED)
    target_link_libraries(troupe_dep_${name} INTERFACE ${TROUPE_LIB_${library}})
  endforeach()
  add_library(deps::${name} ALIAS troupe_dep_${name})
endfunction()

dependency(caf caf/all.hpp caf_io caf_core)
dependency(rocksdb rocksdb/db.h rocksdb)
dependency(msgpack msgpack.hpp)
dependency(archive archive.h archive)
dependency(seccomp seccomp.h seccomp)
dependency(cli11 CLI/CLI.hpp)
dependency(tomlplusplus toml++/toml.h)
target_compile_definitions(troupe_dep_msgpack INTERFACE MSGPACK_NO_BOOST)
target_link_libraries(troupe_dep_caf INTERFACE Threads::Threads)

# CPython: Debian's, by its own path.
add_library(troupe_dep_python INTERFACE)
find_path(TROUPE_PYTHON_INCLUDE Python.h PATHS /usr/include/python3.11 NO_DEFAULT_PATH REQUIRED)
find_library(TROUPE_PYTHON_LIBRARY python3.11 PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE} /usr/lib NO_DEFAULT_PATH REQUIRED)
target_include_directories(troupe_dep_python SYSTEM INTERFACE ${TROUPE_PYTHON_INCLUDE})
target_link_libraries(troupe_dep_python INTERFACE ${TROUPE_PYTHON_LIBRARY})
add_library(deps::python ALIAS troupe_dep_python)

add_library(troupe_dep_boost INTERFACE)
target_link_libraries(troupe_dep_boost INTERFACE Boost::boost Boost::json Boost::url Threads::Threads)
target_compile_definitions(troupe_dep_boost INTERFACE BOOST_ASIO_NO_DEPRECATED)
add_library(deps::boost ALIAS troupe_dep_boost)

add_library(troupe_dep_log INTERFACE)
target_link_libraries(troupe_dep_log INTERFACE spdlog::spdlog fmt::fmt)
add_library(deps::log ALIAS troupe_dep_log)

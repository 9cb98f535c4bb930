# troupe_layer(NAME sources... USES libraries... PRECOMPILE headers...): one folder of the house as the static library troupe_NAME.
# Sources name their headers from the root of the tree: #include "config/limits.hpp".
function(troupe_layer name)
  cmake_parse_arguments(PARSE_ARGV 1 layer "" "" "USES;PRECOMPILE")
  add_library(troupe_${name} STATIC ${layer_UNPARSED_ARGUMENTS})
  target_include_directories(troupe_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(troupe_${name} PUBLIC ${layer_USES} PRIVATE troupe_warnings)
  if(layer_PRECOMPILE)
    target_precompile_headers(troupe_${name} PRIVATE ${layer_PRECOMPILE})
  endif()
endfunction()

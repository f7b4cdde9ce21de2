# The C programs that bench/ measures luafabric against, or with.
foreach(name bare_polls bare_post latency)
  add_executable(${name} bench/${name}.c)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  luafabric_options(${name})
  target_link_libraries(${name} PRIVATE CURL::libcurl)
endforeach()

add_executable(bare_commits bench/bare_commits.c)
set_target_properties(bare_commits PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
luafabric_options(bare_commits)
target_link_libraries(bare_commits PRIVATE SQLite::SQLite3)

# The C programs that bench/ measures luafabric against.
add_executable(bare_polls bench/bare_polls.c)
set_target_properties(bare_polls PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
luafabric_options(bare_polls)
target_link_libraries(bare_polls PRIVATE CURL::libcurl)

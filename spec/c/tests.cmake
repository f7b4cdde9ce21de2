# The C test programs, in build/bin. Included where LUAFABRIC_TESTS is on.

# Our own allocations are caught by the linker, so the sources are compiled in; those of liblua come
# through its allocator, those of libc and libcurl are theirs.
add_executable(allocation_failures spec/c/allocation_failures.c spec/c/allocations.c
  spec/c/core_operations.c ${core_sources})
luafabric_options(allocation_failures)
target_include_directories(allocation_failures PRIVATE spec/c)
target_link_libraries(allocation_failures PRIVATE ${LUA_LIBRARIES} m ${CMAKE_DL_LIBS})
target_link_options(allocation_failures PRIVATE
  -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup,--wrap=free)
set_target_properties(allocation_failures PROPERTIES
  RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

# Certificates, where there is a libcrypto.
if(OPENSSL_FOUND)
  target_sources(allocation_failures PRIVATE spec/c/crypto_operations.c ${crypto_sources})
  target_compile_definitions(allocation_failures PRIVATE LUAFABRIC_TEST_CRYPTO)
  target_link_libraries(allocation_failures PRIVATE OpenSSL::Crypto)
endif()

# The transport's operations come in with their file.
if(EXISTS ${CMAKE_SOURCE_DIR}/spec/c/curl_operations.c)
  target_sources(allocation_failures PRIVATE spec/c/curl_operations.c ${curl_sources})
  target_compile_definitions(allocation_failures PRIVATE LUAFABRIC_TEST_CURL)
  target_link_libraries(allocation_failures PRIVATE CURL::libcurl)
endif()

# And those of the store. Its file takes the disk's calls from libsqlite3, to make them fail.
if(EXISTS ${CMAKE_SOURCE_DIR}/spec/c/sqlite_operations.c)
  target_sources(allocation_failures PRIVATE spec/c/sqlite_operations.c ${sqlite_sources})
  target_compile_definitions(allocation_failures PRIVATE LUAFABRIC_TEST_SQLITE)
  target_link_libraries(allocation_failures PRIVATE SQLite::SQLite3 Threads::Threads)
endif()

add_test(NAME allocation_failures COMMAND allocation_failures)

rockspec_format = "3.0"
package = "luafabric"
version = "scm-1"

source = {
  url = "git+https://github.com/luafabric/luafabric.git",
}

description = {
  summary = "Run Microsoft Fabric notebooks from Lua",
  detailed = [[
One call or one command runs one notebook and brings back its exit value. A run is submitted at most
once, whatever happens to the connection, and no accepted run is forgotten.]],
  license = "MIT",
  labels = { "http", "workflow", "cloud", "commandline" },
}

dependencies = {
  "lua >= 5.1, < 5.6",
  "lua-cjson >= 2.1.0",
  "argparse >= 0.7.0",
}

-- Only the library is looked for: LuaRocks does not know Debian's multiarch folders for headers.
external_dependencies = {
  CURL = { library = "curl" },
}

build = {
  type = "builtin",
  modules = {
    ["luafabric.core"] = {
      sources = {
        "csrc/core.c",
        "csrc/run_request.c",
        "csrc/json_writer.c",
        "csrc/json_slice.c",
        "csrc/location.c",
        "csrc/time_formats.c",
        "csrc/system.c",
        "csrc/signals.c",
        "csrc/spawn.c",
        "csrc/launch.c",
        "csrc/child.c",
      },
      incdirs = { "csrc" },
      defines = { "_GNU_SOURCE" },
    },
    ["luafabric.curl"] = {
      sources = {
        "csrc/curl.c",
      },
      incdirs = { "csrc", "$(CURL_INCDIR)" },
      libdirs = { "$(CURL_LIBDIR)" },
      libraries = { "curl" },
      defines = { "_GNU_SOURCE" },
    },
  },
  install = {
    bin = { luafabric = "lua/luafabric/cli/luafabric.lua" },
  },
}

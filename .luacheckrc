std = "min"
max_line_length = 100
exclude_files = { "build", "build-*" }
-- What some of the four Luas have and others lack: asked for by name, with something in its place.
read_globals = { "unpack", "jit", "setfenv", "loadstring", "newproxy" }
ignore = {
  "212/_.*",
  "212/self", -- a method that does not need its object is still called as one
  "142", -- table.unpack is asked for by name where it may be absent
  "143",
}
files["spec"] = { std = "min+busted" }
files["lua/luafabric/meta"] = { ignore = { "211", "212", "241" } }

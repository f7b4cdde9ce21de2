std = "min"
max_line_length = 100
exclude_files = { "build", "build-*" }
ignore = {
  "212/_.*",
  "142", -- table.unpack is asked for by name where it may be absent
  "143",
}
files["spec"] = { std = "min+busted" }
files["lua/luafabric/meta"] = { ignore = { "211", "212", "241" } }

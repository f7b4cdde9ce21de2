--- The script of the page, put together from its parts; each is a subject of its own. Pure.

local parts = {}
for index, name in ipairs { "asking", "renewing", "list", "run", "start" } do
  parts[index] = require("luafabric.service.page.script_" .. name)
end
return table.concat(parts, "\n")

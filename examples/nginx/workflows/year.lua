-- One year of Seattle's weather: what examples/nginx/nginx.conf orders for an event.

local fabric = require "luafabric"

return fabric.workflow("year", function(flow)
  local year = flow:input("year", { type = "Integer", default = 2012,
    description = "the year to summarize" })
  flow:notebook("summary", {
    workspace = "Weather", notebook = "Summarize year", timeout = "10m",
    parameters = { year = year },
  })
end)

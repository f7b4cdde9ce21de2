--- What `require "luafabric"` gives. Each part is loaded when it is first used; nothing happens
--- before that.

local loaders = {
  --- `fabric.client { credential = … }`: one Fabric endpoint, see luafabric.ClientOptions.
  client = function() return require("luafabric.client").new end,
  --- `fabric.parallel(items, { max_concurrency = 10 }, fn)`: many at a time.
  parallel = function() return require("luafabric.parallel") end,
  --- `fabric.workflow("nightly", function(flow) … end)`: many runs, in order.
  workflow = function() return require("luafabric.workflow").new end,
  --- Lists for `flow:each`: all combinations, months, days.
  matrix = function() return require("luafabric.workflow.items").matrix end,
  months = function() return require("luafabric.workflow.items").months end,
  days = function() return require("luafabric.workflow.items").days end,
  --- `fabric.secret(value)`: sent to Fabric, shown nowhere.
  secret = function() return require("luafabric.workflow.secret").new end,
  --- `fabric.lab { notebooks = … }`: a workflow tried in virtual time.
  lab = function() return require("luafabric.lab").new end,
  --- `fabric.credentials.default()`, `.client_certificate { … }`, …: see luafabric.credentials.
  credentials = function() return require("luafabric.credentials") end,
  --- `fabric.types.datetime "2026-11-23T00:00:00Z"`: the eight types of parameters.
  types = function() return require("luafabric.types") end,
  --- `fabric.spark { executorCores = 8 }`, `fabric.jupyter { … }`, `fabric.data_warehouse()`.
  spark = function() return require("luafabric.compute").spark end,
  jupyter = function() return require("luafabric.compute").jupyter end,
  data_warehouse = function() return require("luafabric.compute").data_warehouse end,
  --- `fabric.errors.is(err)`.
  errors = function() return require("luafabric.errors") end,
  --- `fabric.duration.parse "1h30m"`.
  duration = function() return require("luafabric.duration") end,
  --- `fabric.json.path(run.exit_value, "rows")`; null, and lists that may be empty.
  json = function() return require("luafabric.json") end,
  null = function() return require("luafabric.json").null end,
  array = function() return require("luafabric.json").array end,
}

local M = { _VERSION = require "luafabric.version" }

return setmetatable(M, {
  __index = function(self, name)
    local load = loaders[name]
    if not load then return nil end
    local value = load()
    rawset(self, name, value)
    return value
  end,
})

-- Mistakes that clients of this kind are known to make, each put into ours for a while: what the
-- simulation is for is to see them.

local faults = require "luafabric.simulation.faults"
local journal = require "luafabric.engine.journal"
local reconcile = require "luafabric.policy.reconcile"
local submitting = require "luafabric.engine.submitting"
local units = require "luafabric.engine.unit"

--- Puts a function in the place of another, until it is undone.
local function replace(module, name, make)
  local usual = module[name]
  module[name] = make(usual)
  return function() module[name] = usual end
end

return {
  { name = "sends again after a doubt", shows = "is sent while",
    world = { faults = assert(faults.read "lost,5xx"), each = true },
    make = function()
      return replace(submitting, "doubtful", function()
        return function(engine, unit, _, run) units.not_started(engine, unit, run.error) end
      end)
    end },

  { name = "forgets to write its intent down", shows = "submits without having written it down",
    world = { faults = assert(faults.read "none") },
    make = function()
      return replace(journal, "append", function(append)
        return function(engine, events) return append(engine, events) end
      end)
    end },

  { name = "reckons with no request that is late", shows = "is said to be not_started",
    world = { faults = assert(faults.read "late,lost"), each = true },
    make = function()
      return replace(reconcile, "settled_at", function(settled_at)
        return function(at, V) return settled_at(at, V, 0) end
      end)
    end },

  { name = "takes any run for its own", shows = "which is of",
    world = { faults = assert(faults.read "lost,foreign"), each = true },
    make = function()
      return replace(reconcile, "decide", function(decide)
        return function(doubt)
          local given = {}
          for name, value in pairs(doubt) do given[name] = value end
          given.exclusive = true
          return decide(given)
        end
      end)
    end },
}

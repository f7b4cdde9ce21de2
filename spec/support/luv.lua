-- luv for specs that use it in the process of the specs. It does not bear being loaded twice in one
-- Lua state (a crash in uv_tcp_init), and busted forgets the loaded modules between files: so the
-- first one is kept where busted does not look.

local KEY = "luafabric.spec.luv"
local registry = debug.getregistry()

if not registry[KEY] then registry[KEY] = require "luv" end

return registry[KEY]

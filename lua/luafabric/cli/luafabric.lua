-- The command as LuaRocks installs it. A tree that is not in Lua's search path, as after
-- `luarocks make --tree DIR --deps-mode=none`, is found by the place of this file in it.

local tree, version = (arg[0] or ""):match("^(.*)/lib/luarocks/rocks%-([%d.]+)/luafabric/")
if tree then
  local modules = ("%s/share/lua/%s/"):format(tree, version)
  package.path = ("%s?.lua;%s?/init.lua;%s"):format(modules, modules, package.path)
  package.cpath = ("%s/lib/lua/%s/?.so;%s"):format(tree, version, package.cpath)
end
os.exit(require("luafabric.cli").main(arg), true)

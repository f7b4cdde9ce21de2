-- The LuaCATS files of the C modules against the modules themselves: every function and method of
-- one is in the other, with as many parameters as the comment above the C function says.

local shell = require "spec.support.shell"
local core = require "luafabric.core"

-- How to get at the objects whose methods a file describes, by the file's name for them.
local modules = {
  core = {
    sources = { "child", "equal", "folder", "json_slice", "json_writer", "location", "run_model",
      "run_request", "secret_file", "signals", "siphash", "spawn", "system", "time_formats" },
    objects = {
      child = function() return core.spawn { args = { "true" } } end,
      signals = function() return core.signals { "WINCH" } end,
      secret_lock = function()
        local folder = shell.scratch()
        local lock = core.lock_secret_file(folder .. "/x")
        shell.remove(folder)
        return lock
      end,
    },
  },
  crypto = {
    sources = { "crypto" },
    objects = {
      certificate = function()
        local made = require("spec.support.certificates").new()
        made.remove()
        return assert(require("luafabric.crypto").certificate(made.pem))
      end,
    },
  },
  curl = {
    sources = { "curl" },
    objects = {
      transport = function() return require("luafabric.curl").transport() end,
    },
  },
  sqlite = {
    sources = { "sqlite", "sqlite_file", "sqlite_writer" },
    objects = {
      db = function() return require("luafabric.sqlite").open ":memory:" end,
      writer = function() return require("luafabric.sqlite").writer "nowhere.db" end,
    },
  },
}

local function read(name)
  local file = io.open(name, "rb")
  if not file then return nil end
  local text = file:read("*a")
  file:close()
  return text
end

-- One entry a function: { owner, name, parameters, described, returns }.
local function functions_of_meta(text)
  local found, described, returns = {}, {}, 0
  for line in text:gmatch("[^\n]*") do
    local parameter = line:match("^%-%-%-@param (%S+)")
    if parameter then described[#described + 1] = parameter end
    if line:find("^%-%-%-@return ") then returns = returns + 1 end
    local owner, separator, name, list = line:match("^function ([%w_]+)([.:])([%w_]+)(%b()) end$")
    if owner then
      local parameters = {}
      for word in list:gmatch("[%w_.]+") do parameters[#parameters + 1] = word end
      found[#found + 1] = { owner = owner, name = name, method = separator == ":",
        parameters = parameters, described = described, returns = returns }
    end
    if not line:find("^%-%-%-") and line ~= "" then described, returns = {}, 0 end
  end
  return found
end

-- The arguments in a signature as the C comments write it: "(text [, seconds])", " { a = …, b }".
local function count_arguments(signature)
  if signature:find("^%s*{") then return 1 end
  local list = signature:match("^%b()"):sub(2, -2):gsub("%b{}", "table"):gsub("[%[%]]", "")
  local count = 0
  for argument in list:gmatch("[^,]+") do
    if argument:find("%S") then count = count + 1 end
  end
  return count
end

-- name or object:name -> number of arguments, from the comments "** name(…) --> …" of C files.
local function signatures_of(sources)
  local signatures = {}
  for _, source in ipairs(sources) do
    local text = assert(read("csrc/" .. source .. ".c"))
    for comment in text:gmatch("/%*\n(%*%* .-)%*/") do
      local head = comment:gsub("^%*%* ", ""):gsub("\n%*%* ?", " ")
      repeat
        local name, rest = head:match("^([%l%d_:]+)%s?([%({].*)$")
        if name then
          signatures[name] = count_arguments(rest)
          head = rest:match("^%b(), (.*)$") or ""
        end
      until not name
    end
  end
  return signatures
end

local function method_names(object)
  local index = debug.getmetatable(object).__index
  if type(index) == "function" then index = select(2, debug.getupvalue(index, 1)) end
  local names = {}
  for name in pairs(index) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function names_of(functions, owner)
  local names = {}
  for _, entry in ipairs(functions) do
    if entry.owner == owner then names[#names + 1] = entry.name end
  end
  table.sort(names)
  return names
end

local function sorted_functions(module)
  local names = {}
  for name, value in pairs(module) do
    if type(value) == "function" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- All that is needed of one module, or nil and the reason why it cannot be checked here.
local function load(name)
  local text = read("lua/luafabric/meta/" .. name .. ".lua")
  if not text then return nil, "lua/luafabric/meta/" .. name .. ".lua is absent" end
  local ok, module = pcall(require, "luafabric." .. name)
  if not ok then return nil, "luafabric." .. name .. " is not built: " .. tostring(module) end
  return { text = text, module = module, functions = functions_of_meta(text) }
end

local function class_names()
  local classes = {}
  local pipe = assert(io.popen("grep -rhoE '^---@(class|alias) [A-Za-z_.]+' lua/luafabric"))
  for line in pipe:lines() do classes[line:match("(%S+)$")] = true end
  pipe:close()
  return classes
end

for name, about in pairs(modules) do
  describe("the annotations of luafabric." .. name, function()
    local meta, reason = load(name)

    it("have every function of the module, and no other", function()
      if not meta then return pending(reason) end
      assert.same(sorted_functions(meta.module), names_of(meta.functions, name))
      assert.is_true(#names_of(meta.functions, name) > 0)
    end)

    it("have every method of its objects, and no other #process", function()
      if not meta then return pending(reason) end
      for owner, make in pairs(about.objects) do
        local object = make()
        assert.same(method_names(object), names_of(meta.functions, owner))
        object:close()
      end
      for _, entry in ipairs(meta.functions) do
        assert.is_truthy(entry.owner == name or about.objects[entry.owner], entry.owner)
        assert.equal(entry.owner ~= name, entry.method, entry.name)
      end
    end)

    it("have as many parameters as the comment above the C function", function()
      if not meta then return pending(reason) end
      local signatures = signatures_of(about.sources)
      for _, entry in ipairs(meta.functions) do
        local full = entry.method and entry.owner .. ":" .. entry.name or entry.name
        assert.is_number(signatures[full], "no comment \"** " .. full .. "(…)\" above a C function")
        assert.equal(signatures[full], #entry.parameters, full)
      end
    end)

    it("describe every parameter, in order", function()
      if not meta then return pending(reason) end
      for _, entry in ipairs(meta.functions) do
        assert.same(entry.parameters, entry.described, entry.owner .. "." .. entry.name)
      end
    end)

    it("say what is returned wherever the C comment does", function()
      if not meta then return pending(reason) end
      for _, source in ipairs(about.sources) do
        local text = read("csrc/" .. source .. ".c")
        for full, rest in text:gmatch("/%*\n%*%* ([%l_:]+)%b()([^\n]*)") do
          for _, entry in ipairs(meta.functions) do
            if full == (entry.method and entry.owner .. ":" .. entry.name or entry.name) then
              assert.is_true(entry.returns > 0 or not rest:find("^ %-%->"), full)
            end
          end
        end
      end
    end)

    it("name classes that are defined somewhere", function()
      if not meta then return pending(reason) end
      local classes = class_names()
      for class in meta.text:gmatch("luafabric%.%u%w*") do assert.is_true(classes[class], class) end
    end)

    it("name the module's other values too", function()
      if not meta then return pending(reason) end
      for field, value in pairs(meta.module) do
        if type(value) ~= "function" then
          local words = "\n" .. name .. "." .. field .. " = nil\n"
          assert.is_truthy(meta.text:find(words, 1, true), field)
        end
      end
    end)

    it("are a file that loads", function()
      if not meta then return pending(reason) end
      assert.is_function(assert((loadstring or _G.load)(meta.text)))
    end)
  end)
end

-- The files of --report: which kind each is, whether its folder takes it, which is found out before
-- anything is sent, and writing them at the end. A report replaces its file whole or not at all.

local M = {}

local views = {
  html = "luafabric.view.report_html", htm = "luafabric.view.report_html",
  md = "luafabric.view.report_markdown", xml = "luafabric.view.report_junit",
}

local function kind_of(path)
  return (path:match("%.(%a+)$") or ""):lower()
end

local function beside(path)
  return ("%s.%s.tmp"):format(path, require("luafabric.core").random_hex(4))
end

-- "file: No such file or directory" without the file, which the message names already.
local function without_path(message, path)
  message = tostring(message)
  if message:sub(1, #path + 2) == path .. ": " then return message:sub(#path + 3) end
  return message
end

-- A folder opens, but cannot be read.
local function is_folder(path)
  local file = io.open(path, "rb")
  if not file then return false end
  local _, _, code = file:read(1)
  file:close()
  return code == 21 -- EISDIR
end

local function check_place(path)
  if is_folder(path) then return nil, "it is a folder" end
  local trial = beside(path)
  local file, message = io.open(trial, "wb")
  if not file then return nil, without_path(message, trial) end
  file:close()
  os.remove(trial)
  return true
end

--- Checks what --report asks for. Nothing is left behind.
---@param paths string[]|nil
---@return { path: string, view: string }[]|nil reports
---@return string|nil message
function M.check(paths)
  local reports, seen = {}, {}
  for index, path in ipairs(paths or {}) do
    local view = views[kind_of(path)]
    if not view then
      return nil, ("--report %s: the name decides the kind of the report: it ends in .html, .md, "
        .. "or .xml (JUnit)"):format(path)
    end
    if seen[path] then return nil, ("--report %s is there twice"):format(path) end
    local ok, message = check_place(path)
    if not ok then
      return nil, ("--report %s: it cannot be written: %s"):format(path, message)
    end
    seen[path], reports[index] = true, { path = path, view = view }
  end
  return reports
end

local function write(path, text)
  local fresh = beside(path)
  local file, message = io.open(fresh, "wb")
  if not file then return nil, without_path(message, fresh) end
  local ok
  ok, message = file:write(text)
  if ok then ok, message = file:close() else file:close() end
  if ok then
    ok, message = os.rename(fresh, path)
    if ok then return true end
  end
  os.remove(fresh)
  return nil, without_path(message, fresh)
end

local function make(report, state, options)
  local ok, text = pcall(function() return require(report.view)(state, options) end)
  if not ok then return nil, "internal error: " .. tostring(text):match("^[^\n]*") end
  return write(report.path, text)
end

--- Removes what an earlier run left under these names: if this one cannot write its reports, since
--- it is killed or the disk is full, nobody shall take the old ones for its.
---@param reports { path: string, view: string }[]
function M.remove_old(reports)
  for _, report in ipairs(reports) do os.remove(report.path) end
end

--- Writes all of them, one's failure being nothing to the others.
---@param reports { path: string, view: string }[]
---@param state table  of the run
---@param options luafabric.ReportOptions  for the views
---@return string[] paths     what was written
---@return string[] messages  why the others were not
function M.write(reports, state, options)
  local paths, messages = {}, {}
  for _, report in ipairs(reports) do
    local ok, message = make(report, state, options)
    if ok then
      paths[#paths + 1] = report.path
    else
      messages[#messages + 1] = ("the report %s could not be written: %s"):format(report.path,
        message)
    end
  end
  return paths, messages
end

return M

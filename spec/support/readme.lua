-- The README's snippets, by the name in the comment above each: what the README shows is what the
-- specs run.

local M = {}

--- Every fenced block of the README.
---@return table<string, string> snippets  by name
---@return string[] unnamed  first lines of blocks that no comment names
function M.snippets()
  local file = assert(io.open("README.md", "r"))
  local snippets, unnamed = {}, {}
  local name, block
  for line in file:lines() do
    if block then
      if line == "```" then
        if name then snippets[name] = table.concat(block, "\n") .. "\n"
        else unnamed[#unnamed + 1] = block[1] end
        name, block = nil, nil
      else
        block[#block + 1] = line
      end
    elseif line:find("^```") then
      block = {}
    elseif line ~= "" then
      name = line:match("^<!%-%- snippet: (%S+) %-%->$")
    end
  end
  file:close()
  return snippets, unnamed
end

return M

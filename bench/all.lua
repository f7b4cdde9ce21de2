-- Runs every measurement of this folder, each in a process of its own, under one line that says
-- which machine it was. A name as argument runs only that one: ./dev bench encoder

local machine = require "bench.machine"

local benches = {
  "first_byte", "encoder", "polls", "submissions", "watched_memory",
  "workflow_plan", "workflow_engine", "manners", "store_commits", "durable_workflow",
  "cancel_latency", "lost_answers", "hosts", "nginx_neighbour",
}

local only = arg[1]
print("machine: " .. machine.describe())
for _, name in ipairs(benches) do
  if not only or only == name then
    print("\n== " .. name)
    io.stdout:flush()
    local ok = os.execute("lua5.4 bench/" .. name .. ".lua")
    if ok ~= true and ok ~= 0 then
      io.stderr:write("bench: " .. name .. " failed\n")
      os.exit(1)
    end
  end
end

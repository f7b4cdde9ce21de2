-- The command line of luafabric doctor.

local exit_codes = require "luafabric.cli.exit_codes"
local store_option = require "luafabric.cli.store_option"

local M = {}

--- Adds the command to the parser.
---@param parser table  of argparse
function M.add(parser)
  local doctor = parser:command("doctor", "Say who we are for Fabric, and what is in the way.")
  doctor:argument("workspace", "Name or id."):argname("WORKSPACE"):args("?")
  doctor:argument("notebook", "Name or id."):argname("NOTEBOOK"):args("?")
  doctor:flag("--prove", "Start one real run of the notebook, which costs what its runs cost, and "
    .. "keep what it shows of this tenant where runs of workflows go by it.")
  doctor:flag("-y --yes", "With --prove: do not ask before the run is started.")
  doctor:option("--compute", "With --prove: what the notebook runs on; its session gets a name, "
    .. "which Fabric may show.")
    :choices { "spark", "jupyter", "none" }:default("spark")
  doctor:option("--route", "typed (default), or generic for tenants that lack the typed route.")
    :choices { "typed", "generic" }
  doctor:option("--endpoint", "The API to talk to (default: LUAFABRIC_ENDPOINT, or Fabric's own).")
    :argname("URL")
  doctor:option("-o --output", "What standard output gets: text, json (one document at the end) or "
    .. "jsonl (a check a line)."):choices { "text", "json", "jsonl" }:default("text")
  doctor:flag("-q --quiet", "No progress on standard error.")
  store_option.add(doctor)
  doctor:epilog("Exit codes: 0 when nothing is in the way, 5 when there is no token or it is "
    .. "refused, 2 for anything else;\nwith --prove, then, those of its run.\n\n"
    .. exit_codes.help("nothing is in the way"))
end

--- Options that contradict each other.
---@param options table
---@return string|nil message
function M.contradiction(options)
  if options.prove and not options.notebook then
    return "--prove starts a run: name its workspace and notebook: luafabric doctor --prove "
      .. "WORKSPACE NOTEBOOK"
  end
  if options.yes and not options.prove then return "--yes answers the question of --prove" end
end

return M

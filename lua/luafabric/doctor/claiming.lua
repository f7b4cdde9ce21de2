--- The proof's run among those of the store: its notebook is nobody else's from right before it is
--- sent until its answer, and its job is known to be no step's. In a task.

local call = require "luafabric.client.call"
local core = require "luafabric.core"
local errors = require "luafabric.errors"
local intending = require "luafabric.engine.intending"
local news = require "luafabric.client.news"

local M = {}

-- It is sent that soon after it was written down: the claim has a margin of more than that.
local SEND_WITHIN = 30 -- seconds

---@class luafabric.ProofClaim
---@field store luafabric.SqliteStore
---@field client luafabric.Client
---@field claim luafabric.Claim
---@field is_open boolean|nil
---@field opened_at number  host time
local Claim = {}
Claim.__index = Claim

--- Nothing is started while another submission of the notebook is not settled.
---@param other { run_id: string, path: string, blocks_until: number }  of Store:unsettled
---@return luafabric.Error
function M.refusal(other)
  return errors.new { kind = "usage", message = ("nothing was started: a submission of this "
    .. "notebook, by %s of run %s, is not settled, and this run could be taken for its. Wait until "
    .. "%s, or name another notebook"):format(other.path, other.run_id,
      core.format_time(other.blocks_until)) }
end

--- Writes down that it is about to be sent; again after a wait.
---@return boolean|nil ok
---@return luafabric.Error|nil err  nothing is sent
function Claim:open()
  local claim, client, host = self.claim, self.client, call.host()
  claim.blocks_until = self.store.now()
    + intending.blocked_for { V = client.visible_after, D = client.late_by }
  local ok, err = self.store:claim(claim)
  if ok then
    self.is_open, self.opened_at = true, host.now()
    return true
  end
  if err.store_code ~= "intent_open" then return nil, err end
  local other = self.store:unsettled(self.workspace_id, self.notebook_id)
  return nil, other and M.refusal(other) or err
end

--- Surely nothing was started; plain.
function Claim:withdraw()
  if not self.is_open then return end
  self.is_open = nil
  self.store:settle_claim(self.claim) -- where that fails, it ends by itself
end

--- What became of it. In doubt it stays open for its time.
---@param run luafabric.Run|nil
function Claim:answered(run)
  if not run then return self:withdraw() end
  if not run.job_id then return end
  self.is_open = nil
  local ok, err = self.store:settle_claim(self.claim, run.job_id)
  if not ok then news.warn(run, "its job could not be written down: " .. err.message) end
end

--- A claim on what is about to be sent.
---@param store luafabric.SqliteStore
---@param prepared luafabric.Submission
---@return luafabric.ProofClaim
function M.new(store, prepared)
  local run = prepared.run
  local self = setmetatable({ store = store, client = prepared.client,
    workspace_id = run.workspace_id, notebook_id = run.notebook_id, claim = {
      id = core.random_hex(6), path = "luafabric doctor",
      notebook = run.workspace_id .. "/" .. run.notebook_id } }, Claim)
  prepared.before_again = function() return self:open() end
  prepared.not_after = function() return self.opened_at + SEND_WITHIN end
  return self
end

return M

-- The sign-in of a person through Microsoft Entra: a code that is entered elsewhere, polls for the
-- token meanwhile, and refresh tokens that change with every use. Nobody is there to enter a code:
-- the settings say when the person agrees or refuses.

local answers = require "luafabric.emulator.answers"

local M = {}

---@param settings { approve_after: number?, decline_after: number?, lifetime: number?,
---  interval: number? }|nil  seconds; agreed to at once unless said
---@param next_id fun(): string
---@return table device_codes
function M.new(settings, next_id)
  settings = settings or {}
  local codes, refresh_tokens = {}, {}
  local device = {}

  --- POST /{tenant}/oauth2/v2.0/devicecode
  function device.begin(context, form)
    local code = next_id()
    local lifetime, interval = settings.lifetime or 900, settings.interval or 5
    codes[code] = { client_id = form.client_id, begun = context.now, interval = interval,
      ends = context.now + lifetime, seen = -math.huge,
      offline = (" " .. (form.scope or "") .. " "):find(" offline_access ", 1, true) ~= nil }
    local user_code = code:sub(1, 8):upper()
    return answers.plain(context, 200, { device_code = code, user_code = user_code,
      verification_uri = "https://microsoft.com/devicelogin", expires_in = lifetime,
      interval = interval, message = "To sign in, use a web browser to open the page "
        .. "https://microsoft.com/devicelogin and enter the code " .. user_code
        .. " to authenticate." })
  end

  local function new_refresh_token(client_id)
    local token = "refresh." .. next_id()
    refresh_tokens[token] = client_id
    return token
  end

  --- A poll: OAuth's word, Entra's number and text of a refusal; or nil, and what to issue.
  function device.poll(context, form)
    local code = codes[form.device_code or ""]
    if not code or code.client_id ~= form.client_id then
      return "bad_verification_code", 70018, "Invalid verification code."
    end
    local too_soon = context.now - code.seen < code.interval * 0.9
    code.seen = context.now
    if context.now >= code.ends then
      return "expired_token", 70020, "The provided device code has expired."
    end
    if too_soon then
      code.interval = code.interval + 5
      return "slow_down", 70046, "The device is polling too often."
    end
    local waited = context.now - code.begun
    if settings.decline_after and waited >= settings.decline_after then
      return "authorization_declined", 70017, "The user refused the authorization."
    end
    if waited < (settings.approve_after or 0) then
      return "authorization_pending", 70016, "Authorization is pending."
    end
    codes[form.device_code] = nil
    return nil, { refresh_token = code.offline and new_refresh_token(form.client_id) or nil }
  end

  --- A refresh token, which works once.
  function device.refresh(_, form)
    local token = form.refresh_token or ""
    if refresh_tokens[token] ~= form.client_id or token == "" then
      return "invalid_grant", 700082, "The refresh token has expired due to inactivity."
    end
    refresh_tokens[token] = nil
    return nil, { refresh_token = new_refresh_token(form.client_id) }
  end

  --- The administrator signs the person out everywhere.
  function device.revoke()
    refresh_tokens = {}
  end

  return device
end

return M

--- The variables with a secret in them that luafabric reads, or could: what programs that it starts
--- have no business to see.

local M = {}

--- Nobody's but ours.
M.ours = { "LUAFABRIC_TOKEN", "LUAFABRIC_SERVER_TOKEN", "LUAFABRIC_EMULATOR_TOKEN",
  "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PASSWORD", "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
  "SYSTEM_ACCESSTOKEN" }

--- With these the machine gives a token to whoever asks. The Azure CLI asks so, too.
M.machine = { "IDENTITY_HEADER", "MSI_SECRET" }

return M

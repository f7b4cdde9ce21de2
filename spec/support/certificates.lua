-- Certificates for specs, made by the openssl command in a folder of their own.

local shell = require "spec.support.shell"

local M = {}

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function run(command)
  local code, output = shell.run(command)
  assert(code == 0, output)
  return output
end

--- A certificate that signed itself, and its key.
---@param options { key: string|nil, days: integer|nil, password: string|nil }|nil
---  key: as openssl's -newkey, default rsa:2048; password: of the key
---@return table made  { folder, path, pem, key_path, certificate_path, certificate_pem,
---                     public_path, remove = function }
function M.new(options)
  options = options or {}
  local folder = shell.scratch()
  local made = { folder = folder, path = folder .. "/both.pem", key_path = folder .. "/key.pem",
    certificate_path = folder .. "/certificate.pem", public_path = folder .. "/public.pem" }
  local protection = options.password and "-passout pass:" .. options.password or "-nodes"
  run(("openssl req -x509 -newkey %s %s -subj /CN=luafabric -days %d -keyout %s -out %s")
    :format(options.key or "rsa:2048", protection, options.days or 2, made.key_path,
      made.certificate_path))
  run(("cat %s %s > %s"):format(made.key_path, made.certificate_path, made.path))
  run(("openssl x509 -in %s -pubkey -noout > %s"):format(made.certificate_path, made.public_path))
  made.pem, made.certificate_pem = read(made.path), read(made.certificate_path)
  function made.remove() shell.remove(folder) end
  return made
end

local authority = [[
[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
serial = serial
default_md = sha256
policy = any
[any]
commonName = supplied
]]

--- The same, over since 2021.
---@return table made
function M.expired()
  local made = M.new()
  local file = assert(io.open(made.folder .. "/ca.conf", "w"))
  file:write(authority)
  file:close()
  run(("cd %s && : > index.txt && echo 01 > serial && openssl req -new -key key.pem -subj "
    .. "/CN=luafabric -out request.pem && openssl ca -batch -selfsign -notext -config ca.conf "
    .. "-keyfile key.pem -in request.pem -startdate 20200101000000Z -enddate 20210101000000Z "
    .. "-out certificate.pem && cat key.pem certificate.pem > both.pem"):format(made.folder))
  made.pem, made.certificate_pem = read(made.path), read(made.certificate_path)
  return made
end

--- What `openssl x509 -fingerprint` says, in small hexadecimal digits.
function M.fingerprint(made, digest)
  local output = run(("openssl x509 -in %s -fingerprint -%s -noout"):format(
    made.certificate_path, digest))
  return (output:match("=(%S+)"):gsub(":", ""):lower())
end

--- Whether the openssl command takes a signature for that of the text.
---@param made table
---@param text string
---@param signature string  bytes
---@param algorithm "PS256"|"RS256"
---@return boolean
function M.openssl_verifies(made, text, signature, algorithm)
  for name, bytes in pairs { ["text.bin"] = text, ["signature.bin"] = signature } do
    local file = assert(io.open(made.folder .. "/" .. name, "wb"))
    file:write(bytes)
    file:close()
  end
  local padding = algorithm == "PS256"
    and "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -sigopt rsa_mgf1_md:sha256" or ""
  local code = shell.run(("cd %s && openssl dgst -sha256 -verify public.pem %s "
    .. "-signature signature.bin text.bin"):format(made.folder, padding))
  return code == 0
end

return M

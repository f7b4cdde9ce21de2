---@meta luafabric.crypto
--- Certificates with a private key, and HMAC, on OpenSSL's libcrypto. Implemented in csrc/crypto.c;
--- absent where libcrypto was absent when luafabric was built. Functions raise for arguments of a
--- wrong type.

local crypto = {}

--- Reads a PEM text: an RSA key of 2048 bits or more and its certificate, in any order, and further
--- certificates of its chain; or certificates alone. What does not belong together is refused.
---@param pem string
---@param password string|nil  of the private key
---@return luafabric.Certificate|nil certificate
---@return string|nil message  `its private key needs a password`
function crypto.certificate(pem, password) end

--- As `certificate`, from a file; the private key never becomes a value of Lua.
---@param path string
---@param password string|nil  of the private key
---@return luafabric.Certificate|nil certificate
---@return string|nil message  `there is no such file`
function crypto.certificate_file(path, password) end

--- The code by which two who share a key know each other's texts (RFC 2104), with SHA-256.
---@param key string
---@param text string
---@return string|nil bytes  32 of them
---@return string|nil message
function crypto.hmac_sha256(key, text) end

---@class luafabric.Certificate
local certificate = {}

---@return boolean
function certificate:has_key() end

---@param digest "sha1"|"sha256"
---@return string|nil bytes
---@return string|nil message
function certificate:thumbprint(digest) end

--- All certificates of the text, the key's own first.
---@return string[] der
function certificate:chain() end

--- When it is valid; negative is past.
---@param now number               unix seconds
---@return number|nil until_begin  seconds
---@return number|string until_end seconds; the message when there is none
function certificate:validity(now) end

---@param text string
---@param algorithm "PS256"|"RS256"
---@return string|nil signature
---@return string|nil message
function certificate:sign(text, algorithm) end

---@param text string
---@param signature string
---@param algorithm "PS256"|"RS256"
---@return boolean valid
function certificate:verify(text, signature, algorithm) end

--- Wipes the key. Twice does no harm; `__gc` and `__close` too.
function certificate:close() end

return crypto

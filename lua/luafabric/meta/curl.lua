---@meta luafabric.curl
--- HTTP on libcurl for one loop. Implemented in csrc/curl*.c; hosts/plain.lua says what requests
--- and completions are made of (luafabric.Request, luafabric.Completion).

local curl = {}

---@class luafabric.TransportOptions
---@field ca_file string|nil  PEM file of the certificates to trust, instead of the system's
---@field proxy string|nil    for https, instead of the environment's; "" is none

---@class luafabric.StreamPart  of a request with `stream`, as it comes
---@field kind "data"
---@field id integer
---@field text string

--- A transport. Raises for unknown options, and where descriptors or memory have run out.
---@param options luafabric.TransportOptions|nil
---@return luafabric.Transport
function curl.transport(options) end

--- libcurl and what it was built with, as in "libcurl/7.88.1 OpenSSL/3.0.17 …".
---@return string
function curl.version() end

--- Belongs to the process that made it: used in a child of fork, it raises.
---@class luafabric.Transport
local transport = {}

--- Begins a request; it goes on its way in `wait`.
---@param request luafabric.Request  an ill-formed one raises, naming the field, and nothing is sent
---@return integer id
function transport:start(request) end

--- The request's completion says "cancelled". Nothing happens when it has ended.
---@param id integer
function transport:cancel(id) end

--- Waits until there is something to report, or the time is up, and lets libcurl work.
---@param seconds number|nil  0 only looks; nil waits for ever
---@return (luafabric.Completion|{ kind: "fd", fd: integer }|luafabric.StreamPart)[] events  may be
---  empty
function transport:wait(seconds) end

--- Reads the certificates to trust now; they are kept for a day (libcurl 7.87 and later). Without
--- it the first connection over TLS does, and the first one that submits. Before the first request.
function transport:load_trust() end

--- The one descriptor that a host's own event loop can wait on.
---@return integer fd  readable when `wait(0)` has something to do
function transport:fd() end

--- Reports the descriptor from `wait` while it is readable.
---@param fd integer
---@return boolean|nil ok
---@return string|nil message
function transport:watch(fd) end

---@param fd integer
function transport:unwatch(fd) end

--- Ends whatever is under way, without completions. Twice does no harm; `__gc` and `__close` too.
function transport:close() end

return curl

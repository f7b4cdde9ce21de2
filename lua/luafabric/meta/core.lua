---@meta luafabric.core
--- The C part that needs the C library alone. Implemented in csrc/, all but csrc/curl*.c. Functions
--- raise for arguments of a wrong type; what is said of errors here comes on top of that.

local core = {}

-- ---- JSON -------------------------------------------------------------------------------------

--- JSON's null, one value for the whole Lua state; `tostring` gives "null".
---@type userdata
core.null = nil

--- Writes a value as JSON: the same bytes for the same value. Names are in the order of their
--- bytes, integers are whole, doubles read back as the same double (-0.0 too). Metamethods are not
--- called.
--- Refused, with the place named: NaN, infinity, text that is not UTF-8, functions and other
--- userdata, tables with holes or with both names and indices, more than 64 levels.
---@param value any
---@return string|nil text
---@return string|nil message  `a[2]: NaN cannot be written as JSON`; or "not enough memory"
function core.encode_json(value) end

--- Marks a table to be written as a list even when it is empty. Sets its metatable.
---@generic T: table
---@param table T
---@return T table  the same one
function core.json_array(table) end

--- Cuts a value out of a JSON text, exactly as it stands there. Safe on any text, but it does not
--- judge it: read it with luafabric.json first.
---@param text string
---@param path (string|number)[]  names and 1-based indices
---@return string|nil slice
---@return integer|nil steps  how many steps of the path were there, when slice is nil
function core.json_slice(text, path) end

-- ---- the run request --------------------------------------------------------------------------

---@alias luafabric.RunFieldKind
---| "text"
---| "guid"
---| "boolean"
---| "integer"    # 32 bits
---| "object"
---| "list"       # of objects, or of texts where there is no object
---| "parameter"  # a parameter's value: its type decides

---@class luafabric.RunField
---@field name string
---@field kind luafabric.RunFieldKind
---@field required boolean            by itself; what a reference requires depends on its type
---@field words string[]|nil          an open enumeration: others pass with a warning
---@field numbers integer[]|nil       the only numbers allowed
---@field minimum integer|nil         of an integer
---@field max_units integer|nil       of a text, in UTF-16 units
---@field object luafabric.RunObject|nil

---@class luafabric.RunObject
---@field name string                 as in Microsoft's definitions
---@field fields luafabric.RunField[] in the order in which they are written

---@class luafabric.RunModel
---@field request luafabric.RunObject
---@field execution_data table<string, luafabric.RunObject>  by compute: "Spark", …

--- The body of a run, from Microsoft's own field names (RunNotebookRequest in
--- notebook/definitions.json). Metamethods are not called.
---@param request table  executionData, parameters: a list of { name, type, value }
---@return string|nil json
---@return string[]|string|nil warnings  sentences, each beginning with a field's path; when json is
---  nil, the message: `executionData.compute: is required`
function core.encode_run(request) end

--- The model that `encode_run` walks.
---@return luafabric.RunModel
function core.run_model() end

-- ---- ids and places ---------------------------------------------------------------------------

--- Whether a value is a GUID as text: 8-4-4-4-12 hexadecimal digits.
---@param value any
---@return boolean
function core.is_guid(value) end

---@class luafabric.Location
---@field workspace_id string|nil
---@field item_id string|nil
---@field job_id string|nil       nil where the URL ends without one

--- The ids in a Location header. The URL itself is never to be fetched.
---@param url string
---@return luafabric.Location|nil location  nil for what is no URL with a path
function core.parse_location(url) end

-- ---- times ------------------------------------------------------------------------------------

--- Reads a timestamp of Fabric, "2026-11-23T14:59:18.14", with or without a zone; none is UTC.
---@param text string
---@return number|nil seconds  since 1970; nil for anything else
function core.parse_time(text) end

--- Reads an HTTP date in any of its three forms (RFC 9110 5.6.7).
---@param text string
---@return number|nil seconds  since 1970; nil for anything else
function core.parse_http_date(text) end

--- Writes a time as Fabric wants a DateTime. Raises outside the years 1 to 9999.
---@param seconds number  since 1970; a fraction is cut off
---@return string text    "2026-11-23T00:00:00Z"
function core.format_time(seconds) end

--- Reads the headers that say when to come back.
---@param retry_after string|nil     seconds, or an HTTP date
---@param retry_after_ms string|nil  milliseconds; wins
---@param date string|nil            the answer's own Date, from which an HTTP date counts
---@return number|nil seconds        0 to 86400; nil when nothing readable is said
function core.parse_retry_after(retry_after, retry_after_ms, date) end

-- ---- fingerprints -----------------------------------------------------------------------------

--- SipHash-2-4 of a text: the same for the same key and text, and silent about the text to whoever
--- lacks the key. Raises for a key of another length.
---@param key string    16 bytes
---@param text string
---@return string digits  16 hexadecimal digits, as in the published test vectors
function core.fingerprint(key, text) end

--- Whether what somebody gives is a secret, in a time that depends on what was given and on nothing
--- of the secret.
---@param secret string
---@param given string
---@return boolean
function core.equal(secret, given) end

-- ---- folders ----------------------------------------------------------------------------------

--- The names in a folder, in no order.
---@param path string
---@return string[]|nil names
---@return string|nil reason  "No such file or directory"
function core.list_folder(path) end

--- Where a path leads: its full name without links in it.
---@param path string
---@return string|nil path
---@return string kind  "file", "folder" or "other"; or the reason
function core.real_path(path) end

-- ---- the system -------------------------------------------------------------------------------

--- A clock that never goes back, and begins anywhere.
---@return number seconds
function core.monotonic() end

---@return number seconds  since 1970, with a fraction
function core.wall() end

--- The kernel's randomness.
---@return number  in [0, 1), 53 bits
function core.random() end

--- The kernel's randomness as hexadecimal digits.
---@param n_bytes integer  1 to 256
---@return string digits   2 n_bytes of them, small letters
function core.random_hex(n_bytes) end

---@return integer
function core.pid() end

---@param fd integer
---@return boolean
function core.isatty(fd) end

---@param fd integer
---@return integer|nil columns  nil where fd is no terminal, or does not know its size
---@return integer|nil rows
function core.window_size(fd) end

--- Keeps this process's memory from core dumps and from the eyes of other processes of this user.
--- Children begin without the latter; their limit of core dumps is 0 as well, and can be raised.
---@return boolean|nil ok
---@return string|nil message
function core.keep_memory_private() end

-- ---- files with a secret ----------------------------------------------------------------------

--- What a file has in it, where it and its folder are this user's alone: of another's, one that
--- others may read or write, and a symbolic link it says so. At most 16 KiB.
---@param path string
---@return string|nil text
---@return string|nil message   begins with the path
---@return "absent"|"denied"|nil why  there is none, whatever the folder is like; a folder above is
---  closed to this user
function core.read_secret_file(path) end

--- Puts a text in place of what is in a file, wholly or not at all, for this user alone; makes the
--- folder. One process at a time: hold the lock.
---@param path string
---@param text string  at most 16 KiB
---@return boolean|nil ok
---@return string|nil message
function core.write_secret_file(path, text) end

--- Removes it, and what a writer that was killed left beside it.
---@param path string
---@return boolean|nil was_there
---@return string|nil message
function core.remove_secret_file(path) end

--- Keeps others out, of this process and of all that ask as well; makes the folder. The lock is a
--- file beside it, `path.lock`.
---@param path string
---@return luafabric.SecretLock|false|nil lock  false: somebody has it
---@return string|nil message
function core.lock_secret_file(path) end

---@class luafabric.SecretLock
local secret_lock = {}

--- Lets go. Twice does no harm; `__gc` and `__close` too.
function secret_lock:close() end

-- ---- signals ----------------------------------------------------------------------------------

--- Catches signals: they come as names through one descriptor, until `close` puts the former
--- handlers back. Raises for an unknown name, for signals that cannot be caught and CHLD, and while
--- another set of this process is open.
--- HUP, INT and QUIT are not reported where they were ignored when this process was started (nohup,
--- jobs in the background of a script).
---@param names string[]  1 to 16 of them: "INT", "TERM", …
---@return luafabric.Signals
function core.signals(names) end

---@class luafabric.Signals
local signals = {}

---@return integer|nil fd  readable when a signal came; nil when closed
function signals:fd() end

---@return string[] names  in the order they came; empty when there was none
function signals:read() end

--- Puts the former handlers back. Twice does no harm; `__gc` and `__close` too.
function signals:close() end

-- ---- child processes --------------------------------------------------------------------------

---@class luafabric.SpawnOptions
---@field args string[]                         the program first; looked up in the child's PATH
---@field env table<string, string|false>|nil   merged over this process's; false takes one away
---@field cwd string|nil
---@field stdin "null"|"pipe"|"inherit"|nil     default "null"
---@field stdout "null"|"pipe"|"inherit"|nil    default "inherit"
---@field stderr "null"|"pipe"|"inherit"|nil    default "inherit"
---@field own_group boolean|nil                 default true: it leads a process group
---@field die_with_parent boolean|nil           default true: killed when this thread ends
---@field pidfd boolean|nil                     false does as on a kernel without pidfd_open

--- Starts a child process. Raises for a wrong description, naming the field.
---@param options luafabric.SpawnOptions
---@return luafabric.Child|nil child
---@return string|nil message  `cannot start jupyter: not found in PATH (…)`
function core.spawn(options) end

--- How a child ended: one of the two, or none when the kernel no longer says.
---@class luafabric.ChildEnd
---@field code integer|nil    exit code
---@field signal string|nil   "TERM", or a number as text

---@class luafabric.Child
---@field pid integer
local child = {}

--- Waits for the child's end. Blocks this thread.
---@param seconds number|nil  0 only looks; nil waits for ever
---@return luafabric.ChildEnd|nil ending  nil when the time is up
function child:wait(seconds) end

---@return integer|nil fd  readable when the child ended; nil when closed
function child:fd() end

---@return integer|nil fd  our end; nil without a pipe
function child:stdout_fd() end

---@return integer|nil fd  our end; nil without a pipe
function child:stderr_fd() end

--- Reads what the child wrote to its output, without waiting.
---@param max integer|nil       bytes, from 1 up; at most 16384 come at once
---@return string|nil text      "" when there is none yet, nil at the end
---@return string|nil message   why it could not be read
function child:read(max) end

--- Reads what the child wrote to its error output, without waiting.
---@param max integer|nil       bytes, from 1 up; at most 16384 come at once
---@return string|nil text      "" when there is none yet, nil at the end
---@return string|nil message   why it could not be read
function child:read_error(max) end

--- Writes to the child's input. Blocks this thread until the pipe has taken all of it.
---@param text string
---@param seconds number|nil  nil waits for ever
---@return boolean|nil ok
---@return string|nil message
function child:write(text, seconds) end

--- The child reads the end of its input.
function child:close_stdin() end

--- Sends a signal. Raises for an unknown name.
---@param name string        "TERM"
---@param group boolean|nil  true: to every process of its group
---@return boolean|nil ok
---@return string|nil message
function child:kill(name, group) end

--- Kills what is left of the group, reaps the child, closes the descriptors. Twice does no harm;
--- `__gc` and `__close` too.
function child:close() end

return core

/*
** The operations of luafabric.core: at least one through every function that allocates.
*/

#include <stddef.h>

#include "allocations.h"
#include "operations.h"

#define CORE "local core = require 'luafabric.core'\n"
#define IDS                                                                                        \
  "local id = '0f8fad5b-d9cb-469f-a165-70867728950e'\n"                                            \
  "local item = { referenceType = 'ById', itemId = id, workspaceId = id }\n"

static const char rich_request[] = CORE IDS
    "local names = {}\n"
    "for i = 1, 40 do names[i] = { name = 'p' .. i, type = 'Text', value = '" ALLOCATIONS_SECRET
    "' .. ('é'):rep(i * 20) } "
    "end\n"
    "names[41] = { name = 'n', type = 'Integer', value = '9223372036854775807' }\n"
    "names[42] = { name = 'v', type = 'Automatic', value = { a = { 1, { b = core.null } } } }\n"
    "local request = { parameters = names, executionData = { compute = 'Spark',\n"
    "  computeConfiguration = { name = 's', driverCores = 4, executorCores = 8,\n"
    "    driverMemory = '28g', executorMemory = '999g', numExecutors = 3, jars = { 'a', 'b' },\n"
    "    sparkProperties = { ['spark.a'] = '1', ['spark.b'] = '2' },\n"
    "    instancePool = { name = 'p', type = 'Workspace', id = id },\n"
    "    mountPoints = { { mountPointPath = '/a', source = 'abfss://b' } },\n"
    "    defaultLakehouse = item, highConcurrencyModeOptions = { enabled = true },\n"
    "    attachedEnvironment = { referenceType = 'ByVariable',\n"
    "      variableReference = '$(/**/a/b)' } } } }\n"
    "local expected = core.encode_run(request)\n"
    "return function()\n"
    "  local text, warnings = core.encode_run(request)\n"
    "  if not text then return nil, warnings end\n"
    "  return text == expected and #warnings == 5\n"
    "end\n";

static const char refused_requests[] = CORE
    "local long = ('x'):rep(300)\n"
    "local requests = { { executionData = {} }, { [long] = 1 }, { 'x' },\n"
    "  { executionData = { compute = 'Spark', computeConfiguration = { driverCores = 5 } } },\n"
    "  { executionData = { compute = 'Spark', computeConfiguration = { numExecutor = 5 } } },\n"
    "  { executionData = { compute = 'Spark',\n"
    "    computeConfiguration = { sparkProperties = { a = '1', b = true } } } },\n"
    "  { parameters = { { name = 'a', type = 'Guid', value = long } } },\n"
    "  { parameters = { { name = 'a', type = 'Text', value = '' },\n"
    "    { name = 'A', type = 'Text', value = '' } } } }\n"
    "return function()\n"
    "  for i = 1, #requests do\n"
    "    local text, message = core.encode_run(requests[i])\n"
    "    if text or not message then return false end\n"
    "    if message:find('memory') then return nil, message end\n"
    "  end\n"
    "  return true\n"
    "end\n";

static const char nested_value[] = CORE
    "local value = { list = core.json_array {}, text = ('\"é\\n'):rep(500), null = core.null }\n"
    "for i = 1, 20 do value = { value, i / 3, { ['n' .. i] = i } } end\n"
    "local expected = core.encode_json(value)\n"
    "return function()\n"
    "  local text, message = core.encode_json(value)\n"
    "  if not text then return nil, message end\n"
    "  return text == expected\n"
    "end\n";

static const char refused_values[] =
    CORE "local loop = {}\n"
         "loop[1] = { a = loop }\n"
         "local values = { loop, { 1, nil, 3 }, { 1, a = 2 }, { a = '\\255' }, { a = 0 / 0 }, { "
         "print } }\n"
         "return function()\n"
         "  for i = 1, 6 do\n"
         "    local text, message = core.encode_json(values[i])\n"
         "    if text or not message then return false end\n"
         "    if message:find('memory') then return nil, message end\n"
         "  end\n"
         "  return true\n"
         "end\n";

static const char slices[] =
    CORE "local text = '{\"a\":[1,{\"b\":\"' .. ('x'):rep(2000) .. '\"}]}'\n"
         "local path = { 'a', 2 }\n"
         "return function()\n"
         "  local slice = core.json_slice(text, path)\n"
         "  return slice == text:sub(9, -3)\n"
         "end\n";

static const char model[] = CORE "return function()\n"
                                 "  return core.run_model().request.name == 'RunNotebookRequest'\n"
                                 "end\n";

static const char texts[] = CORE IDS
    "local url = 'https://h/v1/workspaces/' .. id .. '/items/' .. id .. '/jobs/instances/' .. id\n"
    "return function()\n"
    "  return core.parse_location(url).job_id == id and core.is_guid(id)\n"
    "    and core.format_time(core.parse_time('2026-11-23T01:02:03.5')) == '2026-11-23T01:02:03Z'\n"
    "    and core.parse_retry_after('7', nil, nil) == 7 and #core.random_hex(256) == 512\n"
    "end\n";

static const char folders[] =
    CORE "return function()\n"
         "  local names = core.list_folder('/proc/self')\n"
         "  local path, kind = core.real_path('/proc/../etc/.')\n"
         "  local none, reason = core.list_folder('/no/such')\n"
         "  return #names > 9 and path == '/etc' and kind == 'folder' and not none and reason\n"
         "    and core.equal('a', 'a')\n"
         "end\n";

static const char signals[] = CORE "return function()\n"
                                   "  local signals = core.signals { 'INT', 'TERM', 'HUP' }\n"
                                   "  local ok = signals:fd() and #signals:read() == 0\n"
                                   "    and tostring(signals):find('open') ~= nil\n"
                                   "  signals:close()\n"
                                   "  return ok\n"
                                   "end\n";

static const char wrong_signals[] =
    CORE "return function()\n"
         "  local ok, message = pcall(core.signals, { 'INT', 'NOPE' })\n"
         "  if ok then return false end\n"
         "  if message:find('memory') then return nil, message end\n"
         "  return message:find('expected a signal') ~= nil\n"
         "end\n";

static const char child[] =
    CORE "local options = { args = { 'sh', '-c', 'read a; echo \"$a $B\"; exit 3' }, env = { B = "
         "'b' },\n"
         "  cwd = '/', stdin = 'pipe', stdout = 'pipe', stderr = 'null' }\n"
         "return function()\n"
         "  local child = assert(core.spawn(options))\n"
         "  child:write('a\\n')\n"
         "  local code = child:wait(20).code\n"
         "  local text = child:read()\n"
         "  local ok = code == 3 and text == 'a b\\n' and child.pid > 0 and tostring(child) ~= ''\n"
         "  child:close()\n"
         "  return ok\n"
         "end\n";

static const char no_child[] = CORE
    "local options = { args = { '/no/such' }, stdin = 'pipe', stdout = 'pipe', pidfd = false }\n"
    "return function()\n"
    "  local child, message = core.spawn(options)\n"
    "  return child == nil and message:find('No such file') ~= nil\n"
    "end\n";

static const char secret_files[] =
    CORE "local folder = os.tmpname()\n"
         "os.remove(folder)\n"
         "local path = folder .. '/x'\n"
         "return function()\n"
         "  local lock, message = core.lock_secret_file(path)\n"
         "  if not lock then return nil, message or 'it is locked' end\n"
         "  local ok, text = core.write_secret_file(path, 'text'), core.read_secret_file(path)\n"
         "  lock:close()\n"
         "  for _, name in ipairs { path, path .. '.lock', folder } do os.remove(name) end\n"
         "  return ok and text == 'text'\n"
         "end\n";

const operation core_operations[] = {
    {"opening luafabric.core", "package.loaded['luafabric.core'] = nil\n"
                               "return function()\n"
                               "  package.loaded['luafabric.core'] = nil\n"
                               "  local core = require 'luafabric.core'\n"
                               "  local text, message = core.encode_json { core.null }\n"
                               "  if not text then return nil, message end\n"
                               "  return text == '[null]'\n"
                               "end\n"},
    {"encode_run of a rich request", rich_request},
    {"encode_run of what it refuses", refused_requests},
    {"encode_json of a nested value", nested_value},
    {"encode_json of what it refuses", refused_values},
    {"json_slice", slices},
    {"run_model", model},
    {"ids and times", texts},
    {"folders", folders},
    {"signals", signals},
    {"signals that cannot be caught", wrong_signals},
    {"spawn of a child", child},
    {"spawn of what cannot start", no_child},
    {"core: a file with a secret", secret_files},
    {NULL, NULL},
};

local core = require "luafabric.core"
local errors = require "luafabric.errors"
local json = require "luafabric.json"
local shell = require "spec.support.shell"
local sqlite = require "luafabric.sqlite"
local sqlite_store = require "luafabric.store.sqlite"

-- A store in memory, in a world with a clock of its own.
local function virtual_store(options)
  local time = 1000
  options = options or {}
  options.synchronous, options.now = true, function() return time end
  local store = assert(sqlite_store.open(":memory:", options))
  return store, function(seconds) time = time + seconds end
end

-- A second client of the same database: a store object that is another owner.
local function other_client(store, name)
  return setmetatable({ owner = name }, { __index = store })
end

local function append(run, event)
  event.at = event.at or 1
  local ticket = assert(run:append { event })
  return run:is_durable(ticket)
end

--- The open intent of a notebook whose time is not up.
local function open_intent(store, notebook)
  return store:rows([[select * from intents where notebook = ?1 and state = 'open'
    and blocks_until > ?2]], notebook, store.now())[1]
end

describe("the store of runs", function()
  local store, pass

  before_each(function() store, pass = virtual_store() end)
  after_each(function() store:close() end)

  local function create(run_id, more)
    local given = { run_id = run_id, workflow = "nightly" }
    for name, value in pairs(more or {}) do given[name] = value end
    return store:create_run(given)
  end

  it("gives events back as they were written", function()
    local run = assert(create "a")
    local events = {
      { type = "run_started", at = 1.25, run_id = "a", inputs = { { name = "n", value = 7 } },
        steps = json.array {}, timeout = 0.1, file = "x.lua" },
      { type = "attempt_ended", at = 2, path = "clean[us]", exit_value = "[1, 2.50]",
        error = json.null, request = { body = '{"a":1}' } },
    }
    local ticket = assert(run:append(events))
    assert.is_true(run:is_durable(ticket))
    assert.is_true(append(run, { type = "warning", at = 3, message = "ü" }))
    local back = assert(store:events "a")
    assert.equal(3, #back)
    assert.same(events[2], back[2])
    assert.equal(json.null, back[2].error)
    assert.equal("[]", json.encode(back[1].steps))
    back[1].steps, events[1].steps = nil, nil
    assert.same(events[1], back[1])
    assert.same({ back[3] }, store:events("a", 3))
    assert.same({}, store:events("a", 4))
    assert.same({}, store:events "none")
  end)

  it("counts the events of each run by itself", function()
    local runs = { assert(create "a"), assert(create "b") }
    for at = 1, 3 do
      for _, run in ipairs(runs) do append(run, { type = "warning", at = at }) end
    end
    assert.same({ { type = "warning", at = 3 } }, store:events("b", 3))
    assert.equal(3, #store:events "a")
  end)

  it("reads a long history whole, in order", function()
    local run = assert(create "a")
    for from = 1, 5001, 500 do
      local events = {}
      for index = from, math.min(from + 499, 5001) do
        events[#events + 1] = { type = "warning", at = index }
      end
      run:append(events)
    end
    local back = store:events "a"
    assert.equal(5001, #back)
    for index, event in ipairs(back) do assert.equal(index, event.at) end
    assert.equal(4000, store:events("a", 4000)[1].at)
  end)

  it("lists runs, the latest first", function()
    create("a", { inputs = { { name = "day", type = "text", value = "x" } }, file = "n.lua",
      script_hash = "ff", key = "k", parent = "z" })
    pass(10)
    local second = create "b"
    pass(10)
    create "c"
    append(second, { type = "run_ended", at = 1025.5, outcome = "failed" })
    local ids = {}
    for index, row in ipairs(store:runs()) do ids[index] = row.run_id end
    assert.same({ "c", "b", "a" }, ids)
    assert.equal(2, #store:runs { limit = 2 })
    local ended = store:runs { state = "ended" }
    assert.equal(1, #ended)
    assert.same({ "b", "failed", 1010, 1025.5, false }, { ended[1].run_id, ended[1].outcome,
      ended[1].started_at, ended[1].ended_at, ended[1].orphaned })
    local row = store:find "a"
    assert.same({ { name = "day", type = "text", value = "x" } }, row.inputs)
    assert.same({ "n.lua", "ff", "k", "z", "running" },
      { row.file, row.script_hash, row.key, row.parent, row.state })
  end)

  it("finds a run by the beginning of its id", function()
    for _, id in ipairs { "abc1", "abc2", "b%", "abc" } do create(id) end
    assert.equal("abc1", store:find("abc1").run_id)
    assert.equal("abc", store:find("abc").run_id) -- also when others begin with it
    assert.equal("b%", store:find("b").run_id)
    local row, err = store:find "ab"
    assert.is_nil(row)
    assert.equal("several runs in :memory: begin with ab, such as abc and abc1: give more of "
      .. "the id", err.message)
    assert.equal("no run x in :memory:; runs belong to the machine that started them",
      select(2, store:find "x").message)
    assert.equal("not_found", select(2, store:find "%").kind)
    assert.equal("not_found", select(2, store:find "").kind)
  end)

  it("has at most one unfinished run of a key", function()
    local first = create("a", { key = "k" })
    create("x")
    create("y")
    local second, err = create("b", { key = "k" })
    assert.is_nil(second)
    assert.same({ "duplicate", "a" }, { err.store_code, err.run.run_id })
    assert.equal(("run a of workflow nightly has the same key and is run by process %d")
      :format(core.pid()), err.message)
    assert.equal("a", store:unfinished("k").run_id)
    append(first, { type = "detached" })
    assert.equal("detached", store:unfinished("k").state)
    append(first, { type = "run_ended", outcome = "succeeded" })
    assert.is_nil(store:unfinished "k")
    assert.is_truthy(create("b", { key = "k" }))
    assert.equal("there is a run a in :memory: already", select(2, create "a").message)
  end)

  describe("ownership", function()
    it("is one process's at a time", function()
      local run = create "a"
      local other = other_client(store, "other")
      local taken, err = other:open_run "a"
      assert.is_nil(taken)
      assert.equal("owned", err.store_code)
      assert.is_truthy(err.message:find("^run a is being run by process %d+: wait"))
      assert.equal("run a is being run by this process: wait for it, or cancel it",
        select(2, store:open_run "a").message)
      assert.is_false(store:find("a").orphaned)
      run:close()
      assert.is_true(store:find("a").orphaned)
      assert.equal(2, other:open_run("a").fence)
    end)

    it("ends with the lease, and lasts as long as it is renewed", function()
      local run = create "a"
      assert.equal(1030, run:owned_until())
      pass(29)
      run:renew()
      assert.equal(1059, run:owned_until())
      pass(29)
      assert.equal("owned", select(2, other_client(store, "other"):open_run "a").store_code)
      pass(1)
      assert.is_true(store:find("a").orphaned)
      assert.is_truthy(other_client(store, "other"):open_run "a")
    end)

    it("is lost for good: a stale owner writes nothing any more", function()
      local stale = create "a"
      append(stale, { type = "warning", message = "first" })
      local run = assert(other_client(store, "other"):open_run("a", { take_over = true }))
      for _, event in ipairs { { type = "warning" }, { type = "detached" },
        { type = "run_ended", outcome = "failed" },
        { type = "attempt_submitted", path = "x", attempt = 1, job_id = "j" } } do
        local durable, err = append(stale, event)
        assert.is_false(durable)
        assert.equal("fenced", err.store_code)
        assert.equal("run a was taken over by another process: this one stops writing",
          err.message)
      end
      local ticket = stale:renew()
      assert.equal("fenced", select(2, stale:is_durable(ticket)).store_code)
      assert.equal(-math.huge, stale:owned_until())
      -- Nor is it told what its heir did meanwhile.
      local intent = { notebook = "w/n", path = "x", attempt = 1, blocks_until = math.huge }
      assert.is_true(run:is_durable(run:append({ { type = "warning", at = 1 } }, intent)))
      assert.equal("fenced", select(2, stale:is_durable(stale:append(
        { { type = "warning", at = 1 } }, intent))).store_code)
      stale:close()
      assert.equal("other", store:find("a").owner)
      assert.is_true(append(run, { type = "warning", message = "second" }))
      assert.same({ "first", "second" },
        { store:events("a")[1].message, store:events("a")[3].message })
      assert.is_nil(store:job "j")
      assert.equal("running", store:find("a").state)
    end)

    it("of a run that has ended, or that is not there, is nobody's", function()
      append(create "a", { type = "run_ended", outcome = "failed" })
      assert.equal("run a has ended: failed", select(2, store:open_run "a").message)
      assert.equal("no run b in :memory:; runs belong to the machine that started them",
        select(2, store:open_run "b").message)
    end)

    it("is not taken twice by two who look at the same moment", function()
      create("a"):close()
      local slow, quick = other_client(store, "slow"), other_client(store, "quick")
      local taken
      function slow.rows(_, ...)
        local rows = store:rows(...)
        taken = taken or assert(quick:open_run "a")
        return rows
      end
      local run, err = slow:open_run "a"
      assert.is_nil(run)
      assert.equal("owned", err.store_code)
      assert.is_true(append(taken, { type = "warning" }))
    end)

    it("begins again with a run that was detached", function()
      local run = create "a"
      append(run, { type = "detached" })
      run:close()
      assert.is_false(store:find("a").orphaned)
      assert.is_truthy(store:open_run "a")
      assert.equal("running", store:find("a").state)
    end)
  end)

  describe("intents", function()
    local run

    before_each(function() run = create "a" end)

    local function intend(by, path, notebook, more)
      local intent = { notebook = notebook, path = path, attempt = 1,
        blocks_until = store.now() + 330 }
      local ticket = by:append({ { type = "attempt_intended", path = path, attempt = 1, at = 1 },
        more }, intent)
      return by:is_durable(ticket)
    end

    it("are open one at a time for a notebook, in all runs", function()
      assert.is_true(intend(run, "x", "w/n"))
      assert.is_true(intend(run, "y", "w/m"))
      local other = create "b"
      local durable, err = intend(other, "z", "w/n")
      assert.is_false(durable)
      assert.same({ "intent_open", "another submission of this notebook is not settled yet" },
        { err.store_code, err.message })
      assert.same({}, store:events "b") -- nothing of a refused unit is there
      local held = open_intent(store, "w/n")
      assert.same({ "a", "x" }, { held.run_id, held.path })
    end)

    for kind, event in pairs {
      ["submitted"] = { type = "attempt_submitted", path = "x", attempt = 1, job_id = "j" },
      ["adopted"] = { type = "attempt_adopted", path = "x", attempt = 1, job_id = "j" },
      ["rejected"] = { type = "attempt_ended", path = "x", attempt = 1, outcome = "rejected" },
      ["waiting"] = { type = "attempt_waiting", path = "x", attempt = 1, seconds = 5 },
    } do
      it("end when the attempt is " .. kind, function()
        intend(run, "x", "w/n")
        assert.is_true(append(run, event))
        assert.is_nil(open_intent(store, "w/n"))
        assert.is_true(intend(create "b", "z", "w/n"))
      end)
    end

    it("stay open while the fate is unknown, until their time is up", function()
      intend(run, "x", "w/n")
      append(run, { type = "attempt_ended", path = "x", attempt = 1, outcome = "unknown" })
      local other = create "b"
      assert.is_false((intend(other, "z", "w/n")))
      pass(329)
      assert.is_false((intend(other, "z", "w/n")))
      pass(1)
      assert.is_nil(open_intent(store, "w/n"))
      assert.is_true(intend(other, "z", "w/n"))
    end)

  end)

  it("gives a job instance to one attempt", function()
    local run = create "a"
    append(run, { type = "attempt_submitted", path = "x", attempt = 2, job_id = "j" })
    assert.same({ job_id = "j", run_id = "a", path = "x", attempt = 2 }, store:job "j")
    local durable, err = append(create "b",
      { type = "attempt_submitted", path = "y", attempt = 1, job_id = "j" })
    assert.is_false(durable)
    assert.same({ "job_taken", "this job instance belongs to another attempt already" },
      { err.store_code, err.message })
    assert.is_nil(store:job "k")
  end)

  it("stops when the disk is full, and says so", function()
    local run = create "a"
    local pages = store.db:rows("pragma page_count")[1].page_count
    store.db:exec(("pragma max_page_count = %d"):format(pages))
    local ticket, err
    for _ = 1, 100 do
      ticket, err = run:append { { type = "warning", at = 1, message = ("x"):rep(1000) } }
      if not ticket then break end
    end
    assert.equal("the disk is full: :memory: cannot grow. Free some space and repeat", err.message)
    assert.same({ "FULL", "configuration" }, { err.store_code, err.kind })
    assert.equal("FULL", select(2, run:append { { type = "warning", at = 1 } }).store_code)
  end)

  it("has another version when it was written to, and the same one otherwise", function()
    local run, before = assert(create "a"), store:version()
    assert.equal("string", type(before))
    store:runs()
    assert.equal(before, store:version())
    append(run, { type = "warning", message = "x" })
    assert.are_not.equal(before, store:version())
  end)

  it("checks its options", function()
    assert.has_error(function() sqlite_store.open(":memory:", { syncronous = true }) end)
    assert.has_error(function() sqlite_store.open ":memory:" end)
  end)
end)

describe("the file of the store #process", function()
  local folder, path

  before_each(function()
    folder = shell.scratch()
    path = folder .. "/runs.db"
  end)

  after_each(function() shell.remove(folder) end)

  local function message_of(name, options)
    local store, err = sqlite_store.open(name, options)
    assert.is_nil(store)
    assert.is_true(errors.is(err))
    return (err.message:gsub(folder, "FOLDER", 1))
  end

  local function write(name, text)
    local file = assert(io.open(name, "wb"))
    file:write(text)
    file:close()
  end

  it("keeps what was written", function()
    local store = assert(sqlite_store.open(path))
    local run = assert(store:create_run { run_id = "a", workflow = "nightly" })
    local ticket = run:append { { type = "warning", at = 1.5, message = "kept" } }
    store:close()
    store:close()
    store = assert(sqlite_store.open(path, { readonly = true }))
    assert.same({ { type = "warning", at = 1.5, message = "kept" } }, store:events "a")
    store:close()
    assert.is_true(ticket > 0)
    assert.equal("600\n", select(2, shell.run("stat -c %a '" .. path .. "'")))
  end)

  it("has another version when another process wrote to it, or its own thread", function()
    local one, other = assert(sqlite_store.open(path)), assert(sqlite_store.open(path))
    local before = { one:version(), other:version() }
    local run = assert(one:create_run { run_id = "v", workflow = "nightly" })
    assert.are_not.equal(before[1], one:version())
    assert.are_not.equal(before[2], other:version())
    before = { one:version(), other:version() }
    assert(run:append { { type = "warning", at = 1, message = "x" } })
    assert.is_true(one:flush(60))
    assert.are_not.equal(before[1], one:version())
    assert.are_not.equal(before[2], other:version())
    one:close()
    other:close()
  end)

  it("wakes a host when something became durable", function()
    local host = require("luafabric.hosts.plain").new()
    local store = assert(sqlite_store.open(path))
    local run = assert(store:create_run { run_id = "a", workflow = "nightly" })
    assert(host.watch_store(run))
    local ticket = run:append { { type = "warning", at = 1 } }
    assert.same("store", host.wait(60)[1].kind)
    assert.is_true(run:is_durable(ticket))
    assert.same({}, host.wait(0))
    -- Who looks for himself takes the news from nobody else.
    ticket = run:append { { type = "warning", at = 2 } }
    store:flush(60)
    assert.is_true(run:is_durable(ticket))
    assert.same("store", host.wait(60)[1].kind)
    host.unwatch_store(run)
    store:close()
    host.close()
  end)

  it("is where the user's state is", function()
    local program = ([[
      local store, err = require("luafabric.store.sqlite").open()
      print(store and store.path or err)
      if store then store:close() end]]):gsub("%s+", " ")
    local function default(environment)
      local _, output = shell.run(("%s LUA_PATH='%s' LUA_CPATH='%s' %s -e '%s'; umask 0; "
        .. "find '%s' -printf '%%m %%P\\n' | sort"):format(environment, package.path,
        package.cpath, os.getenv "LUAFABRIC_LUA" or "lua5.4", program, folder))
      return (output:gsub(folder, "FOLDER"))
    end
    local output = default(("XDG_STATE_HOME='%s/state'"):format(folder))
    assert.is_truthy(output:find("FOLDER/state/luafabric/runs.db\n", 1, true))
    assert.is_truthy(output:find("600 state/luafabric/runs.db\n", 1, true))
    assert.is_truthy(output:find("700 state/luafabric\n", 1, true))
    output = default(("XDG_STATE_HOME=relative HOME='%s'"):format(folder))
    assert.is_truthy(output:find("FOLDER/.local/state/luafabric/runs.db\n", 1, true))
    output = default("XDG_STATE_HOME= HOME=")
    assert.is_truthy(output:find("no place for the store of runs", 1, true))
  end)

  it("is refused when it is no store, and stays as it was", function()
    write(path, ("no database at all "):rep(100))
    assert.equal("FOLDER/runs.db is not a store of runs: it is no SQLite database. Give another "
      .. "file with --store", message_of(path))
    assert.equal(("no database at all "):rep(100), select(2, shell.run("cat '" .. path .. "'")))
    local db = sqlite.open(folder .. "/other.db", { create = true })
    db:exec "create table t (a)"
    db:close()
    assert.equal("FOLDER/other.db is a database of another program: give another file with "
      .. "--store", message_of(folder .. "/other.db"))
  end)

  it("is a store whenever another process makes it one, while this one looks", function()
    for looks = 1, 5 do
      os.remove(path)
      local db = sqlite.open(path, { create = true })
      local left = looks
      local slow = setmetatable({ rows = function(_, ...)
        left = left - 1
        if left == 0 then assert(sqlite_store.open(path)):close() end
        return db:rows(...)
      end }, { __index = function(_, name)
        return function(_, ...) return db[name](db, ...) end
      end })
      local ok, err = require("luafabric.store.sqlite_schema").check(slow, path, true)
      assert.is_true(ok, ("before look %d: %s"):format(looks, tostring(err)))
      db:close()
    end
  end)

  it("of the first version gets what it lacks, and keeps its runs", function()
    local store = assert(sqlite_store.open(path))
    assert(store:create_run { run_id = "a", workflow = "nightly" }):close()
    store:close()
    local db = sqlite.open(path)
    for _, name in ipairs { "orders", "joins", "leases", "webhooks", "findings" } do
      assert(db:exec("drop table " .. name))
    end
    assert(db:exec "drop index runs_by_outcome; drop index runs_by_state")
    db:exec "pragma user_version = 1"
    db:close()
    store = assert(sqlite_store.open(path, { readonly = true }))
    assert.equal("a", store:find("a").run_id)
    store:close()
    store = assert(sqlite_store.open(path))
    assert.same({}, assert(store:rows "select * from orders"))
    assert.equal("a", store:find("a").run_id)
    store:close()
  end)

  it("is refused when it is newer than this luafabric", function()
    assert(sqlite_store.open(path)):close()
    local db = sqlite.open(path)
    db:exec "pragma user_version = 7"
    db:close()
    assert.equal("FOLDER/runs.db is a store of version 7, and this luafabric knows version 2: "
      .. "use a newer luafabric, or another file with --store", message_of(path))
  end)

  it("is refused when it is damaged", function()
    local store = assert(sqlite_store.open(path))
    local run = assert(store:create_run { run_id = "a", workflow = "nightly" })
    for index = 1, 50 do
      run:append { { type = "warning", at = index, message = ("x"):rep(500) } }
    end
    store:close()
    -- Everything but the header, which says that it is a store.
    local file = assert(io.open(path, "r+b"))
    file:seek("set", 100)
    file:write(("\0"):rep(30000))
    file:close()
    local err
    store, err = sqlite_store.open(path)
    if store then
      err = select(2, store:runs())
      store:close()
    end
    assert.is_truthy(err.message:find("runs.db is damaged (", 1, true))
    assert.is_truthy(err.message:find("move it away to begin anew", 1, true))
  end)

  it("is refused when it is a link, and not made where nobody wants that", function()
    shell.run(("ln -s elsewhere '%s'"):format(path))
    assert.equal("the store of runs: FOLDER/runs.db is a symbolic link: it must be a file. "
      .. "Give another file with --store", message_of(path))
    local missing = "there is no FOLDER/none.db: no run was started with it. Runs belong to the "
      .. "machine that started them"
    assert.equal(missing, message_of(folder .. "/none.db", { readonly = true }))
    assert.equal(missing, message_of(folder .. "/none.db", { create = false }))
    write(folder .. "/empty.db", "")
    assert.equal("FOLDER/empty.db is empty: no run was started with it",
      message_of(folder .. "/empty.db", { readonly = true }))
  end)

  it("is found again from another folder, whatever its name looks like", function()
    local program = ([[
      local store = assert(require("luafabric.store.sqlite").open(arg[1]))
      local run = assert(store:create_run { run_id = "a", workflow = "w" })
      local ticket = run:append { { type = "warning", at = 1 } }
      assert(store:flush(60) and run:is_durable(ticket))]]):gsub("%s+", " ")
    local root = select(2, shell.run "pwd"):gsub("\n", "")
    local function absolute(search) return (search:gsub("%./", root .. "/")) end
    local code, output = shell.run(("cd '%s' && LUA_PATH='%s' LUA_CPATH='%s' %s - 'file:x.db' "
      .. "<<'END'\n%s\nEND\ntest -e file:x.db"):format(folder, absolute(package.path),
      absolute(package.cpath), os.getenv "LUAFABRIC_LUA" or "lua5.4", program))
    assert.same({ 0, "" }, { code, output })
  end)

  describe("with another process", function()
    local child

    local function ask(line)
      if line then assert(child:write(line .. "\n")) end
      local text, deadline = "", core.monotonic() + 60
      while not text:find("\n") do
        local more = child:read(1)
        assert(more and core.monotonic() < deadline, "the other process ended")
        text = text .. more
        if more == "" then child:wait(0.01) end
      end
      return text:sub(1, -2)
    end

    before_each(function()
      child = assert(core.spawn { stdin = "pipe", stdout = "pipe", args = {
        os.getenv "LUAFABRIC_LUA" or "lua5.4", "spec/store/owner_process.lua", path },
        env = { LUA_PATH = package.path, LUA_CPATH = package.cpath } })
      assert.equal("ok", ask "create a k")
    end)

    after_each(function() child:close() end)

    it("lets one of them run a run, and the other take it over", function()
      local store = assert(sqlite_store.open(path))
      assert.equal(("run a is being run by process %d: wait for it, or cancel it")
        :format(child.pid), select(2, store:open_run "a").message)
      assert.equal("duplicate", select(2, store:create_run { run_id = "b", workflow = "nightly",
        key = "k" }).store_code)
      assert.equal("ok", ask "append 3")
      local run = assert(store:open_run("a", { take_over = true }))
      assert.equal("fenced: run a was taken over by another process: this one stops writing",
        ask "append 1")
      assert.equal(3, #store:events "a")
      local ticket = run:append { { type = "warning", at = 4 } }
      store:flush(60)
      assert.is_true(run:is_durable(ticket))
      assert.equal(4, #store:events "a")
      store:close()
    end)

    it("keeps all that was durable when the process is killed, and its run is free", function()
      assert(child:write "keep_on\n")
      local last
      for _ = 1, 20 do last = tonumber(ask()) end
      child:kill "KILL"
      child:wait(60)
      for word in (child:read() or ""):gmatch("%d+\n") do last = tonumber(word) end
      local store = assert(sqlite_store.open(path))
      local events = store:events "a"
      assert.is_true(#events >= last, ("%d events, and %d were reported"):format(#events, last))
      for index, event in ipairs(events) do assert.equal(index, event.at) end
      assert.is_true(store:find("a").orphaned)
      local run = assert(store:open_run "a") -- at once: nobody waits for a lease of the dead
      assert.equal(2, run.fence)
      store:close()
    end)

    it("commits what is queued when the process ends", function()
      assert.equal("ok", ask "queue 200")
      child:close_stdin()
      child:wait(60)
      local store = assert(sqlite_store.open(path))
      assert.equal(200, #store:events "a")
      store:close()
    end)
  end)
end)

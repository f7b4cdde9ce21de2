local json = require "luafabric.json"
local shell = require "spec.support.shell"
local sqlite = require "luafabric.sqlite"

local has_integers = math.type ~= nil

describe("a database", function()
  local db

  before_each(function()
    db = assert(sqlite.open ":memory:")
    assert(db:exec "create table t (a, b, c); create table named (name text not null unique)")
  end)

  after_each(function() db:close() end)

  local function round_trip(value)
    assert(db:exec("delete from t"))
    assert(db:exec("insert into t (a) values (?)", value))
    return db:rows("select a, typeof(a) as kind from t")[1]
  end

  it("gives values back as they were", function()
    for _, value in ipairs { 0, 1, -1, 2 ^ 52 + 1, 0.1, -1.5, 1e300, "", "text", "a\0b", "ü" } do
      assert.equal(value, round_trip(value).a)
    end
    -- Lua 5.1 has one zero in a file.
    assert.equal(-math.huge, 1 / round_trip(tonumber "-0.0").a)
    assert.same({ a = 1, kind = "integer" }, round_trip(true))
    assert.same({ a = 0, kind = "integer" }, round_trip(false))
    assert.same({ kind = "null" }, round_trip(nil))
    assert.same({ kind = "null" }, round_trip(json.null))
    assert.same({ a = "\0\255", kind = "blob" }, round_trip(sqlite.blob "\0\255"))
    assert.same({ a = "", kind = "blob" }, round_trip { blob = "" })
    assert.equal("text", round_trip("x").kind)
  end)

  it("keeps 64 bits of an integer, as text where numbers cannot", function()
    assert(db:exec "insert into t values (9223372036854775807, -9007199254740993, 7)")
    local row = db:rows("select * from t")[1]
    if not has_integers then
      return assert.same({ a = "9223372036854775807", b = "-9007199254740993", c = 7 }, row)
    end
    assert.same({ math.maxinteger, -9007199254740993, 7 }, { row.a, row.b, row.c })
    assert.equal("integer", math.type(row.a))
    assert.equal("float", math.type(round_trip(5.0).a))
  end)

  it("says how many rows were changed, in all statements of a text", function()
    assert.equal(3, db:exec "insert into t (a) values (1), (2); insert into t (a) values (3);  ")
    assert.equal(2, db:exec("delete from t where a > ?", 1))
    assert.equal(0, db:exec "")
  end)

  it("names what went wrong", function()
    assert.same({ nil, "near \"nonsense\": syntax error", "ERROR" }, { db:exec "nonsense" })
    assert.same({ nil, "no such table: x", "ERROR" }, { db:rows "select * from x" })
    assert(db:exec("insert into named values (?)", "a"))
    assert.same({ nil, "UNIQUE constraint failed: named.name", "CONSTRAINT_UNIQUE" },
      { db:exec("insert into named values (?)", "a") })
    assert.same("CONSTRAINT_NOTNULL", select(3, db:exec("insert into named values (null)")))
    assert.same("RANGE", select(3, db:exec("insert into named values (?)", "b", "too many")))
    assert.same("RANGE", select(3, db:rows("select 1", "too many")))
  end)

  it("tells whether a transaction is open", function()
    assert.is_false(db:in_transaction())
    db:exec "begin"
    assert.is_true(db:in_transaction())
    db:exec "rollback"
    assert.is_false(db:in_transaction())
  end)

  it("refuses what SQLite has no word for", function()
    assert.has_error(function() db:exec("select ?", print) end)
    assert.has_error(function() db:exec("select ?", {}) end)
    assert.has_error(function() db:exec "select 1\0" end)
    assert.has_error(function() db:rows "" end)
    assert.has_error(function() sqlite.open("x", { creat = true }) end,
      "open: creat: unknown option")
    assert.has_error(function() sqlite.open "" end)
  end)

  it("cannot be used when it is closed", function()
    db:close()
    db:close()
    assert.has_error(function() db:exec "select 1" end, "this database is closed")
    assert.equal("luafabric.sqlite_db (closed)", tostring(db))
  end)
end)

describe("files of databases #process", function()
  local folder, path

  before_each(function()
    folder = shell.scratch()
    path = folder .. "/deep/er/runs.db"
  end)

  after_each(function() shell.remove(folder) end)

  local function mode(name)
    local _, output = shell.run("stat -c '%a %U' '" .. name .. "'")
    return output:match("^%d+")
  end

  it("are their owner's alone, whatever the umask is", function()
    local program = ([[umask 777; %s -e 'assert(require("luafabric.sqlite").private_file(
      "%s", true))']]):format(os.getenv "LUAFABRIC_LUA" or "lua5.4", path)
    local code, output = shell.run(("LUA_PATH='%s' LUA_CPATH='%s'; export LUA_PATH LUA_CPATH; %s")
      :format(package.path, package.cpath, program))
    assert.same({ 0, "" }, { code, output })
    assert.same({ "700", "700", "600" },
      { mode(folder .. "/deep"), mode(folder .. "/deep/er"), mode(path) })
  end)

  it("are closed to others where they were open, and otherwise left as they are", function()
    assert.is_true(sqlite.private_file(path))
    shell.run(("echo content >'%s'; chmod 666 '%s'; chmod 755 '%s/deep/er'"):format(path, path,
      folder))
    assert.is_true(sqlite.private_file(path))
    assert.same({ "600", "755" }, { mode(path), mode(folder .. "/deep/er") })
    assert.is_true(sqlite.private_file(path, true))
    assert.equal("700", mode(folder .. "/deep/er"))
    assert.equal("content\n", select(2, shell.run("cat '" .. path .. "'")))
  end)

  it("may not be links, folders or another user's", function()
    shell.run(("cd '%s'; mkdir real d.db; ln -s real link; ln -s nowhere.db link.db; mkfifo f.db")
      :format(folder))
    local function refused(name, own_folder)
      local ok, message = sqlite.private_file(folder .. "/" .. name, own_folder)
      assert.is_nil(ok)
      return (message:gsub("^.*/", ""))
    end
    assert.equal("link is a symbolic link: it must be a folder", refused("link/runs.db", true))
    assert.equal("link.db is a symbolic link: it must be a file", refused("link.db"))
    assert.equal("d.db is a folder: it must be a file", refused("d.db"))
    assert.equal("f.db is not a regular file", refused("f.db"))
    assert.equal("f.db cannot be made: Not a directory", refused("f.db/runs.db"))
    if select(2, shell.run("id -u")) ~= "0\n" then return end -- only root can give away
    shell.run(("cd '%s'; mkdir theirs; touch theirs.db; chown 12345 theirs theirs.db")
      :format(folder))
    assert.equal("theirs belongs to another user", refused("theirs/runs.db", true))
    assert.equal("theirs.db belongs to another user", refused("theirs.db"))
  end)

  it("are not made unless somebody asks", function()
    assert.is_false(sqlite.file_exists(folder .. "/x.db"))
    assert.same({ nil, "unable to open database file", "CANTOPEN" },
      { sqlite.open(folder .. "/x.db") })
    local db = assert(sqlite.open(folder .. "/x.db", { create = true }))
    assert(db:exec "create table t (a)")
    db:close()
    assert.is_true(sqlite.file_exists(folder .. "/x.db"))
  end)

  it("can be opened for reading alone", function()
    assert(sqlite.private_file(path))
    assert(assert(sqlite.open(path)):exec "create table t (a)")
    local db = assert(sqlite.open(path, { readonly = true }))
    assert.is_true(db:readonly())
    assert.same("READONLY", select(3, db:exec "insert into t values (1)"))
    db:close()
  end)

  it("that hold no database, or a damaged one, say so", function()
    local file = assert(io.open(folder .. "/x.db", "w"))
    file:write(("no database at all "):rep(100))
    file:close()
    local db = assert(sqlite.open(folder .. "/x.db"))
    assert.same({ nil, "file is not a database", "NOTADB" }, { db:rows "pragma user_version" })
    db:close()
  end)
end)

describe("a writer #process", function()
  local folder, path, db, writer

  before_each(function()
    folder = shell.scratch()
    path = folder .. "/x.db"
    db = assert(sqlite.open(path, { create = true, busy_timeout = 0 }))
    assert(db:exec "create table t (a not null unique)")
    writer = sqlite.writer(path)
  end)

  after_each(function()
    writer:close()
    db:close()
    shell.remove(folder)
  end)

  local function insert(value)
    return { { "insert into t values (?)", value } }
  end

  local function values()
    local list = {}
    for index, row in ipairs(db:rows "select a from t order by rowid") do list[index] = row.a end
    return list
  end

  it("settles units in order, and what is settled is there", function()
    assert.same({ 0 }, { writer:completed() })
    for index = 1, 20 do assert.equal(index, writer:append(insert(index))) end
    assert.is_true(writer:flush(60))
    assert.same({ 20 }, { writer:completed() })
    assert.equal(20, #values())
  end)

  it("tells on its descriptor when there is news, and not before", function()
    local host = require("luafabric.hosts.plain").new()
    assert(host.watch(writer:fd()))
    assert.same({}, host.wait(0))
    writer:append(insert(1))
    local fd = writer:fd()
    assert.same({ { kind = "fd", fd = fd } }, host.wait(60))
    assert.equal(1, (writer:completed(true)))
    assert.same({ { kind = "fd", fd = fd } }, host.wait(60))
    assert.equal(1, (writer:completed()))
    assert.same({}, host.wait(0))
    host.close()
  end)

  it("commits the statements of a unit together or not at all", function()
    writer:append { { "insert into t values (?)", 1 }, { "insert into t values (?)", 2 } }
    writer:append { { "insert into t values (?)", 3 }, { "insert into t values (?)", 1 } }
    writer:flush(60)
    assert.same({ 1, 2 }, values())
  end)

  it("refuses a bad unit alone, whatever is committed with it", function()
    assert(db:exec "begin immediate") -- so that all of them wait
    for index = 1, 3 do writer:append(insert(index)) end
    local twice = writer:append(insert(2))
    local nothing = writer:append(insert(nil))
    local wrong = writer:append { { "nonsense" } }
    local missed = writer:append { { "insert into t values (4)" },
      { "delete from t where a = ?", 99, changes = 1 } }
    local last = writer:append(insert(5))
    assert(db:exec "commit")
    writer:flush(60)
    local settled, message, code, refused = writer:completed()
    assert.same({ last, nil, nil }, { settled, message, code })
    assert.same({
      { ticket = twice, message = "UNIQUE constraint failed: t.a", code = "CONSTRAINT_UNIQUE" },
      { ticket = nothing, message = "NOT NULL constraint failed: t.a",
        code = "CONSTRAINT_NOTNULL" },
      { ticket = wrong, message = 'near "nonsense": syntax error', code = "ERROR" },
      { ticket = missed, message = "0 rows were changed, and not 1, by "
        .. "delete from t where a = ?", code = "CONSTRAINT" },
    }, refused)
    assert.same({ 1, 2, 3, 5 }, values())
    assert.is_nil((select(4, writer:completed())))
  end)

  it("stops for good when the file is in doubt, with the first reason", function()
    local other = sqlite.writer(folder .. "/nothing/here.db")
    assert.equal(1, other:append(insert(1)))
    assert.is_false(other:flush(60))
    assert.same({ 0, "unable to open database file", "CANTOPEN" }, { other:completed() })
    assert.same({ nil, "unable to open database file", "CANTOPEN" }, { other:append(insert(1)) })
    other:close()
  end)

  it("gives up when another process holds the file for too long", function()
    writer:close()
    writer = sqlite.writer(path, { busy_timeout = 0 })
    assert(db:exec "begin immediate")
    writer:append(insert(1))
    assert.is_false(writer:flush(60))
    assert.same({ 0, "database is locked", "BUSY" }, { writer:completed() })
    assert(db:exec "commit")
    assert.same({}, values())
  end)

  it("waits with more than it may queue", function()
    writer:close()
    writer = sqlite.writer(path, { max_bytes = 1 })
    for index = 1, 20 do assert.equal(index, writer:append(insert(("%d"):format(index)))) end
    writer:flush(60)
    assert.equal(20, #values())
  end)

  it("commits what is queued when it is closed", function()
    for index = 1, 50 do writer:append(insert(index)) end
    writer:close()
    writer:close()
    assert.equal(50, #values())
    assert.has_error(function() writer:append(insert(1)) end, "this writer is closed")
  end)

  it("keeps values exact", function()
    writer:append { { "create table v (a, b, c, d, e, f)" },
      { "insert into v values (?, ?, ?, ?, ?, ?)", nil, "a\0b", sqlite.blob "", true, 0.1,
        json.null, n = 6 } }
    writer:flush(60)
    local row = db:rows("select *, typeof(c) as kind from v")[1]
    assert.same({ b = "a\0b", c = "", d = 1, e = 0.1, kind = "blob" }, row)
  end)

  it("leaves signals to the threads that expect them", function()
    local pid = ("%d"):format(require("luafabric.core").pid())
    local function threads()
      local _, output = shell.run("cat /proc/" .. pid .. "/task/*/status | grep -E '^SigBlk'")
      local blocked, all = 0, 0
      for mask in output:gmatch("SigBlk:%s*(%x+)") do
        all = all + 1
        -- All but KILL and STOP, and two that the C library keeps to itself.
        if mask:find("^ffff") and not mask:find("0000") then blocked = blocked + 1 end
      end
      return all, blocked
    end
    local all_before, blocked_before = threads()
    writer:append(insert(1))
    writer:flush(60)
    local all, blocked = threads()
    assert.same({ 1, 1 }, { all - all_before, blocked - blocked_before })
  end)

  it("takes lists of statements and nothing else", function()
    for message, unit in pairs {
      ["append: expected 1 to 1000000 statements"] = {},
      ["append: [1]: expected a table"] = { "select 1" },
      ["append: [1][1]: expected SQL without zero bytes"] = { { 1 } },
      ["append: [2][3]: this value cannot be bound"] = { { "select 1" }, { "x", 1, print } },
      ["append: [1].n: expected a whole number from 0 up"] = { { "x", n = 1.5 } },
      ["append: [1].changes: expected a whole number from 0 up"] = { { "x", changes = -1 } },
    } do
      assert.has_error(function() writer:append(unit) end, message)
    end
    assert.has_error(function() sqlite.writer(path, { busy = 1 }) end,
      "writer: busy: unknown option")
  end)
end)

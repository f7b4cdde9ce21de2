-- The file of `luafabric login`: what is in it is for this user alone, and for one at a time.

local core = require "luafabric.core"
local shell = require "spec.support.shell"
local sign_in_file = require "luafabric.credentials.sign_in_file"

local sign_in = { authority = "https://login.microsoftonline.com", tenant_id = "organizations",
  client_id = "app", scope = "https://api.fabric.microsoft.com/.default", refresh_token = "r1" }

describe("the file of a sign-in #process", function()
  local folder, path

  before_each(function()
    folder = shell.scratch()
    path = folder .. "/own/luafabric/sign-in.json"
  end)

  after_each(function() shell.remove(folder) end)

  local function sh(command)
    local code, output = shell.run("cd " .. folder .. " && " .. command)
    assert(code == 0, output)
    return output
  end

  it("is made for this user alone, whatever the umask", function()
    local _, output = shell.run(("umask 0; %s -e 'assert(require(\"luafabric.core\")"
      .. ".write_secret_file(\"%s\", \"x\"))'"):format(os.getenv "LUAFABRIC_LUA", path))
    assert.equal("", output)
    assert.equal("700 own\n700 own/luafabric\n600 own/luafabric/sign-in.json\n",
      sh "stat -c '%a %n' own own/luafabric own/luafabric/sign-in.json")
    assert.equal("sign-in.json\n", sh "ls own/luafabric")
  end)

  it("gives back what was put into it", function()
    assert.is_true(sign_in_file.write(path, sign_in))
    assert.same(sign_in, sign_in_file.read(path))
    local clock = { now = core.wall }
    assert.is_true(sign_in_file.remove(path, clock))
    assert.is_false(sign_in_file.remove(path, clock))
    assert.equal("no_credential", select(2, sign_in_file.read(path)).code)
    assert.equal("no_credential", select(2, sign_in_file.read(folder .. "/none/x")).code)
  end)

  it("is nobody's where there is none, whatever the folder is like", function()
    for file, command in pairs {
      ["/dev/null/.local/state/luafabric/sign-in.json"] = "true",
      [path] = "mkdir -p own/luafabric && chmod 755 own/luafabric",
      [folder .. "/x/luafabric/sign-in.json"] = "mkdir -p x y && ln -s ../y x/luafabric",
      [folder .. "/z/luafabric/sign-in.json"] = "mkdir z && touch z/luafabric",
    } do
      sh(command)
      local found, err = sign_in_file.read(file, true)
      assert.is_nil(found)
      assert.equal("no_credential", err.code, err.message)
    end
  end)

  it("is nobody's in a folder that is closed to this user, unless that was named", function()
    assert(sign_in_file.write(path, sign_in))
    sh "chmod 711 . && chmod 700 own"
    local script = folder .. "/script.lua"
    local file = assert(io.open(script, "w"))
    file:write(([[
      local sign_in_file = require "luafabric.credentials.sign_in_file"
      for _, is_named in ipairs { false, true } do
        local _, err = sign_in_file.read(%q, is_named)
        print(err and (err.code or err.message))
      end]]):format(path))
    file:close()
    sh "chmod 644 script.lua"
    local code, output = shell.run(("setpriv --reuid=65534 --regid=65534 --clear-groups %s %s")
      :format(os.getenv "LUAFABRIC_LUA", script))
    if code ~= 0 then return pending "only root can become somebody else" end
    assert.equal(("no_credential\nthe sign-in: %s is in a folder closed to this user; mend that, "
      .. "or end it with luafabric logout and sign in again\n"):format(path), output)
  end)

  it("goes for good, with what a killed writer left, and after who is writing it", function()
    local now, steps = 0, {}
    local clock = { now = function() return now end }
    sh "mkdir -p -m 700 own/luafabric && echo r1 > own/luafabric/sign-in.json.new"
    assert.is_true(sign_in_file.remove(path, clock))
    assert.equal("", sh "ls own/luafabric | grep -v lock || true")
    assert(sign_in_file.write(path, sign_in))
    local lock = assert(core.lock_secret_file(path))
    function clock.sleep(seconds)
      now = now + seconds
      steps[#steps + 1] = sign_in_file.read(path) and "there" or "gone"
      if #steps < 3 then return end
      assert(sign_in_file.write(path, sign_in))
      lock:close()
    end
    assert.is_true(sign_in_file.remove(path, clock))
    assert.same({ "gone", "gone", "gone" }, steps)
    assert.equal("no_credential", select(2, sign_in_file.read(path)).code)
  end)

  it("goes where the folder is not private, and where the lock is not let go", function()
    local now = 0
    local clock = { now = function() return now end, sleep = function(s) now = now + s end }
    assert(sign_in_file.write(path, sign_in))
    sh "chmod 755 own/luafabric"
    assert.is_true(sign_in_file.remove(path, clock))
    sh "chmod 700 own/luafabric"
    assert(sign_in_file.write(path, sign_in))
    local lock = assert(core.lock_secret_file(path))
    assert.is_true(sign_in_file.remove(path, clock))
    assert.is_false(core.read_secret_file(path) and true or false)
    lock:close()
  end)

  it("is refused where others can get at it, each with its sentence", function()
    for words, command in pairs {
      ["sign-in.json can be read or changed by others (its mode is 0640, and must be 0600)"] =
        "chmod 640 own/luafabric/sign-in.json",
      ["sign-in.json can be read or changed by others (its mode is 0602"] =
        "chmod 602 own/luafabric/sign-in.json",
      ["own/luafabric can be read or changed by others (its mode is 0750, and must be 0700)"] =
        "chmod 750 own/luafabric",
      ["sign-in.json is a symbolic link: it must be a file"] =
        "mv own/luafabric/sign-in.json own/x && ln -s ../x own/luafabric/sign-in.json",
      ["own/luafabric is a file or a symbolic link: it must be a folder"] =
        "mv own/luafabric own/x && ln -s x own/luafabric",
      ["sign-in.json is not a regular file"] = "rm own/luafabric/sign-in.json && "
        .. "mkfifo -m 600 own/luafabric/sign-in.json",
      ["sign-in.json is not whole; sign in with luafabric login again"] =
        "echo '{}' > own/luafabric/sign-in.json",
    } do
      assert(sign_in_file.write(path, sign_in))
      sh(command)
      local found, err = sign_in_file.read(path)
      assert.is_nil(found)
      assert.equal("configuration", err.kind)
      assert.is_nil(err.code)
      assert.truthy(err.message:find(words, 1, true), err.message)
      sh "rm -rf own"
    end
  end)

  it("is refused where it is another user's", function()
    assert(sign_in_file.write(path, sign_in))
    local code = shell.run("chown 65534 " .. path)
    if code ~= 0 then return pending "only root can give a file away" end
    assert.matches("sign%-in.json belongs to another user", select(2, sign_in_file.read(path))
      .message)
    sh "chown 65534 own/luafabric"
    assert.matches("own/luafabric belongs to another user", select(2, sign_in_file.read(path))
      .message)
    assert.matches("own/luafabric belongs to another user",
      select(2, sign_in_file.write(path, sign_in)).message)
  end)

  it("takes the place of a link that somebody put there, and not of what it leads to", function()
    assert(sign_in_file.write(path, sign_in))
    sh "echo keep > victim && ln -sf ../../victim own/luafabric/sign-in.json"
    sh "ln -s ../../victim own/luafabric/sign-in.json.new"
    assert.is_true(sign_in_file.write(path, sign_in))
    assert.equal("keep\n", sh "cat victim")
    assert.same(sign_in, sign_in_file.read(path))
  end)

  it("is whole at every moment, for whoever reads it meanwhile", function()
    assert(sign_in_file.write(path, sign_in))
    local writer = assert(core.spawn { args = { os.getenv "LUAFABRIC_LUA", "-e", ([[
      local core = require "luafabric.core"
      for i = 1, 200 do assert(core.write_secret_file("%s", ("x"):rep(i * 50))) end]]):format(path),
    }, env = { LUA_PATH = package.path, LUA_CPATH = package.cpath } })
    local ended
    repeat
      local text = assert(core.read_secret_file(path))
      assert.is_true(text:find("^{") ~= nil or text:find("[^x]") == nil and #text % 50 == 0)
      ended = writer:wait(0)
    until ended
    assert.equal(0, ended.code)
    writer:close()
  end)

  it("is one's at a time, of this process and of others", function()
    local lock = assert(core.lock_secret_file(path))
    assert.is_false(core.lock_secret_file(path))
    local _, output = shell.run(("%s -e 'print(require(\"luafabric.core\")"
      .. ".lock_secret_file(\"%s\"))'"):format(os.getenv "LUAFABRIC_LUA", path))
    assert.equal("false\n", output)
    lock:close()
    lock:close()
    assert(core.lock_secret_file(path)) -- forgotten: the collector lets go
    collectgarbage()
    assert.truthy(core.lock_secret_file(path))
  end)

  it("says who has it where that lasts too long", function()
    local now, lock = 0, assert(core.lock_secret_file(path))
    local io = { now = function() return now end, sleep = function(s) now = now + s end }
    for patience, patient in pairs { [120] = true, [5] = false } do
      local held, err = sign_in_file.lock(path, io, patient)
      assert.same({ nil, "network" }, { held, err.kind })
      assert.equal(("the sign-in: %s is locked by another process for more than %d s; end that one")
        :format(path, patience), err.message)
    end
    lock:close()
  end)

  it("is where XDG_STATE_HOME, HOME or LUAFABRIC_SIGN_IN say", function()
    local function path_of(variables)
      local found, err = sign_in_file.path(function(name) return variables[name] end)
      return found or err.message
    end
    assert.equal("/s/luafabric/sign-in.json", path_of { XDG_STATE_HOME = "/s", HOME = "/h" })
    assert.equal("/h/.local/state/luafabric/sign-in.json", path_of { HOME = "/h" })
    assert.equal("/x", path_of { HOME = "/h", LUAFABRIC_SIGN_IN = "/x" })
    assert.equal("LUAFABRIC_SIGN_IN is off", path_of { HOME = "/h", LUAFABRIC_SIGN_IN = "off" })
    assert.matches("^no place for the sign%-in: ", path_of {})
  end)
end)

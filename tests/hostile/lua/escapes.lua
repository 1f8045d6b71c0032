-- Attempts to get out. Each function returns what it got hold of, if anything; what came of each goes out as the message's payload.
local M = {}
local attempts = {}

local function attempt(name, get)
  attempts[#attempts + 1] = { name = name, get = get }
end

attempt("io.open", function() return io.open("secret.txt") end)
attempt("io.lines", function() return io.lines("secret.txt")() end)
attempt("io.popen", function() return io.popen("id"):read("a") end)
attempt("os.execute", function() return os.execute("id > escaped.txt") end)
attempt("os.getenv", function() return os.getenv("HOSTILE_SECRET") end)
attempt("os.remove", function() return os.remove("secret.txt") end)
attempt("os.rename", function() return os.rename("secret.txt", "escaped.txt") end)
attempt("os.tmpname", function() return os.tmpname() end)
attempt("os.exit", function() return os.exit(3) or true end)
attempt("dofile", function() return dofile("secret.txt") end)
attempt("loadfile", function() return loadfile("secret.txt") end)
attempt("load", function() return load("return 1") end)
attempt("loadstring", function() return loadstring("return 1") end)
attempt("loadstring of Lua bytecode", function() return loadstring("\27Lua\x51\0\1\4\8\4\8\0") end)
attempt("loadstring of Luau bytecode", function() return loadstring("\6\3\0\0\0") end)
attempt("string.dump", function() return string.dump(function() end) end)
attempt("package", function() return package.loadlib("libc.so.6", "system") end)
attempt("package.cpath", function() return package.cpath end)
attempt("package.loaded", function() return package.loaded end)
attempt("require of a parent", function() return require("../secret") end)
attempt("require of an absolute path", function() return require("/etc/hostname") end)
attempt("require of a file of another kind", function() return require("secret.txt") end)
attempt("require of a file behind dots", function() return require("./lib/../../secret") end)
attempt("require with NUL", function() return require("x\0/../../secret") end)
attempt("require of a module of C", function() return require("ffi") end)
attempt("getfenv of the caller", function()
  local environment = getfenv(0)
  return environment.io or environment.load
end)
attempt("setfenv of a builtin", function()
  setfenv(print, { escaped = true })
  return true
end)
attempt("debug.getregistry", function() return debug.getregistry() end)
attempt("debug.getupvalue", function() return debug.getupvalue(print, 1) end)
attempt("debug.setmetatable", function() return debug.setmetatable(0, {}) end)
attempt("debug.sethook", function() return debug.sethook(function() end) or true end)
attempt("debug.getinfo", function() return debug.getinfo(1) end)
attempt("metatable of strings", function() return getmetatable("").__index ~= string and getmetatable("") end)
attempt("method put on strings", function()
  getmetatable("").__index.escaped = function() return true end
  return ("").escaped()
end)
attempt("function put into string", function()
  string.escaped = function() return true end
  return true
end)
attempt("function put into table by rawset", function()
  rawset(table, "escaped", true)
  return true
end)
attempt("builtin replaced", function()
  _G.pcall = function() return true end
  return rawget(_G, "pcall") ~= pcall or nil
end)
attempt("broker replaced", function()
  broker.publish = function() end
  return true
end)
attempt("broker by rawset", function()
  rawset(broker, "publish", function() end)
  return true
end)
attempt("newproxy with a finalizer", function()
  local proxy = newproxy(true)
  getmetatable(proxy).__gc = function() while true do end end
  return nil
end)
attempt("metatable of a verdict", function()
  local meta = getmetatable(broker.pass())
  return type(meta) == "table" and meta
end)
attempt("collectgarbage", function() return collectgarbage("stop") == 0 and collectgarbage("isrunning") end)
attempt("ungranted publish", function() return broker.publish { topic = "escaped", payload = "x" } or true end)
attempt("ungranted publish to one", function() return broker.publish_to("bystander-s", { topic = "escaped", payload = "x" }) or true end)
attempt("ungranted disconnect", function() return broker.disconnect_client("bystander-s") or true end)
attempt("ungranted map", function()
  broker.kv.set("escaped", "x")
  return broker.kv.get("escaped")
end)
attempt("ungranted cache", function()
  broker.cache.invalidate("escaped")
  return true
end)
attempt("ungranted query", function()
  return (broker.client and broker.client("bystander-s")) or (broker.clients and broker.clients.get("bystander-s"))
end)
attempt("jit", function() return jit.on() or true end)
attempt("ffi", function() return ffi.C end)
attempt("buffer beyond its end", function() return buffer.readu32(buffer.create(4), 4) end)
attempt("buffer before its start", function() return buffer.readu8(buffer.create(4), -1) end)
attempt("buffer at 2^53", function() return buffer.readu8(buffer.create(4), 2 ^ 53) end)
attempt("buffer written beyond its end", function()
  buffer.writestring(buffer.create(4), 2, "12345678")
  return true
end)
attempt("unpack beyond the text", function() return string.unpack("s4", "\255\255\255\127x") end)

function M.intercept_publish(topic)
  local results = {}
  for _, attempted in attempts do
    local is_well, got = pcall(attempted.get)
    local escaped = is_well and got ~= nil and got ~= false
    results[#results + 1] = { name = attempted.name, escaped = escaped, words = tostring(got) }
  end
  return broker.pass { payload = broker.json.encode(results) }
end

return M

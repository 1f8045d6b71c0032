-- Memory without end. Each ends at the plugin's limit, and its virtual machine is replaced.
local M = { config = { case = broker.required("string") } }
local cases = {}

-- case: ten million tables -> memory
cases["ten million tables"] = function()
  local t = {}
  for i = 1, 10000000 do t[i] = { i } end
end

-- case: string of 1 GB -> memory | raised
cases["string of 1 GB"] = function()
  return string.rep("x", 1000000000)
end

-- case: string that doubles -> memory | raised
cases["string that doubles"] = function()
  local s = "x"
  while true do s = s .. s end
end

-- case: many strings -> memory
cases["many strings"] = function()
  local t = {}
  while true do t[#t + 1] = string.rep("x", 100000) .. #t end
end

-- case: buffer of 1 GB -> memory | raised
cases["buffer of 1 GB"] = function()
  return buffer.create(1000000000)
end

-- case: table of 60 million -> memory | raised
cases["table of 60 million"] = function()
  return table.create(60000000, 1)
end

-- case: closures -> memory
cases["closures"] = function()
  local t = {}
  while true do
    local n = #t
    t[n + 1] = function() return n end
  end
end

-- case: coroutines that wait -> memory
cases["coroutines that wait"] = function()
  local t = {}
  while true do
    local thread = coroutine.create(coroutine.yield)
    coroutine.resume(thread)
    t[#t + 1] = thread
  end
end

-- case: bomb under pcall -> memory | timeout
cases["bomb under pcall"] = function()
  local t = {}
  while true do
    pcall(function() t[#t + 1] = string.rep("x", 1000000) .. #t end)
  end
end

-- case: verdicts kept -> memory
cases["verdicts kept"] = function()
  local big, t = string.rep("a", 2000000), {}
  while true do t[#t + 1] = broker.pass { payload = big } end
end

-- case: upvalue that stays -> memory | timeout
local stays = {}
cases["upvalue that stays"] = function()
  while true do stays[#stays + 1] = table.create(1000, 1) end
end

-- case: shared map -> raised | timeout
cases["shared map"] = function()
  local big = string.rep("x", 60000)
  for i = 1, 1000000 do broker.kv.set("bomb/" .. i, big) end
end

function M.intercept_publish()
  return cases[M.config.case]()
end

return M

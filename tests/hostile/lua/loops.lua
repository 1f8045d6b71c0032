-- Loops of every kind that Luau has. Each is cut when its time is up, and the next call is answered.
local M = { config = { case = broker.required("string") } }
local cases = {}

local function forever()
  while true do end
end

-- case: while -> timeout
cases["while"] = forever

-- case: repeat -> timeout
cases["repeat"] = function()
  repeat
  until false
end

-- case: numeric for -> timeout
cases["numeric for"] = function()
  for _ = 1, 1e18 do end
end

-- case: iterator -> timeout
cases["iterator"] = function()
  for _ in function() return 1 end do end
end

-- case: tail calls -> timeout | raised | memory
cases["tail calls"] = function()
  local function again(n) return again(n + 1) end
  return again(1)
end

-- case: recursion -> raised | timeout | memory
cases["recursion"] = function()
  local function deeper() return 1 + deeper() end
  return deeper()
end

-- case: loop under pcall -> timeout
cases["loop under pcall"] = function()
  while true do pcall(forever) end
end

-- case: pcall of pcall -> timeout | raised | answered
cases["pcall of pcall"] = function()
  local function again() return pcall(again) end
  again()
end

-- case: handler of xpcall -> timeout
cases["handler of xpcall"] = function()
  while true do xpcall(error, forever) end
end

-- case: accept behind a cut loop -> timeout
cases["accept behind a cut loop"] = function()
  pcall(forever)
  return broker.pass { payload = "went on" }
end

-- case: coroutine -> timeout
cases["coroutine"] = function()
  coroutine.wrap(forever)()
end

-- case: coroutine that swallows -> timeout
cases["coroutine that swallows"] = function()
  local thread = coroutine.create(function()
    while true do pcall(coroutine.yield) end
  end)
  while true do coroutine.resume(thread) end
end

-- case: coroutines without end -> timeout | memory
cases["coroutines without end"] = function()
  while true do
    local thread = coroutine.create(coroutine.yield)
    coroutine.resume(thread)
    coroutine.close(thread)
  end
end

-- case: __index -> timeout
cases["__index"] = function()
  return setmetatable({}, { __index = forever }).x
end

-- case: __newindex -> timeout
cases["__newindex"] = function()
  setmetatable({}, { __newindex = forever }).x = 1
end

-- case: __concat -> timeout
cases["__concat"] = function()
  return setmetatable({}, { __concat = forever }) .. "x"
end

-- case: __eq -> timeout
cases["__eq"] = function()
  local meta = { __eq = forever }
  return setmetatable({}, meta) == setmetatable({}, meta)
end

-- case: __lt in sort -> timeout
cases["__lt in sort"] = function()
  local meta = { __lt = forever }
  table.sort({ setmetatable({}, meta), setmetatable({}, meta) })
end

-- case: __iter of an answer -> timeout | answered
cases["__iter of an answer"] = function()
  return broker.pass { user_properties = setmetatable({}, { __iter = forever }) }
end

-- case: __tostring of an error -> timeout
cases["__tostring of an error"] = function()
  error(setmetatable({}, { __tostring = forever }))
end

-- case: comparator of sort -> timeout
cases["comparator of sort"] = function()
  table.sort({ 3, 2, 1 }, forever)
end

-- case: comparator that lies -> timeout | raised | answered
cases["comparator that lies"] = function()
  local t = table.create(100000, 1)
  while true do
    table.sort(t, function() return true end)
  end
end

-- case: function of gsub -> timeout
cases["function of gsub"] = function()
  return (string.gsub("x", "x", forever))
end

-- case: host calls -> timeout
cases["host calls"] = function()
  while true do broker.kv.add("n", 1) end
end

-- case: log lines -> timeout
cases["log lines"] = function()
  while true do broker.log.info("again") end
end

-- case: refused host calls -> timeout
cases["refused host calls"] = function()
  while true do pcall(broker.json.decode, "{") end
end

function M.intercept_publish()
  return cases[M.config.case]()
end

return M

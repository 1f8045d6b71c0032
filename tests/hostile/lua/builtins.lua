-- One call of the standard library that would take long. Each is cut, refused, or over soon.
local M = { config = { case = broker.required("string") } }
local cases = {}
local big = string.rep("a", 2000000)

-- case: rep without end -> timeout | memory
cases["rep without end"] = function()
  while true do string.rep("x", 1000000) end
end

-- case: rep of 1e15 bytes -> raised | memory | answer
cases["rep of 1e15 bytes"] = function()
  return string.rep("x", 1e15)
end

-- case: pattern that backtracks -> timeout | raised
cases["pattern that backtracks"] = function()
  local n = 30
  return string.find(string.rep("a", 100000), string.rep("a?", n) .. string.rep("a", n) .. "b")
end

-- case: lazy pattern -> timeout | raised
cases["lazy pattern"] = function()
  return string.rep("a", 100000):match(".-.-.-.-b")
end

-- case: gsub with captures -> timeout | raised
cases["gsub with captures"] = function()
  return (string.rep("a", 100000):gsub("(a*)*b.-c", ""))
end

-- case: balanced pattern -> timeout | raised
cases["balanced pattern"] = function()
  return (string.rep("(", 1000000):find("%b()"))
end

-- case: plain find in plain text -> raised | timeout
cases["plain find in plain text"] = function()
  return string.find(big, string.rep("a", 1000000) .. "b", 1, true)
end

-- case: split by a long text -> raised | timeout | memory
cases["split by a long text"] = function()
  return string.split(big, string.rep("a", 1000000) .. "b")
end

-- case: huge format -> raised | memory | timeout | answered
cases["huge format"] = function()
  string.format(string.rep("%99s", 100000), "x")
end

-- case: format without end -> timeout | raised | memory
cases["format without end"] = function()
  while true do string.format("%s%s", big, big) end
end

-- case: concat of a range -> raised | memory | timeout
cases["concat of a range"] = function()
  return table.concat({}, "", 1, 1e9)
end

-- case: move of a range -> raised | timeout
cases["move of a range"] = function()
  return table.move({}, 1, 1e9, 1)
end

-- case: unpack of a range -> raised | memory
cases["unpack of a range"] = function()
  return table.unpack({}, 1, 1e8)
end

-- case: insert at the front -> timeout | memory
cases["insert at the front"] = function()
  local t = table.create(200000, 1)
  while true do table.insert(t, 1, 1) end
end

-- case: sort without end -> timeout | memory
cases["sort without end"] = function()
  local t = table.create(200000, 0)
  for i = 1, #t do t[i] = i * 7919 % 1000003 end
  while true do table.sort(t) end
end

-- case: buffer filled without end -> timeout
cases["buffer filled without end"] = function()
  local b = buffer.create(4000000)
  while true do buffer.fill(b, 0, 1) end
end

-- case: reverse, upper, lower -> timeout | memory
cases["reverse, upper, lower"] = function()
  while true do local _ = big:reverse():upper():lower() end
end

-- case: hash of much -> timeout
cases["hash of much"] = function()
  while true do broker.hash.sha256(big) end
end

-- case: deep JSON -> raised | answered
cases["deep JSON"] = function()
  return broker.json.decode(string.rep("[", 1000000)) and nil
end

-- case: os.date of a long format -> raised | memory | timeout | answered
cases["os.date of a long format"] = function()
  local _ = os.date(string.rep("%c", 100000))
end

function M.intercept_publish()
  return cases[M.config.case]()
end

return M

-- Answers that are none. Each is named with its line; a value that happens to mean something may be taken.
local M = { config = { case = broker.required("string") } }
local cases = {}

-- case: number -> answer | raised
cases["number"] = function() return 5 end

-- case: not a number -> answer | raised
cases["not a number"] = function() return 0 / 0 end

-- case: text -> answer | raised
cases["text"] = function() return "accept" end

-- case: true -> answer | raised
cases["true"] = function() return true end

-- case: false -> answer | raised
cases["false"] = function() return false end

-- case: empty table -> answer | raised
cases["empty table"] = function() return {} end

-- case: table that looks like one -> answer | raised
cases["table that looks like one"] = function()
  return { kind = "accept", verdict = "accept" }
end

-- case: cyclic table -> answer | raised
cases["cyclic table"] = function()
  local t = {}
  t.t = t
  return t
end

-- case: function -> answer | raised
cases["function"] = function() return print end

-- case: coroutine -> answer | raised
cases["coroutine"] = function() return coroutine.create(print) end

-- case: buffer -> answer | raised
cases["buffer"] = function() return buffer.create(8) end

-- case: metatable that claims -> answer | raised
cases["metatable that claims"] = function()
  return setmetatable({}, getmetatable(broker.accept and {}) or { __type = "verdict" })
end

-- case: change of an unknown field -> answer | raised
cases["change of an unknown field"] = function() return broker.pass { topik = "x" } end

-- case: change of a field that is fixed -> answer | raised
cases["change of a field that is fixed"] = function() return broker.pass { client_id = "x" } end

-- case: topic that is a number -> answer | raised
cases["topic that is a number"] = function() return broker.pass { topic = 5 } end

-- case: topic with a wildcard -> answer | raised
cases["topic with a wildcard"] = function() return broker.pass { topic = "a/#" } end

-- case: topic that is no text -> answer | raised
cases["topic that is no text"] = function() return broker.pass { topic = "\xff\xfe" } end

-- case: topic with NUL -> answer | raised
cases["topic with NUL"] = function() return broker.pass { topic = "a\0b" } end

-- case: qos 3 -> answer | raised
cases["qos 3"] = function() return broker.pass { qos = 3 } end

-- case: qos 1.5 -> answer | raised
cases["qos 1.5"] = function() return broker.pass { qos = 1.5 } end

-- case: qos not a number -> answer | raised
cases["qos not a number"] = function() return broker.pass { qos = 0 / 0 } end

-- case: expiry of infinity -> answer | raised
cases["expiry of infinity"] = function() return broker.pass { message_expiry_interval = math.huge } end

-- case: unknown reason -> answer | raised
cases["unknown reason"] = function() return broker.deny("because") end

-- case: reason 0x1ff -> answer | raised
cases["reason 0x1ff"] = function() return broker.deny(0x1ff) end

-- case: reason 0, which leaves it to the broker -> answered
cases["reason 0, which leaves it to the broker"] = function() return broker.deny(0) end

-- case: reason string of 1 MB -> answered
cases["reason string of 1 MB"] = function() return broker.deny(0x87, string.rep("x", 1000000)) end

-- case: refusal with words that are no text -> answered
cases["refusal with words that are no text"] = function()
  return broker.deny(0x87, "\xff", { user_properties = { ["\xff"] = "\xff", { "\xff" } }, server_reference = "\xff" })
end

-- case: refusal with too many words -> answered
cases["refusal with too many words"] = function()
  local words = {}
  for i = 1, 20000 do
    words[i] = { "k", "v" }
  end
  return broker.deny(0x87, "no", { user_properties = words })
end

-- case: user properties of numbers -> answered
cases["user properties of numbers"] = function()
  return broker.pass { user_properties = { { 1, 2 } } }
end

-- case: user properties that nest -> answer | raised
cases["user properties that nest"] = function()
  return broker.pass { user_properties = { { "a", { "b" } } } }
end

-- case: error with a table -> raised
cases["error with a table"] = function() error({ code = 5 }) end

-- case: error with nothing -> raised
cases["error with nothing"] = function() error(nil) end

-- case: error with 1 MB -> raised
cases["error with 1 MB"] = function() error(string.rep("x", 1000000)) end

-- case: error with escapes -> raised
cases["error with escapes"] = function() error("\27[2J\r\n{\"level\":\"ERROR\"}") end

function M.intercept_publish()
  return cases[M.config.case]()
end

return M

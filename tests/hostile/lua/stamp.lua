-- Signs every message of the flow with its generation, echoes, and publishes from its own hook.
local M = {}
local MARK = "stamped by generation a"
local generation = string.sub(MARK, -1)

function M.intercept_publish(topic, payload, user_properties)
  if string.sub(topic, 1, 5) == "flow/" then
    table.insert(user_properties, { "lua", generation })
    return broker.pass { user_properties = user_properties }
  elseif string.sub(topic, 1, 5) == "echo/" then
    return broker.pass { topic = topic, payload = payload, user_properties = user_properties }
  elseif string.sub(topic, 1, 6) == "again/" then
    broker.publish { topic = topic, payload = payload }
  end
end

return M

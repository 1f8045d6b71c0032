-- Refuses the one Topic Filter that the Eclipse Paho interoperability tests expect to be refused.
--
-- Hook: authorize_subscribe. The tests look for Reason Code 0x80, in 3.1.1 and in 5.0.
--
--   [[plugin]]
--   name = "paho"
--   path = "tests/foreign/paho.lua"

local M = {}

function M.authorize_subscribe(topic_filter)
  if topic_filter == "test/nosubscribe" then
    return broker.deny(0x80, "not here")
  end
  return broker.accept()
end

return M

-- Waits for half a minute where a message says so.
local M = { awaits = { "intercept_publish" } }

function M.intercept_publish(payload)
  if payload == "block" then
    broker.sleep(30)
  end
end

return M

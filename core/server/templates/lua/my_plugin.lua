-- Lets clients publish below one topic only. `hookmq plugin test` runs my_plugin_test.lua.
local M = {}

M.description = "Lets clients publish below one topic only"
-- What [plugin.config] may set, with defaults.
M.config = { below = "devices/" }

-- The parameters are what this handler reads: any fields that docs/hooks.md lists for the hook, and config.
function M.intercept_publish(topic, config)
	if string.sub(topic, 1, #config.below) ~= config.below then
		return broker.deny("not_authorized", `publish below {config.below}`)
	end
end

return M

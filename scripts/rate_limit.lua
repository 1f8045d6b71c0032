-- So many messages and bytes per second for each client, and no more.
--
-- Answers intercept_publish for what clients publish (not for wills and plugins). A client may send at the given rates without end,
-- and after a pause as much at once as the rates give in `burst` seconds. One message can go beyond that, and then has to be made up
-- for. What comes too fast meets the `action`:
--
--   "drop"        the message is acknowledged and thrown away (message_dropped tells of it)
--   "deny"        the message is refused; an MQTT 5 client is told quota_exceeded
--   "disconnect"  the client is disconnected; an MQTT 5 client is told message_rate_too_high
--
-- One line per client and minute in the log says that it is too fast.
--
--   [[plugin]]
--   path = "scripts/rate_limit.lua"
--   grants = ["kv"]
--   [plugin.config]                      # what is left out has these defaults
--   messages_per_second = 100            # 0: no limit
--   bytes_per_second = 1000000           # of payloads; 0: no limit
--   burst = 5                            # seconds, more than 0
--   action = "drop"

local M = {}

M.description = "Limits messages and bytes per second and client"

M.config = {
	messages_per_second = 100,
	bytes_per_second = 1000000,
	burst = 5,
	action = "drop",
}

local answers = {
	drop = function(why)
		return broker.drop(why)
	end,
	deny = function(why)
		return broker.deny("quota_exceeded", why)
	end,
	disconnect = function(why)
		return broker.disconnect("message_rate_too_high", why)
	end,
}

-- A client's tab is the time until which it has used up its rate. Each message moves it on by what the message costs, in seconds of
-- the rate, and time catches up with it. A client whose tab is a whole burst ahead of now is too fast. Tabs are in broker.kv, because
-- a client's messages can come to any VM of this script, and vanish by themselves a second after time has caught up: keys expire by
-- milliseconds, and a message can cost less.
local function is_too_fast(key, cost, burst)
	local now = broker.time()
	for _ = 1, 3 do
		local old = broker.kv.get(key)
		local tab = math.max(tonumber(old) or 0, now)
		if tab - now >= burst then
			return true
		end
		tab += cost
		local condition = { expires_in = tab - now + 1, only_if = old, only_if_absent = old == nil }
		if broker.kv.set(key, string.format("%.6f", tab), condition) then
			return false
		end
	end
	-- Three times something wrote in between: this client id is busy, to say the least.
	return true
end

-- Why a message is too much, or nil.
local function why_not(key, payload_size, config)
	local messages, bytes = config.messages_per_second, config.bytes_per_second
	if messages > 0 and is_too_fast(`{key}/messages`, 1 / messages, config.burst) then
		return `more than {messages} messages per second`
	elseif bytes > 0 and is_too_fast(`{key}/bytes`, payload_size / bytes, config.burst) then
		return `more than {bytes} bytes per second`
	end
	return nil
end

function M.intercept_publish(source, client_id, payload_size, config)
	if source ~= "client" then
		return broker.pass()
	end
	local answer = answers[config.action] or error(`config.action is "{config.action}"; it can be drop, deny or disconnect`)
	-- Hashed, as a client id can be longer than a key.
	local key = `rate/{broker.hash.sha256(client_id)}`
	local why = why_not(key, payload_size, config)
	if why == nil then
		return broker.pass()
	end
	if broker.kv.set(`{key}/warned`, "", { only_if_absent = true, expires_in = 60 }) then
		broker.log.warn(`{client_id} is too fast: {why}`, { action = config.action })
	end
	return answer(why)
end

return M

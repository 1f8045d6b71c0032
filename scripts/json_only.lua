-- Lets only JSON through.
--
-- Answers intercept_publish, for what clients publish and for their wills: a payload that is too long or is not JSON is refused with
-- the reason, which the broker's log shows and an MQTT 5 client is told. What plugins and the embedding program publish is not judged.
-- A retained message is removed by an empty payload with RETAIN; that is not JSON and is let through.
--
--   [[plugin]]
--   path = "scripts/json_only.lua"
--   [plugin.config]                      # what is left out has these defaults
--   topics = ["#"]                       # topic filters; other topics are not judged; "#" leaves out topics that begin with $
--   max_bytes = 65536                    # longest payload

local M = {}

M.description = "Refuses messages that are not JSON or too long"

M.config = {
	topics = { "#" },
	max_bytes = 65536,
}

local judged = { client = true, will = true }

local function is_concerned(topic, filters)
	for _, filter in filters do
		if broker.topic.matches(filter, topic) then
			return true
		end
	end
	return false
end

-- The payload comes as a buffer: an owned string of it is not needed to look whether it is JSON.
function M.intercept_publish(source, topic, payload_buffer, payload_size, retain, config)
	if not judged[source] or not is_concerned(topic, config.topics) then
		return broker.pass()
	end
	if payload_size == 0 and retain then
		return broker.pass()
	end
	if payload_size > config.max_bytes then
		return broker.deny("quota_exceeded", `{payload_size} bytes on {topic}; {config.max_bytes} are allowed`)
	end
	if not broker.json.valid(payload_buffer, payload_size) then
		return broker.deny("payload_format_invalid", `the payload on {topic} is not JSON`)
	end
	return broker.pass()
end

return M

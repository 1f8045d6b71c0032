-- Messages that got lost are published again, with why, where somebody can look after them.
--
-- Told by message_not_consumed (nobody was there to receive it) and message_dropped (a receiver's copy, or the whole message, was lost).
-- The payload and the message's own properties stay; the topic gets the prefix in front; these User Properties are added:
--
--   dead-letter-reason      not_consumed, or why it was dropped: queue_full, expired, too_large, plugin, quota, ...
--   dead-letter-topic       the topic that it was published to
--   dead-letter-sender      client id of the publisher
--   dead-letter-receiver    client id of the receiver whose copy was lost
--   dead-letter-plugin      the plugin that dropped it
--
-- There are no loops: only what a client published, or its will, becomes a dead letter, and a dead letter itself comes from a plugin.
-- What a client publishes below the prefix becomes none either.
--
--   [[plugin]]
--   path = "scripts/dead_letter.lua"
--   grants = ["publish"]
--   [plugin.config]                              # what is left out has these defaults
--   prefix = "dead/"
--   ignore = ["no_local", "offline_qos0"]        # reasons that are no loss; "plugin" too where plugins drop on purpose (rate_limit.lua)

local M = {}

M.description = "Publishes lost messages again, with why"

M.config = {
	prefix = "dead/",
	ignore = { "no_local", "offline_qos0" },
}

local mortal = { client = true, will = true }

local function bury(msg, reason, receiver, plugin, config)
	if not mortal[msg.source] or string.sub(msg.topic, 1, #config.prefix) == config.prefix then
		return
	end
	if table.find(config.ignore, reason) then
		return
	end
	local properties = msg.user_properties
	local function add(name, value)
		if value then
			table.insert(properties, { `dead-letter-{name}`, value })
		end
	end
	add("reason", reason)
	add("topic", msg.topic)
	add("sender", msg.sender_client_id)
	add("receiver", receiver)
	add("plugin", plugin)
	broker.publish {
		topic = config.prefix .. msg.topic,
		payload = msg.payload,
		qos = msg.qos,
		content_type = msg.content_type,
		response_topic = msg.response_topic,
		correlation_data = msg.correlation_data,
		user_properties = properties,
	}
end

-- A retained message stays with the broker, so it is not lost when nobody is there yet. Where plugins took it from every receiver,
-- message_dropped has told of each.
function M.message_not_consumed(msg, all_receivers_filtered, retain, config)
	if not retain and not all_receivers_filtered then
		bury(msg, "not_consumed", nil, nil, config)
	end
end

function M.message_dropped(msg, reason, receiver_client_id, plugin, config)
	bury(msg, reason or "unknown", receiver_client_id, plugin, config)
end

return M

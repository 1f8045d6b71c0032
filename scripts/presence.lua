-- Who is online: one retained JSON message per client, that whoever subscribes to presence/# gets at once and hears changes of.
--
--   presence/pump1   {"client_id":"pump1","status":"online","timestamp":1700000000000}
--   presence/pump1   {"client_id":"pump1","status":"offline","timestamp":1700000060000,"reason_code":0,"disconnect_type":"Clean"}
--
-- Told by client_connected and client_disconnected. timestamp is in milliseconds since 1970-01-01 UTC. In the topic, characters of the
-- client id that topics give a meaning are written as in URLs (/ is %2F, + is %2B, # is %23, % is %25), so that every client has one
-- level of its own; client_id in the payload is as the client said it.
--
-- A broker that is killed tells nobody who went with it, and one that stops can publish no more: where retained messages outlive it
-- ([storage]), such a client stays "online" until it comes again. Compare timestamp with the broker's start where that matters.
--
--   [[plugin]]
--   path = "scripts/presence.lua"
--   grants = ["publish"]
--   [plugin.config]                      # what is left out has these defaults
--   prefix = "presence/"                 # of the topics
--   qos = 1
--   offline_expires_in = 604800          # seconds after which an offline client is forgotten; 0 keeps it for ever

local M = {}

M.description = "Publishes which clients are online"

M.config = {
	prefix = "presence/",
	qos = 1,
	offline_expires_in = 604800,
}

local escapes = { ["/"] = "%2F", ["+"] = "%2B", ["#"] = "%23", ["%"] = "%25" }

local function announce(config, state, expires_in)
	local level = string.gsub(state.client_id, "[/+#%%]", escapes)
	broker.publish {
		topic = config.prefix .. level,
		payload = broker.json.encode(state),
		qos = config.qos,
		retain = true,
		content_type = "application/json",
		message_expiry_interval = expires_in,
	}
end

function M.client_connected(client_id, timestamp, config)
	announce(config, { client_id = client_id, status = "online", timestamp = timestamp })
end

-- A client that is taken over goes offline and comes online again, in this order: notices about one client never pass each other.
function M.client_disconnected(client_id, timestamp, reason_code, disconnect_type, config)
	local state = {
		client_id = client_id,
		status = "offline",
		timestamp = timestamp,
		reason_code = reason_code,
		disconnect_type = disconnect_type,
	}
	announce(config, state, if config.offline_expires_in > 0 then config.offline_expires_in else nil)
end

return M

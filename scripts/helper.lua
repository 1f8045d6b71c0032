-- The classic server helper: one login rule and one log line for each of eleven events.
--
-- Answers validate_connection: a client whose password is the empty string may come in, every other is refused with
-- bad_user_name_or_password (0x86). A client that sends no password at all has none, which is not the empty one: refused too.
-- Tells, in the broker's log, of each login, connection, disconnection, subscription, unsubscription, message, enqueued copy,
-- acknowledgement, message that nobody received, start and stop. Changes nothing.
--
--   [[plugin]]
--   path = "scripts/helper.lua"
--   [plugin.config]                # only to change the default
--   show_address = true            # start and stop name the bound address instead of the words "IP:Port"
--
-- A handler that fails is logged by the broker and never stops it, so nothing here is guarded.

local M = {}

M.description = "Logs what happens, lets in whose password is empty"

M.config = {
	show_address = false,
}

local function server(endpoint, config)
	return config.show_address and endpoint or "IP:Port"
end

function M.broker_started(endpoint, config)
	broker.log.info(`服务端【{server(endpoint, config)}】已启用MQTT`)
end

function M.broker_stopped(endpoint, config)
	broker.log.info(`服务端【{server(endpoint, config)}】已停止MQTT`)
end

function M.validate_connection(client_id, endpoint, password)
	if password == "" then
		broker.log.info(`客户端已验证成功.ClientId:【{client_id}】,Endpoint:【{endpoint}】`)
		return broker.accept()
	end
	broker.log.info(`客户端验证失败.ClientId:【{client_id}】,Endpoint:【{endpoint}】`)
	return broker.deny("bad_user_name_or_password", "the password is not the empty one")
end

function M.client_connected(client_id, endpoint)
	broker.log.info(`客户端已连接.ClientId:【{client_id}】,Endpoint:【{endpoint}】`)
end

-- The helper knows three ways to go: Clean, Takeover, and NotClean for all others.
function M.client_disconnected(client_id, endpoint, reason_code, disconnect_type)
	local kind = if disconnect_type == "Clean" or disconnect_type == "Takeover" then disconnect_type else "NotClean"
	broker.log.info(
		`客户端已断开.ClientId:【{client_id}】,Endpoint:【{endpoint}】.ReasonCode:【{reason_code}】,DisconnectType:【{kind}】`
	)
end

function M.client_subscribed(client_id, topic_filter)
	broker.log.info(`客户端【{client_id}】订阅主题【{topic_filter}】`)
end

function M.client_unsubscribed(client_id, topic_filter)
	broker.log.info(`客户端【{client_id}】退订主题【{topic_filter}】`)
end

-- Messages that no client published, a plugin's for instance, have no sender: its place stays empty.

function M.intercept_publish(client_id, topic, payload)
	broker.log.info(`接收到消息:Client:【{client_id or ""}】 Topic:【{topic}】 Message:【{payload}】`)
end

function M.intercept_enqueue(sender_client_id, payload)
	broker.log.info(`【InterceptingClientEnqueue】-SenderId:{sender_client_id or ""}-Message:{payload}`)
end

function M.message_acknowledged(client_id, payload)
	broker.log.info(`【ClientAcknowledgedPublishPacket】-SenderId:{client_id}-Message:{payload}`)
end

function M.message_not_consumed(sender_client_id, payload)
	broker.log.info(`【MessageNotConsumed】-SenderId:{sender_client_id or ""}-Message:{payload}`)
end

return M

-- The lines are those that operators of the classic helper know, so each is written out whole.

local function lines(t)
	local messages = {}
	for at, line in t.log() do
		t.eq(line.level, "info")
		t.eq(line.fields, {})
		messages[at] = line.message
	end
	return messages
end

local ann = { client_id = "ann", endpoint = "10.0.0.7:50123" }

local function with(fields)
	for name, value in ann do
		fields[name] = value
	end
	return fields
end

test("an empty password may come in", function(t)
	local answer = t.call("validate_connection", with { password = "" })
	t.eq(answer.kind, "accept")
	t.eq(answer.changes, {})
	t.eq(lines(t), { "客户端已验证成功.ClientId:【ann】,Endpoint:【10.0.0.7:50123】" })
end)

test("any other password is refused", function(t)
	for _, password in { "x", " ", "\0", "\xff" } do
		local answer = t.call("validate_connection", with { password = password, username = "ann" })
		t.eq(answer.kind, "deny")
		t.eq(answer.reason_code, 0x86)
	end
	t.eq(#lines(t), 4)
	t.eq(lines(t)[4], "客户端验证失败.ClientId:【ann】,Endpoint:【10.0.0.7:50123】")
end)

test("no password is not the empty one", function(t)
	local answer = t.call("validate_connection", with { username = "ann" })
	t.eq(answer.kind, "deny")
	t.eq(answer.reason_code, 0x86)
	t.eq(lines(t), { "客户端验证失败.ClientId:【ann】,Endpoint:【10.0.0.7:50123】" })
end)

test("clients come and go", function(t)
	t.call("client_connected", ann)
	t.call("client_disconnected", with { reason_code = 0, disconnect_type = "Clean" })
	t.call("client_disconnected", with { reason_code = 142, disconnect_type = "Takeover" })
	t.call("client_disconnected", with { reason_code = 141, disconnect_type = "NotClean" })
	t.eq(lines(t), {
		"客户端已连接.ClientId:【ann】,Endpoint:【10.0.0.7:50123】",
		"客户端已断开.ClientId:【ann】,Endpoint:【10.0.0.7:50123】.ReasonCode:【0】,DisconnectType:【Clean】",
		"客户端已断开.ClientId:【ann】,Endpoint:【10.0.0.7:50123】.ReasonCode:【142】,DisconnectType:【Takeover】",
		"客户端已断开.ClientId:【ann】,Endpoint:【10.0.0.7:50123】.ReasonCode:【141】,DisconnectType:【NotClean】",
	})
end)

test("whoever is thrown out did not go cleanly", function(t)
	t.call("client_disconnected", with { reason_code = 152, disconnect_type = "Kicked" })
	t.call("client_disconnected", with { reason_code = 135, disconnect_type = "Rejected" })
	for _, line in lines(t) do
		t.ok(string.find(line, "DisconnectType:【NotClean】", 1, true), line)
	end
end)

test("subscriptions come and go", function(t)
	t.call("client_subscribed", with { topic_filter = "$share/g/devices/+/t" })
	t.call("client_unsubscribed", with { topic_filter = "devices/#" })
	t.eq(lines(t), { "客户端【ann】订阅主题【$share/g/devices/+/t】", "客户端【ann】退订主题【devices/#】" })
end)

test("messages pass unchanged", function(t)
	local message = { topic = "devices/a", payload = "开 {x} %s", qos = 1 }
	local received = t.call("intercept_publish", with { topic = message.topic, payload = message.payload, qos = 1 })
	local enqueued = t.call("intercept_enqueue", {
		sender_client_id = "ann",
		receiver_client_id = "bob",
		topic = message.topic,
		payload = message.payload,
	})
	for _, answer in { received, enqueued } do
		t.eq(answer.kind, "pass")
		t.eq(answer.changes, {})
	end
	t.eq(lines(t), {
		"接收到消息:Client:【ann】 Topic:【devices/a】 Message:【开 {x} %s】",
		"【InterceptingClientEnqueue】-SenderId:ann-Message:开 {x} %s",
	})
end)

test("deliveries end", function(t)
	t.call("message_acknowledged", { client_id = "bob", sender_client_id = "ann", payload = "on" })
	t.call("message_not_consumed", { sender_client_id = "ann", payload = "off" })
	t.eq(lines(t), {
		"【ClientAcknowledgedPublishPacket】-SenderId:bob-Message:on",
		"【MessageNotConsumed】-SenderId:ann-Message:off",
	})
end)

test("what no client sent has an empty sender", function(t)
	t.call("intercept_publish", { source = "plugin", topic = "a", payload = "1" })
	t.call("intercept_enqueue", { source = "plugin", receiver_client_id = "bob", topic = "a", payload = "1" })
	t.call("message_not_consumed", { source = "plugin", topic = "a", payload = "1" })
	t.eq(lines(t), {
		"接收到消息:Client:【】 Topic:【a】 Message:【1】",
		"【InterceptingClientEnqueue】-SenderId:-Message:1",
		"【MessageNotConsumed】-SenderId:-Message:1",
	})
end)

test("a payload that is no UTF-8 is shown as far as it is", function(t)
	t.call("message_not_consumed", { sender_client_id = "ann", payload = "caf\xe9" })
	t.eq(lines(t), { "【MessageNotConsumed】-SenderId:ann-Message:caf\u{fffd}" })
end)

test("the broker starts and stops", function(t)
	t.call("broker_started", { endpoint = "127.0.0.1:1883" })
	t.call("broker_stopped", { endpoint = "127.0.0.1:1883" })
	t.eq(lines(t), { "服务端【IP:Port】已启用MQTT", "服务端【IP:Port】已停止MQTT" })
end)

test("with show_address the real address is told", function(t)
	t.config { show_address = true }
	t.call("broker_started", { endpoint = "127.0.0.1:1883" })
	t.call("broker_stopped", { endpoint = "127.0.0.1:1883" })
	t.eq(lines(t), { "服务端【127.0.0.1:1883】已启用MQTT", "服务端【127.0.0.1:1883】已停止MQTT" })
end)

test("it answers the eleven hooks and no more", function(t)
	local hooks = t.plugin.hooks
	table.sort(hooks)
	t.eq(hooks, {
		"broker_started",
		"broker_stopped",
		"client_connected",
		"client_disconnected",
		"client_subscribed",
		"client_unsubscribed",
		"intercept_enqueue",
		"intercept_publish",
		"message_acknowledged",
		"message_not_consumed",
		"validate_connection",
	})
end)

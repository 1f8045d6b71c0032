local function connected(t, client_id)
	t.call("client_connected", { client_id = client_id, timestamp = 1700000000000 })
end

local function disconnected(t, client_id)
	t.call("client_disconnected", {
		client_id = client_id,
		timestamp = 1700000060000,
		reason_code = 141,
		disconnect_type = "NotClean",
	})
end

test("who comes is online", function(t)
	connected(t, "pump1")
	local message = t.published()[1]
	t.eq(#t.published(), 1)
	t.eq(message.topic, "presence/pump1")
	t.eq(message.retain, true)
	t.eq(message.qos, 1)
	t.eq(message.content_type, "application/json")
	t.eq(message.message_expiry_interval, nil)
	t.eq(broker.json.decode(message.payload), { client_id = "pump1", status = "online", timestamp = 1700000000000 })
	t.ok(string.find(message.payload, "1700000000000", 1, true), "a whole number stays one")
end)

test("who goes is offline", function(t)
	disconnected(t, "pump1")
	local message = t.published()[1]
	t.eq(message.topic, "presence/pump1")
	t.eq(message.retain, true)
	t.eq(message.message_expiry_interval, 604800)
	t.eq(broker.json.decode(message.payload), {
		client_id = "pump1",
		status = "offline",
		timestamp = 1700000060000,
		reason_code = 141,
		disconnect_type = "NotClean",
	})
end)

test("the last word after a takeover is online", function(t)
	connected(t, "pump1")
	t.call("client_disconnected", { client_id = "pump1", reason_code = 142, disconnect_type = "Takeover" })
	connected(t, "pump1")
	local states = {}
	for at, message in t.published() do
		states[at] = broker.json.decode(message.payload).status
	end
	t.eq(states, { "online", "offline", "online" })
end)

test("every client id has one level of its own", function(t)
	local topics = {}
	for _, client_id in { "a/b", "a%2Fb", "+", "#", "a+#/%", "$SYS", "é 1" } do
		connected(t, client_id)
		local published = t.published()
		local message = published[#published]
		t.eq(#broker.topic.levels(message.topic), 2)
		t.eq(broker.json.decode(message.payload).client_id, client_id)
		t.eq(topics[message.topic], nil)
		topics[message.topic] = client_id
	end
	t.eq(topics["presence/a%2Fb"], "a/b")
	t.eq(topics["presence/a%252Fb"], "a%2Fb")
	t.eq(topics["presence/%2B"], "+")
	t.eq(topics["presence/%23"], "#")
	t.eq(topics["presence/$SYS"], "$SYS")
end)

test("the config says where and how", function(t)
	t.config { prefix = "site/clients/", qos = 0, offline_expires_in = 0 }
	connected(t, "a")
	disconnected(t, "a")
	for _, message in t.published() do
		t.eq(message.topic, "site/clients/a")
		t.eq(message.qos, 0)
		t.eq(message.message_expiry_interval, nil)
	end
	t.eq(#t.published(), 2)
end)

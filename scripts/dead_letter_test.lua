local function message(fields)
	local event = {
		topic = "devices/a",
		payload = "on",
		qos = 1,
		sender_client_id = "ann",
		user_properties = { { "trace", "1" }, { "trace", "2" } },
	}
	for name, value in fields or {} do
		event[name] = value
	end
	return event
end

local function list(properties)
	local pairs = {}
	for at = 1, #properties do
		pairs[at] = `{properties[at][1]}={properties[at][2]}`
	end
	return pairs
end

test("what nobody received is published again", function(t)
	t.call("message_not_consumed", message())
	t.eq(#t.published(), 1)
	local letter = t.published()[1]
	t.eq(letter.topic, "dead/devices/a")
	t.eq(letter.payload, "on")
	t.eq(letter.qos, 1)
	t.eq(letter.retain, false)
	t.eq(list(letter.user_properties), {
		"trace=1",
		"trace=2",
		"dead-letter-reason=not_consumed",
		"dead-letter-topic=devices/a",
		"dead-letter-sender=ann",
	})
end)

test("what a receiver lost is published again, with whose and why", function(t)
	t.call("message_dropped", message { reason = "queue_full", receiver_client_id = "bob" })
	t.eq(list(t.published()[1].user_properties), {
		"trace=1",
		"trace=2",
		"dead-letter-reason=queue_full",
		"dead-letter-topic=devices/a",
		"dead-letter-sender=ann",
		"dead-letter-receiver=bob",
	})
end)

test("the plugin that dropped it is named", function(t)
	t.call("message_dropped", message { reason = "plugin", plugin = "json_only", user_properties = {} })
	local properties = t.published()[1].user_properties
	t.eq(properties["dead-letter-plugin"], "json_only")
	t.eq(properties["dead-letter-reason"], "plugin")
end)

test("the message's own properties stay", function(t)
	t.call("message_not_consumed", message {
		payload = "\0\xff",
		content_type = "application/octet-stream",
		response_topic = "answers/ann",
		correlation_data = "\1\2",
	})
	local letter = t.published()[1]
	t.eq(letter.payload, "\0\xff")
	t.eq(letter.content_type, "application/octet-stream")
	t.eq(letter.response_topic, "answers/ann")
	t.eq(letter.correlation_data, "\1\2")
end)

test("what the sender calls the same is not mistaken for our word", function(t)
	t.call("message_not_consumed", message { user_properties = { { "dead-letter-reason", "forged" } } })
	local properties = list(t.published()[1].user_properties)
	t.eq(properties[1], "dead-letter-reason=forged")
	t.eq(properties[2], "dead-letter-reason=not_consumed")
end)

test("there are no loops", function(t)
	t.call("message_not_consumed", message { source = "plugin" })
	t.call("message_dropped", message { source = "plugin", reason = "queue_full" })
	t.call("message_not_consumed", message { topic = "dead/devices/a" })
	t.call("message_dropped", message { topic = "dead/devices/a", reason = "queue_full" })
	t.call("message_not_consumed", message { source = "broker" })
	t.call("message_dropped", message { source = "retained", reason = "queue_full" })
	t.eq(t.published(), {})
end)

test("wills can die too", function(t)
	t.call("message_not_consumed", message { source = "will" })
	t.eq(#t.published(), 1)
end)

test("a retained message is not lost while nobody is there", function(t)
	t.call("message_not_consumed", message { retain = true })
	t.eq(t.published(), {})
end)

test("what plugins took from every receiver comes once, by message_dropped", function(t)
	t.call("message_dropped", message { reason = "plugin", receiver_client_id = "bob" })
	t.call("message_not_consumed", message { all_receivers_filtered = true })
	t.eq(#t.published(), 1)
end)

test("some reasons are no loss", function(t)
	t.call("message_dropped", message { reason = "no_local" })
	t.call("message_dropped", message { reason = "offline_qos0" })
	t.eq(t.published(), {})
	t.config { ignore = { "plugin", "not_consumed" } }
	t.call("message_dropped", message { reason = "plugin" })
	t.call("message_not_consumed", message())
	t.eq(t.published(), {})
	t.call("message_dropped", message { reason = "no_local" })
	t.eq(#t.published(), 1)
end)

test("the prefix can be another", function(t)
	t.config { prefix = "$lost/" }
	t.call("message_not_consumed", message())
	t.call("message_not_consumed", message { topic = "$lost/devices/a" })
	t.eq(#t.published(), 1)
	t.eq(t.published()[1].topic, "$lost/devices/a")
end)

local function publish(t, payload, fields)
	local event = { topic = "devices/a", payload = payload, client_id = "ann" }
	for name, value in fields or {} do
		event[name] = value
	end
	return t.call("intercept_publish", event)
end

test("JSON passes unchanged", function(t)
	for _, payload in { "{}", "[]", "1", "null", '"text"', ' {"a": [1, 2.5e3, true, {"b": "\\u00e9"}]} \n' } do
		local answer = publish(t, payload)
		t.eq(answer.kind, "pass")
		t.eq(answer.changes, {})
	end
end)

test("anything else is refused with a reason", function(t)
	for _, payload in { "", " ", "text", "{", "{'a': 1}", "{} {}", "[1,]", "NaN", '"\xff"', "{}\0", "\u{feff}{}" } do
		local answer = publish(t, payload)
		t.eq(answer.kind, "deny")
		t.eq(answer.reason_code, 0x99)
		t.eq(answer.reason_string, "the payload on devices/a is not JSON")
	end
end)

test("what a longer payload left behind does not count", function(t)
	t.eq(publish(t, '{"a": 1}').kind, "pass")
	t.eq(publish(t, "{").kind, "deny")
	t.eq(publish(t, "{}").kind, "pass")
end)

test("max_bytes is the most that passes", function(t)
	t.config { max_bytes = 4 }
	t.eq(publish(t, "1234").kind, "pass")
	local answer = publish(t, "12345")
	t.eq(answer.kind, "deny")
	t.eq(answer.reason_code, 0x97)
	t.eq(answer.reason_string, "5 bytes on devices/a; 4 are allowed")
end)

test("by default 64 KiB pass", function(t)
	t.eq(publish(t, `"{string.rep("x", 65534)}"`).kind, "pass")
	t.eq(publish(t, `"{string.rep("x", 65535)}"`).kind, "deny")
end)

test("a retained message can be removed", function(t)
	t.eq(publish(t, "", { retain = true }).kind, "pass")
	t.eq(publish(t, "", { retain = false }).kind, "deny")
	t.eq(publish(t, "x", { retain = true }).kind, "deny")
end)

test("only the topics of the config are judged", function(t)
	t.config { topics = { "devices/+/state", "alarms/#" } }
	for topic, kind in { ["devices/a/state"] = "deny", alarms = "deny", ["alarms/x"] = "deny", ["devices/a"] = "pass", other = "pass" } do
		t.eq(publish(t, "text", { topic = topic }).kind, kind)
	end
end)

test("topics that begin with $ are judged if the config says so", function(t)
	t.eq(publish(t, "text", { topic = "$app/x" }).kind, "pass")
	t.config { topics = { "$app/#" } }
	t.eq(publish(t, "text", { topic = "$app/x" }).kind, "deny")
end)

test("wills are judged, what plugins and the program publish is not", function(t)
	for source, kind in { client = "deny", will = "deny", plugin = "pass", broker = "pass" } do
		t.eq(publish(t, "text", { source = source }).kind, kind)
	end
end)

test("a filter that is none is an error, which the broker takes as a deny", function(t)
	t.config { topics = { "a/#/b" } }
	t.raises(function()
		publish(t, "{}")
	end, "not a topic filter")
end)

test("the config is checked", function(t)
	t.raises(function()
		t.config { max_byte = 1 }
	end, 'max_byte.*"max_bytes"')
	t.raises(function()
		t.config { topics = { 5 } }
	end, "topics")
end)

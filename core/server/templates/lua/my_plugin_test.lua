test("what is below the topic passes", function(t)
	t.eq(t.call("intercept_publish", { topic = "devices/1", client_id = "c1" }).kind, "pass")
end)

test("anything else is refused", function(t)
	local v = t.call("intercept_publish", { topic = "elsewhere", client_id = "c1" })
	t.eq(v.kind, "deny")
	t.eq(v.reason_string, "publish below devices/")
end)

test("the operator says which topic", function(t)
	t.config { below = "sensors/" }
	t.eq(t.call("intercept_publish", { topic = "sensors/1" }).kind, "pass")
	t.eq(t.call("intercept_publish", { topic = "devices/1" }).kind, "deny")
end)

-- The clock moves only by t.advance, and all rates are such that a message costs a fraction that numbers hold exactly.

local function publish(t, client_id, payload, fields)
	local event = { topic = "a", client_id = client_id, payload = payload or "" }
	for name, value in fields or {} do
		event[name] = value
	end
	return t.call("intercept_publish", event)
end

-- How many of n messages pass.
local function passing(t, n, client_id, payload)
	local passed = 0
	for _ = 1, n do
		if publish(t, client_id or "ann", payload).kind == "pass" then
			passed += 1
		end
	end
	return passed
end

test("a burst passes, and then the rate", function(t)
	t.config { messages_per_second = 4, bytes_per_second = 0, burst = 2 }
	t.eq(passing(t, 20), 8)
	t.advance(1)
	t.eq(passing(t, 20), 4)
	t.advance(0.25)
	t.eq(passing(t, 20), 1)
	t.advance(100)
	t.eq(passing(t, 20), 8)
end)

test("who keeps to the rate is never stopped", function(t)
	t.config { messages_per_second = 2, burst = 1 }
	for _ = 1, 50 do
		t.eq(publish(t, "ann").kind, "pass")
		t.advance(0.5)
	end
end)

test("bytes count as well", function(t)
	t.config { messages_per_second = 0, bytes_per_second = 1024, burst = 2 }
	t.eq(passing(t, 10, "ann", string.rep("x", 512)), 4)
	t.eq(publish(t, "ann").kind, "drop")
	t.advance(0.5)
	t.eq(passing(t, 10, "ann", string.rep("x", 512)), 1)
end)

test("a pause shorter than a second is no more than it is", function(t)
	t.config { messages_per_second = 4, burst = 1 }
	t.eq(passing(t, 1), 1)
	t.advance(0.75)
	t.eq(passing(t, 10), 4)
	t.advance(0.25)
	t.eq(passing(t, 10), 1)
end)

test("a payload larger than a burst passes and has to be made up for", function(t)
	t.config { messages_per_second = 0, bytes_per_second = 1024, burst = 1 }
	t.eq(publish(t, "ann", string.rep("x", 4096)).kind, "pass")
	t.advance(3)
	t.eq(publish(t, "ann", "x").kind, "drop")
	t.advance(0.5)
	t.eq(publish(t, "ann", "x").kind, "pass")
end)

test("a rate below one message per burst lets one through at a time", function(t)
	t.config { messages_per_second = 0.125, burst = 1 }
	t.eq(passing(t, 5), 1)
	t.advance(8)
	t.eq(passing(t, 5), 1)
end)

test("0 is no limit", function(t)
	t.config { messages_per_second = 0, bytes_per_second = 0 }
	t.eq(passing(t, 1000, "ann", "xxxx"), 1000)
end)

test("each client has its own", function(t)
	t.config { messages_per_second = 4, burst = 1 }
	t.eq(passing(t, 10, "ann"), 4)
	t.eq(passing(t, 10, "bob"), 4)
	t.eq(passing(t, 10, "ann"), 0)
	-- Longer than a key can be.
	t.eq(passing(t, 10, string.rep("x", 20000)), 4)
end)

test("drop, deny and disconnect", function(t)
	for action, code in { drop = false, deny = 0x97, disconnect = 0x96 } do
		t.config { messages_per_second = 4, burst = 1, action = action }
		t.eq(passing(t, 4, action), 4)
		local answer = publish(t, action)
		t.eq(answer.kind, action)
		t.eq(answer.reason_code or false, code)
		t.eq(answer.reason_string, "more than 4 messages per second")
	end
end)

test("another action is an error that says what there is", function(t)
	t.config { action = "kill" }
	t.raises(function()
		publish(t, "ann")
	end, '"kill".*drop, deny or disconnect')
end)

test("one warning per client and minute", function(t)
	t.config { messages_per_second = 4, burst = 1 }
	passing(t, 20, "ann")
	passing(t, 20, "bob")
	t.eq(#t.log(), 2)
	t.eq(t.log()[1].level, "warn")
	t.eq(t.log()[1].message, "ann is too fast: more than 4 messages per second")
	t.eq(t.log()[1].fields, { action = "drop" })
	t.advance(60)
	passing(t, 20, "ann")
	t.eq(#t.log(), 3)
end)

test("only what clients publish counts", function(t)
	t.config { messages_per_second = 4, burst = 1 }
	passing(t, 10)
	for _, source in { "will", "plugin", "broker" } do
		t.eq(publish(t, "ann", "", { source = source }).kind, "pass")
	end
	t.eq(t.call("intercept_publish", { source = "plugin", topic = "a" }).kind, "pass")
end)

-- Hashes here are cheap ones, so that the tests are quick; they run each time before the script goes live.

local ARGON2 = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4" -- password
local BCRYPT = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW" -- secret
local PBKDF2 = "$7$101$c2FsdHNhbHRzYWx0$Hd71hnNoKcARd6Fkl1rUE+opfs3V78ZJB2AgXXC1kaKQiWfi5S5qX7D1mY5b+bIzvyidWMnS8VA+YAsAygq9EA==" -- secret

-- ---------------------------------------------------------------- Login

local function login(t, fields)
	fields.client_id = fields.client_id or "c1"
	fields.endpoint = "127.0.0.1:50000"
	return t.call("validate_connection", fields)
end

local function three_users(t)
	t.config { users = { ann = { password = ARGON2 }, bob = { password = BCRYPT }, cid = { password = PBKDF2 } } }
end

test("the right password may come in", function(t)
	three_users(t)
	t.eq(login(t, { username = "ann", password = "password" }).kind, "accept")
	t.eq(login(t, { username = "bob", password = "secret" }).kind, "accept")
	t.eq(login(t, { username = "cid", password = "secret" }).kind, "accept")
end)

test("every other is refused alike", function(t)
	three_users(t)
	local attempts = {
		{ username = "ann", password = "secret" },
		{ username = "ann", password = "" },
		{ username = "ann", password = "password\0" },
		{ username = "ann" },
		{ username = "ANN", password = "password" },
		{ username = "ann ", password = "password" },
		{ username = "nobody", password = "password" },
		{ username = "nobody", password = "secret" },
		{ username = "nobody" },
		{ username = "publish", password = "password" },
		{ username = "__index", password = "password" },
	}
	for _, attempt in attempts do
		local answer = login(t, attempt)
		t.eq(answer.kind, "deny")
		t.eq(answer.reason_code, 0x86)
		t.eq(answer.reason_string, "unknown user or wrong password")
	end
end)

test("without users nobody comes in", function(t)
	t.eq(login(t, { username = "ann", password = "password" }).kind, "deny")
	t.eq(login(t, {}).kind, "deny")
end)

test("a user without a password cannot come in", function(t)
	t.config { users = { ann = { publish = { "#" } } } }
	t.eq(login(t, { username = "ann", password = "" }).kind, "deny")
	t.eq(login(t, { username = "ann" }).kind, "deny")
end)

test("without a user name, or with an empty one, a client is anonymous", function(t)
	for _, fields in { {}, { username = "" }, { username = "", password = "x" }, { password = "x" } } do
		local answer = login(t, fields)
		t.eq(answer.kind, "deny")
		t.eq(answer.reason_code, 0x87)
		t.eq(answer.reason_string, "a user name and a password are needed")
	end
	t.config { allow_anonymous = true, users = { ann = { password = ARGON2 } } }
	t.eq(login(t, {}).kind, "accept")
	t.eq(login(t, { username = "" }).kind, "accept")
	t.eq(login(t, { username = "ann", password = "x" }).kind, "deny")
	t.eq(login(t, { username = "bob" }).kind, "deny")
end)

-- ---------------------------------------------------------------- Rights

-- "accept" or "deny" for a client "c1" of user "ann", whose section is `rights`.
local function asker(t, hook, rights, who)
	who = who or {}
	rights.password = ARGON2
	local username = if who.username == nil then "ann" else who.username
	t.config { users = { [username] = rights } }
	return function(topic)
		local fields = { client_id = who.client_id or "c1", username = username }
		fields[if hook == "authorize_publish" then "topic" else "topic_filter"] = topic
		if string.sub(topic, 1, 7) == "$share/" then
			fields.share_name = broker.topic.levels(topic)[2]
		end
		local answer = t.call(hook, fields)
		if answer.kind == "deny" then
			t.eq(answer.reason_code, 0x87)
			t.ok(answer.reason_string, "a refusal says why")
		end
		return answer.kind
	end
end

local function expect(t, ask, expected)
	for topic, kind in expected do
		local got = ask(topic)
		t.ok(got == kind, `{topic}: got {got}, expected {kind}`)
	end
end

test("a topic needs a pattern that matches it", function(t)
	expect(t, asker(t, "authorize_publish", { publish = { "devices/+/state", "logs/#" } }), {
		["devices/a/state"] = "accept",
		["devices//state"] = "accept",
		["devices/a"] = "deny",
		["devices/a/state/x"] = "deny",
		["devices/a/b/state"] = "deny",
		["/devices/a/state"] = "deny",
		logs = "accept",
		["logs/"] = "accept",
		["logs/a/b"] = "accept",
		logsx = "deny",
		other = "deny",
	})
end)

test("publishing and subscribing are granted each by itself", function(t)
	local rights = { publish = { "out/#" }, subscribe = { "in/#" } }
	expect(t, asker(t, "authorize_publish", rights), { ["out/x"] = "accept", ["in/x"] = "deny" })
	expect(t, asker(t, "authorize_subscribe", rights), { ["out/x"] = "deny", ["in/x"] = "accept" })
end)

test("nothing is granted by default", function(t)
	expect(t, asker(t, "authorize_publish", {}), { a = "deny" })
	expect(t, asker(t, "authorize_subscribe", {}), { a = "deny", ["#"] = "deny" })
end)

test("%u and %c are the names of the client", function(t)
	local ask = asker(t, "authorize_publish", { publish = { "u/%u/#", "c/%c", "both/%u-%c/x" } })
	expect(t, ask, {
		["u/ann/x"] = "accept",
		["u/ann"] = "accept",
		["u/ann/"] = "accept",
		["u/bob/x"] = "deny",
		["u/annx"] = "deny",
		["u/"] = "deny",
		u = "deny",
		["u//x"] = "deny",
		["c/c1"] = "accept",
		["c/c2"] = "deny",
		["c/"] = "deny",
		["both/ann-c1/x"] = "accept",
		["both/ann-c2/x"] = "deny",
		["u/%u/x"] = "deny",
	})
end)

test("devices/ and devices belong to nobody", function(t)
	expect(t, asker(t, "authorize_publish", { publish = { "devices/%u/#" } }), {
		devices = "deny",
		["devices/"] = "deny",
		["devices//"] = "deny",
		["devices//x"] = "deny",
		["devices/ann"] = "accept",
	})
end)

test("a missing or empty user name stands for nobody", function(t)
	for _, username in { false, "" } do
		t.config {
			allow_anonymous = true,
			anonymous = { publish = { "devices/%u/#", "%u", "x%u/a", "open/%c" }, subscribe = { "devices/%u/#" } },
		}
		local fields = { client_id = "c1", username = username or nil }
		for _, topic in { "devices/", "devices//x", "devices/%u/x", "devices/nil/x", "devices/x", "devices", "x/a", "x%u/a", "%u", "nil" } do
			fields.topic = topic
			t.eq(t.call("authorize_publish", fields).kind, "deny")
		end
		fields.topic = "open/c1"
		t.eq(t.call("authorize_publish", fields).kind, "accept")
		fields.topic = nil
		for _, filter in { "devices/+/#", "devices/#", "devices//#", "devices//x", "#", "+" } do
			fields.topic_filter = filter
			t.eq(t.call("authorize_subscribe", fields).kind, "deny")
		end
	end
end)

test("a name with / + # never widens a pattern", function(t)
	for _, odd in { "+", "#", "a/b", "a/#", "+/x", "a+", "#a", "/", "a/" } do
		for letter, who in { u = { username = odd }, c = { client_id = odd } } do
			local rights = {
				publish = { `devices/%{letter}/x`, `%{letter}` },
				subscribe = { `devices/%{letter}/x`, `devices/%{letter}`, `%{letter}` },
			}
			local publish = asker(t, "authorize_publish", rights, who)
			expect(t, publish, {
				["devices/ann/x"] = "deny",
				["devices/a/b/x"] = "deny",
				["devices/a/x"] = "deny",
				[`devices/{letter}/x`] = "deny",
				["a/b"] = "deny",
				x = "deny",
			})
			local subscribe = asker(t, "authorize_subscribe", rights, who)
			expect(t, subscribe, {
				["devices/+/x"] = "deny",
				["devices/#"] = "deny",
				["devices/ann/x"] = "deny",
				["devices/a/b/x"] = "deny",
				["devices/a/#"] = "deny",
				["#"] = "deny",
				["+"] = "deny",
				["a/b"] = "deny",
			})
		end
	end
end)

test("names are put in as they are", function(t)
	for _, name in { "%c", "%u", "%1", "%%", "a.b", "[a]", "^a$", "é", "a b" } do
		local rights = { publish = { "devices/%u/x" }, subscribe = { "devices/%u/#" } }
		expect(t, asker(t, "authorize_publish", rights, { username = name }), {
			[`devices/{name}/x`] = "accept",
			["devices/c1/x"] = "deny",
			["devices/axb/x"] = "deny",
			["devices/a/x"] = "deny",
		})
		expect(t, asker(t, "authorize_subscribe", rights, { username = name }), {
			[`devices/{name}/+`] = "accept",
			["devices/c1/+"] = "deny",
		})
	end
end)

test("a subscription must lie wholly within a pattern", function(t)
	local patterns = {
		["a/b"] = { ["a/b"] = "accept", ["a/+"] = "deny", ["a/#"] = "deny", ["+/b"] = "deny", ["#"] = "deny", ["a/b/"] = "deny", a = "deny" },
		["a/+"] = {
			["a/b"] = "accept",
			["a/"] = "accept",
			["a/+"] = "accept",
			["a/#"] = "deny",
			["a/b/c"] = "deny",
			["a/+/+"] = "deny",
			a = "deny",
			["+/+"] = "deny",
		},
		["a/#"] = {
			a = "accept",
			["a/"] = "accept",
			["a/#"] = "accept",
			["a/+"] = "accept",
			["a/+/c/#"] = "accept",
			["+/#"] = "deny",
			["#"] = "deny",
			ab = "deny",
		},
		["+/b/#"] = { ["+/b"] = "accept", ["x/b/c"] = "accept", ["+/b/#"] = "accept", ["+/+/#"] = "deny", ["+/#"] = "deny", ["x/#"] = "deny" },
		["a/+/#"] = { a = "deny", ["a/"] = "accept", ["a/b"] = "accept", ["a/+"] = "accept", ["a/#"] = "deny", ["a/+/#"] = "accept" },
		["+/+/b"] = { a = "deny", ["a/b"] = "deny", ["a/c/b"] = "accept", ["+/+/b"] = "accept" },
		["+"] = { a = "accept", ["+"] = "accept", ["a/b"] = "deny", ["#"] = "deny" },
		["#"] = { ["#"] = "accept", ["+"] = "accept", ["a/b/#"] = "accept", ["/"] = "accept", ["+/+"] = "accept" },
	}
	for pattern, expected in patterns do
		local ask = asker(t, "authorize_subscribe", { subscribe = { pattern } })
		expect(t, ask, expected)
		for filter, kind in expected do
			t.ok(ask(`$share/g/{filter}`) == kind, `$share/g/{filter} within {pattern}`)
		end
	end
end)

test("topics that begin with $ need a pattern that begins with $", function(t)
	for _, hook in { "authorize_publish", "authorize_subscribe" } do
		local action = if hook == "authorize_publish" then "publish" else "subscribe"
		expect(t, asker(t, hook, { [action] = { "#", "+/#", "+/x" } }), { ["$SYS/x"] = "deny", ["$app/x"] = "deny" })
		expect(t, asker(t, hook, { [action] = { "$app/#" } }), { ["$app/x"] = "accept", ["$SYS/x"] = "deny", app = "deny" })
		-- A name is no way around it.
		expect(t, asker(t, hook, { [action] = { "%u/#" } }, { username = "$SYS" }), { ["$SYS/x"] = "deny" })
		expect(t, asker(t, hook, { [action] = { "%c/#" } }, { client_id = "$SYS" }), { ["$SYS/x"] = "deny" })
	end
	local ask = asker(t, "authorize_subscribe", { subscribe = { "#" } })
	expect(t, ask, { ["$SYS/#"] = "deny", ["$share/g/$SYS/#"] = "deny", ["$share/g/a"] = "accept" })
	expect(t, asker(t, "authorize_subscribe", { subscribe = { "$app/#" } }), { ["#"] = "deny", ["+/x"] = "deny", ["$app/+"] = "accept" })
end)

test("a deny wins over every grant", function(t)
	local rights = { publish = { "#" }, subscribe = { "#" }, deny = { "secret/#", "a/+/key" } }
	expect(t, asker(t, "authorize_publish", rights), {
		secret = "deny",
		["secret/x"] = "deny",
		["a/b/key"] = "deny",
		["a/b"] = "accept",
		secrets = "accept",
	})
	expect(t, asker(t, "authorize_subscribe", rights), {
		["secret/x"] = "deny",
		["a/b/key"] = "deny",
		["a/b"] = "accept",
		-- What holds something denied is refused as a whole.
		["#"] = "deny",
		["+"] = "deny",
		["+/x"] = "deny",
		["a/#"] = "deny",
		["a/b/+"] = "deny",
		["+/+/key"] = "deny",
		["$share/g/#"] = "deny",
		["b/#"] = "accept",
		["a/b/c"] = "accept",
	})
end)

test("a deny with wildcards at the first level leaves topics that begin with $ alone", function(t)
	local rights = { publish = { "#", "$app/#" }, subscribe = { "#", "$app/#" }, deny = { "+/key", "$app/secret" } }
	expect(t, asker(t, "authorize_publish", rights), { ["$app/key"] = "accept", ["$app/secret"] = "deny", ["a/key"] = "deny" })
	expect(t, asker(t, "authorize_subscribe", rights), {
		["$app/key"] = "accept",
		["$app/secret"] = "deny",
		["$app/#"] = "deny",
		["$app/+"] = "deny",
		["+/secret"] = "accept",
		["+/key"] = "deny",
		["#"] = "deny",
	})
end)

test("the refusal names the pattern that denies, or who lacks a grant", function(t)
	t.config { users = { ann = { password = ARGON2, publish = { "#" }, deny = { "x/%u/#" } } } }
	local answer = t.call("authorize_publish", { client_id = "c1", username = "ann", topic = "x/ann/1" })
	t.eq(answer.reason_string, 'x/ann/1: denied by "x/%u/#"')
	answer = t.call("authorize_subscribe", { client_id = "c1", username = "ann", topic_filter = "y/#" })
	t.eq(answer.reason_string, "y/#: nothing lets ann subscribe")
	answer = t.call("authorize_publish", { client_id = "c1", topic = "y" })
	t.eq(answer.reason_string, "y: nothing lets anonymous clients publish")
end)

test("a deny with nobody's name holds for every name", function(t)
	for _, odd in { "+", "a/b", "$x", "" } do
		local rights = { publish = { "#" }, subscribe = { "#" }, deny = { "own/%c/key", "x-%c" } }
		t.config { allow_anonymous = true, anonymous = rights }
		for topic, kind in { ["own/a/key"] = "deny", ["own/b/key"] = "deny", ["x-a"] = "deny", ["own/a/b/c"] = "accept" } do
			t.eq(t.call("authorize_publish", { client_id = odd, topic = topic }).kind, kind)
		end
	end
end)

test("everyone means all users, and no anonymous client", function(t)
	t.config {
		allow_anonymous = true,
		users = { ann = { password = ARGON2, publish = { "ann/#" } }, bob = { password = BCRYPT } },
		everyone = { publish = { "all/#", "home/%u" }, deny = { "all/secret" } },
		anonymous = { publish = { "guest" } },
	}
	local function ask(username, topic)
		return t.call("authorize_publish", { client_id = "c1", username = username, topic = topic }).kind
	end
	t.eq(ask("ann", "all/x"), "accept")
	t.eq(ask("ann", "ann/x"), "accept")
	t.eq(ask("ann", "home/ann"), "accept")
	t.eq(ask("ann", "home/bob"), "deny")
	t.eq(ask("ann", "all/secret"), "deny")
	t.eq(ask("bob", "all/x"), "accept")
	t.eq(ask("bob", "ann/x"), "deny")
	t.eq(ask("ann", "guest"), "deny")
	t.eq(ask(nil, "guest"), "accept")
	t.eq(ask("", "guest"), "accept")
	t.eq(ask(nil, "all/x"), "deny")
	t.eq(ask(nil, "home/"), "deny")
	-- A user that was taken from the config while connected has no rights any more.
	t.eq(ask("gone", "all/x"), "deny")
end)

test("anonymous rights count only while anonymous clients may come in", function(t)
	t.config { anonymous = { publish = { "guest" }, subscribe = { "guest" } } }
	t.eq(t.call("authorize_publish", { client_id = "c1", topic = "guest" }).kind, "deny")
	t.eq(t.call("authorize_subscribe", { client_id = "c1", topic_filter = "guest" }).kind, "deny")
end)

-- ---------------------------------------------------------------- Wills, and what no client publishes

test("a client cannot come in with a will that it may not publish", function(t)
	t.config { users = { ann = { password = ARGON2, publish = { "ann/#" } } } }
	local function come(will_topic)
		return login(t, { username = "ann", password = "password", will_topic = will_topic, will_payload = "x" })
	end
	t.eq(come("ann/gone").kind, "accept")
	local answer = come("bob/gone")
	t.eq(answer.kind, "deny")
	t.eq(answer.reason_code, 0x87)
	t.eq(answer.reason_string, "will on bob/gone: nothing lets ann publish")
end)

test("a wrong password is told before anything about the will", function(t)
	t.config { users = { ann = { password = ARGON2 } } }
	t.eq(login(t, { username = "ann", password = "x", will_topic = "a" }).reason_code, 0x86)
end)

test("a will is judged again when it is published", function(t)
	t.config { users = { ann = { password = ARGON2, publish = { "ann/#" } } } }
	local function publish(topic)
		return t.call("authorize_publish", { source = "will", client_id = "c1", username = "ann", topic = topic }).kind
	end
	t.eq(publish("ann/gone"), "accept")
	t.eq(publish("bob/gone"), "deny")
end)

test("plugins and the program publish where they like", function(t)
	for _, source in { "plugin", "broker" } do
		t.eq(t.call("authorize_publish", { source = source, topic = "a" }).kind, "pass")
	end
end)

-- ---------------------------------------------------------------- The config

test("mistakes in the config are told at the start and deny", function(t)
	local mistakes = {
		[{ pasword = ARGON2 }] = "users.ann.pasword: there is no such key",
		[{ password = ARGON2, denny = { "a" } }] = "users.ann.denny: there is no such key",
		[{ password = ARGON2, allow_anonymous = true }] = "there is no such key",
		[{ password = "password" }] = "users.ann.password must be a hash",
		[{ password = 5 }] = "users.ann.password: this must be a string",
		[{ password = ARGON2, publish = "a" }] = "users.ann.publish: this must be a table",
		[{ password = ARGON2, publish = { "a/#/b" } }] = '"a/#/b" is not a topic filter',
		[{ password = ARGON2, deny = { "" } }] = '"" is not a topic filter',
		[{ password = ARGON2, deny = { 5 } }] = '"5" is not a topic filter',
		[{ password = ARGON2, subscribe = { "$share/g/a" } }] = '"$share/g/a" is not a topic filter',
	}
	for user, expected in mistakes do
		t.config { users = { ann = user, bob = { password = BCRYPT, publish = { "b" } } } }
		for _, call in {
			function()
				t.call("broker_started", {})
			end,
			function()
				t.call("config_reloaded", {})
			end,
			function()
				login(t, { username = "ann", password = "password" })
			end,
			function()
				t.call("authorize_publish", { client_id = "c1", username = "ann", topic = "a" })
			end,
		} do
			local why = t.raises(call)
			t.ok(string.find(why, expected, 1, true), why)
		end
		-- Nobody else has to suffer.
		t.eq(t.call("authorize_publish", { client_id = "c2", username = "bob", topic = "b" }).kind, "accept")
	end
end)

test("a good config is no reason to say anything", function(t)
	three_users(t)
	t.call("broker_started", {})
	t.call("config_reloaded", {})
	t.eq(t.log(), {})
end)

test("unknown keys beside the users are refused at load", function(t)
	t.raises(function()
		t.config { allow_anonymus = true }
	end, 'allow_anonymus.*"allow_anonymous"')
	t.raises(function()
		t.config { everyone = { password = ARGON2 } }
	end, "everyone.password")
end)

test("what was decided holds for an hour", function(t)
	t.config { users = { pump = { publish = { "devices/%u/#" }, subscribe = { "news/#" } } } }
	for _, topic in { "devices/pump/t", "elsewhere" } do
		t.eq(t.call("authorize_publish", { client_id = "c", username = "pump", topic = topic }).ttl, 3600)
	end
	for _, filter in { "news/#", "elsewhere" } do
		t.eq(t.call("authorize_subscribe", { client_id = "c", username = "pump", topic_filter = filter }).ttl, 3600)
	end
	t.eq(t.call("authorize_publish", { source = "plugin", topic = "elsewhere" }).ttl, nil)
end)

-- The parity suite's policy: writes down what it is shown, and answers what its case says.
-- Handlers, one per hook of the catalogue, follow below what stands here.
local M = { version = "1" }

local SUBSCRIPTION = { "topic_filter", "qos", "no_local", "retain_as_published", "retain_handling", "subscription_identifier" }
local MESSAGE = {
	"topic", "payload", "qos", "retain", "payload_format", "message_expiry_interval", "content_type", "response_topic",
	"correlation_data", "user_properties", "sender_client_id",
}
local PARTS = {
	topic_filter = "text", qos = "integer", no_local = "boolean", retain_as_published = "boolean", retain_handling = "integer",
	subscription_identifier = "integer", topic = "text", payload = "bytes", retain = "boolean", payload_format = "integer",
	message_expiry_interval = "integer", content_type = "text", response_topic = "text", correlation_data = "bytes",
	user_properties = "pairs", sender_client_id = "text",
}
-- What a field that is always there reads as where an event lacks it after all.
local EMPTY = { boolean = false, integer = 0, text = "", bytes = "", pairs = {}, records = {} }

local show

local function entry(record, order)
	local parts = {}
	for _, name in ipairs(order) do
		if record[name] ~= nil then
			table.insert(parts, name .. "=" .. show(name, PARTS[name], record[name]))
		end
	end
	return "(" .. table.concat(parts, " ") .. ")"
end

function show(name, kind, value)
	if kind == "boolean" then
		return tostring(value)
	elseif kind == "integer" then
		return string.format("%d", value)
	elseif kind == "text" then
		return "'" .. value .. "'"
	elseif kind == "bytes" then
		return "0x" .. (string.gsub(value, ".", function(byte)
			return string.format("%02x", string.byte(byte))
		end))
	end
	local list = {}
	for _, item in ipairs(value) do
		if kind == "pairs" then
			table.insert(list, "'" .. item[1] .. "'='" .. item[2] .. "'")
		else
			table.insert(list, entry(item, if name == "messages" then MESSAGE else SUBSCRIPTION))
		end
	end
	return "[" .. table.concat(list, ", ") .. "]"
end

local function see(sight, name, kind, presence, value)
	if value == nil and presence == "always" then
		value = EMPTY[kind]
	end
	sight[name] = value
	table.insert(sight.line, name .. "=" .. (if value == nil then "nothing" else show(name, kind, value)))
end

local function typed(kind, words, at)
	if kind == "boolean" then
		return words[at] == "true"
	elseif kind == "integer" then
		return tonumber(words[at])
	elseif kind == "text" then
		return words[at]
	elseif kind == "bytes" then
		return (string.gsub(words[at] or "", "..", function(digits)
			return string.char(tonumber(digits, 16))
		end))
	end
	local list = {}
	if kind == "pairs" then
		for place = at, #words - 1, 2 do
			table.insert(list, { words[place], words[place + 1] })
		end
	end
	return list
end

local function read()
	local case = { about = {}, tags = {}, changes = {}, user_properties = {} }
	local records
	for _, line in ipairs(string.split(broker.kv.get("case") or "", "\n")) do
		local words = string.split(line, "\t")
		local word = words[1]
		if word == "hook" or word == "verdict" or word == "code" or word == "words" or word == "server" then
			case[word] = words[2]
		elseif word == "about" then
			case.about[words[2]] = words[3]
		elseif word == "property" then
			table.insert(case.user_properties, { words[2], words[3] })
		elseif word == "raise" then
			case.raises = true
		elseif word == "keep" then
			case.ttl = tonumber(words[2]) / 1000
			for at = 3, #words do
				table.insert(case.tags, words[at])
			end
		elseif word == "set" then
			records = typed(words[3], words, 4)
			case.changes[words[2]] = records
		elseif word == "remove" then
			case.changes[words[2]] = broker.none
		elseif word == "entry" then
			table.insert(records, {})
		elseif word == "part" then
			records[#records][words[2]] = typed(words[3], words, 4)
		elseif word ~= "" then
			error("not a line of a case: " .. line)
		end
	end
	return case
end

local function about(case, sight)
	if case.hook ~= sight.hook then
		return false
	end
	for field, text in pairs(case.about) do
		if sight[field] ~= text then
			return false
		end
	end
	return true
end

local function decide(sight)
	broker.log.info(table.concat(sight.line, " "))
	local case = read()
	if not about(case, sight) then
		return nil
	end
	if case.raises then
		error("as the case wants it")
	end
	if case.verdict == nil then
		return nil
	end
	local code = tonumber(case.code or "0")
	local options = { user_properties = case.user_properties, server_reference = case.server }
	if case.verdict == "pass" then
		return broker.pass(case.changes)
	elseif case.verdict == "accept" then
		local changes = case.changes
		if case.ttl then
			changes.ttl = case.ttl
			changes.tags = case.tags
		end
		return broker.accept(changes)
	elseif case.verdict == "deny" then
		options.ttl = case.ttl
		options.tags = if case.ttl then case.tags else nil
		return broker.deny(code, case.words, options)
	elseif case.verdict == "drop" then
		return broker.drop(case.words, case.changes)
	elseif case.verdict == "consume" then
		return broker.consume(case.changes)
	end
	return broker.disconnect(code, case.words, options)
end

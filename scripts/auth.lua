-- Users with hashed passwords, and who may publish and subscribe where.
--
-- Answers validate_connection (is the password right, may the will be published), authorize_publish (wills too) and
-- authorize_subscribe. Whatever no pattern grants is refused. What plugins and the embedding program publish is not judged.
--
--   [[plugin]]
--   path = "scripts/auth.lua"
--
--   [plugin.config]
--   allow_anonymous = false                      # whether clients without a user name, or with an empty one, may come in
--
--   [plugin.config.users.pump]                   # one section per user name
--   password = "$7$101$..."                      # its hash, see below
--   publish = ["devices/%u/#"]                   # may publish to what one of these patterns matches
--   subscribe = ["devices/%u/set", "news/#"]     # may subscribe to filters that lie wholly within one of these patterns
--   deny = ["devices/%u/serial"]                 # neither, whatever is granted
--
--   [plugin.config.everyone]                     # what every user has besides
--   subscribe = ["public/#"]
--
--   [plugin.config.anonymous]                    # what clients without a user name have; `everyone` does not count for them
--   subscribe = ["public/#"]
--
-- A hash is argon2 ($argon2id$...), bcrypt ($2b$...) or mosquitto_passwd's ($7$...). The last comes with every mosquitto:
-- `mosquitto_passwd -c -b hashes.txt pump secret` writes pump:$7$101$..., of which the part behind the colon is the hash.
--
-- A pattern is a topic filter in which %u stands for the user name and %c for the client id. Clients choose their ids themselves, so
-- grant by %u what must not be another's. A name that is missing or empty, has a character that topics give a meaning (/ + #) or
-- begins with $ stands for nobody: a grant with it is void, a deny with it holds for every name. Topics that begin with $ are granted
-- only by patterns that begin with $ themselves. A subscription that touches a denied pattern is refused as a whole: a subscriber to
-- devices/# would hear of devices/pump/serial too.
--
-- What it decided about a client and a topic the broker keeps for an hour and does not ask again; a change of the config reloads the
-- script, and everything is decided anew.

local M = {}

M.description = "Users with hashed passwords and rights by topic patterns"
M.priority = 100
-- On a machine that is busy a login shall rather come late than be refused.
M.timeout = "250ms"

M.config = {
	allow_anonymous = false,
	users = {},
	everyone = { publish = {}, subscribe = {}, deny = {} },
	anonymous = { publish = {}, subscribe = {}, deny = {} },
}

-- ---------------------------------------------------------------- Topic filters

local function is_system(filter)
	return string.sub(filter, 1, 1) == "$"
end

-- Whether every topic that `filter` matches is matched by `pattern` too.
local function covers(pattern, filter)
	-- Wildcards at the first level do not match topics that begin with $.
	if is_system(pattern) ~= is_system(filter) then
		return false
	end
	local wanted, given = broker.topic.levels(pattern), broker.topic.levels(filter)
	for at, level in wanted do
		if level == "#" then
			return true -- at the end of the filter as well: devices/# matches devices
		elseif given[at] == nil or given[at] == "#" then
			return false
		elseif level ~= "+" and level ~= given[at] then
			return false
		end
	end
	return #given == #wanted
end

-- Whether there is a topic that both match.
local function overlap(left, right)
	if is_system(left) ~= is_system(right) then
		return false
	end
	local a, b = broker.topic.levels(left), broker.topic.levels(right)
	for at = 1, math.max(#a, #b) do
		if a[at] == "#" or b[at] == "#" then
			return true
		elseif a[at] == nil or b[at] == nil then
			return false
		elseif a[at] ~= "+" and b[at] ~= "+" and a[at] ~= b[at] then
			return false
		end
	end
	return true
end

-- ---------------------------------------------------------------- Patterns

local function is_somebody(name)
	return name ~= nil and name ~= "" and not string.find(name, "[/+#]") and not is_system(name)
end

-- The pattern with the client's names in it. A level with nobody's name becomes `nobody`, or, if that is nil, makes the pattern void.
local function expand(pattern, names, nobody)
	if not string.find(pattern, "%", 1, true) then
		return pattern
	end
	local levels = broker.topic.levels(pattern)
	for at, level in levels do
		for letter in string.gmatch(level, "%%([cu])") do
			if not is_somebody(names[letter]) then
				if nobody == nil then
					return nil
				end
				levels[at] = nobody
			end
		end
		-- What a table gives to gsub is put in as it is, even where it looks like %c again.
		levels[at] = string.gsub(levels[at], "%%([cu])", names)
	end
	return table.concat(levels, "/")
end

-- ---------------------------------------------------------------- Rights

local KEYS = { password = "string", publish = "table", subscribe = "table", deny = "table" }
local checked = {}

-- Raises an error about a section that the operator got wrong. A call that fails is a deny.
local function check(where, section)
	if checked[where] then
		return
	elseif type(section) ~= "table" then
		error(`{where} must be a section with password, publish, subscribe, deny`)
	end
	for key, value in section do
		if type(value) ~= KEYS[key] then
			error(`{where}.{key}: {if KEYS[key] then `this must be a {KEYS[key]}` else "there is no such key"}`)
		elseif key == "password" and not is_system(value) then
			error(`{where}.password must be a hash, as in "$argon2id$..."`)
		end
		for _, pattern in if type(value) == "table" then value else {} do
			if type(pattern) ~= "string" or string.find(pattern, "^$share/") or not pcall(broker.topic.matches, pattern, "x") then
				error(`{where}.{key}: "{pattern}" is not a topic filter`)
			end
		end
	end
	checked[where] = true
end

local function is_anonymous(username)
	return username == nil or username == ""
end

-- The sections that say what a client may do; none for a user that is not, or not any more, in the config.
local function sections_of(username, config)
	if is_anonymous(username) then
		check("config.anonymous", config.anonymous)
		return if config.allow_anonymous then { config.anonymous } else {}
	end
	local user = config.users[username]
	if user == nil then
		return {}
	end
	check(`config.users.{username}`, user)
	check("config.everyone", config.everyone)
	return { user, config.everyone }
end

-- Why a client may not do it ("publish" or "subscribe") to a topic or filter, or nil if it may.
local function why_not(action, client_id, username, topic, config)
	local is_granted = if action == "publish" then broker.topic.matches else covers
	local is_denied = if action == "publish" then broker.topic.matches else overlap
	local names = { c = client_id, u = username }
	local granted = false
	for _, section in sections_of(username, config) do
		for _, pattern in section.deny or {} do
			if is_denied(expand(pattern, names, "+"), topic) then
				return `{topic}: denied by "{pattern}"`
			end
		end
		for _, pattern in section[action] or {} do
			local expanded = expand(pattern, names)
			granted = granted or (expanded ~= nil and is_granted(expanded, topic))
		end
	end
	local who = if is_anonymous(username) then "anonymous clients" else username
	return if granted then nil else `{topic}: nothing lets {who} {action}`
end

-- ---------------------------------------------------------------- Hooks

-- A mistake in the config is in the log at once, and not only when its user comes.
local function check_all(config)
	for name, user in config.users do
		check(`config.users.{name}`, user)
	end
	check("config.everyone", config.everyone)
	check("config.anonymous", config.anonymous)
end

function M.broker_started(config)
	check_all(config)
end

function M.config_reloaded(config)
	check_all(config)
end

function M.validate_connection(client_id, username, password, will_topic, config)
	local sections = sections_of(username, config)
	if is_anonymous(username) then
		if #sections == 0 then
			return broker.deny("not_authorized", "a user name and a password are needed")
		end
	else
		-- For an unknown user somebody else's hash is computed, so that the time it takes tells nobody which users there are.
		local _, somebody = next(config.users)
		local user = sections[1] or somebody
		local fits = user and user.password and broker.password.verify(password, user.password)
		if not fits or #sections == 0 then
			return broker.deny("bad_user_name_or_password", "unknown user or wrong password")
		end
	end
	-- Now the client can be told. When its will is published it is gone.
	local why = will_topic and why_not("publish", client_id, username, will_topic, config)
	if why then
		return broker.deny("not_authorized", `will on {why}`)
	end
	return broker.accept()
end

-- It is decided from the config and the parameters alone, so it holds until one of them changes.
local HOLDS = { ttl = 3600 }

function M.authorize_publish(source, client_id, username, topic, config)
	if source ~= "client" and source ~= "will" then
		return broker.pass()
	end
	local why = why_not("publish", client_id, username, topic, config)
	return if why then broker.deny("not_authorized", why, HOLDS) else broker.accept(HOLDS)
end

function M.authorize_subscribe(client_id, username, topic_filter, share_name, config)
	-- Who shares a subscription gets what the filter behind the share's name matches.
	local filter = share_name and string.match(topic_filter, "^$share/[^/]+/(.+)$") or topic_filter
	local why = why_not("subscribe", client_id, username, filter, config)
	return if why then broker.deny("not_authorized", why, HOLDS) else broker.accept(HOLDS)
end

return M

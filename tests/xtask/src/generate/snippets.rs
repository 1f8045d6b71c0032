//! One example per hook in Lua, for the hook reference. Written by hand; a test holds them against the catalogue.

use hookmq_plugin_api::Hook;

/// The example of a hook.
pub(super) fn of(hook: Hook) -> Option<&'static str> {
    SNIPPETS
        .iter()
        .find(|(known, _)| *known == hook)
        .map(|(_, text)| text.trim())
}

static SNIPPETS: &[(Hook, &str)] = &[
    (
        Hook::BrokerStarted,
        r#"
function M.broker_started(endpoint)
	broker.log.info(`clients are welcome at {endpoint}`)
end"#,
    ),
    (
        Hook::BrokerStopping,
        r#"
function M.broker_stopping(endpoint)
	broker.log.warn(`{endpoint} is about to close`)
end"#,
    ),
    (
        Hook::BrokerStopped,
        r#"
function M.broker_stopped(endpoint, timestamp)
	broker.log.info(`{endpoint} is closed`, { at = timestamp })
end"#,
    ),
    (
        Hook::ConfigReloaded,
        r#"
function M.config_reloaded(generation)
	broker.log.info(`plugin set {generation} is live`)
end"#,
    ),
    (
        Hook::ValidateConnection,
        r#"
local hashes = { pump = "$2b$12$GhvMmNVjRW29ulnudl.LbuAnUtN/LRfe1JsBm1Xu6LE3059z5Tr8m" }

function M.validate_connection(username, password)
	local hash = hashes[username or ""]
	if hash and broker.password.verify(password, hash) then
		return broker.accept { keep_alive = 30 }
	end
	return broker.deny("bad_user_name_or_password", "unknown user or wrong password")
end"#,
    ),
    (
        Hook::PrepareSession,
        r##"
function M.prepare_session(username, subscriptions)
	if username == "operator" then
		table.insert(subscriptions, { topic_filter = "alarms/#", qos = 1 })
		return broker.pass { subscriptions = subscriptions }
	end
	return broker.pass()
end"##,
    ),
    (
        Hook::ClientConnected,
        r#"
function M.client_connected(client_id, endpoint)
	broker.log.info(`{client_id} came from {endpoint}`)
end"#,
    ),
    (
        Hook::ClientDisconnected,
        r#"
function M.client_disconnected(client_id, disconnect_type, reason_code)
	if disconnect_type == "NotClean" then
		broker.log.warn(`{client_id} was lost`, { reason_code = reason_code })
	end
end"#,
    ),
    (
        Hook::SessionCreated,
        r#"
function M.session_created(client_id, session_expiry_interval)
	broker.log.info(`new session of {client_id}, kept {session_expiry_interval} s`)
end"#,
    ),
    (
        Hook::SessionResumed,
        r#"
function M.session_resumed(client_id, n_queued)
	broker.log.info(`{client_id} is back, {n_queued} messages wait`)
end"#,
    ),
    (
        Hook::SessionTakenOver,
        r#"
function M.session_taken_over(client_id, endpoint)
	broker.log.warn(`{client_id} is used twice, now from {endpoint}`)
end"#,
    ),
    (
        Hook::SessionOffline,
        r#"
function M.session_offline(client_id, n_subscriptions)
	broker.log.info(`{client_id} is offline and keeps {n_subscriptions} subscriptions`)
end"#,
    ),
    (
        Hook::SessionExpired,
        r#"
function M.session_expired(client_id, n_queued)
	if n_queued > 0 then
		broker.log.warn(`{client_id} never came back for {n_queued} messages`)
	end
end"#,
    ),
    (
        Hook::SessionDeleted,
        r#"
function M.session_deleted(client_id, reason)
	broker.kv.delete(`seen/{client_id}`) -- needs the grant "kv"
	broker.log.info(`session of {client_id} is gone: {reason}`)
end"#,
    ),
    (
        Hook::InterceptSubscription,
        r##"
function M.intercept_subscription(topic_filter)
	if topic_filter == "#" then
		return broker.deny("not_authorized", "a narrower filter, please")
	elseif topic_filter == "weather" then
		return broker.pass { topic_filter = "weather/#", qos = 0 }
	end
	return broker.pass()
end"##,
    ),
    (
        Hook::AuthorizeSubscribe,
        r##"
-- The filter itself is compared: a list of what is allowed cannot be got around with wildcards.
local public = { ["weather/#"] = true, ["news/+"] = true }

function M.authorize_subscribe(topic_filter)
	if public[topic_filter] then
		return broker.accept()
	end
	return broker.deny("not_authorized", `{topic_filter} is not public`)
end"##,
    ),
    (
        Hook::ClientSubscribed,
        r#"
function M.client_subscribed(client_id, topic_filter, qos)
	broker.log.info(`{client_id} subscribed to {topic_filter} with QoS {qos}`)
end"#,
    ),
    (
        Hook::InterceptUnsubscription,
        r#"
function M.intercept_unsubscription(topic_filter)
	if topic_filter == "alarms/all" then
		return broker.deny("not_authorized", "everybody hears alarms")
	end
	return broker.pass()
end"#,
    ),
    (
        Hook::ClientUnsubscribed,
        r#"
function M.client_unsubscribed(client_id, topic_filter)
	broker.log.info(`{client_id} left {topic_filter}`)
end"#,
    ),
    (
        Hook::InterceptInboundPacket,
        r#"
function M.intercept_inbound_packet(packet_type, payload_size)
	if packet_type == "publish" and payload_size > 65536 then
		return broker.disconnect("packet_too_large", "64 KiB at most")
	end
	return broker.pass()
end"#,
    ),
    (
        Hook::InterceptOutboundPacket,
        r#"
function M.intercept_outbound_packet(packet_type, user_properties)
	if packet_type == "connack" then
		user_properties.site = "north"
		return broker.pass { user_properties = user_properties }
	end
	return broker.pass()
end"#,
    ),
    (
        Hook::InterceptPublish,
        r#"
function M.intercept_publish(topic, payload, client_id)
	if not broker.json.valid(payload) then
		return broker.deny("payload_format_invalid", "JSON only")
	end
	if client_id then
		return broker.pass { topic = `devices/{client_id}/{topic}` }
	end
end"#,
    ),
    (
        Hook::AuthorizePublish,
        r#"
function M.authorize_publish(topic, retain)
	if string.sub(topic, 1, 8) ~= "devices/" then
		return broker.deny("not_authorized", "below devices/ only")
	end
	if retain then
		return broker.accept { retain = false }
	end
	return broker.accept()
end"#,
    ),
    (
        Hook::InterceptEnqueue,
        r#"
function M.intercept_enqueue(sender_client_id, receiver_client_id)
	if sender_client_id == receiver_client_id then
		return broker.drop("nobody hears itself")
	end
	return broker.pass()
end"#,
    ),
    (
        Hook::InterceptDelivery,
        r#"
function M.intercept_delivery(receiver_username)
	if receiver_username == "guest" then
		return broker.pass { payload = "hidden", content_type = broker.none }
	end
	return broker.pass()
end"#,
    ),
    (
        Hook::MessageEnqueued,
        r#"
function M.message_enqueued(dropped, reason, receiver_client_id, topic)
	if dropped then
		broker.log.warn(`{receiver_client_id} missed {topic}: {reason}`)
	end
end"#,
    ),
    (
        Hook::MessageOverwritten,
        r#"
function M.message_overwritten(receiver_client_id, topic)
	broker.log.warn(`the queue of {receiver_client_id} is full; its oldest message, on {topic}, is lost`)
end"#,
    ),
    (
        Hook::MessageNotConsumed,
        r#"
function M.message_not_consumed(topic, payload, source)
	if source == "client" then -- not what this very script published
		broker.publish { topic = `unheard/{topic}`, payload = payload } -- needs the grant "publish"
	end
end"#,
    ),
    (
        Hook::MessageDropped,
        r#"
function M.message_dropped(reason, topic, receiver_client_id)
	broker.kv.add(`dropped/{reason}`) -- needs the grant "kv"
	broker.log.info(`{topic} for {receiver_client_id or "nobody"} dropped: {reason}`)
end"#,
    ),
    (
        Hook::MessageExpired,
        r#"
function M.message_expired(topic, receiver_client_id)
	broker.log.info(`{topic} came too late for {receiver_client_id}`)
end"#,
    ),
    (
        Hook::MessageAcknowledged,
        r#"
function M.message_acknowledged(client_id, topic, completed)
	if not completed then
		broker.log.warn(`{client_id} refused a message on {topic}`)
	end
end"#,
    ),
    (
        Hook::LoadRetained,
        r#"
function M.load_retained(n_messages)
	if n_messages == 0 then
		return broker.pass { messages = { { topic = "site/broker", payload = "fresh", qos = 1 } } }
	end
	return broker.pass()
end"#,
    ),
    (
        Hook::RetainedChanged,
        r#"
function M.retained_changed(change, topic, payload_size)
	broker.log.info(`retained {topic}: {change}, {payload_size} bytes`)
end"#,
    ),
    (
        Hook::RetainedCleared,
        r#"
function M.retained_cleared(n_messages)
	broker.log.warn(`{n_messages} retained messages were removed`)
end"#,
    ),
    (
        Hook::InterceptWill,
        r#"
function M.intercept_will(client_id, topic)
	if string.sub(topic, 1, 6) == "wills/" then
		return broker.pass { retain = true }
	end
	return broker.drop(`{client_id}: wills go below wills/`)
end"#,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::lua;
    use hookmq_plugin_api::catalogue::HOOKS;
    use hookmq_plugin_api::{Field, VerdictKind};

    #[test]
    fn every_hook_has_an_example_that_its_row_allows() {
        for spec in HOOKS {
            let text = of(spec.hook).unwrap_or_else(|| panic!("{} has no example", spec.name));
            let head = format!("function M.{}(", spec.name);
            let start = text
                .find(&head)
                .unwrap_or_else(|| panic!("{}: no {head}", spec.name));
            let params = text[start + head.len()..].split(')').next().unwrap_or("");
            for param in params.split(", ").filter(|param| !param.is_empty()) {
                let field = Field::from_name(param);
                assert!(
                    field.is_some_and(|field| spec.fields.contains(&field)),
                    "{} has no field {param}",
                    spec.name
                );
                let body = &text[start + head.len() + params.len()..];
                assert!(
                    words(body).any(|word| word == param),
                    "{}: {param} is unused",
                    spec.name
                );
            }
            for verdict in VerdictKind::ALL {
                let call = format!("return broker.{}", verdict.name());
                if ends_word(text, &call) {
                    assert!(spec.may_answer(verdict), "{}: {call}", spec.name);
                }
            }
            for call in ["broker.pass { ", "broker.accept { "] {
                for changes in text.split(call).skip(1) {
                    for field in top_level_names(changes) {
                        let field = Field::from_name(field)
                            .unwrap_or_else(|| panic!("{}: {field} is no field", spec.name));
                        assert!(spec.may_change(field), "{}: {}", spec.name, field.name());
                    }
                }
            }
        }
    }

    #[test]
    fn examples_use_functions_of_the_broker_table() {
        for (hook, text) in SNIPPETS {
            for call in text.split("broker.").skip(1) {
                let name: String = call
                    .chars()
                    .take_while(|letter| letter.is_ascii_alphanumeric() || "_.".contains(*letter))
                    .collect();
                assert!(lua::has(&name), "{}: broker.{name}", hook.name());
            }
        }
    }

    /// Whether the text has it, and no longer word there.
    fn ends_word(text: &str, what: &str) -> bool {
        text.match_indices(what).any(|(at, _)| {
            !text[at + what.len()..].starts_with(|letter: char| {
                letter.is_ascii_alphanumeric() || letter == '_' || letter == '.'
            })
        })
    }

    fn words(text: &str) -> impl Iterator<Item = &str> {
        text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
    }

    /// The names in `name = value, ... }` that stand directly in the table whose inside this starts with.
    fn top_level_names(inside: &str) -> Vec<&str> {
        let (mut depth, mut names) = (0, Vec::new());
        let mut in_text = false;
        for (at, letter) in inside.char_indices() {
            match letter {
                '`' | '"' => in_text = !in_text,
                _ if in_text => {}
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                '=' if depth == 0 => {
                    names.extend(words(inside[..at].trim_end()).last());
                }
                _ => {}
            }
        }
        names
    }
}

//! The classic server helper: one login rule, and one line in the broker's log for each of eleven events. Changes nothing.
//!
//! It does what `scripts/helper.lua` does, as a dynamic library or as WASM. The lines are those that its users know, so each stands
//! written out whole in [`line`].

pub mod line;

use std::error::Error;

use hookmq_plugin_api::sdk::*;
use serde::Deserialize;
use subtle::ConstantTimeEq;

/// Bad User Name or Password.
const BAD_USER_NAME_OR_PASSWORD: u8 = 0x86;

/// What start and stop name in place of the address.
const NO_ADDRESS: &str = "IP:Port";

/// The plugin.
pub struct Helper {
    config: Config,
}

/// `[plugin.config]`. Holds a password, so it is never shown.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// The only username that may come in; without it, any and none.
    username: Option<String>,
    /// The only password. Empty unless given; a client that sends no password at all has none, which is not the empty one.
    password: String,
    /// Whether start and stop name the bound address.
    show_address: bool,
}

impl Create for Helper {
    fn create(config: &str) -> Result<Self, Box<dyn Error>> {
        let config = serde_json::from_str(config)?;
        Ok(Self { config })
    }
}

impl Helper {
    /// Whether a client may come in. The time that it takes does not tell how much of the password was right.
    fn knows(&self, username: Option<&str>, password: Option<&[u8]>) -> bool {
        let is_user = match (&self.config.username, username) {
            (None, _) => true,
            (Some(known), Some(sent)) => known == sent,
            (Some(_), None) => false,
        };
        password
            .is_some_and(|sent| is_user & bool::from(self.config.password.as_bytes().ct_eq(sent)))
    }

    fn refusal(&self) -> &'static str {
        if self.config.username.is_none() && self.config.password.is_empty() {
            "the password is not the empty one"
        } else {
            "the user name or the password is not right"
        }
    }

    fn address<'a>(&self, endpoint: Option<&'a str>) -> &'a str {
        endpoint
            .filter(|_| self.config.show_address)
            .unwrap_or(NO_ADDRESS)
    }
}

impl OnValidateConnection for Helper {
    fn validate_connection(&self, event: ValidateConnection<'_>) -> ValidateConnectionAnswer {
        let (client_id, endpoint) = (or_empty(event.client_id()), or_empty(event.endpoint()));
        if self.knows(event.username(), event.password()) {
            log::info(line::validated(client_id, endpoint));
            ValidateConnectionAnswer::accept()
        } else {
            log::info(line::refused(client_id, endpoint));
            ValidateConnectionAnswer::deny(BAD_USER_NAME_OR_PASSWORD, self.refusal())
        }
    }
}

impl OnClientConnected for Helper {
    fn client_connected(&self, event: ClientConnected<'_>) {
        log::info(line::connected(
            or_empty(event.client_id()),
            or_empty(event.endpoint()),
        ));
    }
}

impl OnClientDisconnected for Helper {
    fn client_disconnected(&self, event: ClientDisconnected<'_>) {
        log::info(line::disconnected(
            or_empty(event.client_id()),
            or_empty(event.endpoint()),
            event.reason_code(),
            event.disconnect_type(),
        ));
    }
}

impl OnClientSubscribed for Helper {
    fn client_subscribed(&self, event: ClientSubscribed<'_>) {
        log::info(line::subscribed(
            or_empty(event.client_id()),
            event.topic_filter(),
        ));
    }
}

impl OnClientUnsubscribed for Helper {
    fn client_unsubscribed(&self, event: ClientUnsubscribed<'_>) {
        log::info(line::unsubscribed(
            or_empty(event.client_id()),
            event.topic_filter(),
        ));
    }
}

impl OnInterceptPublish for Helper {
    fn intercept_publish(&self, event: InterceptPublish<'_>) -> InterceptPublishAnswer {
        log::info(line::received(
            or_empty(event.client_id()),
            event.topic(),
            event.payload(),
        ));
        InterceptPublishAnswer::pass()
    }
}

impl OnInterceptEnqueue for Helper {
    fn intercept_enqueue(&self, event: InterceptEnqueue<'_>) -> InterceptEnqueueAnswer {
        log::info(line::enqueued(
            or_empty(event.sender_client_id()),
            event.payload(),
        ));
        InterceptEnqueueAnswer::pass()
    }
}

impl OnMessageAcknowledged for Helper {
    fn message_acknowledged(&self, event: MessageAcknowledged<'_>) {
        log::info(line::acknowledged(
            or_empty(event.client_id()),
            event.payload(),
        ));
    }
}

impl OnMessageNotConsumed for Helper {
    fn message_not_consumed(&self, event: MessageNotConsumed<'_>) {
        log::info(line::not_consumed(
            or_empty(event.sender_client_id()),
            event.payload(),
        ));
    }
}

impl OnBrokerStarted for Helper {
    fn broker_started(&self, event: BrokerStarted<'_>) {
        log::info(line::started(self.address(event.endpoint())));
    }
}

impl OnBrokerStopped for Helper {
    fn broker_stopped(&self, event: BrokerStopped<'_>) {
        log::info(line::stopped(self.address(event.endpoint())));
    }
}

hookmq_plugin_api::export!(Helper:
    validate_connection(client_id, endpoint, username, password),
    client_connected(client_id, endpoint),
    client_disconnected(client_id, endpoint, reason_code, disconnect_type),
    client_subscribed(client_id, topic_filter),
    client_unsubscribed(client_id, topic_filter),
    intercept_publish(client_id, topic, payload),
    intercept_enqueue(sender_client_id, payload),
    message_acknowledged(client_id, payload),
    message_not_consumed(sender_client_id, payload),
    broker_started(endpoint),
    broker_stopped(endpoint),
);

/// Messages that no client published, a plugin's for instance, have no sender: its place stays empty.
fn or_empty(text: Option<&str>) -> &str {
    text.unwrap_or_default()
}

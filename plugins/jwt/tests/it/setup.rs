//! The plugin with a file of keys, and the events that it gets.

use hookmq_plugin_api::sdk::{Create, hooks};
use hookmq_plugin_api::{Answer, EventRecord, Field, Hook, Owned, Refusal, Verdict};
use jwt::Jwt;
use serde_json::{Value, json};

use crate::issuer;

/// The plugin, without a broker: nothing is granted.
pub(crate) struct Setup {
    pub(crate) plugin: Jwt,
    pub(crate) folder: tempfile::TempDir,
}

/// A configuration with this file of keys, and more keys.
pub(crate) fn config(folder: &tempfile::TempDir, more: &Value) -> String {
    let mut config = json!({
        "jwks": folder.path().join("jwks.json"),
        "issuer": "https://issuer.test",
        "audience": "hookmq",
        "leeway": 0,
    });
    for (key, value) in more.as_object().unwrap() {
        config
            .as_object_mut()
            .unwrap()
            .insert(key.clone(), value.clone());
    }
    config.to_string()
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self::with(&issuer::set(&["hs", "rs", "es", "ed"]), &json!({}))
    }

    pub(crate) fn with(keys: &str, more: &Value) -> Self {
        Self::try_with(keys, more).unwrap()
    }

    pub(crate) fn try_with(keys: &str, more: &Value) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("jwks.json"), keys).unwrap();
        let plugin = Jwt::create(&config(&folder, more)).map_err(|why| why.to_string())?;
        Ok(Self { plugin, folder })
    }

    /// Puts other keys into the file.
    pub(crate) fn rotate(&self, keys: &str) {
        std::fs::write(self.folder.path().join("jwks.json"), keys).unwrap();
    }

    pub(crate) fn login(&self, event: &EventRecord) -> Answer {
        hooks::validate_connection::call(&self.plugin, event).unwrap()
    }

    /// Why a token is refused.
    pub(crate) fn refusal(&self, token: impl AsRef<[u8]>) -> String {
        match self.login(&connect(token)).verdict {
            Verdict::Deny(refusal) => {
                assert_eq!(refusal.reason_code, 0x86);
                refusal.reason_string.unwrap().into()
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn publish(&self, client_id: &str, topic: &str) -> Answer {
        hooks::authorize_publish::call(&self.plugin, &publish(client_id, topic)).unwrap()
    }

    pub(crate) fn subscribe(&self, client_id: &str, filter: &str) -> Answer {
        let event = EventRecord::new(Hook::AuthorizeSubscribe)
            .with(Field::ClientId, client_id)
            .with(Field::TopicFilter, filter);
        hooks::authorize_subscribe::call(&self.plugin, &event).unwrap()
    }

    pub(crate) fn leave(&self, endpoint: &str, disconnect_type: &str, reason_code: i64) {
        let event = EventRecord::new(Hook::ClientDisconnected)
            .with(Field::ClientId, "pump-1")
            .with(Field::Endpoint, endpoint)
            .with(Field::DisconnectType, disconnect_type)
            .with(Field::ReasonCode, Owned::Integer(reason_code));
        hooks::client_disconnected::call(&self.plugin, &event).unwrap();
    }
}

/// pump-1 with a token.
pub(crate) fn connect(token: impl AsRef<[u8]>) -> EventRecord {
    EventRecord::new(Hook::ValidateConnection)
        .with(Field::ClientId, "pump-1")
        .with(Field::Endpoint, "10.0.0.7:50123")
        .with(Field::Password, token.as_ref())
}

pub(crate) fn publish(client_id: &str, topic: &str) -> EventRecord {
    EventRecord::new(Hook::AuthorizePublish)
        .with(Field::ClientId, client_id)
        .with(Field::Topic, topic)
}

pub(crate) fn accept() -> Answer {
    Verdict::Accept.into()
}

pub(crate) fn deny(reason_code: u8, reason: &str) -> Answer {
    Verdict::Deny(Box::new(Refusal::new(reason_code, reason))).into()
}

pub(crate) fn not_granted() -> Answer {
    deny(0x87, "the token does not grant it")
}

pub(crate) fn expired() -> Answer {
    deny(0x87, "the token has expired")
}

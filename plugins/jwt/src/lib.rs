//! Login with a JSON Web Token as the password, and rights to topics from its claims.
//!
//! Whoever comes in is remembered by client id with what the token grants, until it leaves; `authorize_publish` and
//! `authorize_subscribe` answer from that. When the token expires it grants nothing any more: what is published is refused, and with the
//! grant `cache` the broker is told to ask again about the client's subscriptions. Clients that came in otherwise are not judged.
#![cfg(not(target_family = "wasm"))]

pub mod config;
pub mod keyring;
pub mod keys;
pub mod logins;
pub mod rights;
pub mod token;

use std::error::Error;
use std::time::Duration;

use hookmq_plugin_api::Keep;
use hookmq_plugin_api::sdk::*;

use config::Config;
use keyring::Keyring;
use logins::{Full, Login, Logins, Standing};
use rights::{Names, Rights, RightsError};
use token::{Claims, TokenError};

/// Bad User Name or Password.
const BAD_USER_NAME_OR_PASSWORD: u8 = 0x86;
/// Not authorized.
const NOT_AUTHORIZED: u8 = 0x87;
/// Quota exceeded.
const QUOTA_EXCEEDED: u8 = 0x97;

const EXPIRED: &str = "the token has expired";
const NOT_GRANTED: &str = "the token does not grant it";

/// The plugin.
pub struct Jwt {
    config: Config,
    keyring: Keyring,
    logins: Logins,
    /// Whether answers may be kept: only if they can be taken back, for the next login may grant less.
    keeps: bool,
}

impl Create for Jwt {
    fn create(config: &str) -> Result<Self, Box<dyn Error>> {
        let config = Config::parse(config)?;
        let keyring = Keyring::open(&config.jwks)?;
        Ok(Self {
            keyring,
            logins: Logins::new(config.max_clients),
            keeps: config.keep > 0 && cache::invalidate("jwt").is_ok(),
            config,
        })
    }
}

impl OnValidateConnection for Jwt {
    fn validate_connection(&self, event: ValidateConnection<'_>) -> ValidateConnectionAnswer {
        self.revoke_expired();
        match self.login(&event) {
            Ok(username) if username.as_deref() == event.username() => {
                ValidateConnectionAnswer::accept()
            }
            Ok(Some(username)) => ValidateConnectionAnswer::accept().username(username),
            Ok(None) => ValidateConnectionAnswer::accept(),
            Err(refused) => {
                ValidateConnectionAnswer::deny(refused.reason_code(), &refused.to_string())
            }
        }
    }
}

impl OnAuthorizePublish for Jwt {
    fn authorize_publish(&self, event: AuthorizePublish<'_>) -> AuthorizePublishAnswer {
        self.revoke_expired();
        let Some(client_id) = event.client_id() else {
            return AuthorizePublishAnswer::pass();
        };
        let topic = event.topic();
        let standing = self.logins.standing(client_id, clock::now_ms(), |rights| {
            rights.may_publish(topic)
        });
        let answer = match standing {
            Standing::Unknown => return AuthorizePublishAnswer::pass(),
            Standing::Expired => AuthorizePublishAnswer::deny(NOT_AUTHORIZED, EXPIRED),
            Standing::NotGranted => AuthorizePublishAnswer::deny(NOT_AUTHORIZED, NOT_GRANTED),
            Standing::Granted(_) => AuthorizePublishAnswer::accept(),
        };
        match self.keep(client_id, &standing) {
            Some(keep) => answer.keep(keep),
            None => answer,
        }
    }
}

impl OnAuthorizeSubscribe for Jwt {
    fn authorize_subscribe(&self, event: AuthorizeSubscribe<'_>) -> AuthorizeSubscribeAnswer {
        self.revoke_expired();
        let Some(client_id) = event.client_id() else {
            return AuthorizeSubscribeAnswer::pass();
        };
        let topic_filter = event.topic_filter();
        let standing = self.logins.standing(client_id, clock::now_ms(), |rights| {
            rights.may_subscribe(topic_filter)
        });
        let answer = match standing {
            Standing::Unknown => return AuthorizeSubscribeAnswer::pass(),
            Standing::Expired => AuthorizeSubscribeAnswer::deny(NOT_AUTHORIZED, EXPIRED),
            Standing::NotGranted => AuthorizeSubscribeAnswer::deny(NOT_AUTHORIZED, NOT_GRANTED),
            Standing::Granted(_) => AuthorizeSubscribeAnswer::accept(),
        };
        match self.keep(client_id, &standing) {
            Some(keep) => answer.keep(keep),
            None => answer,
        }
    }
}

impl OnClientDisconnected for Jwt {
    fn client_disconnected(&self, event: ClientDisconnected<'_>) {
        self.revoke_expired();
        let (Some(client_id), Some(endpoint)) = (event.client_id(), event.endpoint()) else {
            return;
        };
        // A DISCONNECT with the Reason Code 0 takes the will back [MQTT-3.14.4-3].
        let will_follows = event.disconnect_type() != "Clean" || event.reason_code() != 0;
        if self.logins.leave(client_id, endpoint, will_follows) {
            self.take_back(client_id);
        }
    }
}

hookmq_plugin_api::export!(Jwt:
    validate_connection(client_id, username, password, endpoint, will_topic) may_block,
    authorize_publish(client_id, topic),
    authorize_subscribe(client_id, topic_filter),
    client_disconnected(client_id, endpoint, disconnect_type, reason_code),
);

impl Jwt {
    /// Lets a client in or not; gives the user name that its token proves.
    fn login(&self, event: &ValidateConnection<'_>) -> Result<Option<String>, Refused> {
        let config = &self.config;
        let token = event.password().ok_or(TokenError::Form)?;
        let claims = Claims::of(token, &self.keyring.keys(), config)?;
        let client_id = event.client_id().unwrap_or_default();
        if !config.client_id_claim.is_empty() && claims.text(&config.client_id_claim)? != client_id
        {
            return Err(Refused::ClientId);
        }
        let username = match config.username_claim.as_str() {
            "" => None,
            claim => Some(claims.text(claim)?),
        };
        let other = |sent: &str| !sent.is_empty() && Some(sent) != username;
        if username.is_some() && event.username().is_some_and(other) {
            return Err(Refused::Username);
        }
        let names = Names {
            client_id,
            username,
        };
        let rights = Rights::of(claims.get(&config.topics_claim), names)?;
        let will_topic = event.will_topic();
        if will_topic.is_some_and(|topic| !rights.may_publish(topic)) {
            return Err(Refused::Will);
        }
        let login = Login {
            rights,
            expires_ms: claims
                .expires_ms()
                .saturating_add(config.leeway.saturating_mul(1_000)),
            endpoint: event.endpoint().unwrap_or_default().into(),
            has_will: will_topic.is_some(),
        };
        self.logins.remember(client_id, login, clock::now_ms())?;
        // What was kept for an earlier login of this client is not true any more.
        self.take_back(client_id);
        Ok(username.map(str::to_owned))
    }

    /// For how long the broker may decide by an answer: never longer than the token has to live.
    fn keep(&self, client_id: &str, standing: &Standing) -> Option<Keep> {
        let tag = self.tag(client_id)?;
        let ttl = match standing {
            Standing::Granted(left_ms) => self.config.keep().min(Duration::from_millis(*left_ms)),
            _ => self.config.keep(),
        };
        Some(Keep::lasting(ttl).tagged(&tag))
    }

    /// The tag of a client's answers. `None`: they are not kept.
    fn tag(&self, client_id: &str) -> Option<String> {
        let tag = format!("jwt:{client_id}");
        (self.keeps && tag.len() <= Keep::MAXIMUM_TAG).then_some(tag)
    }

    fn take_back(&self, client_id: &str) {
        if let Some(tag) = self.tag(client_id)
            && let Err(why) = cache::invalidate(&tag)
        {
            log::warn(format!("answers for {client_id} stay kept: {why}"));
        }
    }

    /// Has the broker ask again about the subscriptions of clients whose token has just expired.
    fn revoke_expired(&self) {
        for client_id in self.logins.newly_expired(clock::now_ms()) {
            if let Some(tag) = self.tag(&client_id)
                && let Err(why) = cache::reauthorize(&tag)
            {
                log::warn(format!("subscriptions of {client_id} stay: {why}"));
            }
        }
    }
}

/// Why a client may not come in.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("{0}")]
    Token(#[from] TokenError),
    #[error("{0}")]
    Rights(#[from] RightsError),
    #[error("the user name is not the token's")]
    Username,
    #[error("the client id is not the token's")]
    ClientId,
    #[error("the token does not grant the will's topic")]
    Will,
    #[error("too many clients are in")]
    Full,
}

impl From<Full> for Refused {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

impl Refused {
    const fn reason_code(&self) -> u8 {
        match self {
            Self::Token(_) | Self::Rights(_) => BAD_USER_NAME_OR_PASSWORD,
            Self::Username | Self::ClientId | Self::Will => NOT_AUTHORIZED,
            Self::Full => QUOTA_EXCEEDED,
        }
    }
}

//! Lets a message through only if its payload fits the JSON Schema of its topic.
//!
//! Judged is what clients publish, and their wills; topics without a rule pass, and so does the empty payload with RETAIN, which removes
//! a retained message. Schemas are compiled when an instance is made; nothing is ever read from a file or fetched.

pub mod config;
pub mod judge;
#[cfg(target_family = "wasm")]
mod seed;

use std::error::Error;

use hookmq_plugin_api::sdk::*;

use config::Config;
use judge::{Judge, Refused};

/// Quota exceeded.
const QUOTA_EXCEEDED: u8 = 0x97;
/// Payload format invalid.
const PAYLOAD_FORMAT_INVALID: u8 = 0x99;

/// The plugin.
pub struct JsonSchema {
    judge: Judge,
}

impl Create for JsonSchema {
    fn create(config: &str) -> Result<Self, Box<dyn Error>> {
        let config: Config = serde_json::from_str(config)?;
        let judge = Judge::new(&config)?;
        Ok(Self { judge })
    }
}

impl OnInterceptPublish for JsonSchema {
    fn intercept_publish(&self, event: InterceptPublish<'_>) -> InterceptPublishAnswer {
        match self.judged(&event) {
            Ok(()) => InterceptPublishAnswer::pass(),
            Err(refused) => {
                let reason_code = match refused {
                    Refused::TooLong { .. } => QUOTA_EXCEEDED,
                    Refused::Json(_) | Refused::Schema { .. } => PAYLOAD_FORMAT_INVALID,
                };
                InterceptPublishAnswer::deny(reason_code, &refused.to_string())
            }
        }
    }
}

impl JsonSchema {
    fn judged(&self, event: &InterceptPublish<'_>) -> Result<(), Refused> {
        let Some(rule) = self.judge.rule(event.topic()) else {
            return Ok(());
        };
        if !matches!(event.source(), "client" | "will") {
            return Ok(());
        }
        let size = event.payload_size();
        if size == 0 && event.retain() {
            return Ok(());
        }
        rule.check_size(size)?;
        self.judge.check(rule, event.payload())
    }
}

// The payload is not among the fields that travel with the event: it is fetched for topics with a rule alone.
hookmq_plugin_api::export!(JsonSchema:
    intercept_publish(topic, source, payload_size, retain),
);

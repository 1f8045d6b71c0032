//! Rewrites topics by rules: of messages that arrive, of subscriptions, and of messages on their way out.
//!
//! [`rule`] knows what a rule does to a topic and to a filter; this file brings the two to the hooks.

pub mod rule;

use std::error::Error;

use hookmq_plugin_api::sdk::*;
use rule::{Place, Rules};

/// The plugin.
pub struct TopicRewrite {
    rules: Rules,
}

impl Create for TopicRewrite {
    fn create(config: &str) -> Result<Self, Box<dyn Error>> {
        let rules = Rules::parse(config)?;
        Ok(Self { rules })
    }
}

impl OnInterceptPublish for TopicRewrite {
    fn intercept_publish(&self, event: InterceptPublish<'_>) -> InterceptPublishAnswer {
        let answer = InterceptPublishAnswer::pass();
        match self.rules.topic(Place::Publish, event.topic()) {
            Some(topic) => answer.topic(topic),
            None => answer,
        }
    }
}

impl OnInterceptSubscription for TopicRewrite {
    fn intercept_subscription(
        &self,
        event: InterceptSubscription<'_>,
    ) -> InterceptSubscriptionAnswer {
        let answer = InterceptSubscriptionAnswer::pass();
        match self.rules.filter(event.topic_filter()) {
            Some(filter) => answer.topic_filter(filter),
            None => answer,
        }
    }
}

impl OnInterceptUnsubscription for TopicRewrite {
    fn intercept_unsubscription(
        &self,
        event: InterceptUnsubscription<'_>,
    ) -> InterceptUnsubscriptionAnswer {
        let answer = InterceptUnsubscriptionAnswer::pass();
        match self.rules.filter(event.topic_filter()) {
            Some(filter) => answer.topic_filter(filter),
            None => answer,
        }
    }
}

impl OnInterceptDelivery for TopicRewrite {
    fn intercept_delivery(&self, event: InterceptDelivery<'_>) -> InterceptDeliveryAnswer {
        let answer = InterceptDeliveryAnswer::pass();
        match self.rules.topic(Place::Deliver, event.topic()) {
            Some(topic) => answer.topic(topic),
            None => answer,
        }
    }
}

hookmq_plugin_api::export!(TopicRewrite:
    intercept_publish(topic),
    intercept_subscription(topic_filter),
    intercept_unsubscription(topic_filter),
    intercept_delivery(topic),
);

//! One Topic Filter of a SUBSCRIBE or UNSUBSCRIBE as hooks see it.

use std::sync::Arc;

use hookmq_mqtt::property::{UserProperties, UserPropertiesRef};
use hookmq_mqtt::{
    PacketType, RetainHandling, SubscriptionIdentifier, SubscriptionOptions, TopicFilter,
};
use hookmq_plugin_api::{Event, Field, Hook, Owned, Value};

use super::{UserPairs, change};
use crate::broker::reason_of;
use crate::client::ClientInfo;
use crate::hook::{Explained, Subject};
use crate::session::settings::SessionSettings;

/// `intercept_subscription`, `authorize_subscribe`, `client_subscribed`, `intercept_unsubscription`, `client_unsubscribed`.
pub(crate) struct SubscriptionDraft<'a> {
    /// The hook that is asked now.
    pub(crate) hook: Hook,
    pub(crate) client: &'a Arc<ClientInfo>,
    pub(crate) settings: &'a SessionSettings,
    pub(crate) pairs: UserPairs<'a>,
    pub(crate) filter: TopicFilter,
    pub(crate) options: SubscriptionOptions,
    pub(crate) identifier: Option<SubscriptionIdentifier>,
    pub(crate) reason_string: Option<String>,
    pub(crate) user_properties: UserProperties,
    /// Tags of those who allowed it, see [`hookmq_plugin_api::Keep`].
    pub(crate) tags: Vec<Box<str>>,
    /// Why the broker removed it, for `client_unsubscribed`.
    pub(crate) refused: Option<&'a Explained>,
}

impl<'a> SubscriptionDraft<'a> {
    /// A filter without options.
    pub(crate) fn new(
        hook: Hook,
        client: &'a Arc<ClientInfo>,
        settings: &'a SessionSettings,
        filter: TopicFilter,
    ) -> Self {
        Self {
            hook,
            client,
            settings,
            pairs: UserPairs(UserPropertiesRef::default()),
            filter,
            options: SubscriptionOptions::default(),
            identifier: None,
            reason_string: None,
            user_properties: UserProperties::new(),
            tags: Vec::new(),
            refused: None,
        }
    }

    /// What `client_unsubscribed` says beside the filter.
    fn end(&self, field: Field) -> Value<'_> {
        match (field, self.refused) {
            (Field::ReasonCode, why) => Value::Integer(
                why.map_or(0, |why| i64::from(reason_of(why, PacketType::SubAck) as u8)),
            ),
            (Field::ReasonString, Some(why)) => Value::text(why.refusal.reason_string.as_deref()),
            (Field::Plugin, Some(why)) => Value::Text(&why.plugin),
            _ => Value::Nil,
        }
    }
}

impl Event for SubscriptionDraft<'_> {
    fn hook(&self) -> Hook {
        self.hook
    }

    fn get(&self, field: Field) -> Value<'_> {
        match field {
            Field::TopicFilter => Value::Text(self.filter.as_str()),
            Field::ShareName => Value::text(self.filter.share_name()),
            Field::Qos => Value::Integer(self.options.qos as i64),
            Field::NoLocal => Value::Bool(self.options.no_local),
            Field::RetainAsPublished => Value::Bool(self.options.retain_as_published),
            Field::RetainHandling => Value::Integer(self.options.retain_handling as i64),
            Field::SubscriptionIdentifier => {
                Value::integer(self.identifier.map(SubscriptionIdentifier::get))
            }
            Field::UserProperties => Value::Pairs(&self.pairs),
            Field::ReasonCode | Field::ReasonString | Field::Plugin
                if self.hook == Hook::ClientUnsubscribed =>
            {
                self.end(field)
            }
            field => self.client.get(field),
        }
    }
}

impl Subject for SubscriptionDraft<'_> {
    fn event(&self) -> &dyn Event {
        self
    }

    fn apply(&mut self, changes: &[(Field, Owned)]) -> Result<(), String> {
        let (mut filter, mut options, mut identifier) =
            (self.filter.clone(), self.options, self.identifier);
        let (mut reason_string, mut user_properties) =
            (self.reason_string.clone(), self.user_properties.clone());
        for (field, value) in changes {
            let field = *field;
            match field {
                Field::TopicFilter => {
                    let text = change!(field, value, text)
                        .ok_or("topic_filter: a subscription must have one")?;
                    self.settings.check_topic(&text)?;
                    filter = TopicFilter::parse(&text)
                        .map_err(|error| format!("topic_filter \"{text}\": {error}"))?;
                }
                Field::Qos => options.qos = change!(field, value, qos),
                Field::NoLocal => options.no_local = change!(field, value, bool),
                Field::RetainAsPublished => {
                    options.retain_as_published = change!(field, value, bool)
                }
                Field::RetainHandling => {
                    let number = change!(field, value, integer u8);
                    options.retain_handling = RetainHandling::from_u8(number)
                        .ok_or_else(|| format!("retain_handling: {number} is not 0, 1 or 2"))?;
                }
                Field::SubscriptionIdentifier => {
                    identifier = match value {
                        Owned::Nil => None,
                        value => {
                            let number = change!(field, value, integer u32);
                            Some(SubscriptionIdentifier::new(number).ok_or_else(|| {
                                format!("subscription_identifier: {number} is not 1 to 268 435 455")
                            })?)
                        }
                    };
                }
                Field::ReasonString => reason_string = change!(field, value, text),
                Field::ResponseUserProperties => user_properties = change!(field, value, pairs),
                other => return Err(format!("{}: may not be changed here", other.name())),
            }
        }
        if options.no_local && filter.is_shared() {
            return Err("no_local: not for a Shared Subscription [MQTT-3.8.3-4]".to_owned());
        }
        (self.filter, self.options, self.identifier) = (filter, options, identifier);
        (self.reason_string, self.user_properties) = (reason_string, user_properties);
        Ok(())
    }

    fn allowed_with(&mut self, tags: &[Box<str>]) {
        for tag in tags {
            if !self.tags.contains(tag) {
                self.tags.push(tag.clone());
            }
        }
    }
}

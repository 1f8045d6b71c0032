//! Numbers and types of `wit/` for the component carrier.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use crate::field::Field;

/// The case of `change` that takes a property away.
pub(super) const REMOVED: u8 = 31;

/// The cases of `value` that hold records.
pub(super) const RECORDS: [(u8, Field); 2] = [(6, Field::Subscriptions), (7, Field::Messages)];

/// The case of `change` for a field.
pub(super) const fn change_case(field: Field) -> Option<u8> {
    Some(match field {
        Field::ClientId => 0,
        Field::Username => 1,
        Field::KeepAlive => 2,
        Field::SessionExpiryInterval => 3,
        Field::ReceiveMaximum => 4,
        Field::MaximumPacketSize => 5,
        Field::TopicAliasMaximum => 6,
        Field::MaximumQos => 7,
        Field::ResponseInformation => 8,
        Field::AuthenticationData => 9,
        Field::UserProperties => 10,
        Field::ResponseUserProperties => 11,
        Field::WillDelayInterval => 12,
        Field::Topic => 13,
        Field::Payload => 14,
        Field::Qos => 15,
        Field::Retain => 16,
        Field::PayloadFormat => 17,
        Field::MessageExpiryInterval => 18,
        Field::ContentType => 19,
        Field::ResponseTopic => 20,
        Field::CorrelationData => 21,
        Field::TopicFilter => 22,
        Field::NoLocal => 23,
        Field::RetainAsPublished => 24,
        Field::RetainHandling => 25,
        Field::SubscriptionIdentifier => 26,
        Field::ReasonCode => 27,
        Field::ReasonString => 28,
        Field::Subscriptions => 29,
        Field::Messages => 30,
        _ => return None,
    })
}

/// Bytes of a whole number.
pub(super) const fn width(field: Field) -> usize {
    match field {
        Field::ProtocolVersion
        | Field::MaximumQos
        | Field::WillQos
        | Field::Qos
        | Field::PayloadFormat
        | Field::RetainHandling
        | Field::ReasonCode => 1,
        Field::KeepAlive
        | Field::ReceiveMaximum
        | Field::TopicAliasMaximum
        | Field::PacketIdentifier => 2,
        Field::SessionExpiryInterval
        | Field::MaximumPacketSize
        | Field::WillDelayInterval
        | Field::MessageExpiryInterval
        | Field::SubscriptionIdentifier => 4,
        _ => 8,
    }
}

/// Type section `imports`.
pub const IMPORTS: &[u8; 5509] = include_bytes!("types/imports.bin");

/// Type section `setup`.
pub const SETUP: &[u8; 194] = include_bytes!("types/setup.bin");

/// Type section `broker-started`.
pub const BROKER_STARTED: &[u8; 225] = include_bytes!("types/broker-started.bin");

/// Type section `broker-stopping`.
pub const BROKER_STOPPING: &[u8; 230] = include_bytes!("types/broker-stopping.bin");

/// Type section `broker-stopped`.
pub const BROKER_STOPPED: &[u8; 225] = include_bytes!("types/broker-stopped.bin");

/// Type section `config-reloaded`.
pub const CONFIG_RELOADED: &[u8; 230] = include_bytes!("types/config-reloaded.bin");

/// Type section `validate-connection`.
pub const VALIDATE_CONNECTION: &[u8; 2588] = include_bytes!("types/validate-connection.bin");

/// Type section `prepare-session`.
pub const PREPARE_SESSION: &[u8; 2568] = include_bytes!("types/prepare-session.bin");

/// Type section `client-connected`.
pub const CLIENT_CONNECTED: &[u8; 235] = include_bytes!("types/client-connected.bin");

/// Type section `client-disconnected`.
pub const CLIENT_DISCONNECTED: &[u8; 251] = include_bytes!("types/client-disconnected.bin");

/// Type section `session-created`.
pub const SESSION_CREATED: &[u8; 230] = include_bytes!("types/session-created.bin");

/// Type section `session-resumed`.
pub const SESSION_RESUMED: &[u8; 230] = include_bytes!("types/session-resumed.bin");

/// Type section `session-taken-over`.
pub const SESSION_TAKEN_OVER: &[u8; 246] = include_bytes!("types/session-taken-over.bin");

/// Type section `session-offline`.
pub const SESSION_OFFLINE: &[u8; 230] = include_bytes!("types/session-offline.bin");

/// Type section `session-expired`.
pub const SESSION_EXPIRED: &[u8; 230] = include_bytes!("types/session-expired.bin");

/// Type section `session-deleted`.
pub const SESSION_DELETED: &[u8; 230] = include_bytes!("types/session-deleted.bin");

/// Type section `intercept-subscription`.
pub const INTERCEPT_SUBSCRIPTION: &[u8; 2617] = include_bytes!("types/intercept-subscription.bin");

/// Type section `authorize-subscribe`.
pub const AUTHORIZE_SUBSCRIBE: &[u8; 2602] = include_bytes!("types/authorize-subscribe.bin");

/// Type section `client-subscribed`.
pub const CLIENT_SUBSCRIBED: &[u8; 255] = include_bytes!("types/client-subscribed.bin");

/// Type section `intercept-unsubscription`.
pub const INTERCEPT_UNSUBSCRIPTION: &[u8; 2627] =
    include_bytes!("types/intercept-unsubscription.bin");

/// Type section `client-unsubscribed`.
pub const CLIENT_UNSUBSCRIBED: &[u8; 265] = include_bytes!("types/client-unsubscribed.bin");

/// Type section `intercept-inbound-packet`.
pub const INTERCEPT_INBOUND_PACKET: &[u8; 2620] =
    include_bytes!("types/intercept-inbound-packet.bin");

/// Type section `intercept-outbound-packet`.
pub const INTERCEPT_OUTBOUND_PACKET: &[u8; 2625] =
    include_bytes!("types/intercept-outbound-packet.bin");

/// Type section `intercept-publish`.
pub const INTERCEPT_PUBLISH: &[u8; 2585] = include_bytes!("types/intercept-publish.bin");

/// Type section `authorize-publish`.
pub const AUTHORIZE_PUBLISH: &[u8; 2585] = include_bytes!("types/authorize-publish.bin");

/// Type section `intercept-enqueue`.
pub const INTERCEPT_ENQUEUE: &[u8; 2585] = include_bytes!("types/intercept-enqueue.bin");

/// Type section `intercept-delivery`.
pub const INTERCEPT_DELIVERY: &[u8; 2590] = include_bytes!("types/intercept-delivery.bin");

/// Type section `message-enqueued`.
pub const MESSAGE_ENQUEUED: &[u8; 243] = include_bytes!("types/message-enqueued.bin");

/// Type section `message-overwritten`.
pub const MESSAGE_OVERWRITTEN: &[u8; 258] = include_bytes!("types/message-overwritten.bin");

/// Type section `message-not-consumed`.
pub const MESSAGE_NOT_CONSUMED: &[u8; 263] = include_bytes!("types/message-not-consumed.bin");

/// Type section `message-dropped`.
pub const MESSAGE_DROPPED: &[u8; 238] = include_bytes!("types/message-dropped.bin");

/// Type section `message-expired`.
pub const MESSAGE_EXPIRED: &[u8; 238] = include_bytes!("types/message-expired.bin");

/// Type section `message-acknowledged`.
pub const MESSAGE_ACKNOWLEDGED: &[u8; 263] = include_bytes!("types/message-acknowledged.bin");

/// Type section `load-retained`.
pub const LOAD_RETAINED: &[u8; 2558] = include_bytes!("types/load-retained.bin");

/// Type section `retained-changed`.
pub const RETAINED_CHANGED: &[u8; 243] = include_bytes!("types/retained-changed.bin");

/// Type section `retained-cleared`.
pub const RETAINED_CLEARED: &[u8; 235] = include_bytes!("types/retained-cleared.bin");

/// Type section `intercept-will`.
pub const INTERCEPT_WILL: &[u8; 2570] = include_bytes!("types/intercept-will.bin");

#[doc(hidden)]
#[macro_export]
macro_rules! __hookmq_component_hook {
    (broker_started $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, broker_started, BROKER_STARTED, told(),
            "hookmq:plugin/broker-started@1.0.0#broker-started",
            "component-type:hookmq-broker-started"
        }
    };
    (broker_stopping $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, broker_stopping, BROKER_STOPPING, told(),
            "hookmq:plugin/broker-stopping@1.0.0#broker-stopping",
            "component-type:hookmq-broker-stopping"
        }
    };
    (broker_stopped $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, broker_stopped, BROKER_STOPPED, told(),
            "hookmq:plugin/broker-stopped@1.0.0#broker-stopped",
            "component-type:hookmq-broker-stopped"
        }
    };
    (config_reloaded $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, config_reloaded, CONFIG_RELOADED, told(),
            "hookmq:plugin/config-reloaded@1.0.0#config-reloaded",
            "component-type:hookmq-config-reloaded"
        }
    };
    (validate_connection $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, validate_connection, VALIDATE_CONNECTION, answered(),
            "hookmq:plugin/validate-connection@1.0.0#validate-connection",
            "component-type:hookmq-validate-connection"
        }
    };
    (prepare_session $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, prepare_session, PREPARE_SESSION, answered(),
            "hookmq:plugin/prepare-session@1.0.0#prepare-session",
            "component-type:hookmq-prepare-session"
        }
    };
    (client_connected $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, client_connected, CLIENT_CONNECTED, told(),
            "hookmq:plugin/client-connected@1.0.0#client-connected",
            "component-type:hookmq-client-connected"
        }
    };
    (client_disconnected $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, client_disconnected, CLIENT_DISCONNECTED, told(),
            "hookmq:plugin/client-disconnected@1.0.0#client-disconnected",
            "component-type:hookmq-client-disconnected"
        }
    };
    (session_created $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, session_created, SESSION_CREATED, told(),
            "hookmq:plugin/session-created@1.0.0#session-created",
            "component-type:hookmq-session-created"
        }
    };
    (session_resumed $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, session_resumed, SESSION_RESUMED, told(),
            "hookmq:plugin/session-resumed@1.0.0#session-resumed",
            "component-type:hookmq-session-resumed"
        }
    };
    (session_taken_over $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, session_taken_over, SESSION_TAKEN_OVER, told(),
            "hookmq:plugin/session-taken-over@1.0.0#session-taken-over",
            "component-type:hookmq-session-taken-over"
        }
    };
    (session_offline $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, session_offline, SESSION_OFFLINE, told(),
            "hookmq:plugin/session-offline@1.0.0#session-offline",
            "component-type:hookmq-session-offline"
        }
    };
    (session_expired $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, session_expired, SESSION_EXPIRED, told(),
            "hookmq:plugin/session-expired@1.0.0#session-expired",
            "component-type:hookmq-session-expired"
        }
    };
    (session_deleted $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, session_deleted, SESSION_DELETED, told(),
            "hookmq:plugin/session-deleted@1.0.0#session-deleted",
            "component-type:hookmq-session-deleted"
        }
    };
    (intercept_subscription $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, intercept_subscription, INTERCEPT_SUBSCRIPTION, answered(TopicFilter),
            "hookmq:plugin/intercept-subscription@1.0.0#intercept-subscription",
            "component-type:hookmq-intercept-subscription"
        }
    };
    (authorize_subscribe $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, authorize_subscribe, AUTHORIZE_SUBSCRIBE, answered(TopicFilter),
            "hookmq:plugin/authorize-subscribe@1.0.0#authorize-subscribe",
            "component-type:hookmq-authorize-subscribe"
        }
    };
    (client_subscribed $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, client_subscribed, CLIENT_SUBSCRIBED, told(TopicFilter),
            "hookmq:plugin/client-subscribed@1.0.0#client-subscribed",
            "component-type:hookmq-client-subscribed"
        }
    };
    (intercept_unsubscription $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, intercept_unsubscription, INTERCEPT_UNSUBSCRIPTION, answered(TopicFilter),
            "hookmq:plugin/intercept-unsubscription@1.0.0#intercept-unsubscription",
            "component-type:hookmq-intercept-unsubscription"
        }
    };
    (client_unsubscribed $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, client_unsubscribed, CLIENT_UNSUBSCRIBED, told(TopicFilter),
            "hookmq:plugin/client-unsubscribed@1.0.0#client-unsubscribed",
            "component-type:hookmq-client-unsubscribed"
        }
    };
    (intercept_inbound_packet $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, intercept_inbound_packet, INTERCEPT_INBOUND_PACKET, answered(Topic),
            "hookmq:plugin/intercept-inbound-packet@1.0.0#intercept-inbound-packet",
            "component-type:hookmq-intercept-inbound-packet"
        }
    };
    (intercept_outbound_packet $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, intercept_outbound_packet, INTERCEPT_OUTBOUND_PACKET, answered(Topic),
            "hookmq:plugin/intercept-outbound-packet@1.0.0#intercept-outbound-packet",
            "component-type:hookmq-intercept-outbound-packet"
        }
    };
    (intercept_publish $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, intercept_publish, INTERCEPT_PUBLISH, answered(Topic),
            "hookmq:plugin/intercept-publish@1.0.0#intercept-publish",
            "component-type:hookmq-intercept-publish"
        }
    };
    (authorize_publish $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, authorize_publish, AUTHORIZE_PUBLISH, answered(Topic),
            "hookmq:plugin/authorize-publish@1.0.0#authorize-publish",
            "component-type:hookmq-authorize-publish"
        }
    };
    (intercept_enqueue $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, intercept_enqueue, INTERCEPT_ENQUEUE, answered(Topic),
            "hookmq:plugin/intercept-enqueue@1.0.0#intercept-enqueue",
            "component-type:hookmq-intercept-enqueue"
        }
    };
    (intercept_delivery $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, intercept_delivery, INTERCEPT_DELIVERY, answered(Topic),
            "hookmq:plugin/intercept-delivery@1.0.0#intercept-delivery",
            "component-type:hookmq-intercept-delivery"
        }
    };
    (message_enqueued $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, message_enqueued, MESSAGE_ENQUEUED, told(Topic),
            "hookmq:plugin/message-enqueued@1.0.0#message-enqueued",
            "component-type:hookmq-message-enqueued"
        }
    };
    (message_overwritten $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, message_overwritten, MESSAGE_OVERWRITTEN, told(Topic),
            "hookmq:plugin/message-overwritten@1.0.0#message-overwritten",
            "component-type:hookmq-message-overwritten"
        }
    };
    (message_not_consumed $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, message_not_consumed, MESSAGE_NOT_CONSUMED, told(Topic),
            "hookmq:plugin/message-not-consumed@1.0.0#message-not-consumed",
            "component-type:hookmq-message-not-consumed"
        }
    };
    (message_dropped $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, message_dropped, MESSAGE_DROPPED, told(Topic),
            "hookmq:plugin/message-dropped@1.0.0#message-dropped",
            "component-type:hookmq-message-dropped"
        }
    };
    (message_expired $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, message_expired, MESSAGE_EXPIRED, told(Topic),
            "hookmq:plugin/message-expired@1.0.0#message-expired",
            "component-type:hookmq-message-expired"
        }
    };
    (message_acknowledged $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, message_acknowledged, MESSAGE_ACKNOWLEDGED, told(Topic),
            "hookmq:plugin/message-acknowledged@1.0.0#message-acknowledged",
            "component-type:hookmq-message-acknowledged"
        }
    };
    (load_retained $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, load_retained, LOAD_RETAINED, answered(),
            "hookmq:plugin/load-retained@1.0.0#load-retained",
            "component-type:hookmq-load-retained"
        }
    };
    (retained_changed $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, retained_changed, RETAINED_CHANGED, told(Topic),
            "hookmq:plugin/retained-changed@1.0.0#retained-changed",
            "component-type:hookmq-retained-changed"
        }
    };
    (retained_cleared $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, retained_cleared, RETAINED_CLEARED, told(),
            "hookmq:plugin/retained-cleared@1.0.0#retained-cleared",
            "component-type:hookmq-retained-cleared"
        }
    };
    (intercept_will $plugin:ty) => {
        $crate::__hookmq_component_export! {
            $plugin, intercept_will, INTERCEPT_WILL, answered(Topic),
            "hookmq:plugin/intercept-will@1.0.0#intercept-will",
            "component-type:hookmq-intercept-will"
        }
    };
}

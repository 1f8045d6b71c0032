//! What clients do so that a hook comes, with every field that it can show.
//!
//! Each scenario serves several hooks, and is the same for all trials of these: what a trial changes is seen in what follows. Two
//! clients have the main parts, `ann`, whose actions are interfered with, and `bob`, who watches.

mod connecting;
mod dying;
mod helpers;
mod living;
mod packets;
mod publishing;
mod subscribing;
mod waiting;

use hookmq_broker::BrokerSettings;
use hookmq_broker::hook::Registration;
use hookmq_plugin_api::Hook;

pub use crate::stage::Stage;

/// One story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scenario {
    Living,
    Connecting,
    Subscribing,
    Publishing,
    Waiting,
    Dying,
}

impl Scenario {
    /// The story in which the hook comes. A new hook needs a line here, and does not compile without.
    const fn of(hook: Hook) -> Self {
        match hook {
            Hook::BrokerStarted
            | Hook::BrokerStopping
            | Hook::BrokerStopped
            | Hook::ConfigReloaded
            | Hook::LoadRetained
            | Hook::RetainedCleared => Self::Living,
            Hook::ValidateConnection
            | Hook::PrepareSession
            | Hook::ClientConnected
            | Hook::ClientDisconnected
            | Hook::SessionCreated
            | Hook::SessionResumed
            | Hook::SessionTakenOver
            | Hook::SessionOffline
            | Hook::SessionExpired
            | Hook::SessionDeleted => Self::Connecting,
            Hook::InterceptSubscription
            | Hook::AuthorizeSubscribe
            | Hook::ClientSubscribed
            | Hook::InterceptUnsubscription
            | Hook::ClientUnsubscribed => Self::Subscribing,
            Hook::InterceptInboundPacket
            | Hook::InterceptOutboundPacket
            | Hook::InterceptPublish
            | Hook::AuthorizePublish
            | Hook::InterceptEnqueue
            | Hook::InterceptDelivery
            | Hook::MessageEnqueued
            | Hook::MessageNotConsumed
            | Hook::MessageAcknowledged
            | Hook::RetainedChanged => Self::Publishing,
            Hook::MessageOverwritten | Hook::MessageDropped | Hook::MessageExpired => Self::Waiting,
            Hook::InterceptWill => Self::Dying,
        }
    }
}

/// A broker with these plugins and those that the hook's story needs.
pub(crate) async fn start(hook: Hook, mut plugins: Vec<Registration>) -> Stage {
    let mut settings = BrokerSettings::default();
    match Scenario::of(hook) {
        Scenario::Living => {
            settings.listeners.push(living::listener());
            if hook == Hook::LoadRetained {
                plugins.push(helpers::supplier());
            }
        }
        Scenario::Connecting => plugins.push(helpers::giver()),
        Scenario::Subscribing => plugins.push(helpers::rights(hook != Hook::AuthorizeSubscribe)),
        Scenario::Publishing => plugins.push(helpers::sieve()),
        Scenario::Waiting => {
            settings.session.maximum_queued_messages = 3;
            plugins.push(helpers::sieve());
        }
        Scenario::Dying => {}
    }
    Stage::start(settings, plugins).await
}

/// Lets the hook's story happen, up to the stop of the broker.
pub(crate) async fn play(hook: Hook, stage: &mut Stage) {
    match Scenario::of(hook) {
        Scenario::Living => living::play(stage).await,
        Scenario::Connecting => connecting::play(stage).await,
        Scenario::Subscribing => subscribing::play(stage).await,
        Scenario::Publishing => publishing::play(stage).await,
        Scenario::Waiting => waiting::play(stage).await,
        Scenario::Dying => dying::play(stage).await,
    }
}

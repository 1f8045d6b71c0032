//! Plugins of closures that a story needs besides the one that is tried: the same in every run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hookmq_broker::hook::Registration;
use hookmq_plugin_api::typed::{
    AuthorizeSubscribeAnswer, InterceptEnqueueAnswer, LoadRetainedAnswer, MessageRecord,
    PrepareSessionAnswer, SubscriptionRecord,
};
use hookmq_plugin_api::{Closures, Keep};

use crate::sample::SIFTED;

/// The tag of the right that is lost.
pub(super) const TAG: &str = "right";

fn registered(closures: Closures, priority: i32) -> Registration {
    let name = closures.name().to_owned();
    Registration {
        priority,
        ..Registration::new(&name, "embedded", Arc::new(closures))
    }
}

/// Supplies a retained message before the policy is asked.
pub(super) fn supplier() -> Registration {
    let supplier = Closures::new("supplier").on_load_retained(|_| {
        LoadRetainedAnswer::pass().messages([MessageRecord {
            topic: "given/first".to_owned(),
            payload: b"first".to_vec(),
            ..MessageRecord::default()
        }])
    });
    registered(supplier, 50)
}

/// Lets the Session of `gift` begin with a subscription and a message.
pub(super) fn giver() -> Registration {
    let giver = Closures::new("giver").on_prepare_session(|event| {
        if event.client_id() != Some("gift") {
            return PrepareSessionAnswer::pass();
        }
        PrepareSessionAnswer::pass()
            .subscriptions([SubscriptionRecord {
                topic_filter: "gifts/#".to_owned(),
                qos: 1,
                ..SubscriptionRecord::default()
            }])
            .messages([MessageRecord {
                topic: "gifts/one".to_owned(),
                payload: b"1".to_vec(),
                qos: 1,
                ..MessageRecord::default()
            }])
    });
    registered(giver, 50)
}

/// Allows `lost/+` the first time and never again, and everything else unless `is_alone` is false: then others decide.
pub(super) fn rights(is_alone: bool) -> Registration {
    let was_asked = AtomicBool::new(false);
    let rights = Closures::new("rights").on_authorize_subscribe(move |event| {
        if event.topic_filter() != "lost/+" {
            return if is_alone {
                AuthorizeSubscribeAnswer::accept()
            } else {
                AuthorizeSubscribeAnswer::pass()
            };
        }
        if was_asked.swap(true, Ordering::Relaxed) {
            return AuthorizeSubscribeAnswer::deny(0x87, "taken back");
        }
        AuthorizeSubscribeAnswer::accept().keep(Keep::lasting(Duration::ZERO).tagged(TAG))
    });
    registered(rights, -50)
}

/// Lets nobody have what is published to [`SIFTED`].
pub(super) fn sieve() -> Registration {
    let sieve = Closures::new("sieve").on_intercept_enqueue(|event| match event.topic() {
        SIFTED => InterceptEnqueueAnswer::drop(),
        _ => InterceptEnqueueAnswer::pass(),
    });
    registered(sieve, 50)
}

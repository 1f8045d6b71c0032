//! Lets clients publish below one topic only.

use hookmq_plugin_api::sdk::*;

const BELOW: &str = "devices/";

/// What an instance remembers. A dynamic library has one, called from several threads; WASM has one per worker of the broker.
#[derive(Default)]
struct MyPlugin;

impl OnInterceptPublish for MyPlugin {
    fn intercept_publish(&self, event: InterceptPublish<'_>) -> InterceptPublishAnswer {
        if event.topic().starts_with(BELOW) {
            InterceptPublishAnswer::pass()
        } else {
            InterceptPublishAnswer::deny(0x87, &format!("publish below {BELOW}"))
        }
    }
}

// Each hook, and in brackets the fields that its handler reads: any that docs/hooks.md lists for the hook.
hookmq_plugin_api::export!(MyPlugin: intercept_publish(topic));

#[cfg(test)]
mod tests {
    use super::*;
    use hookmq_plugin_api::{Answer, EventRecord, Field, Hook, VerdictKind};

    fn publish(topic: &str) -> VerdictKind {
        let event = EventRecord::new(Hook::InterceptPublish).with(Field::Topic, topic);
        let answer = MyPlugin.intercept_publish(InterceptPublish::new(&event));
        Answer::from(answer).verdict.kind()
    }

    #[test]
    fn only_what_is_below_the_topic_passes() {
        assert_eq!(publish("devices/1"), VerdictKind::Pass);
        assert_eq!(publish("elsewhere"), VerdictKind::Deny);
        assert_eq!(publish(""), VerdictKind::Deny);
    }
}

//! The filter that costs are measured with: topics begin with `devices/`.

use hookmq_plugin_api::sdk::*;

#[derive(Default)]
struct Prefix;

impl OnInterceptPublish for Prefix {
    fn intercept_publish(&self, event: InterceptPublish<'_>) -> InterceptPublishAnswer {
        if event.topic().starts_with("devices/") {
            InterceptPublishAnswer::pass()
        } else {
            InterceptPublishAnswer::deny(0x87, "only devices/ may be published to")
        }
    }
}

hookmq_plugin_api::export!(Prefix: intercept_publish(topic));

//! What the hostile runs need of a plugin in Rust, for every carrier; the topic says what is to be done.

use std::error::Error;
use std::hint::black_box;

use hookmq_plugin_api::sdk::*;

/// Its last letter is changed in the file to make another generation of the plugin.
const MARK: &str = "stamped by generation a";

struct Hostile {
    /// What it signs its stamps with: the only value of its configuration.
    name: String,
}

impl Create for Hostile {
    fn create(config: &str) -> Result<Self, Box<dyn Error>> {
        let name = config.split('"').nth(3).unwrap_or("nobody");
        Ok(Self {
            name: name.to_owned(),
        })
    }
}

type Answered = Result<InterceptPublishAnswer, Box<dyn Error>>;

impl OnInterceptPublish<Answered> for Hostile {
    fn intercept_publish(&self, event: InterceptPublish<'_>) -> Answered {
        let pass = InterceptPublishAnswer::pass;
        let topic = event.topic();
        Ok(match topic.split('/').next().unwrap_or_default() {
            "flow" => {
                let mut properties = event.user_properties().to_vec();
                let generation = black_box(MARK).rsplit(' ').next().unwrap_or_default();
                properties.push((self.name.clone(), generation.to_owned()));
                pass().user_properties(properties)
            }
            "echo" => pass()
                .topic(topic)
                .payload(event.payload())
                .user_properties(event.user_properties().to_vec()),
            "again" => {
                publish(&OutgoingMessage {
                    topic: topic.to_owned(),
                    payload: event.payload().to_vec(),
                    ..OutgoingMessage::default()
                })?;
                pass()
            }
            "panic" => panic!("a hostile plugin panics"),
            "panic with a number" => std::panic::panic_any(42),
            "overflow" => pass().payload(
                [[0_u8; 4]; 4]
                    .concat()
                    .get(..event.payload().len() * 100)
                    .expect("hostile"),
            ),
            _ => pass(),
        })
    }
}

hookmq_plugin_api::export!(Hostile: intercept_publish(topic, payload, user_properties));

//! A broker inside a program: listens on loopback, logs what happens, stops at Ctrl-C.
//!
//! `cargo run -p embed` and, elsewhere, `mosquitto_sub -t '#' -u me -P ''`: the login rule wants an empty password.

mod server_helper;

use server_helper::{ServerEvents, ServerHelper};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let events = ServerEvents {
        message_received: Box::new(|client_id, topic, payload| {
            tracing::info!(
                client_id,
                topic,
                bytes = payload.len(),
                "the program sees a message"
            );
        }),
        ..ServerEvents::default()
    };
    let server = ServerHelper::start("127.0.0.1:1884".parse()?, events).await?;
    tokio::signal::ctrl_c().await?;
    server.stop().await;
    Ok(())
}

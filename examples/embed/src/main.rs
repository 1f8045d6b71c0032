//! A broker inside a program: listens on loopback, logs what happens, stops at Ctrl-C.
//!
//! `cargo run -p embed` and, elsewhere, `mosquitto_sub -p 1884 -t '#' -u me -P ''`: the login rule wants an empty password.
//! `cargo run -p embed -- 127.0.0.1:1885` listens there.

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
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:1884".to_owned());
    let server = ServerHelper::start(address.parse()?, events).await?;
    if let Some(address) = server.address() {
        tracing::info!("listening on {address}");
    }
    tokio::signal::ctrl_c().await?;
    server.stop().await;
    Ok(())
}

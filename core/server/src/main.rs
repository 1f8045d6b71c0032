//! The `hookmq` binary: arguments, logging, exit code.

use std::process::ExitCode;

use hookmq_broker::{Broker, BrokerSettings, ListenerSettings};

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1883));
    let settings = BrokerSettings { listeners: vec![ListenerSettings::new("default", address)], ..BrokerSettings::default() };
    let handle = match Broker::new(settings).start().await {
        Ok(handle) => handle,
        Err(error) => {
            tracing::error!("{error}");
            return ExitCode::from(1);
        }
    };
    tracing::info!("listening on {:?}", handle.local_addrs());
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::error!("{error}");
    }
    handle.stop().await;
    ExitCode::SUCCESS
}

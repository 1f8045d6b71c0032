//! Sockets: the only place that reads, writes and accepts. Steps 1, 2, 10 and 11 of the path of a PUBLISH.

mod begun;
pub(crate) mod connection;
mod end;
mod leaving;
pub(crate) mod listener;
mod opening;
pub(crate) mod outbound;
pub(crate) mod pace;
pub(crate) mod packets;
mod publishing;
mod rate;

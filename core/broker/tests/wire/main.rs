//! Every hook has its effect on the wire: a broker in process, clients that speak its codec over memory, plugins as closures.
//!
//! One module per area. Time is tokio's, held still: it moves only when nothing else can happen, so waiting costs nothing.

mod support;

mod awaiting;
mod changed;
mod clock;
mod connect;
mod conversation;
mod delivery;
mod fairness;
mod host;
mod keeping;
mod lifecycle;
mod overload;
mod packets;
mod publish;
mod retained;
mod robustness;
mod sessions;
mod shelf;
mod subscribe;
mod surviving;
mod wills;

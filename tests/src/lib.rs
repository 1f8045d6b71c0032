//! What the black-box tests share: conversations with a broker, written as tables.
//!
//! `golden/flows/*.toml` hold [`Flow`]s: named connections, what they send, what they must get, tagged with the clauses
//! of the standard. [`step`] reads their lines, [`wire`] writes and reads packets by field name, [`target`] says which
//! broker is asked, and [`play`] holds the conversation. `golden/README.md` describes the lines.
//!
//! Packets are written here from named fields and not with `hookmq-mqtt`, whose types cannot hold a wrong value: half
//! of what a broker must prove is what it does with wrong ones. What comes back is read here and, once more, by the
//! strict decoder of `hookmq-mqtt`.

pub mod flow;
pub mod play;
pub mod property;
pub mod rules;
pub mod step;
pub mod target;
pub mod wire;

pub use flow::{Flow, Version};

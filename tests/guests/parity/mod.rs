//! The policy that the parity suite gives to every runtime: it writes down what it is shown and answers what its case says.
//!
//! Closures, the dynamic library and both WASM forms are made of this one source; `policy.lua` says the same in Lua. What differs
//! between them is [`Edge`]: how the case gets in, and how a line gets out.

pub(crate) mod case;
pub(crate) mod hooks;
pub(crate) mod sight;

pub(crate) use case::{Case, Raised};
pub(crate) use sight::Sight;

/// Whatever carries the policy.
pub(crate) trait Edge {
    /// The present case, in the words of [`Case`].
    fn case(&self) -> String;

    /// Writes down one line.
    fn write(&self, line: &str);
}

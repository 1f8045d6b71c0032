//! How an instance of a plugin comes to be.

use std::error::Error;

/// Makes the plugin's instance of its configuration. A plugin that is `Default` has none and needs no more.
///
/// A dynamic library has one instance, called from several threads at once; a WASM plugin has one per worker, called from one.
pub trait Create: Sized {
    /// `config` is the `[plugin.config]` section as JSON; `{}` where there is none.
    ///
    /// # Errors
    /// What is wrong, in words: the plugin is refused at load.
    fn create(config: &str) -> Result<Self, Box<dyn Error>>;
}

impl<P: Default> Create for P {
    fn create(_config: &str) -> Result<Self, Box<dyn Error>> {
        Ok(Self::default())
    }
}

//! Where things lie in a module's memory: the structs of [`hookmq_plugin_api::abi`] with 32-bit pointers, little endian.

/// Sizes in bytes. `Value` and whatever holds one is aligned to 8, the rest to 4.
pub(super) mod size {
    pub(crate) const BYTES: u32 = 8;
    pub(crate) const PAIR: u32 = 16;
    pub(crate) const VALUE: u32 = 16;
    pub(crate) const RECORD: u32 = 8;
    pub(crate) const PART: u32 = 24;
    pub(crate) const EVENT: u32 = 28;
    /// [`EVENT`] up to where its values can begin.
    pub(crate) const EVENT_PADDED: u32 = 32;
    pub(crate) const REFUSAL: u32 = 32;
    pub(crate) const LISTEN: u32 = 24;
    pub(crate) const PLUGIN: u32 = 40;
    pub(crate) const MESSAGE: u32 = 64;
    pub(crate) const CLIENT_INFO: u32 = 56;
    pub(crate) const SESSION_INFO: u32 = 48;
    pub(crate) const SUBSCRIPTION_INFO: u32 = 16;
    pub(crate) const LIST: u32 = 8;
    pub(crate) const RETAINED_INFO: u32 = 24;
}

/// The next multiple of `alignment`, a power of two; saturates.
pub(super) const fn aligned(at: usize, alignment: usize) -> usize {
    at.saturating_add(alignment - 1) & !(alignment - 1)
}

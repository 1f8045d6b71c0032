//! What can be chosen about a store.

/// How a store is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOptions {
    /// Opens a store of which a part is lost and would be refused otherwise; what is lost is told. For one start only: left on, it hides
    /// the next loss.
    pub accept_data_loss: bool,
    /// Bytes of messages that are gathered in memory before they go into tables, at least 1 MiB. Up to three times as much is held for
    /// queues, for shared messages and for Retained Messages each while the disk is behind.
    pub memory_bytes: u64,
    /// Bytes of tables that are kept in memory for reading. Tables are read at the start only.
    pub cache_bytes: u64,
    /// Bytes of journal from which on it is shortened, at least 64 MiB; it may be twice as large in between.
    pub journal_bytes: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            accept_data_loss: false,
            memory_bytes: 32 << 20,
            cache_bytes: 8 << 20,
            journal_bytes: 64 << 20,
        }
    }
}

//! Keeps what the broker must not lose on disk: the engine behind [`hookmq_broker::store::Store`].
//!
//! ```text
//! disk       the store: open, load, commit, sync, reopen    record     what a record looks like, one file a kind
//! batch      changes -> what is written                     keyspace   the keyspaces and their keys
//! shared     messages that several queues hold              engine     the database underneath, its limits and its faults
//! queues     queues that are given back, one a call         journals   the engine's journals are looked at before it does
//! synced     what has reached the disk, beside the database tables     and its tables
//! migrate    from one format to the next                    folder     whose the folder is, and whether all of it is there
//! aside      where what is not whole is kept                anchor     whether the folder is still where it was opened
//! ```
//!
//! A record carries a checksum over its key and itself. One that does not fit is named, put aside and left out; where the engine
//! itself finds damage, or where batches are missing that were on the disk, the store does not open and says what is wrong.
//!
//! ```
//! use hookmq_broker::store::{Durability, Moment, Store};
//! use hookmq_store::{DiskStore, StoreOptions};
//!
//! let folder = tempfile::tempdir()?;
//! let mut store = DiskStore::open(&folder.path().join("data"), StoreOptions::default())?;
//! let moment = Moment { now: std::time::Instant::now(), wall: std::time::SystemTime::now() };
//! assert!(store.load(moment)?.sessions.is_empty());
//! assert!(store.load_queue(moment)?.is_none());
//! store.commit(&[], Durability::Disk, moment)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod anchor;
mod aside;
mod batch;
mod damage;
mod disk;
mod engine;
mod fault;
mod folder;
mod journals;
mod keyspace;
mod load;
mod migrate;
mod modes;
mod options;
mod queues;
mod record;
mod shared;
mod synced;
mod tables;

pub use disk::DiskStore;
pub use options::StoreOptions;

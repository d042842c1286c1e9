//! Storage adapters: SQLite of an object, KV, D1. They carry out, they do not decide.

pub(crate) mod index;
mod kv;
#[cfg(feature = "edge")]
pub(crate) mod profile_tables;
#[cfg(feature = "edge")]
pub(crate) mod renewal;
#[cfg(feature = "api")]
pub(crate) mod search;
pub(crate) mod snapshots;
pub(crate) mod sql;

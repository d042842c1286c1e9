//! Storage adapters: SQLite of an object, KV, D1. They carry out, they do not decide.

pub(crate) mod index;
mod kv;
pub(crate) mod snapshots;
pub(crate) mod sql;

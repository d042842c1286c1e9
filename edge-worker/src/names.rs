//! Names that the outside knows: paths, cookies, bindings. One place for each; a test compares the
//! bindings with those of each script.

#[cfg(any(feature = "console", feature = "api"))]
mod access;
#[cfg(feature = "console")]
mod console;
#[cfg(feature = "edge")]
mod edge;

#[cfg(any(feature = "console", feature = "api"))]
pub(crate) use access::*;
#[cfg(feature = "console")]
pub(crate) use console::*;
#[cfg(feature = "edge")]
pub(crate) use edge::*;

/// A variable or secret of the Worker; empty when it is not set.
pub(crate) fn var(env: &worker::Env, name: &str) -> String {
    env.var(name).map(|value| value.to_string()).unwrap_or_default()
}

/// Everything the Worker serves itself lives under it.
pub(crate) const PREFIX: &str = "/_msci";

/// The visitor's id.
pub(crate) const COOKIE: &str = "_msci";

/// Durable Objects, one a profile.
pub(crate) const PROFILE: &str = "PROFILE";
/// The one object that holds the configuration.
pub(crate) const CONFIG: &str = "CONFIG";
/// KV namespace of snapshots.
pub(crate) const SNAPSHOTS: &str = "SNAPSHOTS";
/// D1 database: imported rows and the index.
pub(crate) const INDEX: &str = "INDEX";
/// Key of the tracking script.
pub(crate) const VAR_INGESTION_KEY: &str = "MSCI_INGESTION_KEY";

//! Names of the console Worker.

/// The one object that does long work.
pub(crate) const JOBS: &str = "JOBS";
/// Session of somebody who uses the console.
pub(crate) const COOKIE_SESSION: &str = "__Host-msci_console";

//! Names of the console Worker.

/// The one object that does long work.
pub(crate) const JOBS: &str = "JOBS";
/// Session of somebody who uses the console.
pub(crate) const COOKIE_SESSION: &str = "__Host-msci_console";
/// Host on which alone console and admin API answer.
pub(crate) const VAR_ADMIN_HOST: &str = "MSCI_ADMIN_HOST";
/// Administrator's token.
pub(crate) const VAR_ADMIN_TOKEN: &str = "MSCI_ADMIN_TOKEN";

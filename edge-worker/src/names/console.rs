//! Names of the console Worker.

/// The one object that does long work.
pub(crate) const JOBS: &str = "JOBS";
/// Host on which alone console and admin API answer.
pub(crate) const VAR_ADMIN_HOST: &str = "MSCI_ADMIN_HOST";
/// Administrator's token.
pub(crate) const VAR_ADMIN_TOKEN: &str = "MSCI_ADMIN_TOKEN";

//! Names of what administrators set for themselves: of the console Worker and the API Worker.

/// Host on which alone console, admin API and read API answer.
pub(crate) const VAR_ADMIN_HOST: &str = "MSCI_ADMIN_HOST";
/// Administrator's token.
pub(crate) const VAR_ADMIN_TOKEN: &str = "MSCI_ADMIN_TOKEN";

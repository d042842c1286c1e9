//! Names of the edge Worker.

/// Where a site says that it honours Global Privacy Control.
pub(crate) const GPC: &str = "/.well-known/gpc.json";

/// Proof that this browser may see a known customer.
pub(crate) const COOKIE_PROOF: &str = "__Host-msci_p";
/// Version of the visitor's last action.
pub(crate) const COOKIE_VERSION: &str = "_msci_v";
/// Opted out.
pub(crate) const COOKIE_OPT_OUT: &str = "_msci_optout";
/// What a redirect showed, until the next page tells it.
pub(crate) const COOKIE_CARRIED: &str = "_msci_x";
/// Consent string of the Transparency & Consent Framework, where platforms keep it as a cookie of the site.
pub(crate) const COOKIE_TCF: &str = "euconsent-v2";
/// Whom this browser sees the site as.
pub(crate) const COOKIE_PREVIEW: &str = "__Host-msci_preview";

/// What a new system requires of a claim: `required`, as `npm run deploy` sets it, or nothing.
pub(crate) const VAR_VERIFICATION: &str = "MSCI_VERIFICATION";
/// Signs identity tokens.
pub(crate) const VAR_IDENTITY_SECRET: &str = "MSCI_IDENTITY_SECRET";
/// `local` where objects have their files on this machine's disk.
pub(crate) const VAR_STORAGE: &str = "MSCI_STORAGE";

//! Names that the outside knows: paths, cookies, bindings. One place for each; a test compares the
//! bindings with `wrangler.toml`.

/// A variable or secret of the Worker; empty when it is not set.
pub(crate) fn var(env: &worker::Env, name: &str) -> String {
    env.var(name).map(|value| value.to_string()).unwrap_or_default()
}

/// Everything the Worker serves itself lives under it.
pub(crate) const PREFIX: &str = "/_msci";

/// Where a site says that it honours Global Privacy Control.
pub(crate) const GPC: &str = "/.well-known/gpc.json";

/// The visitor's id.
pub(crate) const COOKIE: &str = "_msci";
/// Proof that this browser may see a known customer.
pub(crate) const COOKIE_PROOF: &str = "__Host-msci_p";
/// Version of the visitor's last action.
pub(crate) const COOKIE_VERSION: &str = "_msci_v";
/// Opted out.
pub(crate) const COOKIE_OPT_OUT: &str = "_msci_optout";

/// What a redirect showed, until the next page tells it.
pub(crate) const COOKIE_CARRIED: &str = "_msci_x";
/// Whom this browser sees the site as.
pub(crate) const COOKIE_PREVIEW: &str = "__Host-msci_preview";

/// Durable Objects, one a profile.
pub(crate) const PROFILE: &str = "PROFILE";
/// The one object that holds the configuration.
pub(crate) const CONFIG: &str = "CONFIG";
/// The one object that does long work.
pub(crate) const JOBS: &str = "JOBS";
/// KV namespace of snapshots.
pub(crate) const SNAPSHOTS: &str = "SNAPSHOTS";
/// D1 database: imported rows and the index.
pub(crate) const INDEX: &str = "INDEX";
/// The site behind, as a service.
pub(crate) const SITE: &str = "SITE";
/// The site behind, as an address.
pub(crate) const VAR_ORIGIN: &str = "MSCI_ORIGIN";
/// Host on which alone console and admin API answer.
pub(crate) const VAR_ADMIN_HOST: &str = "MSCI_ADMIN_HOST";
/// What a new system requires of a claim: `required`, as `npm run deploy` sets it, or nothing.
pub(crate) const VAR_VERIFICATION: &str = "MSCI_VERIFICATION";
/// Administrator's token.
pub(crate) const VAR_ADMIN_TOKEN: &str = "MSCI_ADMIN_TOKEN";
/// Signs identity tokens.
pub(crate) const VAR_IDENTITY_SECRET: &str = "MSCI_IDENTITY_SECRET";
/// Key of the tracking script.
pub(crate) const VAR_INGESTION_KEY: &str = "MSCI_INGESTION_KEY";

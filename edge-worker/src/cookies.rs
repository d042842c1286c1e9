//! Cookies as they come and go. Whatever is not exactly what this Worker or its SDK would write counts
//! as absent.

use msci_core::config::{ConsentInput, Settings};
use msci_core::ids::{CookieId, CustomerId};
use msci_core::time::{DAY_MS, Timestamp};
use msci_core::wire::cookies as wire;
use msci_core::wire::tcf::Tcf;

use crate::configuration::Configuration;
use crate::counting;
use crate::names;

/// The cookies of a request that concern this Worker.
pub(crate) struct Cookies {
    /// The visitor's id.
    pub(crate) id: Option<CookieId>,
    /// Whom this browser may see.
    pub(crate) proof: Option<CustomerId>,
    /// There is a proof, but it is not for this cookieId, or not any more.
    pub(crate) void_proof: bool,
    /// Life and version of the visitor's last action.
    pub(crate) version: Option<(String, u64)>,
    /// Opted out.
    pub(crate) opted_out: bool,
    /// What the site's consent platform keeps of what the visitor decided, where the settings listen to it.
    pub(crate) tcf: Option<Tcf>,
    /// What a redirect on the way here showed: `experience:bucket`.
    pub(crate) carried: Option<String>,
}

impl Cookies {
    /// Reads the `Cookie` header.
    pub(crate) fn read(header: &str, configuration: &Configuration, now: Timestamp) -> Self {
        let [id, shown, version, carried, opted_out, tcf] = wire::values(
            header,
            [
                names::COOKIE,
                names::COOKIE_PROOF,
                names::COOKIE_VERSION,
                names::COOKIE_CARRIED,
                names::COOKIE_OPT_OUT,
                names::COOKIE_TCF,
            ],
        );
        let id: Option<CookieId> = id.and_then(|id| id.parse().ok());
        let proof = id.zip(shown).and_then(|(id, proof)| configuration.proofs.verify(proof, id, now));
        let void_proof = shown.is_some() && proof.is_none();
        counting::count("proofsRefused", void_proof.into());
        let version = version.and_then(wire::version).map(|(tag, version)| (tag.to_owned(), version));
        let carried = carried.filter(|text| wire::is_exposure(text)).map(str::to_owned);
        let listens = configuration.settings().consent.inputs.contains(&ConsentInput::Tcf);
        let tcf = tcf.filter(|_| listens).and_then(Tcf::read);
        Self { id, proof, void_proof, version, opted_out: opted_out.is_some(), tcf, carried }
    }
}

const DAY_SECONDS: i64 = 24 * 60 * 60;

fn secure(https: bool) -> &'static str {
    if https { "; Secure" } else { "" }
}

/// `Set-Cookie` of the visitor's id. Scripts read it too, so it is not `HttpOnly`.
pub(crate) fn id(id: CookieId, settings: &Settings, https: bool) -> String {
    let age = i64::from(settings.cookie.max_age_days) * DAY_SECONDS;
    let domain =
        settings.cookie.domain.as_ref().map(|domain| format!("; Domain={domain}")).unwrap_or_default();
    let (id, age) = (id.to_string(), age.to_string());
    [names::COOKIE, "=", &id, "; Path=/; Max-Age=", &age, "; SameSite=Lax", secure(https), &domain].concat()
}

/// `Set-Cookie` of the proof. Always `Secure`: the prefix demands it, and browsers allow it on
/// localhost.
pub(crate) fn proof(
    id: CookieId,
    customer: CustomerId,
    configuration: &Configuration,
    now: Timestamp,
) -> String {
    let days = i64::from(configuration.settings().cookie.max_age_days);
    let value = configuration.proofs.sign(id, customer, now.plus(days * DAY_MS));
    let age = days * DAY_SECONDS;
    format!("{}={value}; Path=/; Max-Age={age}; HttpOnly; Secure; SameSite=Lax", names::COOKIE_PROOF)
}

/// `Set-Cookie` of the last action's version: long enough for KV to catch up.
pub(crate) fn version(tag: &str, version: u64, https: bool) -> String {
    format!(
        "{}={tag}.{version}; Path=/; Max-Age=120; HttpOnly; SameSite=Lax{}",
        names::COOKIE_VERSION,
        secure(https)
    )
}

/// `Set-Cookie` of what a redirect shows: a page that nobody sees tells nothing.
pub(crate) fn carried(exposure: &str, https: bool) -> String {
    let name = names::COOKIE_CARRIED;
    format!("{name}={exposure}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax{}", secure(https))
}

/// `Set-Cookie` lines that take the visitor's id away: the one of the site's domain, and one of this host alone, which may
/// be left from before there was that setting.
pub(crate) fn expired_id(settings: &Settings) -> Vec<String> {
    let of_host = expired(names::COOKIE);
    let of_domain = settings.cookie.domain.as_ref().map(|domain| [&of_host, "; Domain=", domain].concat());
    of_domain.into_iter().chain([of_host]).collect()
}

/// `Set-Cookie` that takes a cookie of this host away.
pub(crate) fn expired(name: &str) -> String {
    let secure = if name.starts_with("__Host-") { "; Secure" } else { "" };
    format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}")
}

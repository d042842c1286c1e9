//! Pages of other origins: those that the settings list may send and ask, others may not.

use worker::{Request, Response, ResponseBuilder};

use crate::configuration::Configuration;
use crate::error::{Error, Result};
use crate::http::{header, is_foreign};

/// Where a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The site itself, or no browser.
    Own,
    /// Listed in the settings.
    Listed(String),
    /// Anybody else.
    Foreign,
}

/// Where this request comes from, by its `Origin` header and what else its browser says of it.
pub(crate) fn origin_of(request: &Request, configuration: &Configuration) -> Origin {
    if !is_foreign(request) {
        return Origin::Own;
    }
    let origin = header(request, "origin");
    if configuration.settings().origins.contains(&origin) { Origin::Listed(origin) } else { Origin::Foreign }
}

/// The same for what is sent: pages of the origins of an ingestion key may send with that one.
pub(crate) fn sender_of(request: &Request, configuration: &Configuration) -> Origin {
    let origin = header(request, "origin");
    match origin_of(request, configuration) {
        Origin::Foreign if configuration.ring.lists(&origin) => Origin::Listed(origin),
        other => other,
    }
}

/// Lets a sender through with its ingestion key.
///
/// # Errors
/// 401 for no key of ours, 403 where this page's origin is none of the key's.
pub(crate) fn with_key(request: &Request, configuration: &Configuration, key: &str) -> Result<()> {
    let Some(origins) = configuration.ring.ingestion(key) else {
        return Err(Error::client(401, "unknown_key", "this ingestion key is not known here"));
    };
    let origin = header(request, "origin");
    // A program says of no origin that it is a page's.
    let allowed = if origins.is_empty() {
        origin_of(request, configuration) != Origin::Foreign
    } else {
        origins.contains(&origin) || (origin.is_empty() && !is_foreign(request))
    };
    if allowed {
        Ok(())
    } else {
        Err(Error::client(403, "origin_not_allowed", "this ingestion key is for pages of other origins"))
    }
}

/// Refuses a page of a foreign origin.
pub(crate) fn not_allowed() -> Error {
    Error::client(403, "origin_not_allowed", "this origin is not in the settings' origins")
}

/// Lets a listed origin read the answer, as the visitor of its cookies: they travel from another host of the
/// same site, and from no other site, since they are `SameSite=Lax`.
pub(crate) fn opened(response: Response, origin: &Origin) -> Result<Response> {
    let headers = response.headers();
    headers.append("Vary", "Origin")?;
    if let Origin::Listed(origin) = origin {
        headers.set("Access-Control-Allow-Origin", origin)?;
        headers.set("Access-Control-Allow-Credentials", "true")?;
        headers.set("Access-Control-Expose-Headers", "Retry-After")?;
    }
    Ok(response)
}

/// Answer to a preflight.
pub(crate) fn preflight(origin: &Origin) -> Result<Response> {
    let response = ResponseBuilder::new()
        .with_status(204)
        .with_header("Access-Control-Allow-Methods", "GET, POST")?
        .with_header("Access-Control-Allow-Headers", "content-type, content-encoding, x-retry-count")?
        .with_header("Access-Control-Max-Age", "600")?
        .empty();
    opened(response, origin)
}

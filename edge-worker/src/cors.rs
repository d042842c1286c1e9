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

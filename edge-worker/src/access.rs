//! Who may use the admin and read API: bearers of the administrator's token, on the administrator's
//! host where one is set. People come with a session of the console instead (`console/session.rs`).

use msci_core::proof::same;
use worker::{Env, Request};

use crate::error::{Error, Result};
use crate::http::header;
use crate::names;

/// Lets the request through, or says why not.
///
/// # Errors
/// 401 without the right token; 404 on another host than the administrator's.
pub(crate) fn require(request: &Request, env: &Env) -> Result<()> {
    at_its_host(request, env)?;
    let token = names::var(env, names::VAR_ADMIN_TOKEN);
    let given = header(request, "authorization");
    let (scheme, given) = given.split_once(' ').unwrap_or_default();
    if !token.is_empty() && scheme.eq_ignore_ascii_case("bearer") && same(given.trim(), &token) {
        return Ok(());
    }
    Err(Error::client(401, "unauthorized", "send Authorization: Bearer with a valid token"))
}

/// Lets the request through if it is on the administrator's host, or if none is set.
///
/// # Errors
/// 404 elsewhere.
pub(crate) fn at_its_host(request: &Request, env: &Env) -> Result<()> {
    let host = names::var(env, names::VAR_ADMIN_HOST);
    if host.is_empty() || header(request, "host") == host { Ok(()) } else { Err(Error::not_found()) }
}

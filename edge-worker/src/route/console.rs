//! Addresses of the console Worker: the console and the admin API. It stands in front of no site.

use worker::{Env, Method, Request};

use super::own;
use crate::access::audit;
use crate::error::{Error, Result};
use crate::platform::now;
use crate::{admin, configuration, console, http};

/// Answers a request.
pub(crate) async fn route(request: Request, env: &Env) -> Result<web_sys::Response> {
    let now = now();
    let path = request.path();
    // A write is a program's, or of the console's own pages: no page of another origin has any business here.
    if !matches!(request.method(), Method::Get | Method::Head) && http::is_foreign(&request) {
        audit::refused(env, None, "another origin", 403, now).await;
        return Err(Error::client(403, "origin_not_allowed", "pages of other origins change nothing here"));
    }
    let own = own(&path).ok_or_else(Error::not_found)?;
    if own == console::ROOT.trim_end_matches('/') {
        return Ok(console::home()?.into());
    }
    if let Some(page) = own.strip_prefix(console::ROOT) {
        return Ok(console::any(request, env, page, now).await?.into());
    }
    let path = own.strip_prefix(admin::ROOT).ok_or_else(Error::not_found)?;
    let configuration = configuration::current(env, now).await?;
    Ok(admin::any(request, env, &configuration, path).await?.into())
}

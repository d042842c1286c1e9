//! Addresses of the API Worker: the read API, and nothing else.

use worker::{Env, Request};

use super::own;
use crate::error::{Error, Result};
use crate::platform::now;
use crate::{configuration, odata};

/// Answers a request.
pub(crate) async fn route(request: Request, env: &Env) -> Result<web_sys::Response> {
    let now = now();
    let path = request.path();
    let asked = own(&path).and_then(odata::root).ok_or_else(Error::not_found)?;
    let configuration = configuration::current(env, now).await?;
    Ok(odata::any(&request, env, &configuration, asked, now).await?.into())
}

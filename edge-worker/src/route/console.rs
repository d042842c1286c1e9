//! Addresses of the console Worker: admin and read API. It stands in front of no site.

use worker::{Env, Request, Response};

use super::own;
use crate::error::{Error, Result};
use crate::platform::now;
use crate::{admin, configuration, odata};

/// Answers a request.
pub(crate) async fn route(request: Request, env: &Env) -> Result<Response> {
    let now = now();
    let path = request.path();
    let own = own(&path).ok_or_else(Error::not_found)?;
    if let Some(asked) = odata::root(own) {
        let configuration = configuration::current(env, now).await?;
        return odata::any(&request, env, &configuration, asked, now).await;
    }
    let path = own.strip_prefix(admin::ROOT).ok_or_else(Error::not_found)?;
    let configuration = configuration::current(env, now).await?;
    admin::any(request, env, &configuration, path).await
}

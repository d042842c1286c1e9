//! Keys of pages and of the site's servers (contract §7).

use serde_json::json;
use worker::{Env, Method, Request, Response};

use super::body;
use crate::calls;
use crate::error::{Error, Result};
use crate::http;

/// Answers what stands behind `/keys`.
pub(super) async fn any(request: &Request, env: &Env, parts: &[&str]) -> Result<Response> {
    let answer = match (request.method(), parts) {
        (Method::Get, []) => calls::keys(env).await?,
        (Method::Post, []) => calls::make_key(env, &body(request).await?).await?,
        (Method::Delete, [id]) => {
            calls::remove_key(env, id).await?;
            json!({ "deleted": true })
        }
        (_, [] | [_]) => return Err(Error::method_not_allowed()),
        _ => return Err(Error::not_found()),
    };
    http::json(&answer)
}

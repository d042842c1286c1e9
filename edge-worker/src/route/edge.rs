//! Addresses of the edge Worker under its prefix; anything else is the site's (`site.rs`).

use msci_core::time::Timestamp;
use serde_json::json;
use worker::{Env, Method, Request, Response};

use super::own;
use crate::calls::previews;
use crate::cors::Origin;
use crate::error::{Error, Result};
use crate::platform::now;
use crate::{collect, configuration, cors, decisions, http, page_preview, sdk_files};

/// Answers a request.
pub(crate) async fn route(request: Request, env: &Env) -> Result<web_sys::Response> {
    let now = now();
    let path = request.path();
    let own = own(&path).ok_or_else(Error::not_found)?;
    Ok(under_prefix(request, own, env, now).await?.into())
}

async fn under_prefix(request: Request, own: &str, env: &Env, now: Timestamp) -> Result<Response> {
    let method = request.method();
    let get = matches!(method, Method::Get | Method::Head);
    // What needs no configuration first.
    match own {
        "/health" if get => {
            return http::json(&json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }));
        }
        "/manifest.json" if get => return sdk_files::manifest(),
        // Also while there is no configuration to be had: who signs out should be out.
        "/reset" if method == Method::Post && !http::is_foreign(&request) => return decisions::reset(),
        _ => {}
    }
    if let Some(name) = own.strip_prefix("/assets/").filter(|_| get) {
        return sdk_files::file(&request, name);
    }
    let configuration = configuration::current(env, now).await?;
    if matches!(own, "/collect" | "/decisions") {
        let origin = if own == "/collect" {
            cors::sender_of(&request, &configuration)
        } else {
            cors::origin_of(&request, &configuration)
        };
        let answer = match (own, method) {
            (_, Method::Options) => return cors::preflight(&origin),
            ("/collect", Method::Post) => collect::post(request, env, &configuration, now).await,
            ("/decisions", Method::Get) => decisions::get(&request, env, &configuration, now).await,
            _ => Err(Error::method_not_allowed()),
        };
        // Also a refusal: the page's script should be able to read why.
        return cors::opened(answer.or_else(|error| error.into_response().map_err(Error::from))?, &origin);
    }
    match own {
        "/reset" if method == Method::Post => match cors::origin_of(&request, &configuration) {
            Origin::Foreign => Err(cors::not_allowed()),
            Origin::Own | Origin::Listed(_) => decisions::reset(),
        },
        "/forget" if method == Method::Post => decisions::forget(&request, env, &configuration, now).await,
        "/msci.js" if get && page_preview::is_on(&request, &configuration, now) => page_preview::silence(),
        "/msci.js" if get => sdk_files::entry(&request, configuration.settings()),
        "/forget" | "/msci.js" | "/health" | "/manifest.json" | "/reset" => Err(Error::method_not_allowed()),
        _ => match own.strip_prefix(previews::ROOT) {
            Some(behind) if method == Method::Get => {
                page_preview::open(&request, env, &configuration, behind, now).await
            }
            _ => Err(Error::not_found()),
        },
    }
}

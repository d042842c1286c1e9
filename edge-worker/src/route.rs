//! Which part answers which address. Under the prefix the Worker itself; anything else is the site's.

use serde_json::json;
use worker::{Env, Method, Request, Response};

use crate::error::{Error, Result};
use crate::platform::now;
use crate::{admin, assets, collect, configuration, cors, decisions, http, names, odata, page_preview, site};

/// Answers a request.
pub(crate) async fn route(request: Request, env: &Env) -> Result<Response> {
    let now = now();
    let path = request.path();
    let Some(own) = path.strip_prefix(names::PREFIX).filter(|rest| rest.starts_with('/')) else {
        let configuration = configuration::current(env, now).await;
        if let Err(error) = &configuration {
            worker::console_error!("the site is shown as it is: {error}");
        }
        return site::any(request, env, configuration.ok().as_deref(), now).await;
    };
    let method = request.method();
    let get = matches!(method, Method::Get | Method::Head);
    // What needs no configuration first.
    match own {
        "/health" if get => {
            return http::json(&json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }));
        }
        "/manifest.json" if get => return assets::manifest(),
        "/reset" if method == Method::Post => return decisions::reset(),
        _ => {}
    }
    if let Some(name) = own.strip_prefix("/assets/").filter(|_| get) {
        return assets::file(&request, name);
    }
    let configuration = configuration::current(env, now).await?;
    if matches!(own, "/collect" | "/decisions") {
        let origin = cors::origin_of(&request, &configuration);
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
        "/forget" if method == Method::Post => decisions::forget(&request, env, &configuration, now).await,
        "/msci.js" if get && page_preview::viewer(&request, &configuration, now).is_some() => {
            page_preview::silence()
        }
        "/msci.js" if get => assets::entry(&request, configuration.settings()),
        "/forget" | "/msci.js" | "/health" | "/manifest.json" | "/reset" => Err(Error::method_not_allowed()),
        _ => {
            if let Some(behind) = own.strip_prefix(page_preview::ROOT).filter(|_| method == Method::Get) {
                return page_preview::open(&request, env, &configuration, behind, now).await;
            }
            if let Some(asked) = odata::root(own) {
                return odata::any(&request, env, &configuration, asked, now).await;
            }
            match own.strip_prefix(admin::ROOT) {
                Some(path) => admin::any(request, env, &configuration, path).await,
                None => Err(Error::not_found()),
            }
        }
    }
}

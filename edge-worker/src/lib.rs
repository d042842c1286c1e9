//! The edge half: an HTTP surface and storage around the decisions of `msci_core`. Nothing here
//! decides; everything here may fail, and the site's page goes out all the same.

mod access;
mod admin;
mod assets;
mod calls;
mod collect;
mod config_object;
mod configuration;
mod cookies;
mod cors;
mod decisions;
mod error;
mod http;
mod job_object;
mod names;
mod odata;
mod page_preview;
mod platform;
mod profile_object;
mod reader;
mod route;
mod site;
mod snippet;
mod storage;
mod webhook;

use worker::{Context, Env, Request, Response, event};

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> worker::Result<Response> {
    match route::route(request, &env).await {
        Ok(response) => Ok(response),
        Err(error) => error.into_response(),
    }
}

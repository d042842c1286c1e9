//! The edge half: an HTTP surface and storage around the decisions of `msci_core`. Nothing here
//! decides; everything here may fail, and the site's page goes out all the same.
//!
//! Three scripts are made of it, each with what it needs and no more: the edge Worker stands in front of every
//! visitor and has the objects of profiles and configuration; the console Worker has the console, the admin API
//! and the object of long work; the API Worker answers the read API. These two call the edge's objects, the edge
//! calls nothing of theirs.

// It uses a part of what the other two share. What nobody uses at all is found when those are checked.
#![cfg_attr(feature = "api", allow(dead_code))]

#[cfg(not(any(feature = "edge", feature = "console", feature = "api")))]
compile_error!("choose a script: the feature `edge`, or `console` or `api` without default features");
#[cfg(any(
    all(feature = "edge", feature = "console"),
    all(feature = "edge", feature = "api"),
    all(feature = "console", feature = "api")
))]
compile_error!("one script at a time: `console` and `api` go with --no-default-features");

mod assets;
mod calls;
mod configuration;
mod error;
mod http;
mod names;
mod platform;
mod route;
mod storage;
mod webhook;

#[cfg(feature = "edge")]
mod collect;
#[cfg(feature = "edge")]
mod config_object;
#[cfg(feature = "edge")]
mod cookies;
#[cfg(feature = "edge")]
mod cors;
#[cfg(feature = "edge")]
mod counting;
#[cfg(feature = "edge")]
mod decisions;
#[cfg(feature = "edge")]
mod flood;
#[cfg(feature = "edge")]
mod page_preview;
#[cfg(feature = "edge")]
mod profile_object;
#[cfg(feature = "edge")]
mod reader;
#[cfg(feature = "edge")]
mod sdk_files;
#[cfg(feature = "edge")]
pub mod site;

#[cfg(any(feature = "console", feature = "api"))]
mod access;
#[cfg(feature = "console")]
mod admin;
#[cfg(feature = "console")]
mod console;
#[cfg(feature = "console")]
mod job_object;
#[cfg(feature = "api")]
mod odata;
#[cfg(feature = "console")]
mod snippet;

use worker::{Context, Env, Request, event};

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<web_sys::Response> {
    let answer = route::route(request, &env).await;
    #[cfg(feature = "edge")]
    counting::later(&env, &context);
    #[cfg(not(feature = "edge"))]
    access::audit::later(&env, &context);
    match answer {
        Ok(response) => Ok(response),
        Err(error) => Ok(error.into_response()?.into()),
    }
}

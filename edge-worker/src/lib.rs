//! The edge half: an HTTP surface and storage around the decisions of `msci_core`. Nothing here
//! decides; everything here may fail, and the site's page goes out all the same.
//!
//! Two scripts are made of it, each with what it needs and no more: the edge Worker stands in front of every
//! visitor and has the objects of profiles and configuration; the console Worker is what people and programs
//! use, and has the object of long work. The console calls the edge's objects, the edge never the console's.

#[cfg(not(any(feature = "edge", feature = "console")))]
compile_error!("choose a script: the feature `edge`, or `console` without default features");
#[cfg(all(feature = "edge", feature = "console"))]
compile_error!("one script at a time: `console` goes with --no-default-features");

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

#[cfg(feature = "console")]
mod access;
#[cfg(feature = "console")]
mod admin;
#[cfg(feature = "console")]
mod console;
#[cfg(feature = "console")]
mod job_object;
#[cfg(feature = "console")]
mod odata;
#[cfg(feature = "console")]
mod snippet;

use worker::{Context, Env, Request, event};

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> worker::Result<web_sys::Response> {
    match route::route(request, &env).await {
        Ok(response) => Ok(response),
        Err(error) => Ok(error.into_response()?.into()),
    }
}

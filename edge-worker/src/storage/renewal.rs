//! An object's file, written anew: the platform scrubs no page that a deleted row was on, so whatever is to be gone to the
//! last byte goes with the file.

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use worker::Storage;

use crate::error::Result;

#[wasm_bindgen(module = "msci:transaction")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn renew(storage: &JsValue, most: u32) -> std::result::Result<Option<js_sys::Promise>, JsValue>;
}

/// Rows of a table that are written anew at most: in one turn, and in memory.
const ROWS: u32 = 2000;

/// Writes the file anew, with all that is there, so that nothing else is in it. Says whether it was done: not where
/// there is too much.
pub(crate) async fn renewed(storage: &Storage) -> Result<bool> {
    let Some(written) = renew(storage.as_raw().as_ref(), ROWS)? else { return Ok(false) };
    JsFuture::from(written).await?;
    Ok(true)
}

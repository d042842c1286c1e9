//! Files that are served, with their compressed forms, from beside the script's own code.

use wasm_bindgen::prelude::*;

use crate::error::{Error, Result};

#[wasm_bindgen(module = "msci:assets")]
extern "C" {
    /// A file by name, or undefined.
    pub(crate) fn asset(name: &str) -> JsValue;
}

/// Bytes in a field of a file: of all of it (`raw`), or of a compressed form.
pub(crate) fn bytes(asset: &JsValue, form: &str) -> Option<Vec<u8>> {
    let found = js_sys::Reflect::get(asset, &form.into()).ok().filter(|value| !value.is_undefined())?;
    Some(js_sys::Uint8Array::new(&found).to_vec())
}

/// A file of text.
pub(crate) fn text(name: &str) -> Result<String> {
    let raw = bytes(&asset(name), "raw").ok_or_else(|| Error::damaged(format!("asset {name} is missing")))?;
    String::from_utf8(raw).map_err(|error| Error::damaged(format!("asset {name}: {error}")))
}

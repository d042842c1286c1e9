//! The runtime's KV: the calls that are made of it, on strings. The crate's own builders know every
//! option there is, and read and write them all by `serde`.

#[cfg(feature = "console")]
mod list;
#[cfg(feature = "edge")]
mod write;

use wasm_bindgen::prelude::*;
use worker::Env;

use crate::error::Result;

#[wasm_bindgen]
extern "C" {
    /// A namespace.
    pub(crate) type Kv;

    #[wasm_bindgen(method, catch, js_name = get)]
    async fn fetch(this: &Kv, key: &str) -> std::result::Result<JsValue, JsValue>;
}

impl Kv {
    /// The namespace of this binding.
    pub(crate) fn of(env: &Env, binding: &str) -> Result<Self> {
        Ok(js_sys::Reflect::get(env, &binding.into())?.unchecked_into())
    }

    /// What stands under a key.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<String>> {
        Ok(self.fetch(key).await?.as_string())
    }
}

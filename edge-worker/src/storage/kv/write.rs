//! What is written to KV.

use wasm_bindgen::prelude::*;

use super::Kv;
use crate::error::Result;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(method, catch, js_name = put)]
    async fn store(this: &Kv, key: &str, value: &str) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = delete)]
    async fn remove(this: &Kv, key: &str) -> std::result::Result<JsValue, JsValue>;
}

impl Kv {
    /// Puts text under a key.
    pub(crate) async fn put(&self, key: &str, value: &str) -> Result<()> {
        self.store(key, value).await?;
        Ok(())
    }

    /// Takes away what stands under a key.
    pub(crate) async fn delete(&self, key: &str) -> Result<()> {
        self.remove(key).await?;
        Ok(())
    }
}

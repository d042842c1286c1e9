//! The runtime's KV: the four calls that are made of it, on strings. The crate's own builders know every
//! option there is, and read and write them all by `serde`.

use wasm_bindgen::prelude::*;
use worker::Env;

use crate::error::Result;

#[wasm_bindgen]
extern "C" {
    /// A namespace.
    pub(crate) type Kv;

    #[wasm_bindgen(method, catch, js_name = get)]
    async fn fetch(this: &Kv, key: &str) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = put)]
    async fn store(this: &Kv, key: &str, value: &str) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = delete)]
    async fn remove(this: &Kv, key: &str) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = list)]
    async fn page(this: &Kv, options: &JsValue) -> std::result::Result<JsValue, JsValue>;
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

    /// Some keys that begin so, behind a cursor; and the next cursor, if there are more.
    pub(crate) async fn list(
        &self,
        prefix: &str,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<(Vec<String>, Option<String>)> {
        let options = js_sys::Object::new();
        js_sys::Reflect::set(&options, &"prefix".into(), &prefix.into())?;
        js_sys::Reflect::set(&options, &"limit".into(), &limit.into())?;
        if let Some(cursor) = cursor {
            js_sys::Reflect::set(&options, &"cursor".into(), &cursor.into())?;
        }
        let page = self.page(&options).await?;
        let part = |of: &JsValue, name: &str| js_sys::Reflect::get(of, &name.into());
        let keys = js_sys::Array::from(&part(&page, "keys")?);
        let names = keys.iter().map(|key| Ok(part(&key, "name")?.as_string().unwrap_or_default()));
        let names: Result<Vec<_>> = names.collect();
        let complete = part(&page, "list_complete")?.is_truthy();
        Ok((names?, part(&page, "cursor")?.as_string().filter(|_| !complete)))
    }
}

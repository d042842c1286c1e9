//! What there is in KV.

use wasm_bindgen::prelude::*;

use super::Kv;
use crate::error::Result;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(method, catch, js_name = list)]
    async fn page(this: &Kv, options: &JsValue) -> std::result::Result<JsValue, JsValue>;
}

impl Kv {
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

//! Whoever Cloudflare Access vouches for. The signature is the runtime's to check: its cryptography is there already,
//! and an implementation of RSA would be a tenth of the Worker.

use js_sys::{Array, JSON, Promise, Uint8Array};
use msci_core::access::assertion::{self, Assertion};
use msci_core::json;
use msci_core::time::Timestamp;
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use worker::Request;

use super::Caller;
use crate::configuration::Configuration;
use crate::error::Result;
use crate::http::header;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["crypto", "subtle"], js_name = importKey)]
    fn import_key(
        format: &str,
        key: &JsValue,
        algorithm: &JsValue,
        extractable: bool,
        usages: &Array,
    ) -> std::result::Result<Promise, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["crypto", "subtle"], js_name = verify)]
    fn verify(
        algorithm: &str,
        key: &JsValue,
        signature: &Uint8Array,
        signed: &Uint8Array,
    ) -> std::result::Result<Promise, JsValue>;
}

/// Who came through Cloudflare Access; nobody where the settings do not say whom to believe.
pub(crate) async fn vouched(
    request: &Request,
    configuration: &Configuration,
    now: Timestamp,
) -> Option<Caller> {
    let access = configuration.settings().access.as_ref()?;
    let text = header(request, "cf-access-jwt-assertion");
    let assertion = assertion::read(&text, access)?;
    let (who, role) = assertion.whom(access, now)?;
    let genuine = signed(&assertion).await.unwrap_or_else(|error| {
        worker::console_error!("an assertion could not be checked: {error}");
        false
    });
    genuine.then(|| Caller { id: "access".to_owned(), name: who, role, scope: None })
}

async fn signed(assertion: &Assertion<'_>) -> Result<bool> {
    let part = |name: &str| assertion.key.get(name).cloned().unwrap_or(Value::Null);
    let key = json!({ "kty": "RSA", "n": part("n"), "e": part("e") });
    let algorithm = json!({ "name": "RSASSA-PKCS1-v1_5", "hash": "SHA-256" });
    let parsed = |value: &Value| JSON::parse(&json::text(value));
    let usages = Array::of1(&"verify".into());
    let key =
        JsFuture::from(import_key("jwk", &parsed(&key)?, &parsed(&algorithm)?, false, &usages)?).await?;
    let (signature, signed) =
        (Uint8Array::from(assertion.signature.as_slice()), Uint8Array::from(assertion.signed.as_bytes()));
    let genuine = JsFuture::from(verify("RSASSA-PKCS1-v1_5", &key, &signature, &signed)?).await?;
    Ok(genuine.is_truthy())
}

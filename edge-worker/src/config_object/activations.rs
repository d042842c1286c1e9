//! Activations keep a secret each. It is told once, to whoever makes it; after that it leaves this object
//! only towards what signs. The bundle has a key instead, which names one secret for ever.

use msci_core::activation::{secret, secret_bytes};
use msci_core::ids::LogId;
use msci_core::json;
use serde_json::{Value, json};
use wasm_bindgen::JsValue;

use super::ConfigObject;
use crate::calls::Change;
use crate::error::{Error, Result};
use crate::platform::{now, random_bits, random_bytes};
use crate::storage::sql::{self, Statements};

/// Name of a secret's row.
fn row(key: &str) -> JsValue {
    format!("webhook {key}").into()
}

impl ConfigObject {
    /// Puts the activation `{ name, body }`, or deletes it where there is no body.
    pub(super) async fn change_activation(&self, asked: &str) -> Result<String> {
        let mut asked = json::value(asked)?;
        let name = asked.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let before = self.told()?.bundle;
        let present = before.activations.get(&name);
        let held = present.map(|activation| activation.key.as_str());
        let statements = Statements::new();
        let mut body = asked.get_mut("body").map(Value::take).filter(Value::is_object);
        let (mut made, mut kept) = (None, false);
        if let Some(body) = body.as_mut().and_then(Value::as_object_mut) {
            if let Some(own) = ["key", "since"].into_iter().find(|own| body.contains_key(*own)) {
                return Err(Error::client(400, "invalid_definition", format!("unknown field `{own}`")));
            }
            let given = body.remove("secret");
            kept = given.is_none() && held.is_some();
            let key = match held.filter(|_| kept) {
                Some(held) => held.to_owned(),
                None => LogId::from_bits(random_bits()).to_string(),
            };
            if !kept {
                if given.is_none() {
                    made = Some(secret(&random_bytes::<32>()));
                }
                let secret = given.as_ref().and_then(Value::as_str).or(made.as_deref()).unwrap_or_default();
                if secret_bytes(secret).is_none() {
                    let message = "secret should be whsec_ and 24 to 64 bytes in base64";
                    return Err(Error::client(400, "invalid_secret", message));
                }
                statements.push("INSERT INTO secret VALUES (?, ?)", &[row(&key), secret.into()]);
            }
            body.insert("key".to_owned(), key.into());
            let since = present.map_or_else(now, |activation| activation.since);
            body.insert("since".to_owned(), since.0.into());
        }
        if let Some(held) = held.filter(|_| !kept) {
            statements.push("DELETE FROM secret WHERE name = ?", &[row(held)]);
        }
        let change = Change::Definition { kind: "activations".to_owned(), name, body };
        let n = self.apply(change, statements).await?;
        Ok(json::text(&json!({ "n": n, "secret": made })))
    }

    /// The secret of this key, for what signs; empty if there is none.
    pub(super) fn webhook_secret(&self, key: &str) -> Result<String> {
        self.told()?;
        let query = "SELECT body FROM secret WHERE name = ?";
        let rows = sql::query(&self.state.storage(), query, vec![row(key)])?;
        rows.first().map_or(Ok(String::new()), |found| Ok(sql::text(found, 0)?.to_owned()))
    }
}

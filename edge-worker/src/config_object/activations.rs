//! Activations keep a secret each. It is told once, to whoever makes it; after that it leaves this object
//! only towards what signs. The bundle has a key instead, which names one secret for ever.

use msci_core::activation::{secret, secret_bytes};
use msci_core::ids::LogId;
use msci_core::json;
use serde_json::{Map, Value};
use wasm_bindgen::JsValue;

use super::ConfigObject;
use crate::calls::{ActivationChange, Change};
use crate::error::{Error, Result};
use crate::platform::{random_bits, random_bytes};
use crate::storage::sql::{self, Statements};

/// What the bundle calls activations.
const KIND: &str = "activations";

/// Name of a secret's row.
fn row(key: &str) -> JsValue {
    format!("webhook {key}").into()
}

impl ConfigObject {
    /// Puts or deletes an activation. Answers the secret, if it was made here.
    pub(super) async fn change_activation(&self, body: &str) -> Result<Option<String>> {
        let ActivationChange { name, body } = json::from_str(body)?;
        let before = self.told()?.bundle;
        let held = before.activations.get(&name).map(|activation| activation.key.as_str());
        let statements = Statements::new();
        let (body, made, renewed) = match body {
            None => (None, None, true),
            Some(mut body) => {
                let (key, made, renewed) = keyed(&mut body, held, &statements)?;
                body.insert("key".to_owned(), key.into());
                (Some(Value::Object(body)), made, renewed)
            }
        };
        if let Some(held) = held.filter(|_| renewed) {
            statements.push("DELETE FROM secret WHERE name = ?", &[row(held)]);
        }
        self.apply(Change::Definition { kind: KIND.to_owned(), name, body }, statements).await?;
        Ok(made)
    }

    /// The secret of this key, for what signs.
    pub(super) fn webhook_secret(&self, key: &str) -> Result<Option<String>> {
        self.told()?;
        let query = "SELECT body FROM secret WHERE name = ?";
        let rows = sql::query(&self.state.storage(), query, vec![row(key)])?;
        rows.first().map(|found| Ok(json::from_str(sql::text(found, 0)?)?)).transpose()
    }
}

/// The key of an activation's secret: that of the one it has, or a new one, whose secret was given or is
/// made here. Also the secret that was made, and whether the key is new.
fn keyed(
    body: &mut Map<String, Value>,
    held: Option<&str>,
    statements: &Statements,
) -> Result<(String, Option<String>, bool)> {
    if body.contains_key("key") {
        return Err(Error::client(400, "invalid_definition", "unknown field `key`"));
    }
    let (given, made) = match (body.remove("secret"), held) {
        (None, Some(held)) => return Ok((held.to_owned(), None, false)),
        (None, None) => {
            let made = secret(&random_bytes::<32>());
            (made.clone(), Some(made))
        }
        (Some(Value::String(given)), _) if secret_bytes(&given).is_some() => (given, None),
        (Some(_), _) => {
            let message = "secret should be whsec_ and 24 to 64 bytes in base64";
            return Err(Error::client(400, "invalid_secret", message));
        }
    };
    let key = LogId::from_bits(random_bits()).to_string();
    let given = serde_json::to_string(&given)?;
    statements.push("INSERT INTO secret VALUES (?, ?)", &[row(&key), given.into()]);
    Ok((key, made, true))
}

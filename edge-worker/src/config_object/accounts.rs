//! Accounts at services outside, with their tokens: they leave this object only towards whoever calls the
//! service.

use msci_core::json;
use serde_json::Value;
use wasm_bindgen::JsValue;

use super::ConfigObject;
use crate::error::Result;
use crate::storage::sql::{self, Statements};

/// Name of an account's row.
fn row(service: &str) -> JsValue {
    format!("account {service}").into()
}

impl ConfigObject {
    /// Keeps an account, or forgets it.
    pub(super) fn keep_account(&self, asked: &str) -> Result<String> {
        let (service, account): (String, Value) = json::from_str(asked)?;
        self.told()?;
        let statements = Statements::new();
        if account.is_null() {
            statements.push("DELETE FROM secret WHERE name = ?", &[row(&service)]);
        } else {
            let body = json::text(&account);
            statements.push("INSERT OR REPLACE INTO secret VALUES (?, ?)", &[row(&service), body.into()]);
        }
        statements.commit(&self.state.storage())?;
        Ok(String::new())
    }

    /// An account as JSON; null if there is none.
    pub(super) fn account(&self, service: &str) -> Result<String> {
        self.told()?;
        let query = "SELECT body FROM secret WHERE name = ?";
        let rows = sql::query(&self.state.storage(), query, vec![row(service)])?;
        rows.first().map_or(Ok("null".to_owned()), |found| Ok(sql::text(found, 0)?.to_owned()))
    }
}

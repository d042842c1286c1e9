//! What isolates count, added up: numbers by name, and nothing of anybody. The names are this program's own.

use msci_core::json;
use serde_json::{Map, Value};

use super::ConfigObject;
use crate::error::Result;
use crate::storage::sql::{self, Statements};

const CREATE: &str = "CREATE TABLE IF NOT EXISTS counted (name TEXT PRIMARY KEY, n INTEGER NOT NULL)";

impl ConfigObject {
    /// Adds what an isolate counted since the last time.
    pub(super) fn count(&self, counts: &str) -> Result<String> {
        let counts: Vec<(String, u64)> = json::from_str(counts)?;
        let statements = Statements::new();
        statements.push(CREATE, &[]);
        for (name, n) in &counts {
            let add = "INSERT INTO counted VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET n = n + excluded.n";
            statements.push(add, &[name.as_str().into(), (*n as f64).into()]);
        }
        statements.commit(&self.state.storage())?;
        Ok(String::new())
    }

    /// Everything, by name.
    pub(super) fn counts(&self) -> Result<String> {
        let storage = self.state.storage();
        let statements = Statements::new();
        statements.push(CREATE, &[]);
        statements.commit(&storage)?;
        let mut all = Map::new();
        for row in &sql::query(&storage, "SELECT name, n FROM counted ORDER BY name", Vec::new())? {
            all.insert(sql::text(row, 0)?.to_owned(), sql::integer(row, 1)?.into());
        }
        Ok(json::text(&Value::Object(all)))
    }
}

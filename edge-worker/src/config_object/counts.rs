//! What isolates count, added up: numbers by name, and nothing of anybody. The names are this program's
//! own; what stands behind a `/` in one is a kind of what stands before it.

use msci_core::json;
use serde_json::{Value, json};

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

    /// Sums since the system began, a second behind.
    pub(super) fn stats(&self) -> Result<String> {
        let storage = self.state.storage();
        let statements = Statements::new();
        statements.push(CREATE, &[]);
        statements.commit(&storage)?;
        let mut stats = json!({
            "accepted": 0, "duplicate": 0, "conflicts": 0, "rejected": {}, "users": {}, "tokensRefused": {},
            "proofsRefused": 0,
        });
        for row in &sql::query(&storage, "SELECT name, n FROM counted ORDER BY name", Vec::new())? {
            let (name, n) = (sql::text(row, 0)?, Value::from(sql::integer(row, 1)?));
            let (kind, of) = name.split_once('/').map_or((name, None), |(kind, of)| (kind, Some(of)));
            match (of, stats.get_mut(kind)) {
                (Some(of), Some(Value::Object(kinds))) => {
                    kinds.insert(of.to_owned(), n);
                }
                (None, Some(sum)) => *sum = n,
                _ => {}
            }
        }
        Ok(json::text(&stats))
    }
}

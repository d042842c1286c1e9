//! Links to previews, each of which can be taken once: one statement takes it and says what it was, and nothing
//! else runs in this object meanwhile.

use msci_core::json;
use msci_core::time::Timestamp;

use super::ConfigObject;
use crate::error::{Error, Result};
use crate::platform::now;
use crate::storage::sql::{self, Statements};

/// Links that wait to be opened.
const WAITING: i64 = 1000;

impl ConfigObject {
    fn with_previews(&self) -> Result<()> {
        let statements = Statements::new();
        let create = "CREATE TABLE IF NOT EXISTS preview (id TEXT PRIMARY KEY, body TEXT NOT NULL, expires INTEGER NOT NULL)";
        statements.push(create, &[]);
        statements.push("DELETE FROM preview WHERE expires <= ?", &[(now().0 as f64).into()]);
        statements.commit(&self.state.storage())
    }

    /// Keeps what a link stands for.
    pub(super) fn keep_preview(&self, asked: &str) -> Result<String> {
        let (id, body, expires): (String, String, Timestamp) = json::from_str(asked)?;
        self.with_previews()?;
        let storage = self.state.storage();
        let waiting = sql::query(&storage, "SELECT count(*) FROM preview", Vec::new())?;
        if waiting.first().is_some_and(|row| sql::integer(row, 0).is_ok_and(|waiting| waiting >= WAITING)) {
            return Err(Error::client(429, "too_many_links", "too many links wait to be opened"));
        }
        let statements = Statements::new();
        let parameters = [id.into(), body.into(), (expires.0 as f64).into()];
        statements.push("INSERT INTO preview VALUES (?, ?, ?)", &parameters);
        statements.commit(&storage)?;
        Ok(String::new())
    }

    /// Takes it; empty where it is not there, or not any more.
    pub(super) fn take_preview(&self, id: &str) -> Result<String> {
        self.with_previews()?;
        let taken = "DELETE FROM preview WHERE id = ? RETURNING body";
        let rows = sql::query(&self.state.storage(), taken, vec![id.into()])?;
        rows.first().map_or(Ok(String::new()), |row| Ok(sql::text(row, 0)?.to_owned()))
    }
}

//! The key ring (`msci_core::keys` decides what can be a key). Secrets leave this object towards the edge's isolates,
//! which check tokens with them, and once towards whoever makes one; bundles, which travel to KV, have none.

use msci_core::base64url;
use msci_core::json;
use msci_core::keys::{BUILT_IN, IDENTITY_KEYS, INGESTION_KEYS, Kind, Record};
use serde_json::json;

use super::ConfigObject;
use crate::configuration;
use crate::error::{Error, Result};
use crate::names;
use crate::platform::{now, random_bytes};
use crate::storage::sql::{self, Statements};

/// Name of the ring's revision among the secrets.
const REVISION: &str = "ring revision";

impl ConfigObject {
    /// The ring and its revision; the tables of secrets are there.
    pub(super) fn ring(&self) -> Result<(u64, Vec<Record>)> {
        let storage = self.state.storage();
        let statements = Statements::new();
        statements.push("CREATE TABLE IF NOT EXISTS ring (id TEXT PRIMARY KEY, body TEXT NOT NULL)", &[]);
        statements.push("INSERT OR IGNORE INTO secret VALUES (?, '0')", &[REVISION.into()]);
        statements.commit(&storage)?;
        let rows = sql::query(&storage, "SELECT body FROM secret WHERE name = ?", vec![REVISION.into()])?;
        let revision =
            rows.first().map_or(Ok(0), |row| sql::text(row, 0).map(|text| text.parse().unwrap_or(0)))?;
        let rows = sql::query(&storage, "SELECT body FROM ring ORDER BY rowid", Vec::new())?;
        let records = rows.iter().map(|row| Ok(json::from_str(sql::text(row, 0)?)?));
        Ok((revision, records.collect::<Result<_>>()?))
    }

    /// Versions of the bundle and of the ring.
    pub(super) fn state_of_it(&self) -> Result<String> {
        let told = self.told()?;
        Ok(serde_json::to_string(&(told.bundle.n, told.revision))?)
    }

    /// All keys, those first that are variables of the Worker; without their secrets.
    pub(super) fn keys(&self) -> Result<String> {
        let mut items = Vec::new();
        let ingestion = names::var(&self.env, names::VAR_INGESTION_KEY);
        if !ingestion.is_empty() {
            items.push(json!({ "id": ingestion, "kind": "ingestion", "key": ingestion, "origins": [], "builtIn": true }));
        }
        if !names::var(&self.env, names::VAR_IDENTITY_SECRET).is_empty() {
            items.push(json!({ "id": BUILT_IN, "kind": "identity", "alg": "HS256", "builtIn": true }));
        }
        items.extend(self.told()?.keys.iter().map(Record::shown));
        Ok(json::text(&json!({ "items": items })))
    }

    /// Makes the key that is asked for.
    pub(super) fn make_key(&self, asked: &str) -> Result<String> {
        let asked = json::value(asked)?;
        let random = (base64url::encode(&random_bytes::<12>()), base64url::encode(&random_bytes::<32>()));
        let made = Record::asked(&asked, random, now());
        let (record, secret) = made.map_err(|bad| Error::client(400, "invalid_key", bad.to_string()))?;
        let ring = self.told()?.keys;
        if ring.iter().any(|key| key.id == record.id) {
            return Err(Error::client(
                409,
                "key_exists",
                "there is a key of this id; a key is replaced by another one",
            ));
        }
        let most = match record.kind {
            Kind::Ingestion => INGESTION_KEYS,
            Kind::Identity => IDENTITY_KEYS,
        };
        if ring.iter().filter(|key| key.kind == record.kind).count() >= most {
            let message =
                format!("there are {most} keys of this kind already; remove one that is not used any more");
            return Err(Error::client(409, "too_many_keys", message));
        }
        let statements = Statements::new();
        let body = serde_json::to_string(&record)?;
        statements.push("INSERT INTO ring VALUES (?, ?)", &[record.id.as_str().into(), body.into()]);
        self.revised(statements)?;
        let mut shown = record.shown();
        if let (Some(shown), Some(secret)) = (shown.as_object_mut(), secret) {
            shown.insert("secret".to_owned(), secret.into());
        }
        Ok(json::text(&shown))
    }

    /// Removes a key: what is signed with it, or sent with it, is refused from then on.
    pub(super) fn remove_key(&self, id: &str) -> Result<String> {
        if !self.told()?.keys.iter().any(|key| key.id == id) {
            if id == BUILT_IN || id == names::var(&self.env, names::VAR_INGESTION_KEY) {
                let message = "this key is a variable of the Worker: change it there";
                return Err(Error::client(409, "built_in", message));
            }
            return Err(Error::not_found());
        }
        let statements = Statements::new();
        statements.push("DELETE FROM ring WHERE id = ?", &[id.into()]);
        self.revised(statements)?;
        Ok(String::new())
    }

    /// Commits a change of the ring. Who is served where this object is has it from now on; elsewhere, in a second.
    fn revised(&self, statements: Statements) -> Result<()> {
        statements
            .push("UPDATE secret SET body = CAST(body AS INTEGER) + 1 WHERE name = ?", &[REVISION.into()]);
        statements.commit(&self.state.storage())?;
        configuration::forget();
        Ok(())
    }
}

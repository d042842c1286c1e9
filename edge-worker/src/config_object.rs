//! The one Durable Object that holds the configuration: immutable bundles by version, and the secrets
//! of this system. A change is compiled before it is stored, so what is stored always compiles.

mod access;
mod accounts;
mod activations;
mod counting;
mod keys;
mod previews;

use std::cell::{Cell, RefCell};

use msci_core::collections::Map;
use msci_core::config::{Bundle, ConsentMode, Verification};
use msci_core::definitions::Definitions;
use msci_core::json;
use msci_core::{activation, experience};
use serde_json::Value;
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::calls::Change;
use crate::configuration::{self, Told};
use crate::error::{Error, Result};
use crate::names;
use crate::platform::{random_bytes, within};
use crate::storage::sql::{self, Statements};
use crate::storage::{index, snapshots};

/// How long KV may hold up the answer to a change.
const KV_BUDGET_MS: i64 = 1000;

/// The configuration.
#[durable_object(fetch)]
pub struct ConfigObject {
    state: State,
    env: Env,
    /// Requests granted, by token and window. In memory alone: an object that begins anew grants anew.
    leases: RefCell<Map<u32, (i64, u32)>>,
    /// Whether the tables of tokens and of the audit log are there.
    ready: Cell<bool>,
    /// Signals for whoever watches.
    live: RefCell<counting::Live>,
}

impl DurableObject for ConfigObject {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, leases: RefCell::default(), ready: Cell::new(false), live: RefCell::default() }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        let body = request.text().await?;
        let answer = match request.path().as_str() {
            "/state" => self.state_of_it(),
            "/keys" => self.keys(),
            "/keys/make" => self.make_key(&body),
            "/keys/remove" => self.remove_key(&body),
            "/told" => self.told().and_then(|told| Ok(serde_json::to_string(&told)?)),
            "/pulse" => self.pulse(&body),
            "/stats" => self.stats(&body),
            "/watch" => self.watch(&body),
            "/lease" => self.lease(&body),
            "/change" => self.change(&body).await.map(|n| n.to_string()),
            "/activation" => self.change_activation(&body).await,
            "/secret" => self.webhook_secret(&body),
            "/preview/keep" => self.keep_preview(&body),
            "/preview/take" => self.take_preview(&body),
            "/account/keep" => self.keep_account(&body),
            "/account" => self.account(&body),
            "/token" => self.token(&body),
            "/tokens" => self.tokens(),
            "/token/make" => self.make_token(&body),
            "/token/remove" => self.remove_token(&body),
            "/audit" => self.audit(&body),
            "/audit/tell" => self.tell_audit(&body),
            "/audit/end" => self.end_audit(&body),
            _ => Err(Error::not_found()),
        };
        match answer {
            Ok(answer) => Response::ok(answer),
            Err(error) => error.into_response(),
        }
    }
}

const NAMES: &str = "name key";
const PROOFS: &str = "proof key";

impl ConfigObject {
    /// Reads the newest bundle; a new system is made here, secrets included.
    fn told(&self) -> Result<Told> {
        let storage = self.state.storage();
        let statements = Statements::new();
        statements.push("CREATE TABLE IF NOT EXISTS secret (name TEXT PRIMARY KEY, body TEXT NOT NULL)", &[]);
        statements.push("CREATE TABLE IF NOT EXISTS bundle (n INTEGER PRIMARY KEY, body TEXT NOT NULL)", &[]);
        statements
            .push("CREATE TABLE IF NOT EXISTS retired (name TEXT PRIMARY KEY, body TEXT NOT NULL)", &[]);
        for name in [NAMES, PROOFS] {
            let fresh = serde_json::to_string(random_bytes::<32>().as_slice())?;
            statements.push("INSERT OR IGNORE INTO secret VALUES (?, ?)", &[name.into(), fresh.into()]);
        }
        statements.commit(&storage)?;
        let secret = |name: &str| -> Result<Vec<u8>> {
            let rows = sql::query(&storage, "SELECT body FROM secret WHERE name = ?", vec![name.into()])?;
            let row = rows.first().ok_or_else(|| Error::damaged(format!("no {name}")))?;
            Ok(json::from_str(sql::text(row, 0)?)?)
        };
        let rows = sql::query(&storage, "SELECT body FROM bundle ORDER BY n DESC LIMIT 1", Vec::new())?;
        let bundle = match rows.first() {
            Some(row) => json::from_str(sql::text(row, 0)?)?,
            None => self.first_bundle(),
        };
        let (revision, keys) = self.ring()?;
        Ok(Told { bundle, names: secret(NAMES)?, proofs: secret(PROOFS)?, revision, keys })
    }

    /// What a new system starts with. Version 0 would look like "never told" to objects.
    fn first_bundle(&self) -> Bundle {
        let mut bundle = Bundle { n: 1, ..Bundle::default() };
        if names::var(&self.env, names::VAR_VERIFICATION) == "required" {
            bundle.settings.identity.verification = Verification::Required;
        }
        bundle
    }

    /// Part of the requests that a token may make in a window; and what is left of them.
    fn lease(&self, body: &str) -> Result<String> {
        let (token, window, want, most): (u32, i64, u32, u32) = json::from_str(body)?;
        let mut leases = self.leases.borrow_mut();
        let lease = leases.get_or_insert_with(token, || (window, 0));
        if lease.0 != window {
            *lease = (window, 0);
        }
        let granted = want.min(most.saturating_sub(lease.1));
        lease.1 += granted;
        Ok(serde_json::to_string(&(granted, most.saturating_sub(lease.1)))?)
    }

    /// A table's key names customers: it cannot change once it has, also where the table was deleted since.
    async fn protect(&self, change: &Change) -> Result<()> {
        let Change::Definition { kind, name, body: Some(after) } = change else { return Ok(()) };
        if kind != "tables" {
            return Ok(());
        }
        let present = self.told()?.bundle.tables.get(name).map(|table| {
            let key = (&table.primary_key, table.case_insensitive_key);
            serde_json::to_string(&key)
        });
        let before = match present {
            Some(key) => key?,
            None => {
                if index::count(&self.env, name).await? > 0 {
                    let message = "rows of a table of this name that was deleted are still being taken away";
                    return Err(Error::client(409, "being_deleted", message));
                }
                let query = "SELECT body FROM retired WHERE name = ?";
                let rows = sql::query(&self.state.storage(), query, vec![name.into()])?;
                let Some(row) = rows.first() else { return Ok(()) };
                sql::text(row, 0)?.to_owned()
            }
        };
        let fold = after.get("caseInsensitiveKey").and_then(Value::as_bool).unwrap_or(false);
        let after = serde_json::to_string(&(after.get("primaryKey"), fold))?;
        if after == before || !index::is_used(&self.env, name).await? {
            return Ok(());
        }
        let message = "primaryKey and caseInsensitiveKey cannot change once there are rows or customers";
        Err(Error::client(400, "key_is_fixed", message))
    }

    async fn change(&self, body: &str) -> Result<u64> {
        self.apply(json::from_str(body)?, Statements::new()).await
    }

    /// A change, and what is stored with it.
    async fn apply(&self, change: Change, statements: Statements) -> Result<u64> {
        self.protect(&change).await?;
        let before = self.told()?.bundle;
        let deletes = matches!(change, Change::Definition { body: None, .. });
        let mut next = changed(&before, change)?;
        if next == before {
            return Ok(before.n);
        }
        next.follow(&before);
        let n = next.n;
        // What was there compiled: where it no longer does, somebody needs what was taken away.
        let checked = activation::check(&next).and_then(|()| experience::check(&next, &before));
        let definitions = checked.and_then(|()| Definitions::compile(next));
        let definitions = definitions.map_err(|error| {
            let message = error.to_string();
            if deletes { in_use(&message) } else { Error::client(400, error.code(), message) }
        })?;
        for (name, table) in
            before.tables.iter().filter(|(name, _)| !definitions.bundle.tables.contains_key(*name))
        {
            let key = serde_json::to_string(&(&table.primary_key, table.case_insensitive_key))?;
            statements.push("INSERT OR REPLACE INTO retired VALUES (?, ?)", &[name.into(), key.into()]);
        }
        let text = serde_json::to_string(&definitions.bundle)?;
        statements.push("INSERT INTO bundle VALUES (?, ?)", &[(n as f64).into(), text.as_str().into()]);
        statements.commit(&self.state.storage())?;
        // For other locations. Where it does not arrive, this object is asked.
        if let Some(Err(error)) = within(KV_BUDGET_MS, snapshots::put_bundle(&self.env, n, &text)).await {
            worker::console_error!("version {n} is not in KV: {error}");
        }
        // Visitors who are served where this object is have it from now on; those elsewhere, in a second.
        configuration::forget();
        Ok(n)
    }
}

fn in_use(by: &str) -> Error {
    Error::client(409, "in_use", format!("this is still used: {by}"))
}

/// The bundle after a change, not yet compiled.
fn changed(before: &Bundle, change: Change) -> Result<Bundle> {
    // Through text: every shape keeps one serialiser in the Worker.
    let mut value = json::value(&serde_json::to_string(before)?)?;
    match change {
        Change::Settings(patch) => {
            let settings =
                value.get_mut("settings").ok_or_else(|| Error::damaged("no settings".to_owned()))?;
            merge(settings, patch);
        }
        Change::Definition { kind, name, body } => {
            let kinds = value.as_object_mut().ok_or_else(|| Error::damaged("no bundle".to_owned()))?;
            let definitions =
                kinds.entry(kind.as_str()).or_insert_with(|| Value::Object(serde_json::Map::new()));
            let definitions =
                definitions.as_object_mut().ok_or_else(|| Error::damaged(format!("no kind {kind}")))?;
            match body {
                Some(body) => {
                    definitions.insert(name, body);
                }
                None => {
                    definitions.remove(&name).ok_or_else(Error::not_found)?;
                }
            }
        }
    }
    let next: Bundle = json::from_value(&value)
        .map_err(|error| Error::client(400, "invalid_definition", error.to_string()))?;
    let consent = &next.settings.consent;
    if !consent.inputs.is_empty() && consent.mode == ConsentMode::Implied {
        let message =
            "consent.inputs: a platform asks visitors first, so consent.mode has to be \"required\"";
        return Err(Error::client(400, "invalid_settings", message));
    }
    if let Some(table) =
        next.settings.tracking_table.as_ref().filter(|table| !next.tables.contains_key(*table))
    {
        if before.settings.tracking_table == next.settings.tracking_table {
            return Err(in_use("the settings name it as trackingTable"));
        }
        let message = format!("there is no table named {table}");
        return Err(Error::client(400, "invalid_settings", message));
    }
    Ok(next)
}

/// Merges deeply; lists and plain values replace.
fn merge(into: &mut Value, patch: Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (name, value) in patch {
                merge(into.entry(name).or_insert(Value::Object(serde_json::Map::new())), value);
            }
        }
        (into, patch) => *into = patch,
    }
}

//! Segments: how many are in one and who, and a filter tried out before it is saved. All of it from the
//! index, within bounds.

use msci_core::collections::json_object;
use msci_core::definitions::DefinitionError;
use msci_core::ids::{CustomerId, SignalKey};
use msci_core::json;
use msci_core::preview::{Listed, Preview};
use msci_core::signal::Signal;
use serde_json::{Map, Value, json};
use worker::{Env, Request, Response};

use super::customers::{as_listed, paging};
use crate::calls::{self, JobCall};
use crate::configuration::Configuration;
use crate::error::{Error, Result};
use crate::http;
use crate::platform::now;
use crate::storage::index::{self, Which};

/// Customers that a preview shows.
const SHOWN: usize = 100;
/// Customers that a preview looks at, and their activities.
const LOOKED_AT: usize = 200_000;
const ACTIVITIES: usize = 100_000;
/// Customers that are read at once.
const PAGE: u32 = 500;

/// Adds `members`, and while the definitions are carried to everybody, `evaluating`.
pub(super) async fn add_size(env: &Env, name: &str, answer: &mut Map<String, Value>) -> Result<()> {
    answer.insert("members".to_owned(), index::members(env, name).await?.into());
    let jobs = calls::job(env, &JobCall::List).await?;
    let is = |job: &Value, field: &str, what: &str| job.get(field).and_then(Value::as_str) == Some(what);
    let mut jobs = jobs.as_array().into_iter().flatten();
    if let Some(job) = jobs.find(|job| is(job, "kind", "evaluate") && is(job, "state", "running")) {
        let evaluating = json!({ "job": job.get("id"), "done": job.get("done"), "total": job.get("total") });
        answer.insert("evaluating".to_owned(), evaluating);
    }
    Ok(())
}

/// `GET /segments/{name}/members?top=&skiptoken=`
pub(super) async fn members(
    request: &Request,
    env: &Env,
    configuration: &Configuration,
    name: &str,
) -> Result<Response> {
    if !configuration.definitions.bundle.segments.contains_key(name) {
        return Err(Error::not_found());
    }
    let (top, token) = paging(&http::url(request)?.search_params())?;
    let behind = token.map(|token| token.parse::<CustomerId>().map_err(|_| super::customers::bad_token()));
    let behind = behind.transpose()?.map(|id| id.to_string()).unwrap_or_default();
    let mut rows = index::members_list(env, name, &behind, top + 1).await?;
    let more = rows.len() > top as usize;
    rows.truncate(top as usize);
    let last = rows.last().filter(|_| more).and_then(|row| row.get("customerId").cloned());
    rows.iter_mut().for_each(as_listed);
    let count = index::members(env, name).await?;
    http::json(&json!({ "customers": rows, "count": count, "skiptoken": last }))
}

/// What a preview has found so far.
struct Found {
    count: u64,
    looked_at: usize,
    activities: usize,
    shown: Vec<Value>,
}

impl Found {
    fn note(&mut self, holds: bool, row: impl FnOnce() -> Value) {
        self.looked_at += 1;
        if holds {
            self.count += 1;
            if self.shown.len() < SHOWN {
                self.shown.push(row());
            }
        }
    }

    fn is_over(&self) -> bool {
        self.looked_at >= LOOKED_AT || self.activities >= ACTIVITIES
    }
}

/// `POST /segments/preview { filter }`: how many would be in it, and the first of them.
pub(super) async fn preview(env: &Env, configuration: &Configuration, asked: &Value) -> Result<Response> {
    let filter = asked.get("filter").and_then(Value::as_str);
    let filter = filter.ok_or_else(|| Error::client(400, "invalid_request", "send a filter"))?;
    let preview = Preview::new(&configuration.definitions.bundle, filter).map_err(|error| match &error {
        DefinitionError::Filter { error, .. } => Error::client(400, error.code, error.to_string()),
        DefinitionError::Invalid { .. } => Error::client(400, error.code(), error.to_string()),
    })?;
    let mut found = Found { count: 0, looked_at: 0, activities: 0, shown: Vec::new() };
    with_objects(env, &preview, &mut found).await?;
    if !found.is_over() {
        with_rows_alone(env, &preview, &mut found).await?;
    }
    let retention = &configuration.settings().retention;
    let beyond = preview.reaches_beyond(retention.index_days.min(retention.signal_days));
    let mut answer = json!({ "count": found.count, "customers": found.shown });
    if let Some(answer) = answer.as_object_mut().filter(|_| beyond || found.is_over()) {
        answer.insert("approximate".to_owned(), true.into());
    }
    http::json(&answer)
}

async fn with_objects(env: &Env, preview: &Preview, found: &mut Found) -> Result<()> {
    let now = now();
    let mut behind = String::new();
    while !found.is_over() {
        let mut rows = index::customers(env, &behind, PAGE).await?;
        let id = |row: &Value| row.get("customerId").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(last) = rows.last().map(id) else { break };
        let mut activities = Vec::new();
        if preview.needs_activities() {
            let left = (ACTIVITIES - found.activities) as u32;
            activities = index::activities_of(env, &behind, &last, left).await?;
        }
        found.activities += activities.len();
        let mut activities = activities.into_iter().peekable();
        behind = last;
        for row in &mut rows {
            let whose = id(row);
            // Both come in the order of customers; some activities are of customers who are gone.
            let mut own: Vec<(SignalKey, Signal)> = Vec::new();
            while let Some((customer, key, signal)) = activities.next_if(|(customer, ..)| *customer <= whose)
            {
                if customer == whose {
                    own.push((key, signal));
                }
            }
            let part = |name: &str| row.get(name).unwrap_or(&Value::Null);
            let segments: Vec<String> = json::from_value(part("segments")).unwrap_or_default();
            let customer = Listed {
                attributes: part("attributes"),
                measures: part("measures"),
                segments: &segments,
                activities: &own,
            };
            let holds = preview.holds(&customer, now);
            found.note(holds, || {
                as_listed(row);
                row.take()
            });
        }
    }
    Ok(())
}

/// Customers who have an imported row and nothing else.
async fn with_rows_alone(env: &Env, preview: &Preview, found: &mut Found) -> Result<()> {
    let now = now();
    let (mut source, mut key) = (String::new(), String::new());
    while !found.is_over() {
        let rows = index::bare(env, Which::Behind(&source, &key), PAGE).await?;
        let Some(last) = rows.last() else { break };
        (source, key) = (last.source.clone(), last.key.clone());
        for row in &rows {
            let values = row.row.values.iter().filter(|(_, value)| !value.is_null());
            let attributes: Value =
                json_object(values.map(|(name, value)| (name.clone(), value.clone()))).into();
            let segments: Vec<String> = row.memberships.iter().map(|(name, _)| name.clone()).collect();
            let customer = Listed {
                attributes: &attributes,
                measures: &Value::Null,
                segments: &segments,
                activities: &[],
            };
            let holds = preview.holds(&customer, now);
            found.note(holds, || {
                let mut row = json!({
                    "customerId": row.customer, "known": true, "authId": row.key, "cookieIds": [],
                    "attributes": attributes, "lastSeen": null,
                });
                as_listed(&mut row);
                row
            });
        }
    }
    Ok(())
}

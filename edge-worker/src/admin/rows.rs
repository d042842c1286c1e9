//! `POST /tables/{name}/rows`: CSV or JSON Lines, a verdict for every bad line, the others are taken.

use std::collections::BTreeSet;

use msci_core::collections::{Map as SmallMap, json_object};
use msci_core::config::{Column, Table};
use msci_core::identity::{self, NameKey};
use serde_json::{Map, Value, json};
use worker::{Env, Request, Response};

use crate::calls::{self, JobCall, Work};
use crate::configuration::Configuration;
use crate::error::{Error, Result};
use crate::http::{self, header};
use crate::platform::normal;
use crate::storage::index::{self, NewRow};

/// Largest import in one request, in bytes.
const IMPORT_BYTES: usize = 8 * 1024 * 1024;
/// Longest row, as JSON, in bytes.
const ROW_BYTES: usize = 64 * 1024;
/// Rows in one statement, and their bytes: the database takes 2 MB.
const CHUNK: usize = 500;
const CHUNK_BYTES: usize = 1024 * 1024;

struct Report {
    received: u64,
    created: u64,
    updated: u64,
    rejected: Vec<Value>,
}

impl Report {
    fn reject(&mut self, line: u64, code: &str, message: &str) {
        self.rejected.push(json!({ "line": line, "code": code, "message": message }));
    }
}

/// Imports rows.
pub(super) async fn import(
    request: Request,
    env: &Env,
    configuration: &Configuration,
    name: &str,
) -> Result<Response> {
    let table = configuration.definitions.bundle.tables.get(name).ok_or_else(Error::not_found)?;
    let media = http::media_type(&header(&request, "content-type"));
    let body = http::body(&request, IMPORT_BYTES).await?;
    let mut report = Report { received: 0, created: 0, updated: 0, rejected: Vec::new() };
    let rows = match media.as_str() {
        "text/csv" => csv_rows(&body, Rows::new(name, table, &configuration.names), &mut report)?,
        "application/x-ndjson" => json_rows(&body, Rows::new(name, table, &configuration.names), &mut report),
        _ => {
            return Err(Error::client(
                415,
                "unsupported_media_type",
                "send text/csv or application/x-ndjson",
            ));
        }
    };
    let mut marked = false;
    for chunk in chunks(&rows) {
        let done = index::upsert(env, name, chunk).await?;
        report.created += done.created;
        report.updated += done.updated;
        marked |= done.marked;
    }
    if marked {
        calls::job(env, &JobCall::Start(Work::Push {})).await?;
    }
    http::json(&json!({
        "received": report.received,
        "created": report.created,
        "updated": report.updated,
        "unchanged": report.received - report.created - report.updated - report.rejected.len() as u64,
        "rejected": report.rejected,
    }))
}

/// Rows in pieces that one statement takes.
fn chunks(rows: &[NewRow]) -> impl Iterator<Item = &[NewRow]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = rest.iter().take(CHUNK).take_while(|row| {
            bytes += row.body.len() + row.key.len();
            bytes <= CHUNK_BYTES
        });
        let (chunk, left) = rest.split_at(fits.count());
        rest = left;
        (!chunk.is_empty()).then_some(chunk)
    })
}

fn csv_rows(body: &[u8], mut rows: Rows<'_>, report: &mut Report) -> Result<Vec<NewRow>> {
    let table = rows.table;
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(body);
    let bad_header = || Error::client(400, "invalid_csv", "the first line should name the columns");
    let names = reader.headers().map_err(|_| bad_header())?.clone();
    for name in &names {
        if name != table.primary_key && !table.columns.contains_key(name) {
            return Err(Error::client(400, "unknown_column", format!("the table has no column {name:?}")));
        }
    }
    let mut lines = Lines { body, at: 0, line: 1 };
    for record in reader.records() {
        report.received += 1;
        match record {
            Ok(record) => {
                let line = lines.of(record.position());
                if record.len() != names.len() {
                    report.reject(
                        line,
                        "wrong_column_count",
                        "the line has not as many values as the header",
                    );
                    continue;
                }
                let values = names.iter().zip(record.iter());
                let values = json_object(values.map(|(name, text)| (name.to_owned(), Value::from(text))));
                rows.add(line, &values, true, report);
            }
            Err(error) => {
                let line = lines.of(error.position());
                report.reject(line, "invalid_line", "the line is not valid CSV in UTF-8");
            }
        }
    }
    Ok(rows.done)
}

/// Counts lines up to a record: the reader's own count is one behind where lines end in CRLF, since it
/// takes the LF for the next record's.
struct Lines<'a> {
    body: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    fn of(&mut self, position: Option<&csv::Position>) -> u64 {
        let byte = position.map_or(self.at, |position| position.byte() as usize);
        let begins_with_lf = self.body.get(byte) == Some(&b'\n');
        let upto = byte + usize::from(begins_with_lf);
        let passed = self.body.get(self.at..upto).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.at = upto.max(self.at);
        self.line
    }
}

fn json_rows(body: &[u8], mut rows: Rows<'_>, report: &mut Report) -> Vec<NewRow> {
    for (line, text) in (1..).zip(body.split(|byte| *byte == b'\n')) {
        if text.trim_ascii().is_empty() {
            continue;
        }
        report.received += 1;
        match msci_core::strict_json::parse(text) {
            Ok(Value::Object(values)) => rows.add(line, &values, false, report),
            _ => report.reject(line, "invalid_line", "the line is not a JSON object"),
        }
    }
    rows.done
}

/// Rows of one import; a key that comes twice is refused the second time.
struct Rows<'a> {
    name: &'a str,
    table: &'a Table,
    names: &'a NameKey,
    // As many as the import has rows: a tree.
    seen: BTreeSet<String>,
    done: Vec<NewRow>,
}

impl<'a> Rows<'a> {
    fn new(name: &'a str, table: &'a Table, names: &'a NameKey) -> Self {
        Self { name, table, names, seen: BTreeSet::new(), done: Vec::new() }
    }

    fn add(&mut self, line: u64, values: &Map<String, Value>, from_text: bool, report: &mut Report) {
        let normal = normal(self.table.case_insensitive_key);
        let key = match values.get(&self.table.primary_key) {
            Some(Value::String(key)) => identity::auth_id(key, normal),
            Some(Value::Number(key)) => identity::auth_id(&key.to_string(), normal),
            _ => return report.reject(line, "key_missing", "the key column is missing or not text"),
        };
        let Ok(key) = key else {
            return report.reject(line, "key_invalid", "the key is empty, a placeholder or too long");
        };
        let mut columns = SmallMap::new();
        for (name, column) in self.table.columns.iter() {
            let value = values.get(name).unwrap_or(&Value::Null);
            let Some(value) = convert(value, *column, from_text) else {
                let message = format!("{name} should be a {column:?}").to_lowercase();
                return report.reject(line, "invalid_value", &message);
            };
            columns.insert(name.clone(), value);
        }
        if let Some(unknown) =
            values.keys().find(|name| **name != self.table.primary_key && !columns.contains_key(*name))
        {
            return report.reject(line, "unknown_column", &format!("the table has no column {unknown:?}"));
        }
        columns.insert(self.table.primary_key.clone(), key.clone().into());
        let body = serde_json::to_string(&columns).unwrap_or_default();
        if body.len() > ROW_BYTES {
            let message = format!("a row has at most {ROW_BYTES} bytes");
            return report.reject(line, "too_large", &message);
        }
        if !self.seen.insert(key.clone()) {
            return report.reject(line, "duplicate_key", "this key came before in the same import");
        }
        let customer = self.names.known(self.name, &key);
        self.done.push(NewRow { key, customer, body });
    }
}

/// A value as its column wants it; in CSV everything arrives as text, and nothing means null.
fn convert(value: &Value, column: Column, from_text: bool) -> Option<Value> {
    match (column, value) {
        (_, Value::Null) => Some(Value::Null),
        (_, Value::String(text)) if from_text && text.is_empty() => Some(Value::Null),
        (Column::String, Value::String(_))
        | (Column::Number, Value::Number(_))
        | (Column::Boolean, Value::Bool(_)) => Some(value.clone()),
        (Column::Number, Value::String(text)) if from_text => {
            msci_core::json::number(text.trim()).map(Value::from)
        }
        (Column::Boolean, Value::String(text)) if from_text => {
            match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" => Some(true.into()),
                "false" | "0" => Some(false.into()),
                _ => None,
            }
        }
        _ => None,
    }
}

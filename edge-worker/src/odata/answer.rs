//! Answers on the wire: formats and levels of metadata, rows with their annotations, headers.

use msci_core::odata::address::{Address, Dialect, Path};
use msci_core::odata::metadata::NAMESPACE;
use msci_core::odata::model::{Column, Edm, Set};
use msci_core::odata::record::Record;
use serde_json::{Map, Value};
use worker::{Response, ResponseBuilder};

use super::Asked;
use crate::error::{Error, Result};

/// What an answer is made of.
pub(super) enum Answer {
    /// JSON of the service.
    Json(Value),
    /// `$metadata`
    Xml(String),
    /// `/$count`
    Text(String),
}

/// How much an answer says about itself.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Format {
    /// Nothing but what is needed to go on.
    None,
    /// A context.
    Minimal,
    /// Types and addresses too.
    Full,
}

impl Format {
    /// From `Accept`, or `$format`, which goes before it.
    pub(super) fn of(accept: &str, address: &Address) -> Result<Self> {
        let accept = address.options.get("$format").map_or(accept, String::as_str).to_ascii_lowercase();
        let is_json = |range: &str| {
            let media = range.split(';').next().unwrap_or_default().trim();
            matches!(media, "" | "*/*" | "application/*" | "application/json" | "json" | "text/json")
        };
        let range = accept.split(',').find(|range| is_json(range));
        let is_other = matches!(address.path, Path::Metadata | Path::Named { count: true, .. });
        let Some(range) = range else {
            return if is_other { Ok(Self::Minimal) } else { Err(not_acceptable()) };
        };
        let mut levels = range.split(';').filter_map(|part| {
            let (name, value) = part.split_once('=')?;
            matches!(name.trim(), "odata.metadata" | "metadata").then(|| value.trim().trim_matches('"'))
        });
        match levels.next_back() {
            Some("none") => Ok(Self::None),
            None | Some("minimal") => Ok(Self::Minimal),
            Some("full") => Ok(Self::Full),
            Some(_) => Err(not_acceptable()),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Full => "full",
        }
    }
}

fn not_acceptable() -> Error {
    let message = "answers are application/json, with odata.metadata=none, minimal or full";
    Error::client(406, "not_acceptable", message)
}

/// `odata.maxpagesize=N` of the header `Prefer`.
pub(super) fn preferred_page(prefer: &str) -> Option<usize> {
    let page = |part: &str| {
        let (name, value) = part.split_once('=')?;
        let name = name.trim();
        let wanted =
            name.eq_ignore_ascii_case("odata.maxpagesize") || name.eq_ignore_ascii_case("maxpagesize");
        value.trim().parse().ok().filter(|page| wanted && *page > 0)
    };
    prefer.split([',', ';']).find_map(page)
}

/// The answer with its headers.
pub(super) fn response(answer: Answer, asked: &Asked<'_>) -> Result<Response> {
    let (kind, text) = match answer {
        Answer::Xml(text) => ("application/xml;charset=utf-8".to_owned(), text),
        Answer::Text(text) => ("text/plain;charset=utf-8".to_owned(), text),
        Answer::Json(value) => {
            let kind = format!("application/json;odata.metadata={};charset=utf-8", asked.format.name());
            (kind, serde_json::to_string(&value)?)
        }
    };
    let builder = ResponseBuilder::new()
        .with_header("Cache-Control", "no-store")?
        .with_header("X-Content-Type-Options", "nosniff")?
        .with_header("Content-Type", &kind)?;
    let response = builder.fixed(text.into_bytes());
    if let Some(page) = asked.page {
        let applied = format!("odata.maxpagesize={}", page.min(msci_core::odata::question::PAGE));
        response.headers().set("Preference-Applied", &applied)?;
    }
    Ok(response)
}

/// An object that begins with its context.
pub(super) fn with_context(asked: &Asked<'_>, of: &str) -> Map<String, Value> {
    let mut answer = Map::new();
    if asked.format != Format::None {
        answer.insert("@odata.context".to_owned(), format!("{}$metadata#{of}", asked.root).into());
    }
    answer
}

/// One row of a set.
pub(super) fn row(
    asked: &Asked<'_>,
    set: Set,
    columns: &[(String, &Column)],
    record: &Record,
) -> Map<String, Value> {
    let dialect = asked.address.dialect;
    let mut row = Map::new();
    if asked.format == Format::Full {
        annotate(asked, &mut row, set, dialect, record);
    }
    for (name, column) in columns {
        let value = record.value(&column.source);
        if asked.format == Format::Full && !value.is_null() {
            let kind = match column.edm {
                Edm::Time => Some("#DateTimeOffset"),
                Edm::Guid => Some("#Guid"),
                Edm::Texts => Some("#Collection(String)"),
                Edm::Text | Edm::Bool | Edm::Number => None,
            };
            if let Some(kind) = kind {
                row.insert(format!("{name}@odata.type"), kind.into());
            }
        }
        row.insert(name.clone(), value);
    }
    row
}

fn annotate(asked: &Asked<'_>, row: &mut Map<String, Value>, set: Set, dialect: Dialect, record: &Record) {
    let columns = msci_core::odata::model::columns(set, &asked.configuration.definitions.bundle);
    row.insert("@odata.type".to_owned(), format!("#{NAMESPACE}.{}", set.type_name(dialect)).into());
    let Some(column) = columns.first() else { return };
    if let Value::String(key) = record.value(&column.source) {
        let key = if column.edm == Edm::Guid { key } else { format!("'{key}'") };
        row.insert("@odata.id".to_owned(), format!("{}{}({key})", asked.root, set.name(dialect)).into());
    }
}

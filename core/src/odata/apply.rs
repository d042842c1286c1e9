//! `$apply`: `filter(…)/groupby((a,b),aggregate(x with sum as y,$count as n))`, or a part of it.

use super::entity::Rows;
use super::model::{Edm, Source};
use super::question::{Filter, direction};
use super::{Fault, search};
use crate::expr::{Expr, Type};

/// Most columns that are grouped by or aggregated; the database takes 32 arguments of a function.
const COLUMNS: usize = 16;

/// How values become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// How many rows.
    Count,
    /// `sum`
    Sum,
    /// `average`
    Average,
    /// `min`
    Min,
    /// `max`
    Max,
    /// `countdistinct`
    CountDistinct,
}

/// One column of the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// How it is called.
    pub name: String,
    /// How it is made.
    pub method: Method,
    /// Of what; nothing for a count.
    pub of: Source,
    /// Its type.
    pub edm: Edm,
}

/// What is asked instead of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Apply {
    /// Of which rows.
    pub filter: Option<Filter>,
    /// Groups: the name as written, the column, its type.
    pub groups: Vec<(String, Source, Edm)>,
    /// Aggregates.
    pub aggregates: Vec<Aggregate>,
    /// Columns of the answer to sort by, from 0, groups first; and whether the largest comes first.
    pub order: Vec<(usize, bool)>,
}

/// Reads the option.
pub(super) fn read(
    text: &str,
    rows: &Rows<'_>,
    resolved: &dyn Fn(&str) -> Result<Filter, Fault>,
) -> Result<Apply, Fault> {
    let mut apply = Apply { filter: None, groups: Vec::new(), aggregates: Vec::new(), order: Vec::new() };
    for step in search::split(text, '/') {
        if !apply.groups.is_empty() || !apply.aggregates.is_empty() {
            return Err(unknown(step));
        }
        let inner = |name: &str| step.trim().strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(filter) = inner("filter") {
            let filter = resolved(filter)?;
            apply.filter = Some(match apply.filter.take() {
                Some(before) => Expr::And(vec![before, filter]),
                None => filter,
            });
        } else if let Some(aggregate) = inner("aggregate") {
            apply.aggregates = aggregates(aggregate, rows)?;
        } else if let Some(group) = inner("groupby") {
            apply.group(group, rows)?;
        } else {
            return Err(unknown(step));
        }
    }
    let columns = apply.groups.len() + apply.aggregates.len();
    if columns == 0 || columns > COLUMNS {
        return Err(Fault::query(format!("$apply gives 1 to {COLUMNS} columns")));
    }
    let names: Vec<&str> = apply.names().collect();
    if names.iter().enumerate().any(|(at, name)| names.iter().skip(at + 1).any(|other| other == name)) {
        return Err(Fault::query("$apply: two columns have the same name"));
    }
    Ok(apply)
}

fn unknown(step: &str) -> Fault {
    Fault::query(format!(
        "$apply: {step:.80?} is none of filter(…), then aggregate(…) or groupby((…),aggregate(…))"
    ))
}

impl Apply {
    fn group(&mut self, text: &str, rows: &Rows<'_>) -> Result<(), Fault> {
        let parts = search::split(text, ',');
        let (list, rest) = parts.split_first().ok_or_else(|| unknown(text))?;
        let list = list
            .trim()
            .strip_prefix('(')
            .and_then(|list| list.strip_suffix(')'))
            .ok_or_else(|| unknown(text))?;
        for name in list.split(',') {
            let (source, kind) = rows.path(name)?;
            self.groups.push((name.trim().to_owned(), source, edm(kind)));
        }
        match rest {
            [] => Ok(()),
            [aggregate] => {
                let inner =
                    aggregate.trim().strip_prefix("aggregate(").and_then(|inner| inner.strip_suffix(')'));
                self.aggregates = aggregates(inner.ok_or_else(|| unknown(aggregate))?, rows)?;
                Ok(())
            }
            _ => Err(unknown(text)),
        }
    }

    /// Names of the answer's columns.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let groups = self.groups.iter().map(|(name, ..)| name.as_str());
        groups.chain(self.aggregates.iter().map(|aggregate| aggregate.name.as_str()))
    }

    /// Types of the answer's columns.
    pub fn types(&self) -> impl Iterator<Item = Edm> {
        let groups = self.groups.iter().map(|(.., edm)| *edm);
        groups.chain(self.aggregates.iter().map(|aggregate| aggregate.edm))
    }

    /// `$orderby` sorts the answer by its own columns.
    pub(super) fn order(&mut self, text: &str) -> Result<(), Fault> {
        for part in text.split(',') {
            let (name, descending) = direction(part)?;
            let column = self.names().position(|own| own.eq_ignore_ascii_case(name));
            let column =
                column.ok_or_else(|| Fault::query(format!("$orderby: $apply gives no column {name:.80}")))?;
            self.order.push((column, descending));
        }
        Ok(())
    }
}

fn edm(kind: Type) -> Edm {
    match kind {
        Type::Number => Edm::Number,
        Type::Time => Edm::Time,
        Type::Bool => Edm::Bool,
        Type::Text | Type::Any | Type::Null => Edm::Text,
    }
}

fn aggregates(text: &str, rows: &Rows<'_>) -> Result<Vec<Aggregate>, Fault> {
    search::split(text, ',').into_iter().map(|part| aggregate(part, rows)).collect()
}

fn aggregate(text: &str, rows: &Rows<'_>) -> Result<Aggregate, Fault> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (of, method, name) = match words.as_slice() {
        ["$count", "as", name] => (None, Method::Count, *name),
        [path, "with", method, "as", name] => {
            let method = match *method {
                "sum" => Method::Sum,
                "average" => Method::Average,
                "min" => Method::Min,
                "max" => Method::Max,
                "countdistinct" => Method::CountDistinct,
                _ => return Err(Fault::query(format!("$apply: there is no method {method:.40}"))),
            };
            (Some(rows.path(path)?), method, *name)
        }
        _ => return Err(Fault::query(format!("$apply: {text:.80?} should be like: x with sum as y"))),
    };
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !plain || name.starts_with(|first: char| first.is_ascii_digit()) || name.len() > 64 {
        return Err(Fault::query(format!("$apply: {name:.80?} is no name")));
    }
    let (of, kind) = of.unwrap_or((Source::Nothing, Type::Number));
    let edm = match method {
        Method::Min | Method::Max => edm(kind),
        Method::Sum | Method::Average if !matches!(kind, Type::Number | Type::Any) => {
            return Err(Fault::query(format!("$apply: {text:.80?} adds up what is no number")));
        }
        _ => Edm::Number,
    };
    Ok(Aggregate { name: name.to_owned(), method, of, edm })
}

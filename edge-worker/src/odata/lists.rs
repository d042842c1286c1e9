//! Sets: who is named is asked; else the index is searched, within bounds.

use msci_core::collections::{Map as SmallMap, Set as SmallSet};
use msci_core::identity::auth_id;
use msci_core::ids::CustomerId;
use msci_core::odata::apply::Apply;
use msci_core::odata::model::{Edm, Set, Source};
use msci_core::odata::question::{Named, Question};
use msci_core::odata::record::Record;
use msci_core::odata::sql::{self, GROUPS, PLACE, Store};
use msci_core::odata::{Fault, memory};
use msci_core::time::Timestamp;
use serde_json::{Map, Value};

use super::answer::{self, Answer, with_context};
use super::{Asked, objects};
use crate::error::{Error, Result};
use crate::platform::normal;
use crate::storage::search;

/// Who answers a question.
enum Answerer {
    /// These customers, all at hand.
    Memory(Vec<Record>),
    /// The object of this customer.
    Object(Box<Record>),
    /// Nobody: whoever is named is not there.
    Nobody,
    /// The index.
    Index,
}

/// A page of rows, and where the next begins.
struct Rows {
    records: Vec<Record>,
    next: Option<String>,
}

/// All rows that are asked for, a page of them.
pub(super) async fn many(asked: &Asked<'_>, question: &Question) -> Result<Answer> {
    if let Some(apply) = &question.apply {
        return aggregated(asked, question, apply).await;
    }
    let answerer = answerer(asked, question).await?;
    let count = if question.count { Some(counted(asked, question, &answerer).await?) } else { None };
    let rows = page(asked, question, answerer).await?;
    let name = question.set.name(asked.address.dialect);
    let mut answer = with_context(asked, &format!("{name}{}", selected(question)));
    if let Some(count) = count {
        answer.insert("@odata.count".to_owned(), count.into());
    }
    answer.insert("value".to_owned(), shown(asked, question, &rows.records).await?.into());
    if let Some(token) = rows.next {
        answer.insert("@odata.nextLink".to_owned(), asked.next(&token).into());
    }
    Ok(Answer::Json(Value::Object(answer)))
}

/// The row of a key.
pub(super) async fn one(asked: &Asked<'_>, question: Question) -> Result<Answer> {
    let answerer = answerer(asked, &question).await?;
    let rows = page(asked, &question, answerer).await?;
    let name = question.set.name(asked.address.dialect);
    let row = shown(asked, &question, &rows.records).await?.into_iter().next();
    let missing = || Error::client(404, "row_not_found", format!("{name} has no row of this key"));
    let Value::Object(row) = row.ok_or_else(missing)? else { return Err(missing()) };
    let mut answer = with_context(asked, &format!("{name}{}/$entity", selected(&question)));
    answer.extend(row);
    Ok(Answer::Json(Value::Object(answer)))
}

/// How many rows there are.
pub(super) async fn count(asked: &Asked<'_>, question: &Question) -> Result<usize> {
    let answerer = answerer(asked, question).await?;
    counted(asked, question, &answerer).await
}

/// `(a,b)` of the context, where not all columns are shown.
fn selected(question: &Question) -> String {
    if question.select.is_none() {
        return String::new();
    }
    let names: Vec<String> = question.shown().into_iter().map(|(name, _)| name).collect();
    format!("({})", names.join(","))
}

async fn answerer(asked: &Asked<'_>, question: &Question) -> Result<Answerer> {
    let named = question.named();
    if question.set.is_of_activities() {
        let snapshot = match named {
            Some(Named::Cookies(cookies)) => match cookies.as_slice() {
                [cookie] => objects::of_cookie(asked, cookie).await?,
                _ => return Ok(Answerer::Index),
            },
            Some(Named::Customers(ids)) => match ids.as_slice() {
                [id] => objects::of_customer(asked, *id).await?,
                [] => None,
                _ => return Ok(Answerer::Index),
            },
            Some(Named::Keys(..)) | None => return Ok(Answerer::Index),
        };
        let record = snapshot.map(|snapshot| Box::new(Record::of(&snapshot)));
        return Ok(record.map_or(Answerer::Nobody, Answerer::Object));
    }
    let mut records = Vec::new();
    match named {
        Some(Named::Cookies(cookies)) => {
            for cookie in cookies {
                let snapshot = objects::of_cookie(asked, &cookie).await?;
                records.extend(snapshot.map(|snapshot| Record::of(&snapshot).of_cookie(&cookie)));
            }
        }
        Some(Named::Customers(ids)) => records = of_ids(asked, question, ids).await?,
        Some(Named::Keys(table, keys)) => {
            let tables = &asked.configuration.definitions.bundle.tables;
            let ignore_case = tables.get(&table).is_some_and(|table| table.case_insensitive_key);
            let keys = keys.iter().filter_map(|key| auth_id(key, normal(ignore_case)).ok());
            let ids = keys.map(|key| asked.configuration.names.known(&table, &key)).collect();
            records = of_ids(asked, question, ids).await?;
        }
        None => return Ok(Answerer::Index),
    }
    let records = records.into_iter().filter(|record| record.is_row_of(question.set)).collect();
    Ok(Answerer::Memory(memory::answered(question, records, asked.now)))
}

async fn of_ids(asked: &Asked<'_>, question: &Question, ids: Vec<CustomerId>) -> Result<Vec<Record>> {
    let mut records: Vec<Record> = Vec::new();
    for id in ids {
        let record = objects::of_customer(asked, id).await?.map(|snapshot| Record::of(&snapshot));
        let Some(record) =
            record.filter(|record| records.iter().all(|other| other.customer != record.customer))
        else {
            continue;
        };
        match question.set {
            Set::Users | Set::Cookies => records.extend(record.of_cookies()),
            _ => records.push(record),
        }
    }
    Ok(records)
}

/// Refuses what would search too much.
async fn judged(asked: &Asked<'_>, question: &Question) -> Result<()> {
    for size in sql::sizes(question, asked.now) {
        if search::number(asked.env, &size.statement).await? > size.most {
            return Err(Fault::costly(size.advice).into());
        }
    }
    Ok(())
}

async fn counted(asked: &Asked<'_>, question: &Question, answerer: &Answerer) -> Result<usize> {
    match answerer {
        Answerer::Nobody => Ok(0),
        Answerer::Memory(records) => Ok(records.len()),
        Answerer::Object(of) => {
            let statement = sql::count(question, Store::Object(of), asked.now)?;
            let counted = objects::values(asked, of, statement).await?;
            Ok(counted.first().and_then(Value::as_u64).unwrap_or(0) as usize)
        }
        Answerer::Index => {
            judged(asked, question).await?;
            search::number(asked.env, &sql::count(question, Store::Index, asked.now)?).await
        }
    }
}

async fn page(asked: &Asked<'_>, question: &Question, answerer: Answerer) -> Result<Rows> {
    let want = question.rows();
    let placed: Vec<(Record, Vec<Value>)> = match answerer {
        Answerer::Nobody => Vec::new(),
        Answerer::Memory(records) => {
            // All of them are at hand: the place is how many came before.
            let before = question.behind.as_ref().and_then(|place| place.first()?.as_u64()).unwrap_or(0);
            let before = before as usize + question.skip;
            let rows = records.into_iter().enumerate().skip(before).take(want + 1);
            rows.map(|(at, record)| (record, vec![Value::from(at + 1)])).collect()
        }
        Answerer::Object(of) => objects::page(asked, question, &of).await?,
        Answerer::Index => {
            judged(asked, question).await?;
            from_index(asked, question).await?
        }
    };
    // The page of a store may also end because its records are large.
    let bytes: usize = placed.iter().map(|(record, _)| record.size()).sum();
    let more = placed.len() > want || bytes >= sql::PAGE_BYTES;
    let shown = placed.len().min(want);
    let last = shown.checked_sub(1).and_then(|at| placed.get(at)).filter(|_| more);
    let next = last.and_then(|(_, place)| question.next(shown, place));
    let records = placed.into_iter().take(want).map(|(record, _)| record).collect();
    Ok(Rows { records, next })
}

async fn from_index(asked: &Asked<'_>, question: &Question) -> Result<Vec<(Record, Vec<Value>)>> {
    let statement = sql::page(question, Store::Index, asked.now)?.of_index(question.set);
    let rows = search::rows(asked.env, &statement).await?;
    let mut placed: Vec<(Record, Vec<Value>)> = rows
        .iter()
        .map(|row| {
            let place = row.get(PLACE).and_then(Value::as_array).cloned();
            (Record::from_row(row), place.unwrap_or_default())
        })
        .collect();
    let wants_cookie = question.shown().iter().any(|(_, column)| column.source == Source::Cookie);
    if question.set.is_of_activities() && wants_cookie {
        // The index knows the cookie's object; which cookie that is, its owner's row tells.
        let owners: SmallSet<&str> = placed.iter().map(|(record, _)| record.customer.as_str()).collect();
        let owners: Vec<&str> = owners.iter().copied().collect();
        let cookies = search::cookies(asked.env, &owners).await?;
        let names = &asked.configuration.names;
        let named: SmallMap<String, String> =
            cookies.iter().map(|cookie| (names.unknown(*cookie).to_string(), cookie.to_string())).collect();
        for (record, _) in &mut placed {
            record.cookie = record.cookie.as_ref().and_then(|object| named.get(object)).cloned();
        }
    }
    Ok(placed)
}

async fn shown(asked: &Asked<'_>, question: &Question, records: &[Record]) -> Result<Vec<Value>> {
    let columns = question.shown();
    let mut rows = Vec::new();
    for record in records {
        let mut row = answer::row(asked, question.set, &columns, record);
        for expanded in &question.expand {
            expand(asked, expanded, record, &mut row).await?;
        }
        rows.push(Value::Object(row));
    }
    Ok(rows)
}

async fn expand(
    asked: &Asked<'_>,
    expanded: &Question,
    of: &Record,
    row: &mut Map<String, Value>,
) -> Result<()> {
    let name = expanded.set.as_property(asked.address.dialect);
    let columns = expanded.shown();
    let shown = |record: &Record| Value::Object(answer::row(asked, expanded.set, &columns, record));
    if !expanded.set.is_of_activities() {
        row.insert(name, shown(of));
        return Ok(());
    }
    let found = objects::page(asked, expanded, of).await?;
    let want = expanded.rows();
    if let Some((_, place)) = want.checked_sub(1).and_then(|at| found.get(at)).filter(|_| found.len() > want)
        && let Some(token) = expanded.next(want, place)
    {
        row.insert(format!("{name}@odata.nextLink"), expanded.link(&asked.root, &of.customer, &token).into());
    }
    row.insert(name, found.iter().take(want).map(|(record, _)| shown(record)).collect());
    Ok(())
}

async fn aggregated(asked: &Asked<'_>, question: &Question, apply: &Apply) -> Result<Answer> {
    let rows = match answerer(asked, question).await? {
        Answerer::Object(of) => {
            let statement = sql::aggregates(question, apply, Store::Object(&of), asked.now)?;
            objects::values(asked, &of, statement).await?
        }
        // Few as they may be, the index is what adds up.
        Answerer::Nobody | Answerer::Memory(_) | Answerer::Index => {
            judged(asked, question).await?;
            search::rows(asked.env, &sql::aggregates(question, apply, Store::Index, asked.now)?).await?
        }
    };
    if rows.len() > GROUPS {
        return Err(Fault::costly(format!("there are more than {GROUPS} groups")).into());
    }
    let name = question.set.name(asked.address.dialect);
    let names: Vec<&str> = apply.names().collect();
    let mut answer = with_context(asked, &format!("{name}({})", names.join(",")));
    let rows = rows.iter().take(question.rows()).map(|values| {
        let mut row = Map::new();
        for (at, (name, edm)) in names.iter().zip(apply.types()).enumerate() {
            let value = values.get(at).cloned().unwrap_or_default();
            let value = match (edm, value.as_i64()) {
                (Edm::Time, Some(ms)) => Timestamp(ms).to_rfc3339().into(),
                _ => value,
            };
            put(&mut row, name, value);
        }
        Value::Object(row)
    });
    answer.insert("value".to_owned(), rows.collect());
    Ok(Answer::Json(Value::Object(answer)))
}

/// `Properties/total` stands in an object of its own.
fn put(row: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('/') {
        None => {
            row.insert(name.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = row.entry(first.to_owned()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

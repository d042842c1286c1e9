//! A question as SQL: of the index, or of the signals that one customer's object holds. Names in the text
//! are constants of this file; whatever came from outside is a parameter.

mod columns;

use serde_json::Value;

use columns::{column, field_of};

use super::apply::{Apply, Method};
use super::model::{Edm, Set, Source};
use super::question::{Filter, Order, Question, is_plain, window};
use super::record::{Record, time_of_id};
use super::{Fault, keys};
use crate::expr::Type;
use crate::expr::resolve::QueryField;
use crate::expr::sql::{Column, Param, Parameters, SqlError, condition};
use crate::time::Timestamp;

/// Rows of customers, memberships and measures that a search may look at.
const CUSTOMERS_SEARCHED: usize = 200_000;
/// Rows of activities that a search may look at.
const ACTIVITIES_SEARCHED: usize = 10_000;
/// Groups that an answer holds.
pub const GROUPS: usize = 5000;
/// Bytes of records in one answer; the page ends with the record that exceeds them.
pub const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Who answers.
#[derive(Clone, Copy)]
pub enum Store<'a> {
    /// The index.
    Index,
    /// The object of this customer: what it holds of signals.
    Object(&'a Record),
}

/// SQL and what to bind: the first value is `?1`.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The text.
    pub text: String,
    /// The values.
    pub parameters: Vec<Param>,
}

/// A page of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The place of a row, as a JSON array.
    pub place: String,
    /// `FROM … WHERE … ORDER BY … LIMIT …`; one row more than the page holds.
    pub tail: String,
    /// The values.
    pub parameters: Vec<Param>,
}

impl From<SqlError> for Fault {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Unsearchable => Self::costly(format!("{error}; compare UserLocalId by eq, with and")),
            _ => Self::costly(error.to_string()),
        }
    }
}

/// Customers with and without an object. The imported row of a customer with one says which table the
/// key is of.
const PERSONS: &str = "(SELECT c.id AS id, i.source AS source, c.auth AS key, c.first_seen AS first, \
    nullif(c.last_seen, 0) AS last, c.search AS search, c.body -> '$.attributes' AS attributes, \
    c.body -> '$.cookieIds' AS cookies, c.body -> '$.segments' AS segments, c.body -> '$.measures' AS measures \
    FROM customer AS c LEFT JOIN imported_row AS i ON i.object = c.id WHERE c.gone = 0 \
    UNION ALL SELECT i.object, i.source, i.key, NULL, NULL, \
    (SELECT lower(group_concat(given.value, char(10))) FROM json_each(i.body) AS given WHERE given.type = 'text'), \
    i.body, '[]', (SELECT json_group_array(m.segment) FROM membership AS m WHERE m.customer = i.object), {unseen} FROM imported_row AS i WHERE i.body IS NOT NULL AND i.object <> '' AND NOT EXISTS \
    (SELECT 1 FROM customer AS c WHERE c.id = i.object AND c.gone = 0){order}) AS r0";

/// Keys of identity tables; a row without an owner is from before there was one.
const KEYS: &str = "(SELECT object AS id, source, key FROM imported_row WHERE object <> '') AS r0";

/// Activities that are not their cookie's owner's: from before that one was erased.
fn owned(row: usize) -> String {
    format!("NOT EXISTS (SELECT 1 FROM customer AS c WHERE c.id = k{row}.customer AND c.since > r{row}.time)")
}

/// A column to sort by.
struct Term {
    text: String,
    descending: bool,
    nullable: bool,
}

/// Everything that is asked of one store.
struct Builder<'a> {
    question: &'a Question,
    store: Store<'a>,
    now: Timestamp,
    /// Whether customers come in the order of their ids by themselves.
    by_id: bool,
    parameters: Parameters,
}

impl<'a> Builder<'a> {
    fn new(question: &'a Question, store: Store<'a>, now: Timestamp) -> Self {
        Self { question, store, now, by_id: false, parameters: Parameters::default() }
    }

    fn of_activities(&self) -> bool {
        self.question.set.is_of_activities()
    }

    /// `FROM … WHERE …`
    fn rows(&mut self) -> Result<String, Fault> {
        let set = self.question.set;
        let filter = self.question.looks_at();
        let (from, mut wheres) = match (set, self.store) {
            (Set::Activities | Set::Views | Set::Actions, Store::Index) => {
                // Whoever knows the customer comes by their cookies; else time goes first, as in the answer.
                let from = match filter.and_then(|filter| keys::only(filter, &Source::Customer)) {
                    Some(_) => "cookie AS k0 CROSS JOIN activity AS r0 ON r0.object = k0.object",
                    None => "activity AS r0 CROSS JOIN cookie AS k0 ON k0.object = r0.object",
                };
                (from, vec![owned(0)])
            }
            (Set::Activities | Set::Views | Set::Actions, Store::Object(_)) => ("signal AS r0", Vec::new()),
            (Set::Keys, _) => (KEYS, Vec::new()),
            (Set::Customers | Set::Measures | Set::Users | Set::Cookies, _) => (PERSONS, Vec::new()),
            (Set::Memberships, _) => {
                (PERSONS, vec!["EXISTS (SELECT 1 FROM membership AS m WHERE m.customer = r0.id)".to_owned()])
            }
        };
        let mut from = from.to_owned();
        if from == PERSONS {
            from = from.replace("{unseen}", &self.parameters.text(&self.question.unseen)?);
            // In the order of both indexes, so that a page ends where it is full. Outside, both would first be
            // read to their ends.
            from = from.replace("{order}", if self.by_id { " ORDER BY 1" } else { "" });
        }
        if matches!(set, Set::Users | Set::Cookies) {
            from.push_str(", json_each(r0.cookies) AS e0");
        }
        wheres.extend(
            match (set, self.store) {
                (Set::Users, _) => Some("r0.key IS NOT NULL"),
                (Set::Activities, Store::Object(_)) => Some("r0.type IN ('view', 'action', 'event')"),
                (Set::Views, Store::Object(_)) => Some("r0.type = 'view'"),
                (Set::Actions, Store::Object(_)) => Some("r0.type = 'action'"),
                (Set::Views, Store::Index) => Some("r0.type = 'View'"),
                (Set::Actions, Store::Index) => Some("r0.type = 'Action'"),
                _ => None,
            }
            .map(str::to_owned),
        );
        for term in &self.question.search {
            let term = self.parameters.text(term)?;
            wheres.push(format!("instr(r0.search, {term})"));
        }
        if let Some(filter) = filter {
            if let Some(ids) = keys::only(filter, &Source::Id).filter(|_| self.of_activities()) {
                // An id tells its time, of which there is an index.
                let times: Vec<String> =
                    ids.into_iter().filter_map(time_of_id).map(|time| time.0.to_string()).collect();
                wheres.push(format!("r0.time IN ({})", times.join(", ")));
            }
            wheres.push(self.filter(filter)?);
        }
        let wheres = if wheres.is_empty() { "true".to_owned() } else { wheres.join(" AND ") };
        Ok(format!("FROM {from} WHERE {wheres}"))
    }

    fn filter(&mut self, filter: &Filter) -> Result<String, Fault> {
        let (question, store) = (self.question, self.store);
        let columns = |field: &QueryField<Source>, parameters: &mut Parameters| {
            field_of(field, question, store, parameters)
        };
        Ok(condition(filter, self.now, &columns, &mut self.parameters)?)
    }

    fn column(&mut self, source: &Source) -> Result<Column, SqlError> {
        column(source, 0, self.of_activities(), self.store, &mut self.parameters)
    }

    /// The order of the rows: what is asked for, then what tells any two rows apart.
    fn terms(&mut self) -> Result<Vec<Term>, Fault> {
        let question = self.question;
        let mut terms = Vec::new();
        for order in &question.order {
            let text = match self.column(&order.source)? {
                Column::Typed(text, Type::Text) => format!("lower({text})"),
                Column::Typed(text, _) | Column::Lower(text) => text,
                Column::Json(document, path) if order.edm == Edm::Text => {
                    format!("lower({document} ->> {path})")
                }
                Column::Json(document, path) => format!("({document} ->> {path})"),
                Column::Rows(..) => return Err(SqlError::Unsearchable.into()),
            };
            let nullable = !matches!(order.source, Source::Time | Source::Customer);
            terms.push(Term { text, descending: order.descending, nullable });
        }
        let keys: &[&str] = match (question.set, self.store) {
            (Set::Users | Set::Cookies, _) => &["r0.id", "e0.value"],
            (Set::Activities | Set::Views | Set::Actions, Store::Index) => {
                &["r0.time", "r0.object", "r0.stream", "r0.seq"]
            }
            (Set::Activities | Set::Views | Set::Actions, Store::Object(_)) => {
                &["r0.time", "r0.cookie", "r0.stream", "r0.seq"]
            }
            _ => &["r0.id"],
        };
        // The newest activities come first.
        let descending = terms.last().map_or(self.of_activities(), |term| term.descending);
        let by_time = matches!(question.order.as_slice(), [Order { source: Source::Time, .. }]);
        for key in keys.iter().skip(usize::from(by_time)) {
            terms.push(Term { text: (*key).to_owned(), descending, nullable: false });
        }
        Ok(terms)
    }

    /// Rows behind a place.
    fn behind(&mut self, terms: &[Term], place: &[Value]) -> Result<String, Fault> {
        if place.len() != terms.len() {
            return Err(Fault::query("$skiptoken belongs to another question"));
        }
        let mut values = Vec::new();
        for value in place {
            values.push(match value {
                Value::Null => None,
                Value::String(text) => Some(self.parameters.text(text)?),
                other => Some(self.parameters.add(Param::Number(other.as_f64().unwrap_or_default()))?),
            });
        }
        let first = terms.first().is_some_and(|term| term.descending);
        if terms.iter().all(|term| !term.nullable && term.descending == first) {
            let names: Vec<&str> = terms.iter().map(|term| term.text.as_str()).collect();
            let values: Vec<&str> = values.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect();
            let sign = if first { '<' } else { '>' };
            return Ok(format!("({}) {sign} ({})", names.join(", "), values.join(", ")));
        }
        // Null comes first, and last where the largest come first.
        let (mut any, mut same) = (Vec::new(), String::new());
        for (term, value) in terms.iter().zip(&values) {
            let text = &term.text;
            let after = match (value, term.descending) {
                (None, false) => format!("{text} IS NOT NULL"),
                (None, true) => "false".to_owned(),
                (Some(value), false) => format!("{text} > {value}"),
                (Some(value), true) => format!("({text} < {value} OR {text} IS NULL)"),
            };
            any.push(format!("({same}{after})"));
            same.extend([text, " IS ", value.as_deref().unwrap_or("NULL"), " AND "]);
        }
        Ok(format!("({})", any.join(" OR ")))
    }
}

/// A page of what is asked for.
///
/// # Errors
/// What the database would not take, or take too long for.
pub fn page(question: &Question, store: Store<'_>, now: Timestamp) -> Result<Page, Fault> {
    let mut builder = Builder::new(question, store, now);
    let of_customers = matches!(question.set, Set::Customers | Set::Measures | Set::Memberships);
    builder.by_id = of_customers && question.order.is_empty();
    let mut tail = builder.rows()?;
    let terms = builder.terms()?;
    if let Some(place) = &question.behind {
        let behind = builder.behind(&terms, place)?;
        tail = format!("{tail} AND {behind}");
    }
    let names: Vec<&str> = terms.iter().map(|term| term.text.as_str()).collect();
    let place = format!("json_array({})", names.join(", "));
    let order: Vec<String> = terms
        .iter()
        .map(|term| format!("{}{}", term.text, if term.descending { " DESC" } else { "" }))
        .collect();
    if !builder.by_id {
        tail = format!("{tail} ORDER BY {}", order.join(", "));
    }
    tail = format!("{tail} LIMIT {} OFFSET {}", question.rows() + 1, question.skip);
    Ok(Page { place, tail, parameters: builder.parameters.into_values() })
}

impl Page {
    /// As one statement of the index, whose rows are records and their places behind them; no more than
    /// an answer can hold.
    pub fn of_index(self, set: Set) -> Statement {
        let record = match set {
            Set::Activities | Set::Views | Set::Actions => {
                "k0.customer, '', (SELECT c.auth FROM customer AS c WHERE c.id = k0.customer), NULL, NULL, NULL, \
                 r0.object, r0.stream, r0.seq, r0.time, r0.type, r0.title, json(r0.fields)"
            }
            Set::Keys => {
                "r0.id, r0.source, r0.key, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"
            }
            Set::Users | Set::Cookies => {
                "r0.id, r0.source, r0.key, r0.first, r0.last, json_object('attributes', json(r0.attributes)), \
                 e0.value, NULL, NULL, NULL, NULL, NULL, NULL"
            }
            Set::Customers | Set::Memberships | Set::Measures => {
                "r0.id, r0.source, r0.key, r0.first, r0.last, json_object('cookieIds', json(r0.cookies), \
                 'attributes', json(r0.attributes), 'segments', json(r0.segments), 'measures', json(r0.measures)), \
                 NULL, NULL, NULL, NULL, NULL, NULL, NULL"
            }
        };
        let Self { place, tail, parameters } = self;
        let text = format!(
            "SELECT json FROM (SELECT json, sum(length(json)) OVER (ROWS UNBOUNDED PRECEDING) AS bytes FROM \
             (SELECT json_array({record}, {place}) AS json {tail})) WHERE bytes - length(json) < {PAGE_BYTES}"
        );
        Statement { text, parameters }
    }
}

/// Where the place stands behind a record.
pub const PLACE: usize = 13;

/// How many rows there are in all.
///
/// # Errors
/// As [`page`].
pub fn count(question: &Question, store: Store<'_>, now: Timestamp) -> Result<Statement, Fault> {
    let mut builder = Builder::new(question, store, now);
    let text = format!("SELECT json(count(*)) AS json {}", builder.rows()?);
    Ok(Statement { text, parameters: builder.parameters.into_values() })
}

/// Aggregates: each row is a JSON array of values. One more than an answer holds.
///
/// # Errors
/// As [`page`].
pub fn aggregates(
    question: &Question,
    apply: &Apply,
    store: Store<'_>,
    now: Timestamp,
) -> Result<Statement, Fault> {
    let mut builder = Builder::new(question, store, now);
    let mut columns = Vec::new();
    for (_, source, edm) in &apply.groups {
        columns.push(output(builder.column(source)?, *edm));
    }
    for aggregate in &apply.aggregates {
        let numbers = matches!(aggregate.method, Method::Sum | Method::Average);
        let of = match builder.column(&aggregate.of)? {
            Column::Typed(text, _) | Column::Lower(text) => text,
            Column::Json(document, path) if numbers => {
                format!(
                    "iif(json_type({document}, {path}) IN ('integer', 'real'), {document} ->> {path}, NULL)"
                )
            }
            Column::Json(document, path) => format!("({document} ->> {path})"),
            Column::Rows(..) => return Err(SqlError::Unsearchable.into()),
        };
        columns.push(match aggregate.method {
            Method::Count => "count(*)".to_owned(),
            Method::Sum => format!("sum({of})"),
            Method::Average => format!("avg({of})"),
            Method::Min => format!("min({of})"),
            Method::Max => format!("max({of})"),
            Method::CountDistinct => format!("count(DISTINCT {of})"),
        });
    }
    let groups: Vec<String> = (1..=apply.groups.len()).map(|at| at.to_string()).collect();
    let names: Vec<String> = (0..columns.len()).map(|at| format!("c{at}")).collect();
    let listed: Vec<String> =
        columns.iter().zip(&names).map(|(column, name)| format!("{column} AS {name}")).collect();
    let mut order: Vec<String> = apply
        .order
        .iter()
        .map(|(at, descending)| format!("c{at}{}", if *descending { " DESC" } else { "" }))
        .collect();
    order.extend(names.iter().take(apply.groups.len()).cloned());
    // What is JSON stays JSON, and times are told apart by the caller.
    let shown: Vec<String> = names
        .iter()
        .zip(apply.groups.iter().map(|(_, _, edm)| Some(*edm)).chain(std::iter::repeat(None)))
        .map(|(name, edm)| {
            if edm == Some(Edm::Bool) { format!("json(iif({name}, 'true', 'false'))") } else { name.clone() }
        })
        .collect();
    let rows = builder.rows()?;
    let group = if groups.is_empty() { String::new() } else { format!(" GROUP BY {}", groups.join(", ")) };
    let order = if order.is_empty() { String::new() } else { format!(" ORDER BY {}", order.join(", ")) };
    let most = question.rows().min(GROUPS) + 1;
    let text = format!(
        "SELECT json_array({}) AS json FROM (SELECT {} {rows}{group}){order} LIMIT {most} OFFSET {}",
        shown.join(", "),
        listed.join(", "),
        question.skip
    );
    Ok(Statement { text, parameters: builder.parameters.into_values() })
}

fn output(column: Column, _edm: Edm) -> String {
    match column {
        Column::Typed(text, _) | Column::Lower(text) => text,
        Column::Json(document, path) => format!("({document} ->> {path})"),
        Column::Rows(from, _) => from,
    }
}

/// What a search may look at, if this is one: how to ask how many rows there are, and how many there
/// may be.
pub struct Size {
    /// Answers a number.
    pub statement: Statement,
    /// Up to which the question is answered.
    pub most: usize,
    /// What to say beyond it.
    pub advice: &'static str,
}

/// What is to be asked before the question itself.
pub fn sizes(question: &Question, now: Timestamp) -> Vec<Size> {
    let filter = question.looks_at();
    let is_search = filter.is_some()
        || !question.search.is_empty()
        || !question.order.is_empty()
        || question.count
        || question.apply.is_some()
        || matches!(question.set, Set::Users | Set::Cookies | Set::Memberships);
    if !is_search {
        return Vec::new();
    }
    let only = |source: &Source| filter.is_some_and(|filter| keys::only(filter, source).is_some());
    let activities = |window: (Option<i64>, Option<i64>)| {
        let after = window.0.map(|from| format!(" AND time >= {from}")).unwrap_or_default();
        let until = window.1.map(|until| format!(" AND time <= {until}")).unwrap_or_default();
        let most = ACTIVITIES_SEARCHED;
        let text = format!(
            "SELECT json(count(*)) AS json FROM (SELECT 1 FROM activity WHERE true{after}{until} LIMIT {})",
            most + 1
        );
        Size {
            statement: Statement { text, parameters: Vec::new() },
            most,
            advice: "this would search more than 10,000 activities; name a customer (CustomerId eq '…') or a cookie, or a shorter time (ActivityTime gt …)",
        }
    };
    let mut sizes = Vec::new();
    if question.set.is_of_activities() {
        if !only(&Source::Id) && !only(&Source::Customer) {
            sizes.push(activities(filter.map(|filter| window(filter, now)).unwrap_or_default()));
        }
        return sizes;
    }
    if !only(&Source::Customer) {
        let most = CUSTOMERS_SEARCHED;
        let some = |table: &str| format!("(SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT {}))", most + 1);
        let text = format!("SELECT json({} + {}) AS json", some("customer"), some("imported_row"));
        sizes.push(Size {
            statement: Statement { text, parameters: Vec::new() },
            most,
            advice: "this would search more than 200,000 customers; name them by CustomerId or by their key, or page through all without filter and order",
        });
    }
    if filter.is_some_and(|filter| !is_plain(filter)) {
        sizes.push(activities((None, None)));
    }
    sizes
}

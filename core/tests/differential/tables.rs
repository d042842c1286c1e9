//! The same rows in `SQLite`, with the limits of D1.

use msci_core::expr::Expr;
use msci_core::expr::Type;
use msci_core::expr::resolve::QueryField;
use msci_core::expr::sql::{self, Column, DEPTH, PARAMETERS, Param, Parameters, SqlError};
use msci_core::time::Timestamp;
use rusqlite::limits::Limit;
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};
use serde_json::json;

use crate::data::Row;

const COLUMNS: &str = "name TEXT, spend REAL, vip INTEGER, seen INTEGER, body TEXT NOT NULL";

type Filter = Expr<QueryField<String>>;

pub(crate) struct Tables(Connection);

impl Tables {
    pub(crate) fn of(rows: &[Row]) -> Self {
        let db = Connection::open_in_memory().unwrap();
        db.set_limit(Limit::SQLITE_LIMIT_EXPR_DEPTH, DEPTH as i32);
        db.set_limit(Limit::SQLITE_LIMIT_VARIABLE_NUMBER, PARAMETERS as i32);
        db.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000);
        db.set_limit(Limit::SQLITE_LIMIT_FUNCTION_ARG, 32);
        db.execute_batch(&format!(
            "CREATE TABLE customer (id TEXT PRIMARY KEY, {COLUMNS}) WITHOUT ROWID;
             CREATE TABLE activity (id TEXT, {COLUMNS}, customer TEXT NOT NULL);
             CREATE INDEX customer_seen ON customer (seen);
             CREATE INDEX activity_customer ON activity (customer)"
        ))
        .unwrap();
        for row in rows {
            insert(
                &db,
                "customer (id, name, spend, vip, seen, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                row,
                None,
            );
            for activity in &row.activities {
                let into = "activity (id, name, spend, vip, seen, body, customer) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
                insert(&db, into, activity, Some(row.id()));
            }
        }
        Self(db)
    }

    pub(crate) fn sql(filter: &Filter, now: Timestamp) -> Result<String, SqlError> {
        sql::condition(filter, now, &column, &mut Parameters::default())
    }

    /// How `SQLite` goes about it.
    pub(crate) fn plan(&self, filter: &Filter, now: Timestamp) -> String {
        let mut parameters = Parameters::default();
        let condition = sql::condition(filter, now, &column, &mut parameters).unwrap();
        let text = format!("EXPLAIN QUERY PLAN SELECT id FROM customer AS r0 WHERE {condition}");
        self.ask(&text, parameters, 3).unwrap().join("; ")
    }

    /// Rows that it finds; none where it is nested deeper than the database takes.
    pub(crate) fn find(&self, filter: &Filter, now: Timestamp) -> Result<Option<Vec<usize>>, String> {
        let mut parameters = Parameters::default();
        let condition = match sql::condition(filter, now, &column, &mut parameters) {
            Err(SqlError::TooDeep) => return Ok(None),
            condition => condition.map_err(|error| error.to_string())?,
        };
        let text = format!("SELECT r0.id FROM customer AS r0 WHERE {condition} ORDER BY r0.id");
        let found = self.ask(&text, parameters, 0).map_err(|error| format!("{error}\n{text}"))?;
        Ok(Some(found.iter().map(|id| id[1..].parse().unwrap()).collect()))
    }

    fn ask(&self, text: &str, parameters: Parameters, column: usize) -> rusqlite::Result<Vec<String>> {
        let values = parameters.into_values().into_iter().map(|param| match param {
            Param::Number(number) => Value::Real(number),
            Param::Text(text) => Value::Text(text),
        });
        let mut statement = self.0.prepare(text)?;
        let found = statement.query_map(params_from_iter(values), |row| row.get(column))?;
        found.collect()
    }
}

/// What is at a path of a document whose member of that name says "found".
pub(crate) fn member(path: &str, name: &str) -> rusqlite::Result<Option<String>> {
    let document = json!({ "in": { "other": "a", name: "found", "more": "b" } }).to_string();
    let db = Connection::open_in_memory()?;
    db.query_row("SELECT ?1 ->> ?2", params![document, path], |row| row.get(0))
}

fn insert(db: &Connection, into: &str, row: &Row, customer: Option<String>) {
    let mut statement = db.prepare_cached(&format!("INSERT INTO {into}")).unwrap();
    let (id, body) = (row.id(), row.body.to_string());
    match customer {
        None => statement.execute(params![id, row.name, row.spend, row.vip, row.seen, body]),
        Some(customer) => {
            statement.execute(params![id, row.name, row.spend, row.vip, row.seen, body, customer])
        }
    }
    .unwrap();
}

fn column(field: &QueryField<String>, parameters: &mut Parameters) -> Result<Column, SqlError> {
    let (row, column) = match field {
        QueryField::Column { row, column } => (row, column),
        QueryField::Count { row, item, .. } => {
            return Ok(Column::Rows(format!("activity AS r{item}"), format!("r{item}.customer = r{row}.id")));
        }
    };
    let (kind, name) = column.split_once(':').unwrap_or((column, ""));
    Ok(match kind {
        "id" => Column::Lower(format!("r{row}.id")),
        "name" => Column::Typed(format!("r{row}.name"), Type::Text),
        "spend" => Column::Typed(format!("r{row}.spend"), Type::Number),
        "vip" => Column::Typed(format!("r{row}.vip"), Type::Bool),
        "seen" => Column::Typed(format!("r{row}.seen"), Type::Time),
        "segment" => {
            let name = parameters.text(name)?;
            let members = format!("SELECT 1 FROM json_each(r{row}.body, '$.segments') WHERE value = {name}");
            Column::Typed(format!("EXISTS ({members})"), Type::Bool)
        }
        _ => Column::Json(format!("r{row}.body"), parameters.text(&sql::path(&["properties", name]))?),
    })
}

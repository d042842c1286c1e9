//! Memory = `SQLite` (D7).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::integer_division_remainder_used
)]

use msci_core::expr::Type;
use msci_core::expr::resolve::{self, Entity, QueryField};
use msci_core::expr::sql::{self, Column, Param, Parameters};
use msci_core::time::Timestamp;
use rusqlite::{Connection, params_from_iter, types::Value};

struct Customer;
struct Activity;

impl Entity<String> for Customer {
    fn column(&self, path: &[String]) -> Option<(String, Type)> {
        let path = path.join("/").to_lowercase();
        Some(match path.as_str() {
            "id" | "name" => (path, Type::Text),
            "spend" => (path, Type::Number),
            "lastseen" => (path, Type::Time),
            "vip" => (path, Type::Bool),
            other => (format!("json:{}", other.strip_prefix("properties/")?), Type::Any),
        })
    }
    fn collection(&self, name: &str) -> Option<(String, &dyn Entity<String>)> {
        name.eq_ignore_ascii_case("UnifiedActivity").then_some(("activities".into(), &Activity))
    }
    fn segment(&self, name: &str) -> Option<String> {
        Some(format!("segment:{name}"))
    }
}
impl Entity<String> for Activity {
    fn column(&self, path: &[String]) -> Option<(String, Type)> {
        Customer.column(path)
    }
    fn collection(&self, _: &str) -> Option<(String, &dyn Entity<String>)> {
        None
    }
    fn segment(&self, _: &str) -> Option<String> {
        None
    }
}

fn columns(field: &QueryField<String>, parameters: &mut Parameters) -> Result<Column, sql::SqlError> {
    Ok(match field {
        QueryField::Column { row, column } => match column.split_once(':') {
            Some(("json", name)) => {
                Column::Json(format!("r{row}.body"), parameters.text(&sql::path(&["properties", name]))?)
            }
            Some(("segment", name)) => Column::Typed(
                format!(
                    "EXISTS (SELECT 1 FROM json_each(r{row}.body, '$.segments') WHERE value = {})",
                    parameters.text(name)?
                ),
                Type::Bool,
            ),
            _ => match column.as_str() {
                "id" => Column::Lower(format!("r{row}.id")),
                "spend" => Column::Typed(format!("r{row}.spend"), Type::Number),
                "lastseen" => Column::Typed(format!("r{row}.lastseen"), Type::Time),
                "vip" => Column::Typed(format!("r{row}.vip"), Type::Bool),
                _ => Column::Typed(format!("r{row}.{column}"), Type::Text),
            },
        },
        QueryField::Count { row, item, .. } => {
            Column::Rows(format!("activity AS r{item}"), format!("r{item}.id = r{row}.id"))
        }
    })
}

#[test]
fn simple() {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch("create table customer(id text primary key, name text, spend, lastseen integer, vip integer, body text) without rowid;create table activity(id text, name text, spend, lastseen integer, vip integer, body text);
    insert into customer values('abc','Jo',5,1000,1,'{\"properties\":{\"a\\\"b\":5,\"x\":\"Hi\"},\"segments\":[\"S\"]}')").unwrap();
    for filter in [
        "id eq 'ABC'",
        "id in ('ABC','x')",
        "contains(name,'J') and spend gt 4 and not (vip eq false)",
        "Properties/x eq 'hi' and Properties/y eq null and Properties/x ne 5",
        "IsMemberOfSegment('S')",
        "UnifiedActivity/any(a: a/Spend gt Spend) or year(lastseen) eq 1970",
        "UnifiedActivity/$count($filter=Spend gt 5) eq 0",
        "lastseen lt now() sub duration'P1D' and lastseen add duration'P1D' gt 1970-01-02",
    ] {
        let expr = resolve::query(filter, &[], &Customer).unwrap();
        let mut parameters = Parameters::default();
        let text = sql::condition(&expr, Timestamp(1_700_000_000_000), &columns, &mut parameters).unwrap();
        let values = parameters.into_values().into_iter().map(|p| match p {
            Param::Number(n) => Value::Real(n),
            Param::Text(t) => Value::Text(t),
        });
        let n: i64 = db
            .query_row(
                &format!("SELECT count(*) FROM customer AS r0 WHERE {text}"),
                params_from_iter(values),
                |r| r.get(0),
            )
            .unwrap();
        assert_eq!(n, 1);
    }
}

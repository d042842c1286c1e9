//! What anybody's text may become: parsed, resolved as every kind of filter there is, made SQL,
//! evaluated. The fuzz target and the native tests hand texts to the same function.

use msci_core::expr::resolve::{self, Entity, QueryField, Schema};
use msci_core::expr::sql::{self, Column, PARAMETERS, Parameters, SqlError};
use msci_core::expr::{Expr, ExprError, Scalar, Type, eval};
use msci_core::limits::{FILTER_BYTES, FILTER_NODES};
use msci_core::time::Timestamp;

/// The names of the documented examples.
pub(crate) struct Names;

const ATTRIBUTES: [&str; 7] =
    ["fullname", "firstname", "lastname", "email", "tier", "loyaltysignups_loyaltyid", "größe"];
const TEXTS: [&str; 10] = [
    "customerid",
    "segments",
    "activityname",
    "activitytype",
    "activitytypedisplay",
    "title",
    "viewuri",
    "viewtitle",
    "actiontype",
    "signalid",
];
const TIMES: [&str; 4] = ["activitytime", "firstseen", "lastseen", "signaltimestamp"];
const NUMBERS: [&str; 3] = ["spend", "sessiondurationms", "actionelapsedtimems"];
const SEGMENTS: [&str; 3] = ["HighLifetimeValue", "VIP", "It's"];

fn known(name: &str, names: &[&str]) -> Option<String> {
    names.iter().find(|known| known.eq_ignore_ascii_case(name)).map(|known| (*known).to_owned())
}

impl Schema for Names {
    fn attribute(&self, name: &str) -> Option<(String, Type)> {
        let vip = known(name, &["vip"]).map(|name| (name, Type::Bool));
        let text = known(name, &ATTRIBUTES).map(|name| (name, Type::Text));
        text.or(known(name, &NUMBERS).map(|name| (name, Type::Number))).or(vip)
    }
    fn measure(&self, name: &str) -> Option<(String, Type)> {
        let last = known(name, &["LastOrder"]).map(|name| (name, Type::Any));
        known(name, &["LifetimeValue"]).map(|name| (name, Type::Number)).or(last)
    }
    fn segment(&self, name: &str) -> Option<String> {
        known(name, &SEGMENTS)
    }
}

impl Entity<String> for Names {
    fn column(&self, path: &[String]) -> Option<(String, Type)> {
        match path {
            [name] => {
                let time = known(name, &TIMES).map(|name| (name, Type::Time));
                self.attribute(name).or(known(name, &TEXTS).map(|name| (name, Type::Text))).or(time)
            }
            [set, name] if set.eq_ignore_ascii_case("measures") => self.measure(name),
            [set, name] if set.eq_ignore_ascii_case("properties") => Some((name.clone(), Type::Any)),
            _ => None,
        }
    }
    fn collection(&self, name: &str) -> Option<(String, &dyn Entity<String>)> {
        let name = known(name, &["UnifiedActivity"])?;
        Some((name, &Self))
    }
    fn segment(&self, name: &str) -> Option<String> {
        Schema::segment(self, name)
    }
}

/// The first line is a filter, each other one the value of an alias: `@p1='Gold'`.
pub(crate) fn query(text: &str) -> Result<Expr<QueryField<String>>, ExprError> {
    let mut lines = text.split('\n');
    let filter = lines.next().unwrap_or_default();
    let aliases: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    resolve::query(filter, &aliases, &Names)
}

fn column(field: &QueryField<String>, parameters: &mut Parameters) -> Result<Column, SqlError> {
    Ok(match field {
        QueryField::Column { row, column } => match Names.column(std::slice::from_ref(column)) {
            Some((name, kind)) => Column::Typed(format!("r{row}.{name}"), kind),
            None => Column::Json(format!("r{row}.body"), parameters.text(&sql::path(&[column]))?),
        },
        QueryField::Count { row, item, .. } => {
            Column::Rows(format!("activity AS r{item}"), format!("r{item}.customer = r{row}.id"))
        }
    })
}

const NOW: Timestamp = Timestamp(1_795_000_000_000);
/// Longest statement that D1 takes is 100,000 bytes; the rest is the caller's.
const SQL_BYTES: usize = 90_000;

/// Nothing here may panic, hang, or grow beyond its bounds.
pub(crate) fn everything(text: &str) {
    let within = |error: &ExprError| {
        assert!(error.at <= text.len().max(FILTER_BYTES), "{error}");
        assert!(error.message.len() < 2 * FILTER_BYTES, "{error}");
    };
    // What an activity answers: a value of each type, by the length of the field's name.
    let values = [
        Scalar::Null,
        Scalar::Bool(true),
        Scalar::Number(-0.5),
        Scalar::Text("Ab\u{0}'é".to_owned()),
        Scalar::Time(Timestamp(-1)),
    ];
    let value = |name: &str| values[name.len() % values.len()].clone();
    match resolve::customer(text, &Names) {
        Ok(resolved) => {
            let mut nodes = 0;
            resolved.expr.walk(&mut |_| nodes += 1);
            assert!(nodes <= 2 * FILTER_NODES && resolved.counters.len() <= FILTER_NODES);
            eval::holds(&resolved.expr, &|field| value(&format!("{field:?}")), NOW);
        }
        Err(error) => within(&error),
    }
    match resolve::activity(text) {
        Ok(expr) => {
            eval::holds(&expr, &|field| value(&format!("{field:?}")), NOW);
        }
        Err(error) => within(&error),
    }
    match query(text) {
        Ok(expr) => {
            eval::holds(&expr, &|field| value(&format!("{field:?}")), NOW);
            expr.only(&|_| true);
            let mut parameters = Parameters::default();
            if let Ok(sql) = sql::condition(&expr, NOW, &column, &mut parameters) {
                assert!(sql.len() <= SQL_BYTES, "{} bytes of SQL", sql.len());
                assert!(parameters.into_values().len() <= PARAMETERS);
            }
        }
        Err(error) => within(&error),
    }
}

//! A filter over rows in memory. A lambda looks at each activity of the customer, with the rows around
//! it in reach.

use msci_core::expr::resolve::QueryField;
use msci_core::expr::{Expr, Scalar, eval};
use msci_core::time::Timestamp;

use crate::data::Row;

type Filter = Expr<QueryField<String>>;

pub(crate) fn holds(filter: &Filter, row: &Row, now: Timestamp) -> bool {
    holds_for(filter, &[row], now)
}

fn holds_for(filter: &Filter, rows: &[&Row], now: Timestamp) -> bool {
    let field = |field: &QueryField<String>| match field {
        QueryField::Column { row, column } => rows[*row].value(column),
        QueryField::Count { row, item, filter, .. } => {
            let counts = |activity: &&Row| {
                let mut inner = rows[..*item].to_vec();
                inner.push(activity);
                filter.as_ref().is_none_or(|filter| holds_for(filter, &inner, now))
            };
            Scalar::Number(rows[*row].activities.iter().filter(counts).count() as f64)
        }
    };
    eval::holds(filter, &field, now)
}

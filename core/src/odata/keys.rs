//! What a filter names by its key: rows that can be fetched instead of searched for.

use super::model::Source;
use super::question::Filter;
use crate::expr::resolve::QueryField;
use crate::expr::{Comparison, Expr, Scalar};

/// A filter that holds where this column of the row has this text.
pub(super) fn equals(source: Source, text: String) -> Filter {
    let column = Expr::Field(QueryField::Column { row: 0, column: source });
    Expr::Compare(Box::new(column), Comparison::Eq, Box::new(Expr::Constant(Scalar::Text(text))))
}

/// The texts that a column of the row must be one of.
pub(super) fn only<'a>(filter: &'a Filter, source: &Source) -> Option<Vec<&'a str>> {
    filter.only(&|field| matches!(field, QueryField::Column { row: 0, column } if column == source))
}

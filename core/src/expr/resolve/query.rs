//! Filters of the read API: nothing is kept for them, so they may ask what definitions may not. A
//! lambda is a count over the rows of a collection, made when it is asked for; in it, fields of what is
//! around it can be named too.

use super::{Checked, FieldId, Scope, Typed, named, no_collection, no_segment, plain, segment, truth};
use crate::expr::parse::{Aliases, Ast, Node, parse};
use crate::expr::{Comparison, Expr, ExprError, Scalar, Type};

/// What one row of an entity set has. `C` names a column, a collection or a question about the row, as
/// the caller likes.
pub trait Entity<C> {
    /// A column by its path in any case, the prefix `msdynci_` taken off: `["tier"]`,
    /// `["Measures", "LifetimeValue"]`, `["Properties", "total"]`.
    fn column(&self, path: &[String]) -> Option<(C, Type)>;
    /// A collection by its name in any case, and what its rows have.
    fn collection(&self, name: &str) -> Option<(C, &dyn Entity<C>)>;
    /// Whether the customer is in a segment, given by its name in any case.
    fn segment(&self, name: &str) -> Option<C>;
}

/// A field of a filter of the read API. Rows are numbered by nesting: 0 is the row of the entity set, 1
/// the one that a lambda over it looks at, 2 the one of a lambda inside that.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryField<C> {
    /// A column of a row.
    Column {
        /// Of which row.
        row: usize,
        /// Which.
        column: C,
    },
    /// How many rows of a collection there are.
    Count {
        /// Whose collection.
        row: usize,
        /// Which.
        collection: C,
        /// Number of the rows that are counted, in the filter.
        item: usize,
        /// Which of them count; none means all.
        filter: Option<Box<Expr<QueryField<C>>>>,
    },
}

/// Resolves a filter over the rows of an entity set.
///
/// # Errors
/// `invalid_filter` with the position.
pub fn query<C: Clone>(
    text: &str,
    aliases: Aliases,
    entity: &dyn Entity<C>,
) -> Result<Expr<QueryField<C>>, ExprError> {
    let tree = parse(text, aliases)?;
    let mut scope = Query { rows: vec![(None, entity)], plain: 0, fields: Vec::new() };
    let expr = truth(&tree, &mut scope)?;
    Ok(named(expr, &scope.fields))
}

struct Query<'a, C> {
    /// Rows that can be named here, the innermost last, with the lambda's name for it.
    rows: Vec<(Option<String>, &'a dyn Entity<C>)>,
    /// The row that names without a variable speak of.
    plain: usize,
    fields: Vec<QueryField<C>>,
}

impl<'a, C: Clone> Query<'a, C> {
    fn field(&mut self, field: QueryField<C>) -> FieldId {
        self.fields.push(field);
        self.fields.len() - 1
    }

    /// The row that a path begins at, and the rest of the path.
    fn start<'p>(&self, path: &'p [String]) -> Option<(usize, &'a dyn Entity<C>, &'p [String])> {
        let (first, rest) = path.split_first()?;
        // An inner variable hides an outer one of the same name.
        let named = self.rows.iter().rposition(|(name, _)| !rest.is_empty() && name.as_ref() == Some(first));
        let row = named.unwrap_or(self.plain);
        let (_, entity) = self.rows.get(row)?;
        Some((row, *entity, if named.is_some() { rest } else { path }))
    }

    /// Counts the rows of a collection for which a condition holds, or does not.
    fn count(
        &mut self,
        at: usize,
        path: &[String],
        variable: Option<&String>,
        condition: Option<&Ast>,
        holds: bool,
    ) -> Checked {
        let found = self.start(path).and_then(|(row, entity, own)| match own {
            [name] => entity.collection(plain(name)).map(|(collection, items)| (row, collection, items)),
            _ => None,
        });
        let (row, collection, items) = found.ok_or_else(|| no_collection(at, path))?;
        let item = self.rows.len();
        let filter = match condition {
            None => None,
            Some(condition) => {
                self.rows.push((variable.cloned(), items));
                // In `$count($filter=…)` there is no variable: names speak of the rows that are counted.
                let around = self.plain;
                if variable.is_none() {
                    self.plain = item;
                }
                let checked = truth(condition, self);
                self.plain = around;
                self.rows.pop();
                let checked = named(checked?, &self.fields);
                Some(Box::new(if holds { checked } else { Expr::Not(Box::new(checked)) }))
            }
        };
        Ok(Expr::Field(self.field(QueryField::Count { row, collection, item, filter })))
    }
}

impl<C: Clone> Scope for Query<'_, C> {
    fn path(&mut self, at: usize, path: &[String]) -> Result<(FieldId, Type), ExprError> {
        let found = self.start(path).and_then(|(row, entity, own)| {
            let mut own = own.to_vec();
            let first = own.first_mut()?;
            *first = plain(first).to_owned();
            entity.column(&own).map(|(column, kind)| (QueryField::Column { row, column }, kind))
        });
        let (field, kind) =
            found.ok_or_else(|| ExprError::invalid(at, format!("no field named {}", path.join("/"))))?;
        Ok((self.field(field), kind))
    }

    fn special(&mut self, tree: &Ast) -> Result<Option<Typed>, ExprError> {
        if let Some((at, name)) = segment(tree)? {
            // Segments are the customer's, and the customer is the row outside of all lambdas.
            let column = self.rows.first().and_then(|(_, entity)| entity.segment(name));
            let column = column.ok_or_else(|| no_segment(at, name))?;
            return Ok(Some((Expr::Field(self.field(QueryField::Column { row: 0, column })), Type::Bool)));
        }
        Ok(match &tree.node {
            // any(a: P) is "at least one with P"; all(a: P) is "none without P".
            Node::Lambda { path, any, variable, predicate } => {
                let count = self.count(tree.at, path, Some(variable), predicate.as_deref(), *any)?;
                let operator = if *any { Comparison::Ge } else { Comparison::Lt };
                let one = Box::new(Expr::Constant(Scalar::Number(1.0)));
                Some((Expr::Compare(Box::new(count), operator, one), Type::Bool))
            }
            Node::Count(path, filter) => {
                Some((self.count(tree.at, path, None, filter.as_deref(), true)?, Type::Number))
            }
            _ => None,
        })
    }
}

//! The typed tree as a condition in SQL for `SQLite` and D1. A row is found by it exactly when
//! evaluation in memory says that the filter holds; the property test `core/tests/differential.rs`
//! keeps that.
//!
//! Text is folded by `lower`, which knows ASCII only, as memory does. Where memory says false and SQL
//! would say null, the difference is closed only where it can be seen: below a negation or as a value.
//! No value of the filter is ever part of the text, except whole numbers of milliseconds. The text is
//! as deep as the tree, not as long: conjunctions are balanced, operands stand in it once.

use super::resolve::QueryField;
use super::{Comparison, Expr, Scalar, TextTest, Type, Unary};
use crate::time::{DAY_MS, SECOND_MS, Timestamp};

/// What a field of the filter is in SQL. Text that is given stands for itself: a name, a call, or in
/// parentheses.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// An expression whose values are all of one type, or null: text, numbers, 0 and 1, or whole
    /// milliseconds.
    Typed(String, Type),
    /// Text that is stored in lower case, such as an id: an index on it helps.
    Lower(String),
    /// A member of a JSON document, whose type each row decides: the document, and the path as text of
    /// SQL (see [`path`]).
    Json(String, String),
    /// The rows of a collection: what stands behind `FROM`, and the condition behind `WHERE` that makes
    /// them this row's. The filter of a count is added here.
    Rows(String, String),
}

/// A value to bind.
#[derive(Clone, Debug, PartialEq)]
pub enum Param {
    /// A double.
    Number(f64),
    /// Text.
    Text(String),
}

/// Values to bind, in order: the first is `?1`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    values: Vec<Param>,
}

/// Most parameters of one statement (a limit of D1).
pub const PARAMETERS: usize = 100;
/// Deepest expression (a limit of D1).
pub const DEPTH: usize = 100;

impl Parameters {
    /// Its place as text of SQL: that of an equal one, or a new one at the end.
    ///
    /// # Errors
    /// When there are as many as can be bound.
    pub fn add(&mut self, value: Param) -> Result<String, SqlError> {
        // Compared as they print: 0 and -0 are two, and nothing is unequal to itself.
        let same = |known: &Param| match (known, &value) {
            (Param::Number(known), Param::Number(value)) => known.to_bits() == value.to_bits(),
            (Param::Text(known), Param::Text(value)) => known == value,
            _ => false,
        };
        let place = self.values.iter().position(same).unwrap_or(self.values.len());
        if place == self.values.len() {
            if place == PARAMETERS {
                return Err(SqlError::TooManyParameters);
            }
            self.values.push(value);
        }
        Ok(format!("?{}", place + 1))
    }

    /// A text's place.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn text(&mut self, text: &str) -> Result<String, SqlError> {
        self.add(Param::Text(text.to_owned()))
    }

    /// All of them.
    pub fn into_values(self) -> Vec<Param> {
        self.values
    }
}

/// Why a filter does not become SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// It has more values than can be bound.
    #[error("the filter has more values than a query can take")]
    TooManyParameters,
    /// It is nested deeper than the database takes.
    #[error("the filter is nested too deeply")]
    TooDeep,
    /// A field cannot be asked for in SQL.
    #[error("the filter asks for something that cannot be searched")]
    Unsearchable,
}

/// What the caller knows: the SQL of a field. Of a count, that of its collection.
pub type Columns<'a, C> = &'a dyn Fn(&QueryField<C>, &mut Parameters) -> Result<Column, SqlError>;

/// A filter as a condition, in parentheses where it needs them.
///
/// # Errors
/// When it goes beyond what the database takes.
pub fn condition<C>(
    filter: &Expr<QueryField<C>>,
    now: Timestamp,
    columns: Columns<C>,
    parameters: &mut Parameters,
) -> Result<String, SqlError> {
    Ok(Compiler { columns, now, parameters }.truth(filter, true)?.text)
}

/// Path to a member of a JSON document: `["properties", "total"]` as `$."properties"."total"`.
pub fn path(names: &[&str]) -> String {
    names.iter().fold("$".to_owned(), |mut path, name| {
        path.push('.');
        path.push_str(&crate::json::text(&(*name).into()));
        path
    })
}

/// A piece of SQL that stands for itself, and how deep it is.
#[derive(Clone)]
struct Piece {
    text: String,
    depth: usize,
}

type Compiled = Result<Piece, SqlError>;

/// Depth that an expression of the caller is taken to have.
const COLUMN_DEPTH: usize = 4;

fn piece(text: String, inner: &[&Piece]) -> Compiled {
    let depth = inner.iter().map(|piece| piece.depth).max().unwrap_or(0) + 1;
    if depth >= DEPTH - COLUMN_DEPTH {
        return Err(SqlError::TooDeep);
    }
    Ok(Piece { text, depth })
}

/// A value before it is known what is asked of it. Text is folded already.
enum Operand {
    Of(Piece, Type),
    Json(String, String),
}

/// Stand for the booleans and for every time where a value's type is seen only by its storage class.
const TRUE: &str = "x'01'";
const FALSE: &str = "x'00'";
const TIME: &str = "x'02'";
/// Stands for null in a list.
const NULL: &str = "x''";

/// A whole number of days that makes every time positive: division then rounds down, as it does in
/// memory. It is the largest that JavaScript's dates have.
const ERA_MS: i64 = 100_000_000 * DAY_MS;

struct Compiler<'a, C> {
    columns: Columns<'a, C>,
    now: Timestamp,
    parameters: &'a mut Parameters,
}

impl<C> Compiler<'_, C> {
    /// A condition: 1, 0 or null. `loose` where null is as good as 0.
    fn truth(&mut self, expr: &Expr<QueryField<C>>, loose: bool) -> Compiled {
        match expr {
            Expr::Not(inner) => {
                let inner = self.truth(inner, false)?;
                piece(format!("(NOT {})", inner.text), &[&inner])
            }
            Expr::And(parts) => self.joined(parts, " AND ", loose),
            Expr::Or(parts) => self.joined(parts, " OR ", loose),
            Expr::Compare(left, operator, right) => self.compare(left, *operator, right, loose),
            Expr::In(left, items) => self.one_of(left, items, loose),
            Expr::Text(test, text, part) => {
                let (text, part) = (self.typed(text, Type::Text)?, self.typed(part, Type::Text)?);
                let (a, b) = (&text.text, &part.text);
                let test = match test {
                    TextTest::Contains => format!("(instr({a}, {b}) > 0)"),
                    TextTest::StartsWith => format!("(instr({a}, {b}) = 1)"),
                    TextTest::EndsWith => format!("(substr({a}, length({a}) - length({b}) + 1) = {b})"),
                };
                let deepest = piece(test, &[&text, &part])?;
                Ok(Piece { depth: deepest.depth + 3, ..deepest })
            }
            _ => self.typed(expr, Type::Bool),
        }
    }

    /// In halves, so that a long chain is not a deep one.
    fn joined(&mut self, parts: &[Expr<QueryField<C>>], by: &str, loose: bool) -> Compiled {
        match parts {
            [single] => self.truth(single, loose),
            _ => {
                let (left, right) = parts.split_at_checked(parts.len() >> 1).unwrap_or((parts, &[]));
                let (left, right) = (self.joined(left, by, loose)?, self.joined(right, by, loose)?);
                piece(format!("({}{by}{})", left.text, right.text), &[&left, &right])
            }
        }
    }

    fn compare(
        &mut self,
        left: &Expr<QueryField<C>>,
        operator: Comparison,
        right: &Expr<QueryField<C>>,
        loose: bool,
    ) -> Compiled {
        if let Some(exists) = self.exists(left, operator, right)? {
            return Ok(exists);
        }
        let (left, right) = (self.operand(left)?, self.operand(right)?);
        let sign = match operator {
            Comparison::Eq => "IS",
            Comparison::Ne => "IS NOT",
            Comparison::Gt => ">",
            Comparison::Ge => ">=",
            Comparison::Lt => "<",
            Comparison::Le => "<=",
        };
        let mixed = matches!((&left, &right), (Operand::Json(..), _) | (_, Operand::Json(..)));
        if matches!(operator, Comparison::Eq | Comparison::Ne) {
            let (left, right) =
                if mixed { (tagged(left)?, tagged(right)?) } else { (plain(left)?, plain(right)?) };
            return piece(format!("({} {sign} {})", left.text, right.text), &[&left, &right]);
        }
        // Values have an order only among those of their type.
        let types: &[Type] = match (&left, &right) {
            (Operand::Of(_, known), _) | (_, Operand::Of(_, known)) => &[*known],
            _ => &[Type::Text, Type::Number, Type::Bool],
        };
        let mut any: Option<Piece> = None;
        for kind in types {
            let (left, right) = (as_type(&left, *kind), as_type(&right, *kind));
            let mut test = piece(format!("({} {sign} {})", left.text, right.text), &[&left, &right])?;
            if !loose {
                test = piece(format!("({} IS TRUE)", test.text), &[&test])?;
            }
            any = Some(match any {
                None => test,
                Some(any) => piece(format!("({} OR {})", any.text, test.text), &[&any, &test])?,
            });
        }
        any.ok_or(SqlError::Unsearchable)
    }

    /// `any` and `all`: no need to count all rows to know of one.
    fn exists(
        &mut self,
        left: &Expr<QueryField<C>>,
        operator: Comparison,
        right: &Expr<QueryField<C>>,
    ) -> Result<Option<Piece>, SqlError> {
        let (Expr::Field(field @ QueryField::Count { filter, .. }), Expr::Constant(Scalar::Number(limit))) =
            (left, right)
        else {
            return Ok(None);
        };
        let not = match operator {
            Comparison::Ge => "",
            Comparison::Lt => "NOT ",
            _ => return Ok(None),
        };
        if limit.to_bits() != 1_f64.to_bits() {
            return Ok(None);
        }
        let rows = self.rows(field, filter.as_deref())?;
        Ok(Some(piece(format!("({not}EXISTS (SELECT 1 FROM {}))", rows.text), &[&rows])?))
    }

    /// What follows `FROM`.
    fn rows(&mut self, field: &QueryField<C>, filter: Option<&Expr<QueryField<C>>>) -> Compiled {
        let Column::Rows(from, on) = (self.columns)(field, self.parameters)? else {
            return Err(SqlError::Unsearchable);
        };
        let on = Piece { text: format!("{from} WHERE ({on})"), depth: COLUMN_DEPTH };
        match filter {
            None => Ok(on),
            Some(filter) => {
                let filter = self.truth(filter, true)?;
                piece(format!("{} AND {}", on.text, filter.text), &[&on, &filter])
            }
        }
    }

    fn one_of(&mut self, left: &Expr<QueryField<C>>, items: &[Scalar], loose: bool) -> Compiled {
        let left = self.operand(left)?;
        let mixed = matches!(left, Operand::Json(..));
        let left = if mixed { tagged(left)? } else { plain(left)? };
        let mut list = String::new();
        for item in items {
            if !list.is_empty() {
                list.push_str(", ");
            }
            match item {
                Scalar::Null => list.push_str(NULL),
                Scalar::Bool(truth) if mixed => list.push_str(if *truth { TRUE } else { FALSE }),
                Scalar::Time(_) if mixed => list.push_str(TIME),
                _ => list.push_str(&self.constant(item)?),
            }
        }
        if loose && !items.contains(&Scalar::Null) {
            return piece(format!("({} IN ({list}))", left.text), &[&left]);
        }
        let left = piece(format!("coalesce({}, {NULL})", left.text), &[&left])?;
        piece(format!("({} IN ({list}))", left.text), &[&left])
    }

    fn constant(&mut self, constant: &Scalar) -> Result<String, SqlError> {
        Ok(match constant {
            Scalar::Null => "NULL".to_owned(),
            Scalar::Bool(truth) => i64::from(*truth).to_string(),
            Scalar::Number(number) => self.parameters.add(Param::Number(*number))?,
            Scalar::Text(text) => self.parameters.add(Param::Text(text.to_ascii_lowercase()))?,
            Scalar::Time(time) => time.0.to_string(),
        })
    }

    fn operand(&mut self, expr: &Expr<QueryField<C>>) -> Result<Operand, SqlError> {
        let (piece, kind) = match expr {
            Expr::Constant(constant) => (Piece { text: self.constant(constant)?, depth: 1 }, constant.kind()),
            Expr::Now(offset) => (Piece { text: self.now.plus(*offset).0.to_string(), depth: 1 }, Type::Time),
            Expr::Field(field @ QueryField::Count { filter, .. }) => {
                let rows = self.rows(field, filter.as_deref())?;
                (piece(format!("(SELECT count(*) FROM {})", rows.text), &[&rows])?, Type::Number)
            }
            Expr::Field(field) => {
                let (text, kind) = match (self.columns)(field, self.parameters)? {
                    Column::Typed(text, Type::Text) => (format!("lower({text})"), Type::Text),
                    Column::Typed(text, kind) => (text, kind),
                    Column::Lower(text) => (text, Type::Text),
                    Column::Json(document, path) => return Ok(Operand::Json(document, path)),
                    Column::Rows(..) => return Err(SqlError::Unsearchable),
                };
                (Piece { text, depth: COLUMN_DEPTH }, kind)
            }
            // All text is folded, so that its case has been lost already.
            Expr::Unary(Unary::ToLower | Unary::ToUpper, inner) => {
                (self.typed(inner, Type::Text)?, Type::Text)
            }
            Expr::Unary(Unary::Length, inner) => {
                let text = self.typed(inner, Type::Text)?;
                (piece(format!("length({})", text.text), &[&text])?, Type::Number)
            }
            Expr::Unary(function, inner) => self.of_time(*function, inner)?,
            Expr::Shift(inner, ms) => {
                let time = self.typed(inner, Type::Time)?;
                (piece(format!("({} + {ms})", time.text), &[&time])?, Type::Time)
            }
            Expr::Not(_) | Expr::And(_) | Expr::Or(_) | Expr::Compare(..) | Expr::In(..) | Expr::Text(..) => {
                (self.truth(expr, false)?, Type::Bool)
            }
        };
        Ok(Operand::Of(piece, kind))
    }

    fn of_time(&mut self, function: Unary, of: &Expr<QueryField<C>>) -> Result<(Piece, Type), SqlError> {
        let time = self.typed(of, Type::Time)?;
        let positive = format!("({} + {ERA_MS})", time.text);
        let calendar = |what: &str| {
            let era = ERA_MS.div_euclid(SECOND_MS);
            format!("CAST(strftime('%{what}', {positive} / {SECOND_MS} - {era}, 'unixepoch') AS INTEGER)")
        };
        let text = match function {
            Unary::Date => format!("({positive} / {DAY_MS} * {DAY_MS} - {ERA_MS})"),
            Unary::Year => calendar("Y"),
            Unary::Month => calendar("m"),
            Unary::Day => calendar("d"),
            _ => calendar("H"),
        };
        let text = piece(text, &[&time])?;
        let kind = if function == Unary::Date { Type::Time } else { Type::Number };
        Ok((Piece { depth: text.depth + 4, ..text }, kind))
    }

    fn typed(&mut self, expr: &Expr<QueryField<C>>, kind: Type) -> Compiled {
        Ok(as_type(&self.operand(expr)?, kind))
    }
}

/// The value where it is of this type, else null.
fn as_type(operand: &Operand, kind: Type) -> Piece {
    let (document, path) = match operand {
        Operand::Of(piece, found) if *found == kind => return piece.clone(),
        Operand::Of(..) => return Piece { text: "NULL".to_owned(), depth: 1 },
        Operand::Json(document, path) => (document, path),
    };
    let cases = match kind {
        Type::Text => format!("WHEN 'text' THEN lower({document} ->> {path})"),
        Type::Number => numbers(document, path),
        Type::Bool => "WHEN 'true' THEN 1 WHEN 'false' THEN 0".to_owned(),
        Type::Null | Type::Time | Type::Any => "WHEN '' THEN NULL".to_owned(),
    };
    Piece { text: format!("CASE json_type({document}, {path}) {cases} END"), depth: COLUMN_DEPTH + 3 }
}

/// JSON's whole numbers are doubles too.
fn numbers(document: &str, path: &str) -> String {
    format!("WHEN 'integer' THEN CAST({document} ->> {path} AS REAL) WHEN 'real' THEN {document} ->> {path}")
}

fn plain(operand: Operand) -> Compiled {
    match operand {
        Operand::Of(piece, _) => Ok(piece),
        Operand::Json(..) => tagged(operand),
    }
}

/// The value so that its storage class tells its type.
fn tagged(operand: Operand) -> Compiled {
    match operand {
        Operand::Of(inner, Type::Bool) => {
            piece(format!("CASE {} WHEN 1 THEN {TRUE} WHEN 0 THEN {FALSE} END", inner.text), &[&inner])
        }
        Operand::Of(inner, Type::Time) => {
            let test = piece(format!("CASE WHEN {} IS NOT NULL THEN {TIME} END", inner.text), &[&inner])?;
            Ok(Piece { depth: test.depth + 1, ..test })
        }
        Operand::Of(piece, _) => Ok(piece),
        Operand::Json(document, path) => {
            let numbers = numbers(&document, &path);
            let text = format!(
                "CASE json_type({document}, {path}) WHEN 'text' THEN lower({document} ->> {path}) {numbers} \
                 WHEN 'true' THEN {TRUE} WHEN 'false' THEN {FALSE} END"
            );
            Ok(Piece { text, depth: COLUMN_DEPTH + 3 })
        }
    }
}

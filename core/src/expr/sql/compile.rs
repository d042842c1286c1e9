//! Node by node, from the leaves up.

use super::{Column, Columns, DEPTH, Param, Parameters, SqlError};
use crate::expr::resolve::QueryField;
use crate::expr::{Comparison, Expr, Scalar, TextTest, Type, Unary};
use crate::time::{DAY_MS, SECOND_MS, Timestamp};

/// A piece of SQL that stands for itself, and how deep it is.
#[derive(Clone)]
struct Piece {
    text: String,
    depth: usize,
    /// Depth of the subqueries in it: `SQLite` counts it on top of that of all around them.
    below: usize,
}

/// Depth that an expression of the caller is taken to have, a subquery in it included.
const COLUMN_DEPTH: usize = 8;

impl Piece {
    fn leaf(text: String) -> Self {
        Self { text, depth: 1, below: 0 }
    }

    fn column(text: String) -> Self {
        Self { text, depth: COLUMN_DEPTH, below: 0 }
    }

    /// So many levels above the deepest of others.
    fn above(levels: usize, text: String, others: &[&Self]) -> Self {
        let depth = others.iter().map(|other| other.depth).max().unwrap_or_default() + levels;
        Self { text, depth, below: others.iter().map(|other| other.below).max().unwrap_or_default() }
    }
}

type Compiled = Result<Piece, SqlError>;

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

/// First and last millisecond of the calendar.
const YEAR_0: i64 = -62_167_219_200_000;
const YEAR_9999: i64 = 253_402_300_799_999;

pub(super) struct Compiler<'a, C> {
    pub(super) columns: Columns<'a, C>,
    pub(super) now: Timestamp,
    pub(super) parameters: &'a mut Parameters,
}

impl<C> Compiler<'_, C> {
    pub(super) fn condition(&mut self, filter: &Expr<QueryField<C>>) -> Result<String, SqlError> {
        let condition = self.truth(filter, true)?;
        if condition.depth + condition.below > DEPTH {
            return Err(SqlError::TooDeep);
        }
        Ok(condition.text)
    }

    /// A condition: 1, 0 or null. `loose` where null is as good as 0.
    fn truth(&mut self, expr: &Expr<QueryField<C>>, loose: bool) -> Compiled {
        match expr {
            Expr::Not(inner) => {
                let inner = self.truth(inner, false)?;
                Ok(Piece::above(1, format!("(NOT {})", inner.text), &[&inner]))
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
                    // In bytes: lengths of text end at a zero character. A part of no bytes is null.
                    TextTest::EndsWith => {
                        let (a, b) = (format!("CAST({a} AS BLOB)"), format!("CAST({b} AS BLOB)"));
                        format!("(coalesce(substr({a}, length({a}) - length({b}) + 1), {a}) = {b})")
                    }
                };
                Ok(Piece::above(6, test, &[&text, &part]))
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
                Ok(Piece::above(1, format!("({}{by}{})", left.text, right.text), &[&left, &right]))
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
        // What is equal to a value is not null: an index on it can be used.
        let value = |expr: &Expr<_>| match expr {
            Expr::Constant(constant) => *constant != Scalar::Null,
            expr => matches!(expr, Expr::Now(_)),
        };
        let equal = loose && (value(left) || value(right));
        let (left, right) = (self.operand(left)?, self.operand(right)?);
        let sign = match operator {
            Comparison::Eq if equal => "=",
            Comparison::Eq => "IS",
            Comparison::Ne => "IS NOT",
            Comparison::Gt => ">",
            Comparison::Ge => ">=",
            Comparison::Lt => "<",
            Comparison::Le => "<=",
        };
        let mixed = matches!((&left, &right), (Operand::Json(..), _) | (_, Operand::Json(..)));
        if matches!(operator, Comparison::Eq | Comparison::Ne) {
            let (left, right) = (left.by_identity(mixed), right.by_identity(mixed));
            return Ok(Piece::above(1, format!("({} {sign} {})", left.text, right.text), &[&left, &right]));
        }
        // Values have an order only among those of their type.
        let types: &[Type] = match (&left, &right) {
            (Operand::Of(_, known), _) | (_, Operand::Of(_, known)) => &[*known],
            _ => &[Type::Text, Type::Number, Type::Bool],
        };
        let mut any: Option<Piece> = None;
        for kind in types {
            let (left, right) = (left.as_type(*kind), right.as_type(*kind));
            let mut test =
                Piece::above(1, format!("({} {sign} {})", left.text, right.text), &[&left, &right]);
            if !loose {
                test = Piece::above(1, format!("({} IS TRUE)", test.text), &[&test]);
            }
            any = Some(match any {
                None => test,
                Some(any) => Piece::above(1, format!("({} OR {})", any.text, test.text), &[&any, &test]),
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
        let text = format!("({not}EXISTS (SELECT 1 FROM {}))", rows.text);
        Ok(Some(Piece::above(2, text, &[&rows])))
    }

    /// What follows `FROM`.
    fn rows(&mut self, field: &QueryField<C>, filter: Option<&Expr<QueryField<C>>>) -> Compiled {
        let Column::Rows(from, on) = (self.columns)(field, self.parameters)? else {
            return Err(SqlError::Unsearchable);
        };
        let mut rows = Piece::column(format!("{from} WHERE ({on})"));
        if let Some(filter) = filter {
            let filter = self.truth(filter, true)?;
            rows = Piece::above(1, format!("{} AND {}", rows.text, filter.text), &[&rows, &filter]);
        }
        rows.below += rows.depth;
        Ok(rows)
    }

    fn one_of(&mut self, left: &Expr<QueryField<C>>, items: &[Scalar], loose: bool) -> Compiled {
        let left = self.operand(left)?;
        let mixed = matches!(left, Operand::Json(..));
        let left = left.by_identity(mixed);
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
            return Ok(Piece::above(1, format!("({} IN ({list}))", left.text), &[&left]));
        }
        Ok(Piece::above(2, format!("(coalesce({}, {NULL}) IN ({list}))", left.text), &[&left]))
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
            Expr::Constant(constant) => (Piece::leaf(self.constant(constant)?), constant.kind()),
            Expr::Now(offset) => (Piece::leaf(self.now.plus(*offset).0.to_string()), Type::Time),
            Expr::Field(field @ QueryField::Count { filter, .. }) => {
                let rows = self.rows(field, filter.as_deref())?;
                (Piece::above(1, format!("(SELECT count(*) FROM {})", rows.text), &[&rows]), Type::Number)
            }
            Expr::Field(field) => {
                let (text, kind) = match (self.columns)(field, self.parameters)? {
                    Column::Typed(text, Type::Text) => (format!("lower({text})"), Type::Text),
                    Column::Typed(text, kind) => (text, kind),
                    Column::Lower(text) => (text, Type::Text),
                    Column::Json(document, path) => return Ok(Operand::Json(document, path)),
                    Column::Rows(..) => return Err(SqlError::Unsearchable),
                };
                (Piece::column(text), kind)
            }
            // All text is folded, so that its case has been lost already.
            Expr::Unary(Unary::ToLower | Unary::ToUpper, inner) => {
                (self.typed(inner, Type::Text)?, Type::Text)
            }
            Expr::Unary(Unary::Length, inner) => {
                let text = self.typed(inner, Type::Text)?;
                (Piece::above(1, format!("length({})", text.text), &[&text]), Type::Number)
            }
            Expr::Unary(function, inner) => self.of_time(*function, inner)?,
            Expr::Shift(inner, ms) => {
                let time = self.typed(inner, Type::Time)?;
                (Piece::above(1, format!("({} + {ms})", time.text), &[&time]), Type::Time)
            }
            Expr::Not(_) | Expr::And(_) | Expr::Or(_) | Expr::Compare(..) | Expr::In(..) | Expr::Text(..) => {
                (self.truth(expr, false)?, Type::Bool)
            }
        };
        Ok(Operand::Of(piece, kind))
    }

    fn of_time(&mut self, function: Unary, of: &Expr<QueryField<C>>) -> Result<(Piece, Type), SqlError> {
        let time = self.typed(of, Type::Time)?;
        let time_text = &time.text;
        let positive = format!("({time_text} + {ERA_MS})");
        let calendar = |what: &str| {
            let era = ERA_MS.div_euclid(SECOND_MS);
            let seconds = format!("{positive} / {SECOND_MS} - {era}");
            format!(
                "CASE WHEN {time_text} BETWEEN {YEAR_0} AND {YEAR_9999} \
                 THEN CAST(strftime('%{what}', {seconds}, 'unixepoch') AS INTEGER) END"
            )
        };
        let text = match function {
            Unary::Date => format!("({positive} / {DAY_MS} * {DAY_MS} - {ERA_MS})"),
            Unary::Year => calendar("Y"),
            Unary::Month => calendar("m"),
            Unary::Day => calendar("d"),
            _ => calendar("H"),
        };
        let kind = if function == Unary::Date { Type::Time } else { Type::Number };
        Ok((Piece::above(6, text, &[&time]), kind))
    }

    fn typed(&mut self, expr: &Expr<QueryField<C>>, kind: Type) -> Compiled {
        Ok(self.operand(expr)?.as_type(kind))
    }
}

impl Operand {
    /// The value where it is of this type, else null.
    fn as_type(&self, kind: Type) -> Piece {
        let (document, path) = match self {
            Self::Of(piece, found) if *found == kind => return piece.clone(),
            // What was bound for it has to occur.
            Self::Of(other, _) => {
                return Piece::above(1, format!("CASE WHEN {} THEN NULL END", other.text), &[other]);
            }
            Self::Json(document, path) => (document, path),
        };
        let member = format!("{document} ->> {path}");
        let cases = match kind {
            Type::Text => texts(&member),
            Type::Number => numbers(&member),
            Type::Bool => "WHEN 'true' THEN 1 WHEN 'false' THEN 0".to_owned(),
            Type::Null | Type::Time | Type::Any => "WHEN '' THEN NULL".to_owned(),
        };
        Piece::column(format!("CASE json_type({document}, {path}) {cases} END"))
    }

    /// The value for comparisons that tell values of different types apart, null from all of them. Among
    /// `mixed` types the storage class tells the type.
    fn by_identity(self, mixed: bool) -> Piece {
        match self {
            Self::Of(inner, Type::Bool) if mixed => {
                let text = format!("CASE {} WHEN 1 THEN {TRUE} WHEN 0 THEN {FALSE} END", inner.text);
                Piece::above(1, text, &[&inner])
            }
            Self::Of(inner, Type::Time) if mixed => {
                let text = format!("CASE WHEN {} IS NOT NULL THEN {TIME} END", inner.text);
                Piece::above(2, text, &[&inner])
            }
            Self::Of(inner, _) => inner,
            Self::Json(document, path) => {
                let member = format!("{document} ->> {path}");
                let (texts, numbers) = (texts(&member), numbers(&member));
                Piece::column(format!(
                    "CASE json_type({document}, {path}) {texts} {numbers} \
                     WHEN 'true' THEN {TRUE} WHEN 'false' THEN {FALSE} END"
                ))
            }
        }
    }
}

fn texts(member: &str) -> String {
    format!("WHEN 'text' THEN lower({member})")
}

/// Whole numbers of JSON are doubles too.
fn numbers(member: &str) -> String {
    format!("WHEN 'integer' THEN CAST({member} AS REAL) WHEN 'real' THEN {member}")
}

//! A question about an entity set, with every name resolved and every number bounded: what the address
//! asked, made ready to be answered from objects or from the index.

use serde_json::Value;

use super::address::{Address, Dialect, MEMBER, Options};
use super::apply::{self, Apply};
use super::entity::{Rows, expansion};
use super::model::{self, Column, Edm, Set, Source};
use super::{Fault, keys, search, token};
use crate::config::Bundle;
use crate::expr::resolve::{QueryField, query};
use crate::expr::{Comparison, Expr, Scalar, Type};
use crate::ids::CustomerId;

/// Most rows in a page, whatever is preferred.
pub const PAGE: usize = 5000;
/// Most rows in a page whose rows carry activities: each asks an object.
const EXPANDED_PAGE: usize = 20;
/// Rows of an expansion that asks for no number, and most of them.
pub const EXPANDED: usize = 100;
/// Most rows that are skipped.
const SKIP: usize = 200_000;
/// Most columns to sort by.
const ORDERS: usize = 8;

/// A filter over the rows of a set.
pub type Filter = Expr<QueryField<Source>>;

/// One column of `$orderby`.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// Which.
    pub source: Source,
    /// Its type.
    pub edm: Edm,
    /// Largest first.
    pub descending: bool,
}

/// A question about a set.
#[derive(Clone, Debug)]
pub struct Question {
    /// About which.
    pub set: Set,
    /// In which words the answer is.
    pub dialect: Dialect,
    /// Columns of the set.
    pub columns: Vec<Column>,
    /// Which rows.
    pub filter: Option<Filter>,
    /// Texts that all have to be found in a row.
    pub search: Vec<String>,
    /// In which order, before that of the set itself.
    pub order: Vec<Order>,
    /// Which columns; none means all.
    pub select: Option<Vec<usize>>,
    /// Rows in all.
    pub top: Option<usize>,
    /// Rows in a page.
    pub page: usize,
    /// Rows before the first.
    pub skip: usize,
    /// Whether the answer says how many rows there are in all.
    pub count: bool,
    /// What comes with each row.
    pub expand: Vec<Question>,
    /// Aggregates instead of rows.
    pub apply: Option<Apply>,
    /// The page behind this place.
    pub behind: Option<Vec<Value>>,
    /// The options it was made of.
    pub options: Options,
    /// Measures of who was never seen, as JSON.
    pub unseen: String,
}

impl Question {
    /// Reads the options of a set. `page` is what the client prefers.
    ///
    /// # Errors
    /// 400 for what cannot be asked of this set.
    pub fn new(set: Set, address: &Address, bundle: &Bundle, page: Option<usize>) -> Result<Self, Fault> {
        let mut question = Self::read(set, address.dialect, &address.options, bundle)?;
        question.page = page.unwrap_or(address.dialect.page()).clamp(1, PAGE);
        if question.expand.iter().any(|expanded| expanded.set.is_of_activities()) {
            question.page = question.page.min(EXPANDED_PAGE);
        }
        Ok(question)
    }

    fn read(set: Set, dialect: Dialect, options: &Options, bundle: &Bundle) -> Result<Self, Fault> {
        let option =
            |name: &str| options.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let columns = model::columns(set, bundle);
        let rows = Rows::new(set, &columns, bundle);
        let aliases: Vec<(String, String)> = options
            .iter()
            .filter(|(name, _)| name.starts_with('@'))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let resolved = |text: &str| query(text, &aliases, &rows).map_err(Fault::from);
        let filter =
            filter_text(set, option("$filter"), option(MEMBER)).map(|text| resolved(&text)).transpose()?;
        let apply = option("$apply").map(|text| apply::read(text, &rows, &resolved)).transpose()?;
        if apply.is_some() {
            let beside = ["$filter", "$select", "$expand", "$search", "$count", "$skiptoken"];
            if let Some(other) = beside.iter().find(|name| options.contains_key(**name)) {
                let message =
                    format!("{other} does not go with $apply; filter as in $apply=filter(…)/aggregate(…)");
                return Err(Fault::query(message));
            }
        }
        let orderby = option("$orderby").filter(|_| apply.is_none());
        let order = orderby.map(|text| order(text, &rows)).transpose()?.unwrap_or_default();
        let search = option("$search").map(search::terms).transpose()?.unwrap_or_default();
        if !search.is_empty() && set != Set::Customers {
            return Err(Fault::query("$search looks for customers alone"));
        }
        let mut question = Self {
            set,
            dialect,
            filter,
            search,
            order,
            select: None,
            top: option("$top").map(|text| number("$top", text, usize::MAX)).transpose()?,
            page: PAGE,
            skip: option("$skip").map_or(Ok(0), |text| number("$skip", text, SKIP))?,
            count: option("$count").map_or(Ok(false), truth)?,
            expand: Vec::new(),
            apply,
            behind: None,
            options: options.clone(),
            unseen: "{}".to_owned(),
            columns: Vec::new(),
        };
        if let Some(orderby) = option("$orderby")
            && let Some(apply) = &mut question.apply
        {
            apply.order(orderby)?;
        }
        if let Some(text) = option("$select") {
            question.select = select(text, &columns, set)?;
        }
        if let Some(text) = option("$expand") {
            question.expand = expand(text, set, dialect, bundle)?;
        }
        if let Some(text) = option("$skiptoken") {
            let (left, behind) = token::read(text)?;
            question.top = left.or(question.top);
            question.skip = 0;
            question.behind = Some(behind);
        }
        if let Some(format) = option("$format").filter(|format| !is_json(format)) {
            return Err(Fault::query(format!("there is no format {format:.40}; there is json")));
        }
        question.columns = columns;
        Ok(question)
    }

    /// The same set, and the row of this key alone.
    ///
    /// # Errors
    /// Never for sets that have columns.
    pub fn of_key(mut self, key: &str) -> Result<Self, Fault> {
        let first = self.columns.first().ok_or_else(|| Fault::missing("there is no key"))?;
        // An id of a known customer as a GUID is the same with dashes.
        let plain = key.replace('-', "");
        let text = if self.set == Set::Keys { plain } else { key.to_owned() };
        let key = keys::equals(first.source.clone(), text);
        self.filter = Some(match self.filter.take() {
            Some(filter) => Expr::And(vec![key, filter]),
            None => key,
        });
        Ok(self)
    }

    /// The filter that decides which rows are looked at.
    pub fn looks_at(&self) -> Option<&Filter> {
        match &self.apply {
            Some(apply) => apply.filter.as_ref(),
            None => self.filter.as_ref(),
        }
    }

    /// Address of the rest of an expansion: the set itself, of this customer.
    pub fn link(&self, root: &str, customer: &str, token: &str) -> String {
        let mut link =
            format!("{root}{}?$filter=CustomerId%20eq%20'{customer}'", self.set.name(self.dialect));
        if let Some(filter) = self.options.get("$filter") {
            link.push_str("%20and%20(");
            encode(filter, &mut link);
            link.push(')');
        }
        for name in ["$orderby", "$select"] {
            if let Some(value) = self.options.get(name) {
                link.extend(["&", name, "="]);
                encode(value, &mut link);
            }
        }
        format!("{link}&$skiptoken={token}")
    }

    /// Whom the filter names, where it names few enough to ask each of them.
    pub fn named(&self) -> Option<Named> {
        let filter = self.looks_at().filter(|filter| is_plain(filter))?;
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let few =
            |source: &Source| keys::only(filter, source).filter(|texts| texts.len() <= NAMED).map(owned);
        // Keys of tables are the table's own truth.
        if self.set == Set::Keys {
            return None;
        }
        if let Some(ids) = few(&Source::Customer) {
            return Some(Named::Customers(ids.iter().filter_map(|id| id.parse().ok()).collect()));
        }
        if let Some(cookies) = few(&Source::Cookie) {
            return Some(Named::Cookies(cookies));
        }
        let mut keys = self.columns.iter().filter_map(|column| match &column.source {
            Source::Key(table) => few(&column.source).map(|keys| Named::Keys(table.to_string(), keys)),
            _ => None,
        });
        keys.next()
    }

    /// Rows of the next page, and how many of them are left after it where a number was asked for.
    pub fn rows(&self) -> usize {
        self.top.map_or(self.page, |top| top.min(self.page))
    }

    /// Where the next page begins, given the place of this one's last row and how many it has.
    pub fn next(&self, rows: usize, place: &[Value]) -> Option<String> {
        let left = self.top.map(|top| top.saturating_sub(rows));
        (left != Some(0)).then(|| token::write(left, place))
    }

    /// Columns that the answer shows, and their names.
    pub fn shown(&self) -> Vec<(String, &Column)> {
        let all = self.columns.iter().enumerate();
        all.filter(|(at, _)| self.select.as_ref().is_none_or(|select| select.contains(at)))
            .map(|(_, column)| (column.name(self.dialect), column))
            .collect()
    }
}

/// Most customers that are asked one by one.
const NAMED: usize = 20;

/// Whom a filter names.
pub enum Named {
    /// By customerId; what is no id names nobody.
    Customers(Vec<CustomerId>),
    /// By cookieId.
    Cookies(Vec<String>),
    /// By their key in this table.
    Keys(String, Vec<String>),
}

/// For the query of an address.
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
            continue;
        }
        out.push('%');
        for half in [byte >> 4, byte & 15] {
            out.extend(char::from_digit(half.into(), 16));
        }
    }
}

/// The legacy root has part of the filter beside it.
fn filter_text(set: Set, filter: Option<&str>, member: Option<&str>) -> Option<String> {
    // `\"X\"` and `"X"` are one in the text of segments.
    let filter = filter.map(|text| match set {
        Set::Memberships => text.replace("\\\"", "\""),
        _ => text.to_owned(),
    });
    match (filter, member) {
        (Some(filter), Some(member)) => Some(format!("({filter}) and {MEMBER}{member}")),
        (None, Some(member)) => Some(format!("{MEMBER}{member}")),
        (filter, None) => filter,
    }
}

fn number(name: &str, text: &str, most: usize) -> Result<usize, Fault> {
    let number = text.parse().ok().filter(|number| *number <= most.min(u32::MAX as usize));
    number.ok_or_else(|| {
        Fault::query(format!("{name} should be a whole number up to {}", most.min(u32::MAX as usize)))
    })
}

fn truth(text: &str) -> Result<bool, Fault> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Fault::query("$count is true or false")),
    }
}

/// Whether a media type, or its short name, is JSON.
pub(crate) fn is_json(format: &str) -> bool {
    matches!(format.split(';').next().unwrap_or_default().trim(), "json" | "application/json")
}

fn order(text: &str, rows: &Rows<'_>) -> Result<Vec<Order>, Fault> {
    let mut orders = Vec::new();
    for part in text.split(',') {
        let (path, descending) = direction(part)?;
        let (source, kind) = rows.path(path)?;
        let edm = match kind {
            Type::Number | Type::Any => Edm::Number,
            Type::Time => Edm::Time,
            Type::Bool => Edm::Bool,
            Type::Text | Type::Null => Edm::Text,
        };
        orders.push(Order { source, edm, descending });
    }
    if orders.len() > ORDERS {
        return Err(Fault::query(format!("$orderby has at most {ORDERS} columns")));
    }
    Ok(orders)
}

/// `name`, `name asc`, `name desc`.
pub(super) fn direction(part: &str) -> Result<(&str, bool), Fault> {
    let mut words = part.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(path), None | Some("asc"), None) => Ok((path, false)),
        (Some(path), Some("desc"), None) => Ok((path, true)),
        _ => Err(Fault::query(format!("{part:.80?} is no order; write a column, and asc or desc"))),
    }
}

fn select(text: &str, columns: &[Column], set: Set) -> Result<Option<Vec<usize>>, Fault> {
    let mut selected = Vec::new();
    for name in text.split(',').map(str::trim) {
        match model::find(columns, name) {
            Some(column) => selected.push(column),
            None if name == "*" => return Ok(None),
            // What is expanded may be named here too.
            None if expansion(set, name).is_some() => {}
            None => return Err(Fault::query(format!("$select: there is no column {name:.80}"))),
        }
    }
    Ok(Some(selected))
}

/// `A,B($top=3;$filter=…)`
fn expand(text: &str, set: Set, dialect: Dialect, bundle: &Bundle) -> Result<Vec<Question>, Fault> {
    let mut expanded: Vec<Question> = Vec::new();
    for part in search::split(text, ',') {
        let (name, nested) = match part.trim().split_once('(') {
            Some((name, nested)) => (name, nested.strip_suffix(')')),
            None => (part.trim(), Some("")),
        };
        let own = expansion(set, name.trim()).zip(nested);
        let (own, nested) =
            own.ok_or_else(|| Fault::query(format!("$expand: there is nothing like {part:.80}")))?;
        let mut options = Options::new();
        for option in search::split(nested, ';').into_iter().filter(|option| !option.trim().is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            if !["$filter", "$orderby", "$select", "$top"].contains(&name.trim()) {
                return Err(Fault::query(format!("$expand: there is no option {name:.40?} inside")));
            }
            options.insert(name.trim().to_owned(), value.to_owned());
        }
        if expanded.iter().any(|other| other.set == own) {
            return Err(Fault::query(format!("$expand: {name:.80} can be given once")));
        }
        let mut question = Question::read(own, dialect, &options, bundle)?;
        question.page = EXPANDED;
        expanded.push(question);
    }
    Ok(expanded)
}

/// Whether a filter can be decided for a record in memory: it asks for nothing but the row itself.
pub fn is_plain(filter: &Filter) -> bool {
    let mut plain = true;
    filter.walk(&mut |node| plain &= !matches!(node, Expr::Field(QueryField::Count { .. })));
    plain
}

/// The instants between which a signal must lie for the filter to hold: not before the first, not after
/// the second.
pub fn window(filter: &Filter, now: crate::time::Timestamp) -> (Option<i64>, Option<i64>) {
    let parts = match filter {
        Expr::And(parts) => parts.as_slice(),
        single => std::slice::from_ref(single),
    };
    let mut window = (None, None);
    for part in parts {
        let Expr::Compare(left, operator, right) = part else { continue };
        let instant = match right.as_ref() {
            Expr::Constant(Scalar::Time(time)) => time.0,
            Expr::Now(offset) => now.plus(*offset).0,
            _ => continue,
        };
        let of_time = matches!(left.as_ref(), Expr::Field(QueryField::Column { column: Source::Time, .. }));
        match operator {
            Comparison::Gt | Comparison::Ge if of_time => window.0 = window.0.max(Some(instant)),
            Comparison::Lt | Comparison::Le if of_time => {
                window.1 = Some(window.1.map_or(instant, |until: i64| until.min(instant)));
            }
            _ => {}
        }
    }
    window
}

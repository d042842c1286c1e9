//! Lists of customers.

use msci_core::json;
use msci_core::sorting::{Column, Order, Place};
use serde_json::Value;
use wasm_bindgen::JsValue;
use worker::{D1Database, Env};

use super::reading::listed;
use super::{ask, database};
use crate::error::Result;

/// The place of whoever has an imported row alone, in orders by time: behind all others.
const BARE: &str = "-1";
/// Behind every instant there is.
const NEVER: i64 = i64::MAX >> 10;

/// What a list asks for.
pub(crate) struct Asked {
    /// Known customers, or unknown visitors.
    pub(crate) known: bool,
    /// Of these only those with a claim that waits.
    pub(crate) claiming: bool,
    /// Text that a row holds; empty asks for all.
    pub(crate) search: String,
    /// Most rows.
    pub(crate) top: u32,
    /// How they are sorted.
    pub(crate) order: Order,
    /// Behind this row of the list.
    pub(crate) behind: Option<Place>,
}

impl Asked {
    /// What rows are sorted by, of rows that have these columns. Nobody seen is behind everybody seen, in both
    /// directions; by the newest sighting the index is in order, of all else it is looked through, as for the count.
    fn sorted_by(&self, last_seen: &str, first_seen: &str, auth: &str) -> String {
        let seen = match self.order.by {
            Column::AuthId => return auth.to_owned(),
            Column::LastSeen => last_seen.to_owned(),
            Column::FirstSeen => format!("ifnull({first_seen}, 0)"),
        };
        if self.order.descending { seen } else { format!("iif({seen} > 0, {seen}, {NEVER})") }
    }

    /// Of a query whose place is behind this request's token: the condition, and its parameters, which come last.
    fn behind(&self, place: &str, id: &str, parameters: &mut Vec<JsValue>) -> String {
        let Some(behind) = &self.behind else { return "1".to_owned() };
        let value = match behind.value.parse::<i64>() {
            Ok(instant) if self.order.by != Column::AuthId => (instant as f64).into(),
            _ => behind.value.as_str().into(),
        };
        parameters.extend([value, behind.id.to_string().into()]);
        let (n, than) = (parameters.len(), if self.order.descending { "<" } else { ">" });
        format!("({place}, {id}) {than} (?{}, ?{n})", n - 1)
    }
}

/// One row of a list: `{ customerId, authId, firstSeen, lastSeen, cookieIds, attributes, place }`; and how many
/// rows there are in all.
///
/// Known customers without web activity have an imported row alone; in orders by time they come last.
pub(crate) async fn list(env: &Env, asked: &Asked) -> Result<(Vec<Value>, u64)> {
    let database = database(env).await?;
    let search = asked.search.to_ascii_lowercase();
    let by_time = asked.order.by != Column::AuthId;
    let among_bare = by_time && asked.behind.as_ref().is_some_and(|behind| behind.value == BARE);
    let direction = asked.order.direction();
    // Who searches looks at every row of the table, but once and from its beginning to its end.
    let (once, found) = match (asked.claiming, search.as_str()) {
        // Each is looked up: there are few, however many visitors.
        (true, _) => (
            "MATERIALIZED",
            "+gone = 0 AND +known = ?1 AND instr(search, ?2) AND id IN (SELECT object FROM claim)",
        ),
        (false, "") => ("NOT MATERIALIZED", "gone = 0 AND known = ?1 AND ?2 = ''"),
        (false, _) => ("MATERIALIZED", "+gone = 0 AND +known = ?1 AND instr(search, ?2)"),
    };
    let place = asked.sorted_by("last_seen", "first_seen", "ifnull(auth, '')");
    let top = if among_bare { 0 } else { asked.top };
    let mut parameters = vec![i32::from(asked.known).into(), search.as_str().into(), top.into()];
    let behind = asked.behind("place", "id", &mut parameters);
    let query = format!(
        "WITH found AS {once} (SELECT id, {place} AS place FROM customer WHERE {found}) \
         SELECT json_array((SELECT count(*) FROM found), json((SELECT json_group_array(json(row)) \
         FROM (SELECT json_patch(json_object('customerId', customer.id, 'known', json(iif(known, 'true', 'false')), \
         'authId', auth, 'firstSeen', first_seen, 'lastSeen', last_seen, 'place', place), body) AS row FROM \
         (SELECT id, place FROM found WHERE {behind} \
         ORDER BY place {direction}, id {direction} LIMIT ?3) AS chosen JOIN customer ON customer.id = chosen.id \
         ORDER BY place {direction}, customer.id {direction})))) AS json"
    );
    let (mut count, mut rows) = counted(&database, &query, &parameters).await?;
    if asked.known {
        let left =
            asked.top.saturating_sub(if by_time { u32::try_from(rows.len()).unwrap_or(u32::MAX) } else { 0 });
        let (more, bare) = bare(&database, asked, &search, among_bare, left).await?;
        count += more;
        if by_time {
            rows.extend(bare);
        } else {
            join(&mut rows, bare, asked.order.descending);
            rows.truncate(asked.top as usize);
        }
    }
    Ok((rows, count))
}

/// Two lists in the same order by keys become one.
fn join(rows: &mut Vec<Value>, others: Vec<Value>, descending: bool) {
    let place = |row: &Value| {
        ["place", "customerId"]
            .map(|name| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned())
    };
    let mut at = 0;
    for other in others {
        let own = place(&other);
        while rows.get(at).is_some_and(|row| (place(row) > own) == descending) {
            at += 1;
        }
        rows.insert(at, other);
        at += 1;
    }
}

/// Known customers who have an imported row alone: how many there are, and `left` of them.
async fn bare(
    database: &D1Database,
    asked: &Asked,
    search: &str,
    among: bool,
    left: u32,
) -> Result<(u64, Vec<Value>)> {
    // The same as a row's text has it: only rows with that are taken apart.
    let written = json::text(&Value::String(search.to_owned()));
    let written = written.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default();
    // Who searches looks at every row, but once; else they are counted, and the first ones found by the index.
    let (once, found) = match search {
        "" => ("NOT MATERIALIZED", "?1 = '' AND ?2 = ''"),
        _ => (
            "MATERIALIZED",
            "(instr(lower(key), ?1) OR (instr(lower(body), ?2) AND EXISTS (SELECT 1 FROM json_each(body) AS given \
             WHERE given.type = 'text' AND instr(lower(given.value), ?1))))",
        ),
    };
    let mut parameters = vec![search.into(), written.into(), left.into()];
    let by_time = asked.order.by != Column::AuthId;
    let (place, order, behind) = if by_time {
        let id = asked.behind.as_ref().filter(|_| among).map(|behind| behind.id.to_string());
        parameters.push(id.unwrap_or_default().into());
        (BARE, "bare.object".to_owned(), "bare.object > ?4".to_owned())
    } else {
        let direction = asked.order.direction();
        let behind = asked.behind("bare.key", "bare.object", &mut parameters);
        ("key", format!("bare.key {direction}, bare.object {direction}"), behind)
    };
    let query = format!(
        "WITH bare AS {once} (SELECT object, source, key FROM imported_row WHERE body IS NOT NULL AND {found} \
         AND (marked = 0 OR object NOT IN (SELECT id FROM customer WHERE gone = 0 AND known = 1))) \
         SELECT json_array((SELECT count(*) FROM bare), json((SELECT json_group_array(json(row)) \
         FROM (SELECT json_object('customerId', object, 'known', json('true'), 'authId', key, 'place', {place}, \
         'cookieIds', json('[]'), 'attributes', json_patch('{{}}', body), 'lastSeen', -1) AS row \
         FROM (SELECT bare.* FROM bare WHERE {behind} ORDER BY {order} LIMIT ?3) AS bare \
         JOIN imported_row USING (source, key, object) ORDER BY {order})))) AS json"
    );
    counted(database, &query, &parameters).await
}

/// Of a list: how many there are in all, and some of them.
async fn counted(database: &D1Database, query: &str, parameters: &[JsValue]) -> Result<(u64, Vec<Value>)> {
    let mut answer = ask(database, query, parameters).await?;
    let count = answer.get(0).and_then(Value::as_u64).unwrap_or(0);
    Ok((count, listed(answer.get_mut(1).map(Value::take).unwrap_or_default())))
}

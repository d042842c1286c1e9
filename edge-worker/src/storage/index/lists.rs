//! Lists of customers.

use msci_core::json;
use serde_json::Value;
use wasm_bindgen::JsValue;
use worker::{D1Database, Env};

use super::reading::listed;
use super::{ask, database};
use crate::error::Result;

/// What a list asks for.
pub(crate) struct Asked {
    /// Known customers, or unknown visitors.
    pub(crate) known: bool,
    /// Text that a row holds; empty asks for all.
    pub(crate) search: String,
    /// Most rows.
    pub(crate) top: u32,
    /// Behind this row of the list: when it was last seen, and its id.
    pub(crate) behind: Option<(i64, String)>,
}

/// One row of a list: `{ customerId, authId, firstSeen, lastSeen, cookieIds, attributes }`; and how many
/// rows there are in all.
///
/// Known customers without web activity have an imported row alone; they come last.
pub(crate) async fn list(env: &Env, asked: &Asked) -> Result<(Vec<Value>, u64)> {
    let database = database(env).await?;
    let search: JsValue = asked.search.to_ascii_lowercase().into();
    let known: JsValue = i32::from(asked.known).into();
    let (seen, id) = asked.behind.clone().unwrap_or((i64::MAX, String::new()));
    // Rows without any sighting have a place of their own, behind all others.
    let top = if seen < 0 { 0 } else { asked.top };
    let found = "gone = 0 AND known = ?1 AND (?2 = '' OR instr(search, ?2))";
    let query = format!(
        "SELECT json_array((SELECT count(*) FROM customer WHERE {found}), json((SELECT json_group_array(json(row)) \
         FROM (SELECT json_patch(json_object('customerId', id, 'known', json(iif(known, 'true', 'false')), \
         'authId', auth, 'firstSeen', first_seen, 'lastSeen', last_seen), body) AS row FROM customer \
         WHERE {found} AND (last_seen, id) < (?3, ?4) ORDER BY last_seen DESC, id DESC LIMIT ?5)))) AS json"
    );
    let parameters = [known, search.clone(), (seen as f64).into(), id.as_str().into(), top.into()];
    let (mut count, mut rows) = counted(&database, &query, &parameters).await?;
    if asked.known {
        // The same as a row's text has it: only rows with that are taken apart.
        let written = json::text(&Value::String(asked.search.to_ascii_lowercase()));
        let written = written.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default();
        // Who searches looks at every row, but once; else they are counted, and the first ones found by the index.
        let once = if asked.search.is_empty() { "NOT MATERIALIZED" } else { "MATERIALIZED" };
        let query = format!(
            "WITH bare AS {once} (SELECT object, source, key FROM imported_row WHERE body IS NOT NULL \
             AND (?1 = '' OR instr(lower(key), ?1) OR (instr(lower(body), ?2) AND EXISTS \
             (SELECT 1 FROM json_each(body) AS given WHERE given.type = 'text' AND instr(lower(given.value), ?1)))) \
             AND NOT EXISTS (SELECT 1 FROM customer WHERE id = object AND gone = 0)) \
             SELECT json_array((SELECT count(*) FROM bare), json((SELECT json_group_array(json(row)) \
             FROM (SELECT json_object('customerId', bare.object, 'known', json('true'), 'authId', key, \
             'cookieIds', json('[]'), 'attributes', json_patch('{{}}', body), 'lastSeen', -1) AS row \
             FROM bare JOIN imported_row USING (source, key) WHERE bare.object > ?3 ORDER BY bare.object \
             LIMIT ?4)))) AS json"
        );
        let left = asked.top.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        let behind = if seen < 0 { id.as_str() } else { "" };
        let (more, bare) =
            counted(&database, &query, &[search, written.into(), behind.into(), left.into()]).await?;
        count += more;
        rows.extend(bare);
    }
    Ok((rows, count))
}

/// Of a list: how many there are in all, and some of them.
async fn counted(database: &D1Database, query: &str, parameters: &[JsValue]) -> Result<(u64, Vec<Value>)> {
    let mut answer = ask(database, query, parameters).await?;
    let count = answer.get(0).and_then(Value::as_u64).unwrap_or(0);
    Ok((count, listed(answer.get_mut(1).map(Value::take).unwrap_or_default())))
}

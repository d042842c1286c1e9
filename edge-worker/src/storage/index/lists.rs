//! Lists of customers.

use msci_core::json;
use serde_json::Value;
use wasm_bindgen::JsValue;
use worker::Env;

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
    let found = "gone = 0 AND known = ?1 AND (?2 = '' OR instr(search, ?2))";
    // The same as a row's text has it: only rows with that are taken apart.
    let written = json::text(&Value::String(asked.search.to_ascii_lowercase()));
    let written: JsValue = written.trim_start_matches('"').strip_suffix('"').unwrap_or_default().into();
    // An imported row without an object.
    let bare = "?1 = 1 AND body IS NOT NULL AND (?2 = '' OR instr(lower(key), ?2) OR (instr(lower(body), ?3) AND EXISTS \
                (SELECT 1 FROM json_each(body) AS given WHERE given.type = 'text' AND instr(lower(given.value), ?2)))) \
                AND NOT EXISTS (SELECT 1 FROM customer WHERE id = object AND gone = 0)";
    let count = format!(
        "SELECT json((SELECT count(*) FROM customer WHERE {found}) + \
         (SELECT count(*) FROM imported_row WHERE {bare})) AS json"
    );
    let count = ask(&database, &count, &[known.clone(), search.clone(), written.clone()])
        .await?
        .as_u64()
        .unwrap_or(0);
    let (seen, id) = asked.behind.clone().unwrap_or((i64::MAX, String::new()));
    let mut rows = Vec::new();
    // Rows without any sighting have a place of their own, behind all others.
    if seen >= 0 {
        let query = format!(
            "SELECT json_group_array(json(row)) AS json FROM (SELECT json_patch(json_object('customerId', id, \
             'known', json(iif(known, 'true', 'false')), 'authId', auth, 'firstSeen', first_seen, \
             'lastSeen', last_seen), body) AS row FROM customer \
             WHERE {found} AND (last_seen, id) < (?3, ?4) ORDER BY last_seen DESC, id DESC LIMIT ?5)"
        );
        let parameters =
            [known.clone(), search.clone(), (seen as f64).into(), id.as_str().into(), asked.top.into()];
        rows.extend(listed(ask(&database, &query, &parameters).await?));
    }
    let left = asked.top.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
    if asked.known && left > 0 {
        let query = format!(
            "SELECT json_group_array(json(row)) AS json FROM (SELECT json_object('customerId', object, \
             'known', json('true'), 'authId', key, 'cookieIds', json('[]'), 'attributes', json_patch('{{}}', body), \
             'lastSeen', -1) AS row FROM imported_row \
             WHERE {bare} AND object > ?4 ORDER BY object LIMIT ?5)"
        );
        let behind = if seen < 0 { id.as_str() } else { "" };
        let parameters = [known, search, written, behind.into(), left.into()];
        rows.extend(listed(ask(&database, &query, &parameters).await?));
    }
    Ok((rows, count))
}

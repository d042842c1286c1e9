//! What the index alone has of a person, as lines of an export.

use msci_core::ids::CustomerId;
use serde_json::Value;
use worker::Env;

use super::database;
use super::reading::rows;
use crate::error::Result;

/// Messages in one answer.
const PAGE: u32 = 200;

/// Imported rows, and of whom has no object the segments that they lead to.
pub(crate) async fn rows_held(env: &Env, customer: CustomerId) -> Result<Vec<Value>> {
    let query = "SELECT json_object('kind', 'row', 'table', source, 'key', key, 'version', version, \
                 'values', json(body)) AS json FROM imported_row WHERE object = ?1 AND body IS NOT NULL \
                 UNION ALL SELECT json_object('kind', 'membership', 'segment', segment, 'since', \
                 strftime('%Y-%m-%dT%H:%M:%fZ', since / 1000.0, 'unixepoch'), 'cause', 'import') FROM membership \
                 WHERE customer = ?1 AND NOT EXISTS (SELECT 1 FROM customer WHERE id = ?1 AND gone = 0)";
    rows(&database(env).await?.prepare(query).bind(&[customer.to_string().into()])?).await
}

/// What activations told of somebody, or are to tell, behind this message.
pub(crate) async fn deliveries_held(env: &Env, customer: CustomerId, behind: &str) -> Result<Vec<Value>> {
    let query = "SELECT json_object('kind', 'delivery', 'id', id, 'activation', activation, 'state', state, 'at', \
                 strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch'), 'message', json(body)) AS json \
                 FROM delivery WHERE customer = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    let parameters = [customer.to_string().into(), behind.into(), PAGE.into()];
    rows(&database(env).await?.prepare(query).bind(&parameters)?).await
}

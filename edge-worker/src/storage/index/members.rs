//! Who is in a segment, as of the index.

use serde_json::Value;
use worker::Env;

use super::{ask, database, listed};
use crate::error::Result;

/// How many customers are in a segment.
pub(crate) async fn members(env: &Env, segment: &str) -> Result<u64> {
    let query = "SELECT json(count(*)) AS json FROM membership WHERE segment = ?1";
    Ok(ask(&database(env).await?, query, &[segment.into()]).await?.as_u64().unwrap_or(0))
}

/// Some members of a segment behind this one, as lists show them.
pub(crate) async fn members_list(env: &Env, segment: &str, behind: &str, top: u32) -> Result<Vec<Value>> {
    let database = database(env).await?;
    let query = "SELECT json_group_array(json(row)) AS json FROM (SELECT json_patch(json_object('customerId', \
                 membership.customer, 'known', json(iif(coalesce(known, 1), 'true', 'false')), \
                 'authId', coalesce(auth, key), 'firstSeen', first_seen, 'lastSeen', coalesce(last_seen, -1), \
                 'since', membership.since), coalesce(customer.body, json_object('cookieIds', json('[]'), \
                 'attributes', json_patch('{}', imported_row.body)))) AS row \
                 FROM membership LEFT JOIN customer ON id = membership.customer AND gone = 0 \
                 LEFT JOIN imported_row ON object = membership.customer \
                 WHERE segment = ?1 AND membership.customer > ?2 ORDER BY membership.customer LIMIT ?3)";
    let found = ask(&database, query, &[segment.into(), behind.into(), top.into()]).await?;
    Ok(listed(found))
}

//! Imported rows as objects take them, and as tables need them.

use msci_core::json;
use msci_core::object::Customer;
use msci_core::profile::Imported;
use msci_core::time::Timestamp;
use serde_json::Value;
use worker::Env;

use super::{ask, database, imported};
use crate::error::Result;

/// A customer's imported row, and the segments that it has brought the customer into, since when. The row
/// is marked as having an object, so that later imports reach it; where there is none yet, an empty row
/// carries the mark. Memberships that an object has written, in this life or an earlier one, are not the row's.
pub(crate) async fn adopt_row(
    env: &Env,
    customer: &Customer,
) -> Result<(Imported, Vec<(String, Timestamp)>)> {
    let database = database(env).await?;
    let query = "INSERT INTO imported_row (source, key, version, body, object, marked, pushed) \
                 VALUES (?1, ?2, 0, NULL, ?3, 1, 0) \
                 ON CONFLICT DO UPDATE SET object = ?3, marked = 1, pushed = version \
                 RETURNING json_array(version, json(body), json((SELECT json_group_array(json_array(segment, since)) \
                 FROM membership WHERE customer = ?3 AND NOT EXISTS (SELECT 1 FROM customer WHERE id = ?3)))) AS json";
    let parameters =
        [customer.table.as_str().into(), customer.auth_id.as_str().into(), customer.id.to_string().into()];
    let found = ask(&database, query, &parameters).await?;
    let memberships = json::from_value(found.get(2).unwrap_or(&Value::Null))?;
    Ok((imported(&found)?, memberships))
}

/// Whether a table has rows, or customers who were once given a name by it.
pub(crate) async fn is_used(env: &Env, table: &str) -> Result<bool> {
    let query = "SELECT '1' AS json FROM imported_row WHERE source = ?1 LIMIT 1";
    Ok(!ask(&database(env).await?, query, &[table.into()]).await?.is_null())
}

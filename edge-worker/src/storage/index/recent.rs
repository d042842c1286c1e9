//! What the console shows at a glance.

use serde_json::Value;
use worker::Env;

use super::reading::listed;
use super::{ask, database};
use crate::error::Result;

/// Most activities that are counted for a glance.
pub(crate) const COUNTED: u32 = 100_000;

/// The newest activities of all visitors: `{ time, type, title, cookie }`, the time in milliseconds.
pub(crate) async fn newest(env: &Env, top: u32) -> Result<Vec<Value>> {
    let query = "SELECT json_group_array(json_object('time', time, 'type', type, 'title', title, \
                 'customerId', object)) AS json FROM (SELECT * FROM activity ORDER BY time DESC LIMIT ?1)";
    Ok(listed(ask(&database(env).await?, query, &[top.into()]).await?))
}

/// Activities by hour since an instant, of the newest [`COUNTED`]: `[hour, views, others]`, the hour in
/// hours since the epoch.
pub(crate) async fn hours(env: &Env, since: i64) -> Result<Vec<Value>> {
    let query = "SELECT json_group_array(json_array(hour, views, every - views)) AS json FROM \
                 (SELECT time / 3600000 AS hour, sum(type = 'View') AS views, count(*) AS every FROM \
                 (SELECT time, type FROM activity WHERE time >= ?1 ORDER BY time DESC LIMIT ?2) \
                 GROUP BY hour ORDER BY hour)";
    let parameters = [(since as f64).into(), COUNTED.into()];
    Ok(listed(ask(&database(env).await?, query, &parameters).await?))
}

/// Members of all segments, by name.
pub(crate) async fn sizes(env: &Env) -> Result<Value> {
    let query = "SELECT json_group_object(segment, members) AS json FROM \
                 (SELECT segment, count(*) AS members FROM membership GROUP BY segment)";
    ask(&database(env).await?, query, &[]).await
}

/// Since when a customer is in which segments: milliseconds by name.
pub(crate) async fn memberships(env: &Env, customer: &str) -> Result<Value> {
    let query = "SELECT json_group_object(segment, since) AS json FROM membership WHERE customer = ?1";
    ask(&database(env).await?, query, &[customer.into()]).await
}

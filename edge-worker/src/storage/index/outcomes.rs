//! What became of the people who were shown an experience, as of the index.

use serde_json::Value;
use worker::Env;

use super::reading::listed;
use super::{ask, database};
use crate::error::Result;

/// Of each bucket: how many saw the experience first in it, and how many of them reached its goal.
pub(crate) async fn outcomes(env: &Env, experience: &str) -> Result<Vec<(String, u64, u64)>> {
    let query = "SELECT json_group_array(json_array(bucket, exposed, reached)) AS json FROM \
                 (SELECT bucket, count(*) AS exposed, count(reached) AS reached FROM outcome \
                 WHERE experience = ?1 GROUP BY bucket)";
    let rows = listed(ask(&database(env).await?, query, &[experience.into()]).await?);
    let row = |row: &Value| {
        let number = |at: usize| row.get(at).and_then(Value::as_u64);
        Some((row.get(0)?.as_str()?.to_owned(), number(1)?, number(2)?))
    };
    Ok(rows.iter().filter_map(row).collect())
}

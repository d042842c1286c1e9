//! Whom visitors claim to be.

use msci_core::ids::CustomerId;
use worker::Env;

use super::reading::listed;
use super::{ask, database};
use crate::error::Result;

/// Objects of visitors who claim to be this customer, in order, behind one of them.
pub(crate) async fn claiming(
    env: &Env,
    customer: CustomerId,
    behind: &str,
    most: u32,
) -> Result<Vec<CustomerId>> {
    let query = "SELECT json_group_array(object) AS json FROM (SELECT object FROM claim \
                 WHERE customer = ?1 AND object > ?2 ORDER BY object LIMIT ?3)";
    let parameters = [customer.to_string().into(), behind.into(), most.into()];
    let objects = listed(ask(&database(env).await?, query, &parameters).await?);
    Ok(objects.iter().filter_map(|object| object.as_str()?.parse().ok()).collect())
}

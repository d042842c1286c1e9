//! The index as the read API asks it: SQL that `msci_core::odata::sql` made, rows that are JSON.

use msci_core::expr::sql::Param;
use msci_core::ids::{CookieId, CustomerId};
use msci_core::json;
use msci_core::object::Customer;
use msci_core::odata::sql::Statement;
use msci_core::profile::Imported;
use serde_json::Value;
use wasm_bindgen::JsValue;
use worker::Env;

use super::index::{Answer, ask, database, noticed};
use crate::error::{Error, Result};

/// Rows of a statement.
pub(crate) async fn rows(env: &Env, statement: &Statement) -> Result<Vec<Value>> {
    let database = database(env).await?;
    let parameters: Vec<JsValue> = statement
        .parameters
        .iter()
        .map(|parameter| match parameter {
            Param::Number(number) => (*number).into(),
            Param::Text(text) => text.as_str().into(),
        })
        .collect();
    let found = database.prepare(&statement.text).bind(&parameters)?.all().await;
    let rows = noticed(found)?.results::<Answer>()?;
    rows.into_iter().map(|row| Ok(json::value(&row.json.unwrap_or_default())?)).collect()
}

/// The one number that a statement answers.
pub(crate) async fn number(env: &Env, statement: &Statement) -> Result<usize> {
    let rows = rows(env, statement).await?;
    let number = rows.first().and_then(Value::as_u64);
    number.map(|number| number as usize).ok_or_else(|| Error::damaged("a count is no number"))
}

/// Who an imported customer is, and the row; found by their id.
pub(crate) async fn imported(env: &Env, id: CustomerId) -> Result<Option<(Customer, Imported)>> {
    let query = "SELECT json_array(source, key, version, json(body)) AS json FROM imported_row \
                 WHERE object = ?1 AND body IS NOT NULL";
    let found = ask(&database(env).await?, query, &[id.to_string().into()]).await?;
    let text = |at: usize| found.get(at).and_then(Value::as_str).map(str::to_owned);
    let Some((table, auth_id)) = text(0).zip(text(1)) else { return Ok(None) };
    let values = json::from_value(found.get(3).unwrap_or(&Value::Null))?;
    let version = found.get(2).and_then(Value::as_u64).unwrap_or(0);
    Ok(Some((Customer { id, table, auth_id }, Imported { version, values })))
}

/// The cookies of these customers.
pub(crate) async fn cookies(env: &Env, customers: &[&str]) -> Result<Vec<CookieId>> {
    let query = "SELECT json_group_array(e.value) AS json FROM customer AS c, json_each(c.body, '$.cookieIds') AS e \
                 WHERE c.id IN (SELECT value FROM json_each(?1))";
    let found = ask(&database(env).await?, query, &[serde_json::to_string(customers)?.into()]).await?;
    Ok(json::from_value(&found)?)
}

//! Who is in a segment, as of the index.

use msci_core::ids::{CookieId, SignalKey};
use msci_core::json;
use msci_core::signal::{Kind, Signal, Source};
use msci_core::time::Timestamp;
use serde_json::Value;
use wasm_bindgen::JsValue;
use worker::Env;

use super::reading::{LOOKED_AT, PAGE_BYTES, listed, rows};
use super::{ask, database, run};
use crate::error::{Error, Result};

/// How many customers are in a segment.
pub(crate) async fn members(env: &Env, segment: &str) -> Result<u64> {
    let query = "SELECT json(count(*)) AS json FROM membership WHERE segment = ?1";
    Ok(ask(&database(env).await?, query, &[segment.into()]).await?.as_u64().unwrap_or(0))
}

/// Known customers who were seen on the site, and unknown visitors.
const VISITORS: &str = "(SELECT count(*) FROM customer WHERE gone = 0 AND known = 1) AS known, \
                        (SELECT count(*) FROM customer WHERE gone = 0 AND known = 0) AS unknown";

/// Notes how many are in each of these segments today, and how many visitors there are; forgets what is older than
/// `since`, or of no segment that there is; both in days since the epoch.
pub(crate) async fn note_sizes(env: &Env, segments: &Value, today: i64, since: i64) -> Result<()> {
    let [segments, today, since]: [JsValue; 3] =
        [json::text(segments).into(), (today as f64).into(), (since as f64).into()];
    let visitors = format!("INSERT OR REPLACE INTO visitor_count SELECT ?1, {VISITORS}");
    run(
        env,
        &[
            (
                "INSERT OR REPLACE INTO segment_size SELECT value, ?2, \
                 (SELECT count(*) FROM membership WHERE segment = value) FROM json_each(?1)",
                &[segments.clone(), today.clone()],
            ),
            (
                "DELETE FROM segment_size WHERE day < ?2 OR segment NOT IN (SELECT value FROM json_each(?1))",
                &[segments.clone(), since.clone()],
            ),
            (&visitors, std::slice::from_ref(&today)),
            ("DELETE FROM visitor_count WHERE day < ?1", std::slice::from_ref(&since)),
        ],
    )
    .await
}

/// How many visitors there were at the end of each day since then, and are today: `[day, known, unknown]`.
pub(crate) async fn visitors_by_day(env: &Env, today: i64, since: i64) -> Result<Vec<Value>> {
    let query = format!(
        "SELECT json_group_array(json_array(day, known, unknown)) AS json FROM (SELECT day, known, unknown \
         FROM visitor_count WHERE day >= ?2 AND day < ?1 UNION ALL SELECT CAST(?1 AS INTEGER), {VISITORS} ORDER BY day)"
    );
    Ok(listed(ask(&database(env).await?, &query, &[(today as f64).into(), (since as f64).into()]).await?))
}

/// The largest segments, at most so many, and how many were in each of them at the end of each day since then, and are
/// today: `[[name …], [[day, members …] …]]`; null where it is not known.
pub(crate) async fn largest_by_day(env: &Env, most: u32, today: i64, since: i64) -> Result<Value> {
    let query = "WITH largest AS (SELECT json_group_array(segment) AS names FROM \
                 (SELECT segment FROM membership GROUP BY segment ORDER BY count(*) DESC, segment LIMIT ?3)), \
                 days(at) AS (SELECT DISTINCT day FROM largest, json_each(names) JOIN segment_size ON segment = value \
                 WHERE day >= ?2 AND day < ?1 UNION ALL SELECT CAST(?1 AS INTEGER)) \
                 SELECT json_array(json(names), json((SELECT json_group_array(json(row)) FROM (SELECT \
                 (SELECT json_group_array(n) FROM (SELECT at AS n UNION ALL SELECT CASE WHEN at < ?1 \
                 THEN (SELECT members FROM segment_size WHERE segment = value AND day = at) \
                 ELSE (SELECT count(*) FROM membership WHERE segment = value) END FROM json_each(names))) AS row \
                 FROM days ORDER BY at)))) AS json FROM largest";
    ask(&database(env).await?, query, &[(today as f64).into(), (since as f64).into(), most.into()]).await
}

/// How many were in a segment, day by day: `[day, members]`, the day in days since the epoch.
pub(crate) async fn sizes_by_day(env: &Env, segment: &str) -> Result<Vec<Value>> {
    let query = "SELECT json_group_array(json_array(day, members)) AS json FROM \
                 (SELECT day, members FROM segment_size WHERE segment = ?1 ORDER BY day)";
    Ok(listed(ask(&database(env).await?, query, &[segment.into()]).await?))
}

/// Some members of a segment behind this one, as lists show them.
pub(crate) async fn members_list(env: &Env, segment: &str, behind: &str, top: u32) -> Result<Vec<Value>> {
    let query = "SELECT json_patch(json_object('customerId', membership.customer, \
                 'known', json(iif(coalesce(known, 1), 'true', 'false')), 'authId', coalesce(auth, key), \
                 'firstSeen', first_seen, 'lastSeen', coalesce(last_seen, -1), 'since', membership.since), \
                 coalesce(customer.body, json_object('cookieIds', json('[]'), \
                 'attributes', json_patch('{}', imported_row.body)))) AS json \
                 FROM membership LEFT JOIN customer ON id = membership.customer AND gone = 0 \
                 LEFT JOIN imported_row ON object = membership.customer \
                 WHERE segment = ?1 AND membership.customer > ?2 ORDER BY membership.customer LIMIT ?3";
    let parameters = [segment.into(), behind.into(), top.into()];
    rows(&database(env).await?.prepare(query).bind(&parameters)?).await
}

/// Some members of a segment behind this one, in the order of their ids, each with their cookieIds.
pub(crate) async fn member_cookies(
    env: &Env,
    segment: &str,
    behind: &str,
) -> Result<Vec<(String, Vec<String>)>> {
    let query = "SELECT json_array(customer, json(cookies)) AS json FROM \
                 (SELECT *, sum(length(cookies)) OVER (ORDER BY customer) - length(cookies) AS bytes FROM \
                 (SELECT membership.customer, coalesce(json_extract(body, '$.cookieIds'), '[]') AS cookies FROM membership \
                 JOIN customer ON id = membership.customer AND gone = 0 \
                 WHERE segment = ?1 AND membership.customer > ?2 ORDER BY membership.customer LIMIT ?3)) WHERE bytes < ?4";
    let parameters = [segment.into(), behind.into(), LOOKED_AT.into(), PAGE_BYTES.into()];
    let found = rows(&database(env).await?.prepare(query).bind(&parameters)?).await?;
    found.iter().map(|row| Ok(json::from_value(row)?)).collect()
}

/// Some customers with an object, behind this one, in the order of their ids.
pub(crate) async fn customers(env: &Env, behind: &str, limit: u32) -> Result<Vec<Value>> {
    let query = "SELECT json_patch(json_object('customerId', id, 'known', json(iif(known, 'true', 'false')), \
                 'authId', auth, 'firstSeen', first_seen, 'lastSeen', last_seen), body) AS json FROM \
                 (SELECT *, sum(length(body)) OVER (ORDER BY id) - length(body) AS bytes FROM \
                 (SELECT * FROM customer WHERE gone = 0 AND id > ?1 ORDER BY id LIMIT ?2)) WHERE bytes < ?3";
    let parameters = [behind.into(), limit.into(), PAGE_BYTES.into()];
    rows(&database(env).await?.prepare(query).bind(&parameters)?).await
}

/// Activities of the customers behind one, up to another: whose, and what, in the order of customers.
pub(crate) async fn activities_of(
    env: &Env,
    behind: &str,
    last: &str,
    limit: u32,
) -> Result<Vec<(String, SignalKey, Signal)>> {
    let query = "SELECT json_array(customer, stream, seq, time, type, fields) AS json FROM cookie \
                 JOIN activity ON activity.object = cookie.object \
                 WHERE customer > ?1 AND customer <= ?2 ORDER BY customer LIMIT ?3";
    let parameters = [behind.into(), last.into(), limit.into()];
    let found = rows(&database(env).await?.prepare(query).bind(&parameters)?).await?;
    found
        .iter()
        .map(|row| {
            let text = |at: usize| row.get(at).and_then(Value::as_str).unwrap_or_default();
            let number = |at: usize| row.get(at).and_then(Value::as_i64).unwrap_or_default();
            let stream = text(1).parse().map_err(|_| Error::damaged("an activity without a stream"))?;
            let signal = Signal {
                stream,
                seq: number(2).unsigned_abs(),
                time: Timestamp(number(3)),
                kind: match text(4) {
                    "View" => Kind::View,
                    "Action" => Kind::Action,
                    _ => Kind::Event,
                },
                fields: json::from_str(text(5))?,
                source: Source::Browser,
            };
            // Nothing that is counted here depends on which cookie it was.
            Ok((text(0).to_owned(), signal.key(CookieId::from_bits(0)), signal))
        })
        .collect()
}

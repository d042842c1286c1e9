//! Read API (contract §5): `msdynci_p13nprofile(cookieid='…',include=[…])`, answered by the object
//! itself, so strongly consistent.

use msci_core::activity::{activity_type, title};
use msci_core::limits::ACTIVITIES_PER_ANSWER;
use msci_core::time::Timestamp;
use serde_json::{Map, Value, json};
use worker::{Env, Request, Response};

use crate::calls::Activity;
use crate::configuration::Configuration;
use crate::error::{Error, Result};
use crate::http;
use crate::{access, names, reader};

/// Service root.
pub(crate) const ROOT: &str = "/api/data/v9.2/";

/// Answers what stands behind the root.
pub(crate) async fn get(
    request: &Request,
    env: &Env,
    configuration: &Configuration,
    resource: &str,
) -> Result<Response> {
    access::require(request, env)?;
    let resource = http::decoded(resource);
    let resource = resource.trim_start_matches('/');
    let call = resource.strip_prefix("msdynci_p13nprofile(").and_then(|rest| rest.strip_suffix(')'));
    let Some(arguments) = call else {
        return Err(Error::client(404, "resource_not_found", format!("there is no resource {resource:.80}")));
    };
    let asked = Asked::parse(arguments)?;
    let activities = if asked.activities { ACTIVITIES_PER_ANSWER } else { 0 };
    let cookie = asked.cookie.parse().map_err(|_| profile_not_found())?;
    let found = reader::of_cookie(env, configuration, cookie, activities).await?;
    let (snapshot, activities) = found.ok_or_else(profile_not_found)?;
    let root = format!("{}{}{ROOT}", http::url(request)?.origin(), names::PREFIX);
    let mut answer = Map::new();
    let mut put = |name: &str, value: Value| answer.insert(name.to_owned(), value);
    put("@odata.context", format!("{root}$metadata#msdynci_p13nprofile").into());
    put("msdynci_customerid", snapshot.customer.to_string().into());
    put("msdynci_known", snapshot.customer.is_known().into());
    put("msdynci_cookieids", json!(snapshot.cookie_ids));
    for (name, value) in snapshot.attributes.iter() {
        put(&format!("msdynci_{}", name.to_ascii_lowercase()), value.clone());
    }
    if let Some((table, key)) = &snapshot.auth {
        let column =
            configuration.definitions.bundle.tables.get(table).map_or("key", |table| &table.primary_key);
        put(&format!("msdynci_{table}_{column}").to_ascii_lowercase(), key.clone().into());
    }
    let instant = |time: Option<Timestamp>| time.map_or(Value::Null, |time| time.to_rfc3339().into());
    put("msdynci_firstseen", instant(snapshot.first_seen));
    put("msdynci_lastseen", instant(snapshot.last_seen));
    if asked.segments {
        put("segmentmembership", json!(snapshot.segments));
    }
    if asked.measures {
        put("measures", json!(snapshot.measures));
    }
    if asked.activities {
        put("unifiedactivity", activities.iter().map(unified).collect());
    }
    let response = http::json(&answer)?;
    response.headers().set("OData-Version", "4.0")?;
    Ok(response)
}

fn profile_not_found() -> Error {
    Error::client(404, "profile_not_found", "no profile has this cookieid")
}

fn unified(activity: &Activity) -> Value {
    let signal = &activity.signal;
    json!({
        "msdynci_activityid": activity.id,
        "msdynci_activitytype": activity_type(signal),
        "msdynci_activitytime": signal.time.to_rfc3339(),
        "msdynci_title": title(signal),
        "msdynci_externalurl": signal.text("uri"),
        "msdynci_semanticdata": signal.fields.get("properties").map(Value::to_string),
    })
}

/// Arguments of the function.
struct Asked {
    cookie: String,
    segments: bool,
    measures: bool,
    activities: bool,
}

impl Asked {
    /// Reads `cookieid='…'` and `include=['…','…']` in any order.
    fn parse(text: &str) -> Result<Self> {
        let invalid = |what: &str| Error::client(400, "invalid_request", what.to_owned());
        let mut asked = Self { cookie: String::new(), segments: false, measures: false, activities: false };
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (name, after) = rest.split_once('=').ok_or_else(|| invalid("arguments are name=value"))?;
            let after = after.trim_start();
            let close = if after.starts_with('[') { ']' } else { '\'' };
            let body = after.get(1..).unwrap_or_default();
            let (value, after) = body.split_once(close).ok_or_else(|| invalid("a value is not closed"))?;
            match name.trim() {
                "cookieid" => value.clone_into(&mut asked.cookie),
                "include" => {
                    for part in value.split(',').map(|part| part.trim().trim_matches('\'')) {
                        match part {
                            "segmentmembership" => asked.segments = true,
                            "measures" => asked.measures = true,
                            "unifiedactivity" => asked.activities = true,
                            "" => {}
                            other => return Err(invalid(&format!("{other:.40} cannot be included"))),
                        }
                    }
                }
                other => return Err(invalid(&format!("there is no argument {other:.40}"))),
            }
            rest = after.trim_start().strip_prefix(',').unwrap_or(after).trim();
        }
        if asked.cookie.is_empty() {
            return Err(invalid("cookieid is missing"));
        }
        Ok(asked)
    }
}

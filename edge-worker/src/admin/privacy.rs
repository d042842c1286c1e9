//! What a person may ask for: everything that is held of them, and that it goes.

use msci_core::export;
use msci_core::ids::CustomerId;
use msci_core::json;
use msci_core::object::LinkView;
use msci_core::signal::Source;
use msci_core::snapshot::Snapshot;
use serde_json::{Value, json};
use worker::{Env, Request, Response};

use super::customers::{behind_last, invalid, paging, place, text};
use crate::calls::{self, Activity, JobCall, ProfileCall, Seen, Work};
use crate::configuration::Configuration;
use crate::error::{Error, Result};
use crate::http::{self, Outgoing};
use crate::platform::{normal, now};
use crate::storage::index;

/// Signals that are read, and held, at once.
const PAGE: usize = 200;

/// Whom one of the three names means: of a cookie that belongs to a customer, that one.
async fn whom(
    env: &Env,
    configuration: &Configuration,
    [id, cookie, key]: [Option<&str>; 3],
) -> Result<CustomerId> {
    Ok(match (id, cookie, key) {
        (Some(id), None, None) => id.parse().map_err(|_| invalid("customerId is not an id"))?,
        (None, Some(cookie), None) => {
            let cookie = cookie.parse().map_err(|_| invalid("cookieId should be a GUID v4"))?;
            let own = configuration.names.unknown(cookie);
            match calls::read(env, configuration, own, 0).await? {
                Seen::Linked(customer) => customer,
                Seen::Profile(..) | Seen::Nothing => own,
            }
        }
        (None, None, Some(key)) => {
            let settings = configuration.settings();
            let table = settings.tracking_table.as_ref();
            let table =
                table.and_then(|name| Some((name, configuration.definitions.bundle.tables.get(name)?)));
            let (name, table) = table.ok_or_else(|| invalid("the settings name no trackingTable"))?;
            let key = msci_core::identity::auth_id(key, normal(table.case_insensitive_key))
                .map_err(|error| invalid(&error.to_string()))?;
            configuration.names.known(name, &key)
        }
        _ => return Err(invalid("send one of customerId, cookieId and authId")),
    })
}

const NAMES: [&str; 3] = ["customerId", "cookieId", "authId"];

/// Whom a request asks about, and what there is of them; of an id of a cookie's object that belongs to somebody, that one.
async fn asked_about(
    query: &web_sys::UrlSearchParams,
    env: &Env,
    configuration: &Configuration,
) -> Result<(CustomerId, Option<Snapshot>)> {
    let asked = NAMES.map(|name| query.get(name).filter(|value| !value.is_empty()));
    let customer = whom(env, configuration, asked.each_ref().map(Option::as_deref)).await?;
    Ok(match calls::read(env, configuration, customer, 0).await? {
        Seen::Profile(snapshot, _) => (snapshot.customer, Some(*snapshot)),
        Seen::Linked(customer) => match calls::read(env, configuration, customer, 0).await? {
            Seen::Profile(snapshot, _) => (customer, Some(*snapshot)),
            Seen::Linked(_) | Seen::Nothing => (customer, None),
        },
        Seen::Nothing => (customer, None),
    })
}

fn nothing_held() -> Error {
    Error::client(404, "profile_not_found", "nothing is held of whom this names")
}

/// `GET /privacy/consents?customerId=|cookieId=|authId=&top=&skiptoken=`: every decision on consent that is kept, newest
/// first. Of a cookie that belongs to a customer, those of all their browsers.
pub(super) async fn consents(
    request: &Request,
    env: &Env,
    configuration: &Configuration,
) -> Result<Response> {
    let query = http::url(request)?.search_params();
    let (top, token) = paging(&query)?;
    let behind = token.as_deref().map(place).transpose()?;
    let (customer, snapshot) = asked_about(&query, env, configuration).await?;
    if snapshot.is_none() && index::row_of(env, customer).await?.is_none() {
        return Err(nothing_held());
    }
    let call = ProfileCall::Consents { behind, limit: top as usize };
    let page: Vec<Activity> = calls::profile(env, configuration.n(), customer, call).await?;
    let consents: Vec<Value> = page
        .iter()
        .map(|Activity { id, signal }| {
            json!({
                "time": signal.time.to_rfc3339(),
                "cookieId": id.split(':').next(),
                "purposes": signal.fields.get("purposes"),
                "source": if signal.source == Source::Server { "server" } else { "browser" },
            })
        })
        .collect();
    let token = behind_last(&page, top);
    http::json(&json!({ "customerId": customer, "consents": consents, "skiptoken": token }))
}

/// `POST /privacy/erase { customerId | cookieId | authId }`: answers the job that does it. Of a cookie
/// that belongs to a customer, the customer is erased.
pub(super) async fn erase(env: &Env, configuration: &Configuration, asked: &Value) -> Result<Response> {
    let customer = whom(env, configuration, NAMES.map(|name| text(asked, name))).await?;
    let call = JobCall::Start(Work::Erase { customer, begun: false, at: None, behind: String::new() });
    http::json(&calls::job(env, &call).await?)
}

/// `GET /privacy/export?customerId=|cookieId=|authId=`: JSON Lines of everything held (`msci_core::export`), read
/// page by page as fast as they are taken, so what is held in memory does not grow with a life.
pub(super) async fn export(request: &Request, env: &Env, configuration: &Configuration) -> Result<Response> {
    let query = http::url(request)?.search_params();
    let (customer, snapshot) = asked_about(&query, env, configuration).await?;
    let mut rows = index::rows_held(env, customer).await?;
    if snapshot.is_some() {
        // The object tells of its own, also where the index has not heard of it yet.
        rows.retain(|row| row.get("kind").is_none_or(|kind| kind != "membership"));
    }
    let deliveries = index::deliveries_held(env, customer, "").await?;
    if snapshot.is_none() && rows.is_empty() && deliveries.is_empty() {
        return Err(nothing_held());
    }
    let of = Of { env: env.clone(), n: configuration.n(), customer };
    let mut answer = http::streamed("application/x-ndjson", |out| async move {
        of.write(&mut Lines { out, lines: 0 }, snapshot, rows, deliveries).await
    })?;
    let disposition = format!("attachment; filename=\"{customer}.jsonl\"");
    answer.headers_mut().set("Content-Disposition", &disposition)?;
    Ok(answer)
}

/// Lines on their way out. Where they break off there is no last one.
struct Lines {
    out: Outgoing,
    lines: u64,
}

impl Lines {
    /// Waits until they are taken.
    async fn send(&mut self, lines: &[Value]) -> Result<()> {
        let mut text = String::new();
        for line in lines {
            text.push_str(&json::text(line));
            text.push('\n');
        }
        self.lines += lines.len() as u64;
        self.out.send(&text).await
    }
}

/// Of whom.
struct Of {
    env: Env,
    n: u64,
    customer: CustomerId,
}

impl Of {
    async fn write(
        &self,
        lines: &mut Lines,
        snapshot: Option<Snapshot>,
        rows: Vec<Value>,
        deliveries: Vec<Value>,
    ) -> Result<()> {
        let mut signals = 0;
        if let Some(snapshot) = snapshot {
            let held: Value = calls::profile(&self.env, self.n, self.customer, ProfileCall::Held).await?;
            let links: Vec<LinkView> =
                calls::profile(&self.env, self.n, self.customer, ProfileCall::Links).await?;
            lines.send(&[export::customer(&snapshot, now())]).await?;
            lines.send(&rows).await?;
            lines.send(&export::profile(&snapshot, &held, &links)).await?;
            signals = self.signals(lines).await?;
        } else {
            let first = json!({ "kind": "customer", "format": export::FORMAT, "exportedAt": now().to_rfc3339(),
                "customerId": self.customer, "known": self.customer.is_known() });
            lines.send(&[first]).await?;
            lines.send(&rows).await?;
        }
        let mut page = deliveries;
        while let Some(last) = page.last() {
            let behind = text(last, "id").unwrap_or_default().to_owned();
            lines.send(&page).await?;
            page = index::deliveries_held(&self.env, self.customer, &behind).await?;
        }
        let end = export::end(lines.lines, signals);
        lines.send(&[end]).await
    }

    /// Every signal, newest first; answers how many.
    async fn signals(&self, lines: &mut Lines) -> Result<u64> {
        let (mut behind, mut count) = (None, 0);
        loop {
            let call = ProfileCall::Timeline { behind, limit: PAGE };
            let page: Vec<Activity> = calls::profile(&self.env, self.n, self.customer, call).await?;
            let mut shown = Vec::with_capacity(page.len());
            for Activity { id, signal } in &page {
                let cookie = id.split(':').next().and_then(|cookie| cookie.parse().ok());
                let cookie = cookie.ok_or_else(|| Error::damaged("a signal without a cookie".to_owned()))?;
                behind = Some((signal.time.0, cookie, signal.stream, signal.seq));
                shown.push(export::signal(cookie, signal.stream, signal));
            }
            lines.send(&shown).await?;
            count += page.len() as u64;
            if page.len() < PAGE {
                return Ok(count);
            }
        }
    }
}

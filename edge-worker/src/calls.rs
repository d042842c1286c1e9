//! Calls to the objects: path, object name and shapes in one place. All scripts call the objects of
//! profiles and configuration, which are the edge's; only the console calls the one of long work.

#[cfg(any(feature = "console", feature = "api"))]
mod administration;
#[cfg(feature = "console")]
mod jobs;
#[cfg(feature = "api")]
mod lease;
#[cfg(any(feature = "console", feature = "edge"))]
pub(crate) mod previews;
#[cfg(feature = "edge")]
mod signals;

#[cfg(any(feature = "console", feature = "api"))]
pub(crate) use administration::*;
#[cfg(feature = "console")]
pub(crate) use jobs::*;
#[cfg(feature = "api")]
pub(crate) use lease::*;
#[cfg(feature = "edge")]
pub(crate) use signals::*;

use msci_core::ids::{CookieId, CustomerId, StreamId};
use msci_core::json;
use msci_core::object::{CollectCall, Drop, Page, Purge};
use msci_core::profile::Imported;
use msci_core::snapshot::Snapshot;
#[cfg(feature = "edge")]
use msci_core::token::Use;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use worker::{Env, Request, Response};

use crate::configuration::{Configuration, Told};
use crate::error::{Error, Result};
use crate::names;

/// Name of the one configuration object.
const CONFIG_NAME: &str = "config";
/// A call to a profile's object.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProfileCall {
    /// Take a batch.
    Collect(CollectCall),
    /// Take a page of a linked log.
    Ship(Page),
    /// Say what readers see.
    Read {
        /// How many of the newest activities to add.
        activities: usize,
    },
    /// Take an imported row.
    Import(Imported),
    /// Take the link to this customer back.
    Unlink(CustomerId),
    /// A cookie's object took its link back.
    Drop(Drop),
    /// Purge this cookie's log, here and at its customer.
    Forget,
    /// Erase the customer or visitor that this object stands for.
    Erase,
    /// A customer was erased, to whom this cookie was linked.
    Purge(Purge),
    /// Say whether something of what was erased is still somewhere.
    Erasing,
    /// Follow the definitions of this call, and time.
    Wake,
    /// Make all copies again; answers the cookies' objects that belong to it.
    CopyAgain,
    /// Bind a token to the browser that uses it; answers whether that one may. The console has none.
    #[cfg(feature = "edge")]
    UseToken(Use),
    /// Say which links there are.
    Links,
    /// Say whom this visitor claims to be, as administrators see it.
    Claims,
    /// What an export has besides what readers see.
    Held,
    /// Some signals of the timeline, newest first.
    Timeline {
        /// Behind this one: time, cookie, stream and seq.
        behind: Option<(i64, CookieId, StreamId, u64)>,
        /// Most signals.
        limit: usize,
    },
    /// The same, of what was agreed to and refused.
    Consents {
        /// Behind this one.
        behind: Option<(i64, CookieId, StreamId, u64)>,
        /// Most decisions.
        limit: usize,
    },
    /// What the read API asks of the signals.
    Search(Statement),
    /// Put dead messages of an activation back; answers how many.
    Replay {
        /// Which activation's.
        activation: String,
        /// One of them; all, unless it is named.
        id: Option<String>,
    },
}

/// SQL over an object's signals, made by `msci_core::odata::sql`.
#[derive(Serialize, Deserialize)]
pub(crate) struct Statement {
    /// Of a page, what tells the place of a row; the columns are the object's own. Empty where the text is
    /// a whole statement, whose rows are JSON.
    pub(crate) place: String,
    /// The text.
    pub(crate) text: String,
    /// Numbers and texts to bind.
    pub(crate) parameters: Vec<Value>,
}

/// A call with what every call carries.
#[derive(Serialize, Deserialize)]
pub(crate) struct Envelope {
    /// The object's own name: it cannot read it off its id.
    pub(crate) name: CustomerId,
    /// Version of the configuration that the caller works with.
    pub(crate) n: u64,
    /// The call.
    pub(crate) call: ProfileCall,
}

/// Answer to `Read`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Seen {
    /// Nothing was ever here.
    Nothing,
    /// The cookie belongs to this customer.
    Linked(CustomerId),
    /// The profile, and its newest activities as asked for.
    Profile(Box<Snapshot>, Vec<Activity>),
}

/// One activity of a timeline.
#[derive(Serialize, Deserialize)]
pub(crate) struct Activity {
    /// Cookie, stream and seq.
    pub(crate) id: String,
    /// The signal.
    pub(crate) signal: msci_core::signal::Signal,
}

/// Changes of the configuration.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    /// Merges deeply into the settings.
    Settings(Value),
    /// Puts one definition of a kind (`tables`, `segments`, …), or deletes it.
    Definition {
        /// Kind.
        kind: String,
        /// Name.
        name: String,
        /// Body; none deletes.
        body: Option<Value>,
    },
}

/// Calls a profile's object. Every call may be made twice, so one that failed is made once more, through
/// a new stub: the object may have moved. An object that is overloaded is not asked again.
pub(crate) async fn profile<T: DeserializeOwned>(
    env: &Env,
    n: u64,
    name: CustomerId,
    call: ProfileCall,
) -> Result<T> {
    Ok(json::from_str(&profile_text(env, n, name, call).await?)?)
}

/// The same for all answers.
async fn profile_text(env: &Env, n: u64, name: CustomerId, call: ProfileCall) -> Result<String> {
    twice(env, name, &serde_json::to_string(&Envelope { name, n, call })?).await
}

async fn twice(env: &Env, name: CustomerId, body: &str) -> Result<String> {
    match profile_once(env, name, body).await {
        Err(error) if error.is_of_the_platform() => {
            worker::console_error!("asked again: {error}");
            profile_once(env, name, body).await
        }
        answer => answer,
    }
}

async fn profile_once(env: &Env, name: CustomerId, body: &str) -> Result<String> {
    let stub = env.durable_object(names::PROFILE)?.get_by_name(&name.to_string())?;
    match stub.fetch_with_request(request("https://profile/", Some(body))?).await {
        Ok(response) => answer(response).await,
        Err(error) if is_overloaded(&error) => Err(Error::overloaded()),
        Err(error) => Err(error.into()),
    }
}

fn is_overloaded(error: &worker::Error) -> bool {
    let worker::Error::UnknownJsError { original, .. } = error else { return false };
    js_sys::Reflect::get(original, &"overloaded".into()).is_ok_and(|truth| truth.is_truthy())
}

/// What an object says of its profile.
pub(crate) async fn read(
    env: &Env,
    configuration: &Configuration,
    name: CustomerId,
    activities: usize,
) -> Result<Seen> {
    profile(env, configuration.n(), name, ProfileCall::Read { activities }).await
}

/// The configuration's version, the key ring's, and whether somebody watches signals arrive; takes what was counted along.
#[cfg(feature = "edge")]
pub(crate) async fn pulse(
    env: &Env,
    counted: Option<(&msci_core::stats::Counters, &Vec<Value>)>,
) -> Result<(u64, u64, bool)> {
    let body = counted.map(|counted| serde_json::to_string(&counted)).transpose()?;
    Ok(json::from_str(&config(env, "https://config/pulse", body.as_deref()).await?)?)
}

/// The configuration's version, and the key ring's.
#[cfg(feature = "edge")]
pub(crate) async fn config_state(env: &Env) -> Result<(u64, u64)> {
    crate::counting::pulse(env, crate::platform::now()).await
}

/// The configuration's version, and the key ring's.
#[cfg(not(feature = "edge"))]
pub(crate) async fn config_state(env: &Env) -> Result<(u64, u64)> {
    Ok(json::from_str(&config(env, "https://config/state", None).await?)?)
}

/// The configuration.
pub(crate) async fn config_told(env: &Env) -> Result<Told> {
    Ok(json::from_str(&config(env, "https://config/told", None).await?)?)
}

/// The secret of this key; empty if there is none.
pub(crate) async fn webhook_secret(env: &Env, key: &str) -> Result<String> {
    config(env, "https://config/secret", Some(key)).await
}

async fn config(env: &Env, url: &str, body: Option<&str>) -> Result<String> {
    let stub = env.durable_object(names::CONFIG)?.get_by_name(CONFIG_NAME)?;
    answer(stub.fetch_with_request(request(url, body)?).await?).await
}

/// POST where there is a body. By the runtime's own type: the crate's would bring along what every feature
/// of a request looks like. Bytes, since of a text the runtime would make one of its own first.
fn request(url: &str, body: Option<&str>) -> Result<Request> {
    let init = web_sys::RequestInit::new();
    if let Some(body) = body {
        init.set_method("POST");
        init.set_body(&js_sys::Uint8Array::from(body.as_bytes()).into());
    }
    Ok(web_sys::Request::new_with_str_and_init(url, &init)?.into())
}

/// An object's refusal passes on as it is; anything else that is no answer is the platform's.
async fn answer(mut response: Response) -> Result<String> {
    let text = response.text().await?;
    let status = response.status_code();
    if status == 200 {
        return Ok(text);
    }
    let error = json::value(&text).unwrap_or_default();
    let part =
        |name: &str| error.pointer(&format!("/error/{name}")).and_then(Value::as_str).map(str::to_owned);
    match (part("code"), part("message")) {
        (Some(code), Some(message)) if status < 500 || code == "damaged" => {
            Err(Error::client(status, code, message))
        }
        _ => Err(worker::Error::from(format!("object answered {status}")).into()),
    }
}

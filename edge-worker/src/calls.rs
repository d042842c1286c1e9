//! Calls between the Worker and its objects: path, object name and shapes in one place.

use msci_core::ids::{CookieId, CustomerId, StreamId};
use msci_core::object::{CollectAnswer, CollectCall, Drop, Page, Purge, ShipAnswer};
use msci_core::profile::Imported;
use msci_core::snapshot::Snapshot;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wasm_bindgen::JsValue;
use worker::{Env, Method, Request, RequestInit, Response};

use crate::configuration::Told;
use crate::error::{Error, Result};
use crate::names;

/// Name of the one configuration object.
const CONFIG_NAME: &str = "config";
/// Name of the one object that does long work.
const JOBS_NAME: &str = "jobs";

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
    /// Say whether somebody is still to be told of an erasure.
    Erasing,
    /// Make all copies again; answers the cookies' objects that belong to it.
    CopyAgain,
    /// Say which links there are.
    Links,
    /// Some signals of the timeline, newest first.
    Timeline {
        /// Behind this one: time, cookie, stream and seq.
        behind: Option<(i64, CookieId, StreamId, u64)>,
        /// Most signals.
        limit: usize,
    },
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

/// Answer to `Collect`.
#[derive(Serialize, Deserialize)]
pub(crate) struct Collected {
    /// What the log says.
    pub(crate) answer: CollectAnswer,
    /// Whose profile the signals are in now.
    pub(crate) customer: CustomerId,
    /// Its life.
    pub(crate) tag: String,
    /// Its version.
    pub(crate) version: u64,
    /// Whether a part is still on its way to the customer.
    pub(crate) pending: bool,
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

/// A call to the object that does long work.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobCall {
    /// Begin; answers the job's id.
    Start(Work),
    /// All jobs, newest first.
    List,
    /// One job.
    Get(String),
    /// Stop one.
    Cancel(String),
}

/// What is to be done.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Work {
    /// Make the index again from the objects.
    Rebuild {
        /// How far the list of objects was read.
        #[serde(default)]
        cursor: Option<String>,
    },
    /// Erase a customer or visitor.
    Erase {
        /// Whom. An id that says nothing about the person.
        customer: CustomerId,
        /// Whether its own object has done its part.
        #[serde(default)]
        begun: bool,
    },
    /// Tell objects of imported rows that changed.
    Push {},
}

impl Work {
    /// What kind of work, as people see it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Rebuild { .. } => "rebuild",
            Self::Erase { .. } => "erase",
            Self::Push {} => "push",
        }
    }
}

/// Calls a profile's object. Every call may be made twice, so one that failed is made once more, through
/// a new stub: the object may have moved. An object that is overloaded is not asked again.
pub(crate) async fn profile<T: DeserializeOwned>(
    env: &Env,
    n: u64,
    name: CustomerId,
    call: ProfileCall,
) -> Result<T> {
    let body = serde_json::to_string(&Envelope { name, n, call })?;
    let text = match profile_once(env, name, &body).await {
        Err(Error::Platform(error)) => {
            worker::console_error!("asked again: {error}");
            profile_once(env, name, &body).await
        }
        answer => answer,
    }?;
    Ok(serde_json::from_str(&text)?)
}

async fn profile_once(env: &Env, name: CustomerId, body: &str) -> Result<String> {
    let stub = env.durable_object(names::PROFILE)?.get_by_name(&name.to_string())?;
    match stub.fetch_with_request(post("https://profile/", body)?).await {
        Ok(response) => read(response).await,
        Err(error) if is_overloaded(&error) => Err(Error::Overloaded),
        Err(error) => Err(error.into()),
    }
}

fn is_overloaded(error: &worker::Error) -> bool {
    let worker::Error::UnknownJsError { original, .. } = error else { return false };
    js_sys::Reflect::get(original, &"overloaded".into()).is_ok_and(|truth| truth.is_truthy())
}

/// Ships a page to the customer's object.
pub(crate) async fn ship(env: &Env, n: u64, page: Page) -> Result<ShipAnswer> {
    let name = page.customer.id;
    profile(env, n, name, ProfileCall::Ship(page)).await
}

/// The configuration's version.
pub(crate) async fn config_version(env: &Env) -> Result<u64> {
    config(env, "https://config/version", None).await
}

/// The configuration.
pub(crate) async fn config_told(env: &Env) -> Result<Told> {
    config(env, "https://config/told", None).await
}

/// Changes the configuration; answers its new version.
pub(crate) async fn config_change(env: &Env, change: &Change) -> Result<u64> {
    config(env, "https://config/change", Some(serde_json::to_string(change)?)).await
}

async fn config<T: DeserializeOwned>(env: &Env, url: &str, body: Option<String>) -> Result<T> {
    let stub = env.durable_object(names::CONFIG)?.get_by_name(CONFIG_NAME)?;
    let request = match body {
        Some(body) => post(url, &body)?,
        None => Request::new(url, Method::Get)?,
    };
    Ok(serde_json::from_str(&read(stub.fetch_with_request(request).await?).await?)?)
}

/// Calls the object that does long work.
pub(crate) async fn job(env: &Env, call: &JobCall) -> Result<Value> {
    let stub = env.durable_object(names::JOBS)?.get_by_name(JOBS_NAME)?;
    let request = post("https://jobs/", &serde_json::to_string(call)?)?;
    Ok(serde_json::from_str(&read(stub.fetch_with_request(request).await?).await?)?)
}

fn post(url: &str, body: &str) -> worker::Result<Request> {
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(JsValue::from_str(body)));
    Request::new_with_init(url, &init)
}

/// An object's refusal passes on as it is; anything else that is no answer is the platform's.
async fn read(mut response: Response) -> Result<String> {
    let text = response.text().await?;
    let status = response.status_code();
    if status == 200 {
        return Ok(text);
    }
    let error = serde_json::from_str::<Value>(&text).unwrap_or_default();
    let part =
        |name: &str| error.pointer(&format!("/error/{name}")).and_then(Value::as_str).map(str::to_owned);
    match (part("code"), part("message")) {
        (Some(code), Some(message)) if status < 500 || code == "damaged" => {
            Err(Error::client(status, code, message))
        }
        _ => Err(Error::Platform(format!("object answered {status}").into())),
    }
}

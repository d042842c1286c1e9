//! Calls between the Worker and its objects: path, object name and shapes in one place.

use msci_core::ids::{CookieId, CustomerId, StreamId};
use msci_core::json;
use msci_core::object::{CollectAnswer, CollectCall, Drop, Page, Purge, ShipAnswer};
use msci_core::profile::Imported;
use msci_core::snapshot::Snapshot;
use msci_core::time::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use worker::{Env, Request, Response};

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
    /// Follow the definitions of this call, and time.
    Wake,
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
    /// Begin, with what can be done at once; answers the job's id.
    Start(Work),
    /// Begin, and answer before anything is done.
    Later(Work),
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
    /// Carry imported rows that changed to where they count: to the customer's object, or, where there is
    /// none, into the memberships.
    Push {
        /// Changes that came after it began.
        #[serde(default)]
        news: u64,
    },
    /// Bring every customer to definitions that changed.
    Evaluate(Evaluation),
    /// Take the rows of a deleted table away.
    Drop {
        /// Which table.
        table: String,
    },
    /// Send what activations are owed about customers without an object.
    Deliver {},
    /// Take out of the index what is too old, or nobody's.
    Retain {
        /// Behind which membership those of customers who are gone are looked for; first comes all else.
        #[serde(default)]
        behind: Option<(String, String)>,
    },
}

/// How far customers are brought to changed definitions.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Evaluation {
    /// Version of the configuration.
    pub(crate) n: u64,
    /// Nobody is to hear who entered and left: memberships that were lost are made again.
    #[serde(default)]
    pub(crate) quiet: bool,
    /// What comes next.
    pub(crate) stage: Stage,
}

/// Part of an [`Evaluation`].
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// Nothing is done.
    Begin,
    /// Customers with an object are asked to follow.
    Objects {
        /// Those behind this one.
        behind: String,
        /// The first time all, then those who still do not follow.
        round: u32,
        /// How many were asked in this round.
        asked: u64,
        /// Not before.
        due: Timestamp,
    },
    /// Customers without an object are judged by their imported rows, behind this table and key.
    Rows {
        /// Table.
        source: String,
        /// Key.
        key: String,
    },
}

impl Work {
    /// What kind of work, as people see it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Rebuild { .. } => "rebuild",
            Self::Erase { .. } => "erase",
            Self::Push { .. } => "push",
            Self::Evaluate(_) => "evaluate",
            Self::Drop { .. } => "drop",
            Self::Deliver {} => "deliver",
            Self::Retain { .. } => "retain",
        }
    }

    /// Brings customers to the definitions of this version.
    pub(crate) fn evaluate(n: u64) -> Self {
        Self::Evaluate(Evaluation { n, quiet: false, stage: Stage::Begin })
    }

    /// This and work of the same kind that is under way, as one.
    pub(crate) fn joined(&self, running: &Self) -> Option<Self> {
        match (self, running) {
            (Self::Push { .. }, Self::Push { news }) => Some(Self::Push { news: news + 1 }),
            // From the beginning: who was already brought to the earlier ones is to follow once more.
            (Self::Evaluate(new), Self::Evaluate(old)) => Some(Self::Evaluate(Evaluation {
                n: new.n.max(old.n),
                quiet: new.quiet && old.quiet,
                stage: Stage::Begin,
            })),
            (Self::Drop { table: new }, Self::Drop { table: old }) if new == old => Some(running.clone()),
            (Self::Erase { customer: new, .. }, Self::Erase { customer: old, begun: false })
                if new == old =>
            {
                Some(running.clone())
            }
            (Self::Retain { .. }, Self::Retain { .. })
            | (Self::Deliver {}, Self::Deliver {})
            | (Self::Rebuild { .. }, Self::Rebuild { cursor: None }) => Some(running.clone()),
            _ => None,
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
    Ok(json::from_str(&profile_text(env, n, name, call).await?)?)
}

/// The same for all answers.
async fn profile_text(env: &Env, n: u64, name: CustomerId, call: ProfileCall) -> Result<String> {
    let body = serde_json::to_string(&Envelope { name, n, call })?;
    match profile_once(env, name, &body).await {
        Err(error) if error.is_of_the_platform() => {
            worker::console_error!("asked again: {error}");
            profile_once(env, name, &body).await
        }
        answer => answer,
    }
}

async fn profile_once(env: &Env, name: CustomerId, body: &str) -> Result<String> {
    let stub = env.durable_object(names::PROFILE)?.get_by_name(&name.to_string())?;
    match stub.fetch_with_request(request("https://profile/", Some(body))?).await {
        Ok(response) => read(response).await,
        Err(error) if is_overloaded(&error) => Err(Error::overloaded()),
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
    Ok(json::from_str(&config(env, "https://config/version", None).await?)?)
}

/// The configuration.
pub(crate) async fn config_told(env: &Env) -> Result<Told> {
    Ok(json::from_str(&config(env, "https://config/told", None).await?)?)
}

/// Asks for so many of the requests that a token may make in a window, of at most so many. Answers how
/// many are granted, and how many are then left.
pub(crate) async fn config_lease(
    env: &Env,
    token: u32,
    window: i64,
    want: u32,
    most: u32,
) -> Result<(u32, u32)> {
    let body = serde_json::to_string(&(token, window, want, most))?;
    Ok(json::from_str(&config(env, "https://config/lease", Some(&body)).await?)?)
}

/// Changes the configuration; answers its new version.
pub(crate) async fn config_change(env: &Env, change: &Change) -> Result<u64> {
    let body = serde_json::to_string(change)?;
    Ok(json::from_str(&config(env, "https://config/change", Some(&body)).await?)?)
}

/// Puts an activation, with a secret or without, or deletes it; answers `{ n, secret? }`: the new version, and
/// the secret that was made for it.
pub(crate) async fn change_activation(env: &Env, name: &str, body: Value) -> Result<Value> {
    let body = json::text(&json!({ "name": name, "body": body }));
    Ok(json::value(&config(env, "https://config/activation", Some(&body)).await?)?)
}

/// The secret of this key; empty if there is none.
pub(crate) async fn webhook_secret(env: &Env, key: &str) -> Result<String> {
    config(env, "https://config/secret", Some(key)).await
}

/// Keeps what a link stands for, until it is taken or expires.
pub(crate) async fn keep_preview(env: &Env, id: &str, body: &str, expires: Timestamp) -> Result<()> {
    let body = serde_json::to_string(&(id, body, expires))?;
    config(env, "https://config/preview/keep", Some(&body)).await.map(drop)
}

/// Takes what a link stands for: once, however many ask. Empty if it is not there, or not any more.
pub(crate) async fn take_preview(env: &Env, id: &str) -> Result<String> {
    config(env, "https://config/preview/take", Some(id)).await
}

/// Keeps the account `{ url, projectId, token }` of an outside service, or forgets it (null).
pub(crate) async fn keep_account(env: &Env, service: &str, account: &Value) -> Result<()> {
    let body = serde_json::to_string(&(service, account))?;
    config(env, "https://config/account/keep", Some(&body)).await.map(drop)
}

/// An account that was kept; null if there is none.
pub(crate) async fn account(env: &Env, service: &str) -> Result<Value> {
    Ok(json::value(&config(env, "https://config/account", Some(service)).await?)?)
}

async fn config(env: &Env, url: &str, body: Option<&str>) -> Result<String> {
    let stub = env.durable_object(names::CONFIG)?.get_by_name(CONFIG_NAME)?;
    read(stub.fetch_with_request(request(url, body)?).await?).await
}

/// Calls the object that does long work.
pub(crate) async fn job(env: &Env, call: &JobCall) -> Result<Value> {
    let stub = env.durable_object(names::JOBS)?.get_by_name(JOBS_NAME)?;
    let request = request("https://jobs/", Some(&serde_json::to_string(call)?))?;
    Ok(json::value(&read(stub.fetch_with_request(request).await?).await?)?)
}

/// POST where there is a body. By the runtime's own type: the crate's would bring along what every feature
/// of a request looks like.
fn request(url: &str, body: Option<&str>) -> Result<Request> {
    let init = web_sys::RequestInit::new();
    if let Some(body) = body {
        init.set_method("POST");
        init.set_body(&body.into());
    }
    Ok(web_sys::Request::new_with_str_and_init(url, &init)?.into())
}

/// An object's refusal passes on as it is; anything else that is no answer is the platform's.
async fn read(mut response: Response) -> Result<String> {
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

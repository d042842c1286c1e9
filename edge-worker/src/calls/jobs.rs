//! The object that does long work, and what there is for it to do.

use msci_core::ids::CustomerId;
use msci_core::json;
use msci_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use worker::Env;

use super::{answer, request};
use crate::error::Result;
use crate::names;

/// Name of the one object that does long work.
const JOBS_NAME: &str = "jobs";

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
        /// When that was.
        #[serde(default)]
        at: Option<Timestamp>,
        /// How far those were told whose visitors claim to be this customer.
        #[serde(default)]
        behind: String,
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
            (Self::Erase { customer: new, .. }, Self::Erase { customer: old, begun: false, .. })
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

/// Calls the object that does long work.
pub(crate) async fn job(env: &Env, call: &JobCall) -> Result<Value> {
    let stub = env.durable_object(names::JOBS)?.get_by_name(JOBS_NAME)?;
    let request = request("https://jobs/", Some(&serde_json::to_string(call)?))?;
    Ok(json::value(&answer(stub.fetch_with_request(request).await?).await?)?)
}

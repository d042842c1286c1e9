//! The one Durable Object that does long work, a step at a time: each step is an alarm, so that a job
//! survives whatever ends the instance it runs on, and goes on where it was.

use msci_core::ids::LogId;
use msci_core::json;
use msci_core::time::{SECOND_MS, Timestamp};
use serde_json::{Value, json};
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::calls::{self, JobCall, ProfileCall, Work};
use crate::configuration;
use crate::error::{Error, Result};
use crate::platform::{now, random_bits};
use crate::storage::sql::{self, Statements};
use crate::storage::{index, snapshots};

/// Long work.
#[durable_object(alarm)]
pub struct JobObject {
    state: State,
    env: Env,
}

impl DurableObject for JobObject {
    fn new(state: State, env: Env) -> Self {
        Self { state, env }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        let text = request.text().await?;
        match self.answer(&text).await {
            Ok(answer) => Response::ok(answer),
            Err(error) => error.into_response(),
        }
    }

    async fn alarm(&self) -> worker::Result<Response> {
        let pause = match self.run().await {
            Ok(pause) => pause,
            Err(error) => {
                worker::console_error!("jobs: {error}");
                Some(LONGEST_PAUSE_MS)
            }
        };
        if let Some(pause) = pause {
            self.state.storage().set_alarm(pause).await?;
        }
        Response::empty()
    }
}

/// Longest pause after steps that failed.
const LONGEST_PAUSE_MS: i64 = 30 * SECOND_MS;
/// Between two steps.
const PAUSE_MS: i64 = 20;
/// How long the beginning of a job may hold up its answer.
const AT_ONCE_MS: i64 = 1500;
/// Between two looks at something that others do.
const LOOK_MS: i64 = 500;
/// Imported rows that one step tells objects of.
const PUSHED: u32 = 100;
/// Jobs that are remembered after their end.
const REMEMBERED: u32 = 100;

const COLUMNS: &str = "id, state, done, total, error, work, failures, begun";

/// A job as it is stored.
struct Job {
    id: String,
    done: u64,
    total: u64,
    work: Work,
    failures: u32,
    begun: Timestamp,
}

/// What a step did.
struct Step {
    done: u64,
    total: u64,
    /// What is left; none when the job is done.
    left: Option<Work>,
    pause: i64,
}

impl JobObject {
    /// As JSON text.
    async fn answer(&self, text: &str) -> Result<String> {
        self.create()?;
        let answer = match json::from_str(text)? {
            JobCall::Start(work) => self.start(&work).await?,
            JobCall::List => Value::Array(self.shown("ORDER BY begun DESC, id", Vec::new())?),
            JobCall::Get(id) => {
                self.shown("WHERE id = ?", vec![id.into()])?.pop().ok_or_else(Error::not_found)?
            }
            JobCall::Cancel(id) => {
                let statements = Statements::new();
                statements.push(
                    "UPDATE job SET state = 'cancelled' WHERE id = ? AND state = 'running'",
                    &[id.as_str().into()],
                );
                statements.commit(&self.state.storage())?;
                self.shown("WHERE id = ?", vec![id.into()])?.pop().ok_or_else(Error::not_found)?
            }
        };
        Ok(serde_json::to_string(&answer)?)
    }

    fn create(&self) -> Result<()> {
        let statements = Statements::new();
        statements.push(
            "CREATE TABLE IF NOT EXISTS job (id TEXT PRIMARY KEY, state TEXT NOT NULL, done INTEGER NOT NULL, \
             total INTEGER NOT NULL, error TEXT NOT NULL, work TEXT NOT NULL, failures INTEGER NOT NULL, \
             begun INTEGER NOT NULL)",
            &[],
        );
        statements.commit(&self.state.storage())
    }

    /// Begins, and does what can be done at once. The same work that is under way already is not begun
    /// twice, but for news: those under way may have been read before these came.
    async fn start(&self, work: &Work) -> Result<Value> {
        let soon = !matches!(work, Work::Rebuild { .. });
        let again = !matches!(work, Work::Push {});
        let work = serde_json::to_string(work)?;
        let storage = self.state.storage();
        let same = sql::query(
            &storage,
            "SELECT id FROM job WHERE state = 'running' AND work = ? AND ?",
            vec![work.as_str().into(), i32::from(again).into()],
        )?;
        let id = match same.first() {
            Some(row) => sql::text(row, 0)?.to_owned(),
            None => {
                let id = LogId::from_bits(random_bits()).to_string();
                let statements = Statements::new();
                statements.push(
                    "INSERT INTO job VALUES (?, 'running', 0, 1, '', ?, 0, ?)",
                    &[id.as_str().into(), work.into(), (now().0 as f64).into()],
                );
                statements.push(
                    "DELETE FROM job WHERE state <> 'running' AND id NOT IN \
                     (SELECT id FROM job ORDER BY begun DESC LIMIT ?)",
                    &[REMEMBERED.into()],
                );
                statements.commit(&storage)?;
                id
            }
        };
        let begun = now();
        while soon && now() < begun.plus(AT_ONCE_MS) && self.runs(&id)? && self.run().await? <= Some(PAUSE_MS)
        {
        }
        if self.runs(&id)? {
            storage.set_alarm(1).await?;
        }
        Ok(json!({ "job": id }))
    }

    fn runs(&self, id: &str) -> Result<bool> {
        let query = "SELECT 1 FROM job WHERE id = ? AND state = 'running'";
        Ok(!sql::query(&self.state.storage(), query, vec![id.into()])?.is_empty())
    }

    /// Jobs as the admin API shows them.
    fn shown(&self, which: &str, parameters: Vec<wasm_bindgen::JsValue>) -> Result<Vec<Value>> {
        let rows =
            sql::query(&self.state.storage(), &format!("SELECT {COLUMNS} FROM job {which}"), parameters)?;
        rows.iter()
            .map(|row| {
                let work: Work = json::from_str(sql::text(row, 5)?)?;
                let error = Some(sql::text(row, 4)?).filter(|error| !error.is_empty());
                Ok(json!({
                    "id": sql::text(row, 0)?,
                    "kind": work.kind(),
                    "state": sql::text(row, 1)?,
                    "done": sql::integer(row, 2)?,
                    "total": sql::integer(row, 3)?,
                    "error": error,
                }))
            })
            .collect()
    }

    /// One step of the oldest job that runs. Answers how long to wait for the next one.
    async fn run(&self) -> Result<Option<i64>> {
        self.create()?;
        let storage = self.state.storage();
        let rows = sql::query(
            &storage,
            // One that failed lets the others go first.
            &format!("SELECT {COLUMNS} FROM job WHERE state = 'running' ORDER BY failures, begun LIMIT 1"),
            Vec::new(),
        )?;
        let Some(row) = rows.first() else { return Ok(None) };
        let job = Job {
            id: sql::text(row, 0)?.to_owned(),
            done: sql::integer(row, 2)?.unsigned_abs(),
            total: sql::integer(row, 3)?.unsigned_abs(),
            work: json::from_str(sql::text(row, 5)?)?,
            failures: u32::try_from(sql::integer(row, 6)?).unwrap_or(u32::MAX),
            begun: Timestamp(sql::integer(row, 7)?),
        };
        let (state, step, error, pause) = match self.step(&job).await {
            Ok(step) => {
                let state = if step.left.is_some() { "running" } else { "done" };
                let pause = step.pause;
                (state, step, String::new(), pause)
            }
            Err(error) => {
                let pause = (SECOND_MS << job.failures.min(5)).min(LONGEST_PAUSE_MS);
                let same = Step { done: job.done, total: job.total, left: Some(job.work), pause };
                ("running", same, error.to_string(), pause)
            }
        };
        let statements = Statements::new();
        let failures = if error.is_empty() { 0 } else { job.failures.saturating_add(1) };
        let work = step.left.map(|work| serde_json::to_string(&work)).transpose()?;
        statements.push(
            "UPDATE job SET state = ?, done = ?, total = ?, error = ?, work = coalesce(?, work), failures = ? \
             WHERE id = ? AND state = 'running'",
            &[
                state.into(),
                (step.done as f64).into(),
                (step.total as f64).into(),
                error.into(),
                work.map_or(wasm_bindgen::JsValue::NULL, Into::into),
                failures.into(),
                job.id.into(),
            ],
        );
        statements.commit(&storage)?;
        Ok(Some(pause))
    }

    async fn step(&self, job: &Job) -> Result<Step> {
        let n = configuration::current(&self.env, now()).await?.n();
        match &job.work {
            Work::Rebuild { cursor } => {
                let (names, next) = snapshots::list(&self.env, cursor.as_deref()).await?;
                let mut done = job.done;
                for name in names {
                    let call = ProfileCall::CopyAgain;
                    let cookies: Vec<_> = calls::profile(&self.env, n, name, call).await?;
                    for cookie in cookies {
                        let call = ProfileCall::CopyAgain;
                        calls::profile::<Vec<msci_core::ids::CustomerId>>(&self.env, n, cookie, call).await?;
                        done += 1;
                    }
                    done += 1;
                }
                if next.is_none() {
                    index::sweep(&self.env, job.begun).await?;
                }
                let left = next.map(|cursor| Work::Rebuild { cursor: Some(cursor) });
                let total = done + u64::from(left.is_some());
                Ok(Step { done, total, left, pause: PAUSE_MS })
            }
            Work::Erase { customer, begun: false } => {
                index::forget_row(&self.env, *customer).await?;
                calls::profile::<()>(&self.env, n, *customer, ProfileCall::Erase).await?;
                let left = Some(Work::Erase { customer: *customer, begun: true });
                Ok(Step { done: 0, total: 1, left, pause: PAUSE_MS })
            }
            Work::Erase { customer, begun: true } => {
                let call = ProfileCall::Erasing;
                if calls::profile::<bool>(&self.env, n, *customer, call).await? {
                    return Ok(Step { done: 0, total: 1, left: Some(job.work.clone()), pause: LOOK_MS });
                }
                // An object that was just asking for its row may have marked it again.
                index::forget_row(&self.env, *customer).await?;
                Ok(Step { done: 1, total: 1, left: None, pause: PAUSE_MS })
            }
            Work::Push {} => {
                let mut done = job.done;
                let behind = index::behind(&self.env, PUSHED).await?;
                let left = (behind.len() >= PUSHED as usize).then_some(Work::Push {});
                for (customer, row) in behind {
                    let version = row.version;
                    calls::profile::<()>(&self.env, n, customer, ProfileCall::Import(row)).await?;
                    index::pushed(&self.env, customer, version).await?;
                    done += 1;
                }
                Ok(Step { done, total: done.max(1), left, pause: PAUSE_MS })
            }
        }
    }
}

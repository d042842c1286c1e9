//! The one Durable Object that does long work, a step at a time: each step is an alarm, so that a job
//! survives whatever ends the instance it runs on, and goes on where it was. What a step did counts only
//! if nobody has changed the work meanwhile, by news that joined it or by cancelling it; so every step can
//! be done twice.

mod definitions;
mod messages;
mod rows;
mod upkeep;

use msci_core::ids::LogId;
use msci_core::json;
use msci_core::time::{DAY_MS, SECOND_MS, Timestamp};
use serde_json::{Value, json};
use wasm_bindgen::JsValue;
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::calls::{JobCall, Work};
use crate::error::{Error, Result};
use crate::platform::{now, random_bits};
use crate::storage::index;
use crate::storage::sql::{self, Statements};

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
        let pause = match self.go_on().await {
            Ok(pause) => pause,
            Err(error) => {
                worker::console_error!("jobs: {error}");
                LONGEST_PAUSE_MS
            }
        };
        self.state.storage().set_alarm(pause).await?;
        Response::empty()
    }
}

/// Longest pause after steps that failed.
const LONGEST_PAUSE_MS: i64 = 30 * SECOND_MS;
/// Between two steps.
const PAUSE_MS: i64 = 20;
/// So long an alarm takes step after step.
const AT_A_TIME_MS: i64 = 250;
/// How long the beginning of a job may hold up its answer.
const AT_ONCE_MS: i64 = 1500;
/// Between two looks at something that others do.
const LOOK_MS: i64 = 500;
/// So long after the last job somebody looks whether an import that was broken off has left anything.
const LEFT_MS: i64 = 30 * SECOND_MS;
/// Jobs that are remembered after their end.
const REMEMBERED: u32 = 100;

/// What is due when messages are to be sent.
const MESSAGES: &str = "messages";

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
    /// What people should know of how it ended.
    note: String,
}

impl Step {
    fn new(done: u64, total: u64, left: Option<Work>) -> Self {
        Self { done, total: total.max(done), left, pause: PAUSE_MS, note: String::new() }
    }
}

impl JobObject {
    /// As JSON text.
    async fn answer(&self, text: &str) -> Result<String> {
        self.create()?;
        let answer = match json::from_str(text)? {
            JobCall::Start(work) => self.start(&work, AT_ONCE_MS).await?,
            JobCall::Later(work) => self.start(&work, 0).await?,
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
        statements.push("CREATE TABLE IF NOT EXISTS due (what TEXT PRIMARY KEY, at INTEGER NOT NULL)", &[]);
        statements.push(
            "INSERT OR IGNORE INTO due VALUES ('retention', ?)",
            &[(now().plus(DAY_MS).0 as f64).into()],
        );
        statements.commit(&self.state.storage())
    }

    /// Begins, and does what can be done within so many milliseconds if people wait for it.
    async fn start(&self, work: &Work, budget: i64) -> Result<Value> {
        let soon = matches!(work, Work::Erase { .. } | Work::Push { .. });
        let id = self.enqueue(work)?;
        // Whoever asked may go away before this answers.
        self.state.storage().set_alarm(if soon { budget.max(1) } else { 1 }).await?;
        let begun = now();
        while soon && now() < begun.plus(budget) && self.runs(&id)? && self.run().await? <= Some(PAUSE_MS) {}
        let pause = if self.runs(&id)? { 1 } else { self.rest().await? };
        self.state.storage().set_alarm(pause).await?;
        Ok(json!({ "job": id }))
    }

    /// Joins what is under way of the same kind, or makes a new job.
    fn enqueue(&self, work: &Work) -> Result<String> {
        let storage = self.state.storage();
        let statements = Statements::new();
        let running = "SELECT id, work FROM job WHERE state = 'running' ORDER BY begun";
        for row in sql::query(&storage, running, Vec::new())? {
            let Some(joined) = work.joined(&json::from_str(sql::text(&row, 1)?)?) else { continue };
            let id = sql::text(&row, 0)?;
            let joined = serde_json::to_string(&joined)?;
            statements.push("UPDATE job SET work = ? WHERE id = ?", &[joined.into(), id.into()]);
            statements.commit(&storage)?;
            return Ok(id.to_owned());
        }
        let id = LogId::from_bits(random_bits()).to_string();
        statements.push(
            "INSERT INTO job VALUES (?, 'running', 0, 1, '', ?, 0, ?)",
            &[id.as_str().into(), serde_json::to_string(work)?.into(), (now().0 as f64).into()],
        );
        statements.push(
            "DELETE FROM job WHERE state <> 'running' AND id NOT IN \
             (SELECT id FROM job ORDER BY begun DESC LIMIT ?)",
            &[REMEMBERED.into()],
        );
        statements.commit(&storage)?;
        Ok(id)
    }

    fn runs(&self, id: &str) -> Result<bool> {
        let query = "SELECT 1 FROM job WHERE id = ? AND state = 'running'";
        Ok(!sql::query(&self.state.storage(), query, vec![id.into()])?.is_empty())
    }

    /// Jobs as the admin API shows them.
    fn shown(&self, which: &str, parameters: Vec<JsValue>) -> Result<Vec<Value>> {
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

    /// Steps for a moment, or the rest after the last one. Answers how long to wait for the next alarm.
    async fn go_on(&self) -> Result<i64> {
        let begun = now();
        loop {
            match self.run().await? {
                Some(pause) if pause > PAUSE_MS || now() > begun.plus(AT_A_TIME_MS) => return Ok(pause),
                Some(_) => {}
                None => return self.rest().await,
            }
        }
    }

    /// With nothing to do, until when; what comes due by itself begins here.
    async fn rest(&self) -> Result<i64> {
        let storage = self.state.storage();
        let due = sql::query(&storage, "SELECT what, at FROM due ORDER BY at LIMIT 1", Vec::new())?;
        let Some(due) = due.first() else { return Ok(DAY_MS) };
        let (what, left) = (sql::text(due, 0)?, sql::integer(due, 1)? - now().0);
        if left > 0 {
            return Ok(left.min(DAY_MS));
        }
        let statements = Statements::new();
        if what == "retention" {
            let next: JsValue = (now().plus(DAY_MS).0 as f64).into();
            statements.push("UPDATE due SET at = ? WHERE what = ?", &[next, what.into()]);
            self.enqueue(&Work::Retain { behind: None })?;
        } else if what == MESSAGES {
            // A step may say so anew while this waits.
            let seen: JsValue = (sql::integer(due, 1)? as f64).into();
            statements.push("DELETE FROM due WHERE what = ? AND at <= ?", &[what.into(), seen]);
            if self.owes_messages().await? {
                self.enqueue(&Work::Deliver {})?;
            }
        } else {
            if index::has_news(&self.env).await? {
                self.enqueue(&Work::Push { news: 0 })?;
            }
            statements.push("DELETE FROM due WHERE what = ?", &[what.into()]);
        }
        statements.commit(&storage)?;
        Ok(1)
    }

    /// One step of a job that runs: what people wait for first, then the oldest. Answers how long to wait
    /// for the next one.
    async fn run(&self) -> Result<Option<i64>> {
        self.create()?;
        let storage = self.state.storage();
        let rows = sql::query(
            &storage,
            // One that failed lets the others go first.
            &format!(
                "SELECT {COLUMNS} FROM job WHERE state = 'running' ORDER BY failures, \
                 work ->> '$.erase' IS NULL, work ->> '$.push' IS NULL, work ->> '$.deliver' IS NOT NULL, begun LIMIT 1"
            ),
            Vec::new(),
        )?;
        let Some(row) = rows.first() else { return Ok(None) };
        let before = sql::text(row, 5)?;
        let job = Job {
            id: sql::text(row, 0)?.to_owned(),
            done: sql::integer(row, 2)?.unsigned_abs(),
            total: sql::integer(row, 3)?.unsigned_abs(),
            work: json::from_str(before)?,
            failures: u32::try_from(sql::integer(row, 6)?).unwrap_or(u32::MAX),
            begun: Timestamp(sql::integer(row, 7)?),
        };
        let (state, step, failures) = match self.step(&job).await {
            Ok(step) => (if step.left.is_some() { "running" } else { "done" }, step, 0),
            Err(error) => {
                let pause = (SECOND_MS << job.failures.min(5)).min(LONGEST_PAUSE_MS);
                let (done, total, left) = (job.done, job.total, Some(job.work));
                let same = Step { done, total, left, pause, note: error.to_string() };
                ("running", same, job.failures.saturating_add(1))
            }
        };
        let statements = Statements::new();
        let work = step.left.map(|work| serde_json::to_string(&work)).transpose()?;
        statements.push(
            "UPDATE job SET state = ?, done = ?, total = ?, error = ?, work = coalesce(?, work), failures = ? \
             WHERE id = ? AND state = 'running' AND work = ?",
            &[
                state.into(),
                (step.done as f64).into(),
                (step.total as f64).into(),
                step.note.into(),
                work.map_or(JsValue::NULL, Into::into),
                failures.into(),
                job.id.into(),
                before.into(),
            ],
        );
        statements.push(
            "INSERT OR REPLACE INTO due VALUES ('what is left', ?)",
            &[(now().plus(LEFT_MS).0 as f64).into()],
        );
        // What a step did may have moved somebody.
        if !matches!(json::from_str(before)?, Work::Deliver {}) {
            let soon = (now().0 as f64).into();
            statements.push("INSERT OR REPLACE INTO due VALUES (?, ?)", &[MESSAGES.into(), soon]);
        }
        statements.commit(&storage)?;
        Ok(Some(step.pause))
    }

    async fn step(&self, job: &Job) -> Result<Step> {
        match &job.work {
            Work::Rebuild { cursor } => self.rebuild(job, cursor.as_deref()).await,
            Work::Erase { customer, begun, at, behind } => {
                self.erase(job, *customer, *begun, (*at, behind)).await
            }
            Work::Push { .. } => self.push(job).await,
            Work::Evaluate(evaluation) => self.evaluate(job, evaluation).await,
            Work::Drop { table } => self.drop_table(job, table).await,
            Work::Deliver {} => self.deliver(job).await,
            Work::Retain { behind } => self.retain(job, behind.as_ref()).await,
        }
    }
}

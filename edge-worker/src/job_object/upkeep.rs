//! Jobs that keep what is stored as it should be: the index made again, a customer erased, what is too
//! old taken away.

use msci_core::ids::CustomerId;
use msci_core::object::Purge;
use msci_core::time::{DAY_MS, Timestamp};

use super::{Job, JobObject, LOOK_MS, Step};
use crate::calls::{self, Evaluation, ProfileCall, Stage, Work};
use crate::configuration;
use crate::error::Result;
use crate::platform::now;
use crate::storage::sql::Statements;
use crate::storage::{index, snapshots};

/// So long an entry or a leave waits to be delivered, in days.
const MOVED_DAYS: i64 = 3;
/// Objects that one step of an erasure tells.
const CLAIMED: u32 = 50;
/// So long a job is remembered, in days.
const JOB_DAYS: i64 = 30;
/// So long it is known how many were in a segment, in days.
const SIZE_DAYS: i64 = 400;

impl JobObject {
    /// Some objects write their rows again; at the end goes what none of them wrote.
    pub(super) async fn rebuild(&self, job: &Job, cursor: Option<&str>) -> Result<Step> {
        let n = configuration::current(&self.env, now()).await?.n();
        let (names, next) = snapshots::list(&self.env, cursor).await?;
        let mut done = job.done;
        for name in names {
            let cookies: Vec<_> = calls::profile(&self.env, n, name, ProfileCall::CopyAgain).await?;
            for cookie in cookies {
                let call = ProfileCall::CopyAgain;
                calls::profile::<Vec<CustomerId>>(&self.env, n, cookie, call).await?;
                done += 1;
            }
            done += 1;
        }
        if next.is_none() {
            index::sweep(&self.env, job.begun).await?;
            // Memberships that no object writes.
            self.enqueue(&Work::Evaluate(Evaluation { n, quiet: true, stage: Stage::Begin }))?;
        }
        let left = next.map(|cursor| Work::Rebuild { cursor: Some(cursor) });
        Ok(Step::new(done, done + u64::from(left.is_some()), left))
    }

    /// Erases a customer: the object first, then waits until its cookies have heard of it, and tells those whose visitors
    /// claim to be this customer. A claim that comes into the index later hears of it there.
    pub(super) async fn erase(
        &self,
        job: &Job,
        customer: CustomerId,
        begun: bool,
        (at, behind): (Option<Timestamp>, &str),
    ) -> Result<Step> {
        let n = configuration::current(&self.env, now()).await?.n();
        if !begun {
            index::forget_row(&self.env, customer).await?;
            calls::profile::<()>(&self.env, n, customer, ProfileCall::Erase).await?;
            let (at, behind) = (Some(now()), String::new());
            return Ok(Step::new(0, 1, Some(Work::Erase { customer, begun: true, at, behind })));
        }
        if calls::profile::<bool>(&self.env, n, customer, ProfileCall::Erasing).await? {
            return Ok(Step { pause: LOOK_MS, ..Step::new(0, 1, Some(job.work.clone())) });
        }
        let at = at.unwrap_or(job.begun);
        let claiming = index::claiming(&self.env, customer, behind, CLAIMED).await?;
        for object in &claiming {
            let call = ProfileCall::Purge(Purge::of_a_claim(customer, *object, at));
            calls::profile::<()>(&self.env, n, *object, call).await?;
        }
        if let Some(last) = claiming.last().filter(|_| claiming.len() == CLAIMED as usize) {
            let work = Work::Erase { customer, begun: true, at: Some(at), behind: last.to_string() };
            return Ok(Step::new(0, 1, Some(work)));
        }
        // An object that was just asking for its row may have marked it again.
        index::forget_row(&self.env, customer).await?;
        Ok(Step::new(1, 1, None))
    }

    /// Retention of what no object keeps: objects prune their own.
    pub(super) async fn retain(&self, job: &Job, behind: Option<&(String, String)>) -> Result<Step> {
        let now = now();
        let Some(behind) = behind else {
            let configuration = configuration::current(&self.env, now).await?;
            let retention = &configuration.settings().retention;
            let days = i64::from(retention.index_days.min(retention.signal_days));
            let (since, moved) = (now.plus(-days * DAY_MS), now.plus(-MOVED_DAYS * DAY_MS));
            let exposed = now.midnight().plus(-i64::from(retention.signal_days) * DAY_MS);
            let more = index::tidy(&self.env, since, moved, exposed).await?;
            let behind = (!more).then(Default::default);
            return Ok(Step::new(job.done, job.done + 1, Some(Work::Retain { behind })));
        };
        let next = index::tidy_members(&self.env, behind).await?;
        if next.is_none() {
            let configuration = configuration::current(&self.env, now).await?;
            let segments = configuration.definitions.bundle.segments.keys().map(String::as_str).collect();
            let today = now.0.div_euclid(DAY_MS);
            index::note_sizes(&self.env, &segments, today, today - SIZE_DAYS).await?;
            let statements = Statements::new();
            let before = now.plus(-JOB_DAYS * DAY_MS).0 as f64;
            statements.push("DELETE FROM job WHERE state <> 'running' AND begun < ?", &[before.into()]);
            statements.commit(&self.state.storage())?;
        }
        let left = next.map(|behind| Work::Retain { behind: Some(behind) });
        Ok(Step::new(job.done + 1, job.done + 1 + u64::from(left.is_some()), left))
    }
}

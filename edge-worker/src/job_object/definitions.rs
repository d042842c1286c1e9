//! The job that brings every customer to definitions that changed. Customers with an object are asked to
//! follow, until the index has seen all of them do so; of those without one the imported rows are judged
//! here. Where it was, and by which definitions, is all that it keeps: a step is the same when done twice.

use futures_util::future::join;
use msci_core::ids::CustomerId;
use msci_core::time::{SECOND_MS, Timestamp};

use super::rows::JUDGED;
use super::{Job, JobObject, Step};
use crate::calls::{self, Evaluation, ProfileCall, Stage, Work};
use crate::configuration;
use crate::error::Result;
use crate::platform::now;
use crate::storage::index::{self, Which};

/// Objects that one step asks.
const ASKED: u32 = 40;
/// How long objects have to bring the index up to date before they are asked once more.
const FOLLOWING_MS: i64 = 2 * SECOND_MS;
/// How often an object is asked; one that still has not followed does so when it is next called.
const ROUNDS: u32 = 6;

impl JobObject {
    pub(super) async fn evaluate(&self, job: &Job, evaluation: &Evaluation) -> Result<Step> {
        let n = evaluation.n.max(configuration::current(&self.env, now()).await?.n());
        let configuration = self.judging(n).await?;
        let n = configuration.n();
        let quiet = evaluation.quiet;
        let at = |stage| Some(Work::Evaluate(Evaluation { n, quiet, stage }));
        let first = |round, due| Stage::Objects { behind: String::new(), round, asked: 0, due };
        let next = |done, stage| Ok(Step::new(done, job.total, at(stage)));
        // Newer definitions than those it began with: from the beginning.
        let stage = if n > evaluation.n { &Stage::Begin } else { &evaluation.stage };
        match stage {
            Stage::Begin => {
                let total = index::count_behind(&self.env, n).await? + index::count_bare(&self.env).await?;
                Ok(Step::new(0, total, at(first(1, Timestamp(0)))))
            }
            Stage::Objects { due, .. } if *due > now() => {
                let pause = due.0 - now().0;
                Ok(Step { pause, ..Step::new(job.done, job.total, Some(job.work.clone())) })
            }
            Stage::Objects { behind, round, asked, .. } => {
                let (names, last) = index::customers_behind(&self.env, n, behind, ASKED).await?;
                self.ask(n, &names, *round).await;
                let (round, asked) = (*round, asked + names.len() as u64);
                let done = if round == 1 { job.done + names.len() as u64 } else { job.done };
                match last {
                    Some(behind) => next(done, Stage::Objects { behind, round, asked, due: Timestamp(0) }),
                    None if round == 1 => {
                        next(done, Stage::Rows { source: String::new(), key: String::new() })
                    }
                    None if asked == 0 => Ok(Step::new(job.total, job.total, None)),
                    None if round < ROUNDS => next(done, first(round + 1, now().plus(FOLLOWING_MS))),
                    None => {
                        let note = format!("customers who follow when they are next seen: {asked}");
                        Ok(Step { note, ..Step::new(job.total, job.total, None) })
                    }
                }
            }
            Stage::Rows { source, key } => {
                let rows = index::bare(&self.env, Which::Behind(source, key), JUDGED).await?;
                self.judge(&configuration, &rows, quiet).await?;
                match rows.last() {
                    Some(last) => {
                        let (source, key) = (last.source.clone(), last.key.clone());
                        next(job.done + rows.len() as u64, Stage::Rows { source, key })
                    }
                    None => next(job.done, first(2, now().plus(FOLLOWING_MS))),
                }
            }
        }
    }

    /// Asks some objects to follow. One that cannot is asked again in a later round, and does not keep the
    /// others waiting.
    async fn ask(&self, n: u64, names: &[CustomerId], round: u32) {
        // Four at a time: most of the time is waiting.
        let (one, two) = names.split_at(names.len() >> 1);
        let (one, two) = (one.split_at(one.len() >> 1), two.split_at(two.len() >> 1));
        let each = |names| self.ask_in_turn(n, names, round);
        join(join(each(one.0), each(one.1)), join(each(two.0), each(two.1))).await;
    }

    async fn ask_in_turn(&self, n: u64, names: &[CustomerId], round: u32) {
        for name in names {
            // What follows, and the index does not know of it, is to be written there once more.
            let asked = if round < 3 {
                calls::profile::<()>(&self.env, n, *name, ProfileCall::Wake).await
            } else {
                let copied = calls::profile::<Vec<CustomerId>>(&self.env, n, *name, ProfileCall::CopyAgain);
                copied.await.map(drop)
            };
            if let Err(error) = asked {
                worker::console_error!("a customer does not follow yet: {error}");
            }
        }
    }
}

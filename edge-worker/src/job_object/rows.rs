//! Jobs of imported rows: those that changed are carried to where they count, those of a deleted table
//! taken away.

use msci_core::ids::CustomerId;

use super::{Job, JobObject, Step};
use crate::calls::{self, ProfileCall, Work};
use crate::configuration::{self, Configuration};
use crate::error::{Error, Result};
use crate::platform::now;
use crate::storage::index::{self, Bare, Found, Which};

/// Rows that one step tells objects of.
const PUSHED: u32 = 100;
/// Rows that one step judges, or takes away.
pub(super) const JUDGED: u32 = 500;

impl JobObject {
    /// Some rows that changed.
    pub(super) async fn push(&self, job: &Job) -> Result<Step> {
        let now = now();
        let configuration = self.judging(configuration::current(&self.env, now).await?.n()).await?;
        let total = if job.done == 0 { index::count_news(&self.env).await? } else { job.total };
        let behind = index::behind(&self.env, PUSHED).await?;
        let mut taken: Vec<(CustomerId, u64)> = Vec::new();
        let mut failed = None;
        for (customer, row) in behind {
            let version = row.version;
            let call = ProfileCall::Import(row);
            match calls::profile::<()>(&self.env, configuration.n(), customer, call).await {
                Ok(()) => taken.push((customer, version)),
                Err(error) => failed = Some(error),
            }
        }
        if !taken.is_empty() {
            index::pushed(&self.env, &taken).await?;
        }
        let bare = index::bare(&self.env, Which::News, JUDGED).await?;
        self.judge(&configuration, &bare, false).await?;
        match failed {
            // The others have theirs.
            Some(error) => Err(error),
            None => {
                let moved = (taken.len() + bare.len()) as u64;
                let left = (moved > 0).then(|| job.work.clone());
                Ok(Step::new(job.done + moved, total, left))
            }
        }
    }

    /// Some rows of a table that is no more.
    pub(super) async fn drop_table(&self, job: &Job, table: &str) -> Result<Step> {
        let total = if job.done == 0 { index::count(&self.env, table).await? } else { job.total };
        let gone = index::drop_rows(&self.env, table, JUDGED, now()).await?;
        if gone > 0 {
            return Ok(Step::new(job.done + gone, total, Some(job.work.clone())));
        }
        // Customers with an object hear that their row is empty.
        self.enqueue(&Work::Push { news: 0 })?;
        Ok(Step::new(job.done, job.done, None))
    }

    /// The definitions that rows are judged by: those that the caller knows, or newer ones by which some
    /// were judged already.
    pub(super) async fn judging(&self, n: u64) -> Result<std::rc::Rc<Configuration>> {
        let n = index::judge_by(&self.env, n).await?;
        configuration::at_least(&self.env, n, now()).await
    }

    /// Judges rows of customers without an object, and writes what has changed.
    pub(super) async fn judge(
        &self,
        configuration: &Configuration,
        bare: &[Bare],
        quiet: bool,
    ) -> Result<()> {
        let (now, definitions) = (now(), &configuration.definitions);
        let mut found = Found::default();
        for row in bare {
            let customer = row.customer.unwrap_or_else(|| configuration.names.known(&row.source, &row.key));
            let (entered, left) =
                msci_core::judge::judge(definitions, row.row.clone(), row.memberships.clone(), now);
            if row.news || row.customer.is_none() || !(entered.is_empty() && left.is_empty()) {
                found.add(row, customer, &entered, &left);
            }
        }
        if found.rows.is_empty() {
            return Ok(());
        }
        // Of a segment that is no more there is nobody to tell.
        let told = definitions.segments.iter().map(|(name, _)| name.as_str()).filter(|_| !quiet);
        let told: Vec<&str> = told.collect();
        match index::judge(&self.env, configuration.n(), &found, &told, now).await? {
            n if n == configuration.n() => Ok(()),
            _ => Err(Error::late("newer definitions")),
        }
    }
}

//! What an object owes to others: its log to the customer, news of an end, its copies in KV and in the
//! index. Carried out after the answer where it can, by the alarm in any case; nothing here is needed to
//! take a signal.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use msci_core::limits::SHIP_SIGNALS;
use msci_core::object::{Context, Indexing, Object, Projection, Purge, Row, ShipAnswer, ShipOutcome};
use msci_core::time::{DAY_MS, SECOND_MS, Timestamp};
use worker::Delay;

use super::{ProfileObject, SHIP_BUDGET_MS};
use crate::calls::{self, ProfileCall};
use crate::configuration::{self, Configuration};
use crate::error::{Error, Result};
use crate::platform::{now, random_bits, within};
use crate::storage::{index, profile_tables, renewal, snapshots};

/// How long KV, the index or another object may take; after that the outcome is unknown.
const PATIENCE_MS: i64 = 10 * SECOND_MS;
/// How often everything else is looked after while messages are under way.
const BESIDE_MS: u64 = 1000;

/// Rows that a step has just written, and how much was written until then: what comes between takes them away, or adds
/// to them.
pub(super) struct Fresh {
    pub(super) rows: Vec<Row>,
    pub(super) commits: u64,
}

pub(super) async fn in_time<T>(what: &'static str, work: impl Future<Output = Result<T>>) -> Result<T> {
    within(PATIENCE_MS, work).await.unwrap_or(Err(Error::late(what)))
}

impl ProfileObject {
    /// Everything owed. A part that fails keeps no other from being done, and while a receiver of messages
    /// takes its time, everything else goes on.
    pub(super) async fn settle(&self) -> Result<()> {
        let name = self.peek(|object| Some(object.name()));
        let name = match name {
            Some(name) => name,
            None if self.is_there()? => self.stored_name()?,
            None => return Ok(()),
        };
        self.load(name)?;
        let configuration = configuration::current(&self.env, now()).await?;
        let configuration = self.configuration(configuration.n()).await?;
        self.bring_up(name, &configuration, now())?;
        if self.settle_own(&configuration).await? {
            return Ok(());
        }
        let mut delivering = pin!(self.deliver(&configuration));
        loop {
            let pause = pin!(Delay::from(Duration::from_millis(BESIDE_MS)));
            match select(delivering.as_mut(), pause).await {
                Either::Left((Ok(()), _)) => break,
                Either::Left((Err(failure), _)) => {
                    worker::console_error!("delivered later: {failure}");
                    self.note_failure(now());
                    break;
                }
                Either::Right(_) if self.settle_own(&configuration).await? => return Ok(()),
                Either::Right(_) => {}
            }
        }
        self.arm(&configuration, now()).await
    }

    /// Everything but messages. Says whether the object has come to its end.
    async fn settle_own(&self, configuration: &Rc<Configuration>) -> Result<bool> {
        let now = now();
        self.step(configuration, now, |object, context| ((), object.wake(context)))?;
        self.prune(configuration, now)?;
        self.step(configuration, now, |object, context| ((), object.end_idle_link(context)))?;
        let fetched = in_time("the imported row", self.fetch_row(configuration, now)).await;
        let shipped = self.ship_log(configuration, now, None).await.map(drop);
        let told = self.tell(configuration, now).await;
        if self.expire(configuration, now).await? {
            return Ok(true);
        }
        let projected = self.project(configuration, now).await;
        let indexed = self.index(configuration, now).await;
        let renewed = self.renew(configuration, now).await;
        let failures: Vec<_> = [shipped, told, fetched, projected, indexed, renewed]
            .into_iter()
            .filter_map(Result::err)
            .collect();
        for failure in &failures {
            worker::console_error!("owed, and tried again later: {failure}");
        }
        if failures.is_empty() {
            self.step(configuration, now, |object, _| (object.succeeded(), Vec::new()))?;
        } else {
            self.note_failure(now);
        }
        Ok(false)
    }

    /// The next try comes later than this one did.
    pub(super) fn note_failure(&self, now: Timestamp) {
        if let Some(object) = self.held.borrow_mut().as_mut() {
            object.failed(now);
        }
    }

    /// Ships what the customer has not got, page by page, within the budget: of what was just written the rows are at
    /// hand. The customer's last answer, if there was anything to ship.
    pub(super) async fn ship_log(
        &self,
        configuration: &Rc<Configuration>,
        begun: Timestamp,
        mut fresh: Option<Fresh>,
    ) -> Result<Option<ShipAnswer>> {
        let mut last = None;
        loop {
            let left = begun.plus(SHIP_BUDGET_MS).0 - now().0;
            let behind = self.peek(|object| object.has_to_ship().then(|| object.shipped()).flatten());
            let cookie = self.peek(|object| object.cookie().map(Some)).flatten();
            let (Some(behind), Some(cookie), true) = (behind, cookie, left > 0) else { break };
            let at_hand = fresh.take().filter(|fresh| fresh.commits == self.commits.get());
            let at_hand = at_hand.map(|fresh| fresh.rows);
            let rows = match at_hand.filter(|rows| rows.first().is_some_and(|row| row.position == behind + 1))
            {
                Some(rows) => rows,
                None => profile_tables::log_behind(&self.state.storage(), cookie, behind, SHIP_SIGNALS)?,
            };
            let Some(page) = self.peek(|object| object.next_page(rows, SHIP_SIGNALS)) else { break };
            let epoch = page.epoch;
            // Two requests may ship the same page at once: the second changes nothing. The state may have
            // moved while this waited: the step looks at it anew.
            let answer = within(left, calls::ship(&self.env, configuration.n(), page)).await;
            let answer = answer.unwrap_or(Err(Error::late("the customer's object")));
            let answer = answer.inspect_err(|_| self.note_failure(begun))?;
            self.step(configuration, begun, |object, context| {
                ((), object.on_ship_answer(epoch, &answer, random_bits(), context))
            })?;
            let over = !matches!(answer.outcome, ShipOutcome::Taken { .. });
            last = Some(answer);
            if over {
                break;
            }
        }
        Ok(last)
    }

    /// Tells customers of links that are gone, and cookies of customers that are.
    pub(super) async fn tell(&self, configuration: &Rc<Configuration>, now: Timestamp) -> Result<()> {
        let n = configuration.n();
        while let Some(gone) = self.peek(Object::next_drop) {
            let call = ProfileCall::Drop(gone.clone());
            in_time("the customer's object", calls::profile::<()>(&self.env, n, gone.customer, call)).await?;
            self.step(configuration, now, |object, _| ((), object.dropped(&gone)))?;
        }
        while let Some(purge) = self.peek(Object::next_purge) {
            let call = ProfileCall::Purge(purge.clone());
            in_time("the cookie's object", calls::profile::<()>(&self.env, n, purge.object, call)).await?;
            self.step(configuration, now, |object, _| ((), object.purged(&purge)))?;
        }
        Ok(())
    }

    /// The imported row of a customer that never asked for it. Signals do not wait for this, readers do.
    pub(super) async fn fetch_row(&self, configuration: &Rc<Configuration>, now: Timestamp) -> Result<()> {
        let Some(customer) = self.peek(|object| object.wants_row().cloned()) else { return Ok(()) };
        let (row, memberships) = index::adopt_row(&self.env, &customer).await?;
        self.step(configuration, now, |object, context| ((), object.adopt_row(row, memberships, context)))
    }

    /// What was erased is not in the object's file any more.
    async fn renew(&self, configuration: &Rc<Configuration>, now: Timestamp) -> Result<()> {
        if let Some(name) = self.peek(|object| object.wants_renewal(now).then(|| object.name())) {
            if !renewal::renewed(&self.env, &self.state.storage(), name).await? {
                worker::console_error!(
                    "an erased object has more rows than are written anew: it stays as it is"
                );
            }
            self.step(configuration, now, |object, _| ((), object.renewed()))?;
        }
        Ok(())
    }

    /// Brings KV up to date.
    async fn project(&self, configuration: &Rc<Configuration>, now: Timestamp) -> Result<()> {
        let context = Context { now, definitions: &configuration.definitions };
        let Some(projection) = self.peek(|object| object.projection_due(context)) else { return Ok(()) };
        let version = self.peek(|object| object.profile.version());
        let put = in_time("KV", snapshots::put(&self.env, &projection)).await;
        self.step(configuration, now, |object, _| match &put {
            Ok(()) => ((), object.projected(version, now)),
            Err(_) => (object.projection_failed(now), Vec::new()),
        })?;
        put
    }

    /// Brings the rows in the index up to date.
    async fn index(&self, configuration: &Rc<Configuration>, now: Timestamp) -> Result<()> {
        let context = Context { now, definitions: &configuration.definitions };
        let Some(indexing) = self.peek(|object| object.indexing_due(context)) else { return Ok(()) };
        let rows = match indexing.log {
            Some(cookie) => {
                profile_tables::log_behind(&self.state.storage(), cookie, indexing.behind, SHIP_SIGNALS)?
            }
            None => Vec::new(),
        };
        let written = self.write_index(&indexing, &rows, configuration, now);
        let index::Written { up_to, floor, erased } = in_time("the index", written).await?;
        // Behind the last row there may be holes: a short answer speaks for the whole log.
        let whole = rows.len() < SHIP_SIGNALS && rows.last().is_none_or(|last| last.position == up_to);
        let up_to = if whole { indexing.end } else { up_to };
        self.step(configuration, now, |object, _| ((), object.indexed(&indexing, up_to, floor, now)))?;
        // Whoever is erased while a claim is on its way to the index does not see it there.
        for (customer, at) in erased {
            self.unname(&Purge::of_a_claim(customer, indexing.object, at), configuration, now)?;
        }
        Ok(())
    }

    async fn write_index(
        &self,
        indexing: &Indexing,
        rows: &[Row],
        configuration: &Configuration,
        now: Timestamp,
    ) -> Result<index::Written> {
        let retention = &configuration.settings().retention;
        let days = i64::from(retention.index_days.min(retention.signal_days));
        index::write(&self.env, indexing, rows, now.plus(-days * DAY_MS), now).await
    }

    /// Ends what was idle for as long as the settings allow: the copies first, so that nothing points at
    /// what is gone, then, if it is still idle, everything. Says whether it is gone.
    async fn expire(&self, configuration: &Rc<Configuration>, now: Timestamp) -> Result<bool> {
        let context = Context { now, definitions: &configuration.definitions };
        let over = || self.peek(|object| object.is_over(context));
        if !over() {
            return Ok(false);
        }
        let unlisted = self.peek(Object::is_unlisted);
        let farewell = self.step(configuration, now, Object::farewell)?;
        let gone = async {
            if unlisted {
                return Ok(());
            }
            in_time("the index", self.write_index(&farewell, &[], configuration, now)).await?;
            // Who came in the meantime is to be copied again as it is.
            if !over() {
                return Ok(());
            }
            if self.peek(Object::has_dead_deliveries) {
                in_time("the list of deliveries", index::end_deliveries(&self.env, farewell.object)).await?;
            }
            in_time("KV", snapshots::put(&self.env, &Projection::Delete(farewell.object))).await
        };
        if let Err(error) = gone.await {
            worker::console_error!("expires later: {error}");
            self.step(configuration, now, |object, _| (object.projection_failed(now), Vec::new()))?;
            return Ok(false);
        }
        // A signal may have come while this waited.
        if !over() {
            return Ok(false);
        }
        self.held.replace(None);
        self.armed.set(None);
        let storage = self.state.storage();
        storage.delete_alarm().await?;
        storage.delete_all().await?;
        Ok(true)
    }
}

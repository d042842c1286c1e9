//! The Durable Object of a profile: storage and messages around the state machine in
//! `msci_core::object`. Every step is one transaction; what the step owes to others is carried out
//! afterwards, here or by the alarm, whichever comes first.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use msci_core::effects::{Table, Write};
use msci_core::ids::{CookieId, CustomerId, SignalKey};
use msci_core::limits::{ACTIVITIES_PER_ANSWER, SHIP_SIGNALS};
use msci_core::object::{
    CollectCall, Context, Drop, Object, Page, Projection, ShipAnswer, ShipOutcome, Unlinked, UserOutcome,
};
use msci_core::profile::Imported;
use msci_core::time::{SECOND_MS, Timestamp};
use serde::Serialize;
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::calls::{self, Collected, Envelope, ProfileCall, Seen};
use crate::configuration::{self, Configuration};
use crate::error::{Error, Result};
use crate::platform::{now, random_bits};
use crate::storage::{index, snapshots, sql};

/// How long shipping may hold up an answer; the alarm does the rest.
const SHIP_BUDGET_MS: i64 = 1500;
/// When an alarm that failed comes again.
const RETRY_MS: i64 = 5 * SECOND_MS;

/// One profile.
#[durable_object(alarm)]
pub struct ProfileObject {
    state: State,
    env: Env,
    /// The state in memory: a cache of what is stored, thrown away when a commit fails.
    held: RefCell<Option<Object>>,
    /// When the alarm is set for, as far as this instance knows: setting it again costs a write.
    armed: Cell<Option<Timestamp>>,
}

impl DurableObject for ProfileObject {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, held: RefCell::new(None), armed: Cell::new(None) }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        let text = request.text().await?;
        match self.answer(&text).await {
            Ok(response) => Ok(response),
            Err(error) => error.into_response(),
        }
    }

    async fn alarm(&self) -> worker::Result<Response> {
        self.armed.set(None);
        if let Err(error) = self.work().await {
            worker::console_error!("alarm: {error}");
            // An alarm that throws is dropped by the runtime after a few tries, so it comes back by itself.
            self.state.storage().set_alarm(RETRY_MS).await?;
        }
        Response::empty()
    }
}

impl ProfileObject {
    async fn answer(&self, text: &str) -> Result<Response> {
        let envelope: Envelope = serde_json::from_str(text)?;
        let configuration = configuration::at_least(&self.env, envelope.n, now()).await?;
        let now = now();
        match envelope.call {
            ProfileCall::Collect(call) => {
                json(&self.collect(envelope.name, &call, &configuration, now).await?)
            }
            ProfileCall::Ship(page) => json(&self.ship(envelope.name, &page, &configuration, now).await?),
            ProfileCall::Read { activities } => {
                json(&self.read(envelope.name, activities, &configuration, now).await?)
            }
            ProfileCall::Import(row) => {
                self.import(envelope.name, row, &configuration, now).await?;
                json(&())
            }
            ProfileCall::Unlink(customer) => {
                json(&self.unlink(envelope.name, customer, &configuration, now).await?)
            }
            ProfileCall::Drop(drop) => {
                self.drop_link(envelope.name, &drop, &configuration, now).await?;
                json(&())
            }
            ProfileCall::Forget => {
                self.forget(envelope.name, &configuration, now).await?;
                json(&())
            }
        }
    }

    /// Takes a batch, and ships it if the cookie is linked, so that the next page is decided with it.
    async fn collect(
        &self,
        name: CustomerId,
        call: &CollectCall,
        configuration: &Rc<Configuration>,
        now: Timestamp,
    ) -> Result<Collected> {
        self.bring_up(name, configuration, now)?;
        let present = sql::present(&self.state.storage(), call)?;
        let mut answer =
            self.step(configuration, now, |object, context| object.collect(call, &present, context))?;
        let shipped = self.ship_log(configuration, now).await;
        self.arm(configuration, now).await?;
        let (pending, last) = match shipped {
            Ok(last) => (self.peek(Object::has_to_ship), last),
            Err(error) => {
                worker::console_error!("shipping goes on by alarm: {error}");
                (true, None)
            }
        };
        if let Some(ShipAnswer { outcome: ShipOutcome::Refused(reason), .. }) = &last {
            answer.user = Some(UserOutcome::Refused(reason.clone()));
            answer.trusted = false;
        }
        let linked = self.peek(|object| object.accepted_link().map(|link| link.customer.id));
        let (customer, tag, version) = match (linked, last) {
            (Some(customer), Some(last)) => (customer, last.tag, last.version),
            (Some(customer), None) => (customer, String::new(), 0),
            (None, _) => (name, self.peek(Object::tag), self.peek(|object| object.profile.version())),
        };
        Ok(Collected { answer, customer, tag, version, pending })
    }

    /// Takes a page of a linked log.
    async fn ship(
        &self,
        name: CustomerId,
        page: &Page,
        configuration: &Rc<Configuration>,
        now: Timestamp,
    ) -> Result<ShipAnswer> {
        self.bring_up(name, configuration, now)?;
        let present = self.present_of(page)?;
        let answer = self.step(configuration, now, |object, context| object.ship(page, &present, context))?;
        self.arm(configuration, now).await?;
        Ok(answer)
    }

    fn present_of(&self, page: &Page) -> Result<BTreeSet<SignalKey>> {
        let storage = self.state.storage();
        let streams: BTreeSet<_> = page.rows.iter().map(|row| row.signal.stream).collect();
        let mut present = BTreeSet::new();
        for stream in streams {
            let signals = page.rows.iter().map(|row| &row.signal).filter(|signal| signal.stream == stream);
            for seq in sql::known(&storage, page.cookie, stream, signals)? {
                present.insert(SignalKey { cookie: page.cookie, stream, seq });
            }
        }
        Ok(present)
    }

    /// What readers see. Nothing comes into being by being asked about.
    async fn read(
        &self,
        name: CustomerId,
        activities: usize,
        configuration: &Rc<Configuration>,
        now: Timestamp,
    ) -> Result<Seen> {
        if !self.is_there()? {
            return Ok(Seen::Nothing);
        }
        self.bring_up(name, configuration, now)?;
        self.ship_log(configuration, now).await?;
        self.fetch_row(configuration, now).await?;
        self.step(configuration, now, |object, context| ((), object.wake(context)))?;
        let context = Context { now, definitions: &configuration.definitions };
        let linked = self.peek(|object| object.accepted_link().map(|link| link.customer.id));
        let seen = match (linked, self.peek(|object| object.snapshot(context))) {
            (Some(customer), _) => Seen::Linked(customer),
            (None, None) => Seen::Nothing,
            (None, Some(snapshot)) => {
                let activities = match activities.min(ACTIVITIES_PER_ANSWER) {
                    0 => Vec::new(),
                    limit => sql::newest(&self.state.storage(), limit)?,
                };
                Seen::Profile(Box::new(snapshot), activities)
            }
        };
        self.arm(configuration, now).await?;
        Ok(seen)
    }

    async fn import(
        &self,
        name: CustomerId,
        row: Imported,
        configuration: &Rc<Configuration>,
        now: Timestamp,
    ) -> Result<()> {
        self.bring_up(name, configuration, now)?;
        self.step(configuration, now, |object, context| ((), object.import(row, context)))?;
        self.arm(configuration, now).await
    }

    /// Takes the link to a customer back: the log folds into the unknown profile again, and the customer
    /// hears of it now, or from the alarm.
    async fn unlink(
        &self,
        name: CustomerId,
        customer: CustomerId,
        configuration: &Rc<Configuration>,
        now: Timestamp,
    ) -> Result<Unlinked> {
        if !self.is_there()? {
            return Ok(Unlinked::NotLinked);
        }
        self.bring_up(name, configuration, now)?;
        let outcome = self.refold(configuration, now, None, |object, _, writes| {
            let (outcome, unlinked) = object.unlink(customer);
            writes.extend(unlinked);
            (outcome, outcome == Unlinked::Done)
        })?;
        self.settle_drops(configuration, now).await?;
        Ok(outcome)
    }

    /// A linked cookie's object says that the link is gone.
    async fn drop_link(
        &self,
        name: CustomerId,
        drop: &Drop,
        configuration: &Rc<Configuration>,
        now: Timestamp,
    ) -> Result<()> {
        self.bring_up(name, configuration, now)?;
        self.refold(configuration, now, Some(drop.cookie), |object, context, writes| {
            ((), object.drop_link(drop, context.now, writes))
        })?;
        self.arm(configuration, now).await
    }

    /// Purges the log.
    async fn forget(
        &self,
        name: CustomerId,
        configuration: &Rc<Configuration>,
        now: Timestamp,
    ) -> Result<()> {
        if !self.is_there()? {
            return Ok(());
        }
        self.bring_up(name, configuration, now)?;
        self.step(configuration, now, |object, context| ((), object.forget(context)))?;
        self.settle_drops(configuration, now).await
    }

    /// Tells customers of links that are gone; what cannot be told now, the alarm tells.
    async fn settle_drops(&self, configuration: &Rc<Configuration>, now: Timestamp) -> Result<()> {
        let told = self.tell_drops(configuration, now).await;
        self.arm(configuration, now).await?;
        if let Err(error) = told {
            worker::console_error!("the customer hears of the unlink by alarm: {error}");
        }
        Ok(())
    }

    async fn tell_drops(&self, configuration: &Rc<Configuration>, now: Timestamp) -> Result<()> {
        while let Some(drop) = self.peek(Object::next_drop) {
            let call = ProfileCall::Drop(drop.clone());
            calls::profile::<()>(&self.env, configuration.n(), drop.customer, call).await?;
            self.step(configuration, now, |object, _| ((), object.dropped(&drop)))?;
        }
        Ok(())
    }

    /// A step after which, if it says so, the timeline is folded again without the signals of `gone`,
    /// in the same transaction.
    fn refold<T>(
        &self,
        configuration: &Configuration,
        now: Timestamp,
        gone: Option<CookieId>,
        step: impl FnOnce(&mut Object, Context<'_>, &mut Vec<Write>) -> (T, bool),
    ) -> Result<T> {
        let storage = self.state.storage();
        let done = self.step(configuration, now, |object, context| {
            let mut writes = Vec::new();
            let (answer, again) = step(object, context, &mut writes);
            if again {
                object.unfold(context, &mut writes);
                let walked = sql::walk(&storage, |key, signal| {
                    if Some(key.cookie) != gone {
                        object.profile.fold(context.definitions, key, signal, context.now);
                    }
                });
                if let Err(error) = walked {
                    return (Err(error), Vec::new());
                }
                object.refolded(context, &mut writes);
            }
            (Ok(answer), writes)
        })?;
        if done.is_err() {
            self.held.replace(None);
        }
        done
    }

    /// Whether anything was ever kept here.
    fn is_there(&self) -> Result<bool> {
        Ok(self.held.borrow().is_some() || sql::exists(&self.state.storage())?)
    }

    /// Ends what was idle for as long as the settings allow: the copies first, so that nothing points at
    /// what is gone, then, if it is still idle, everything. Says whether it is gone.
    async fn expire(&self, configuration: &Rc<Configuration>, now: Timestamp) -> Result<bool> {
        self.step(configuration, now, |object, context| ((), object.end_idle_link(context)))?;
        self.tell_drops(configuration, now).await?;
        let context = Context { now, definitions: &configuration.definitions };
        let over = || self.peek(|object| object.is_over(context));
        if !over() {
            return Ok(false);
        }
        let name = self.peek(|object| Some(object.name()));
        let Some(name) = name else { return Ok(false) };
        snapshots::put(&self.env, &Projection::Delete(name)).await?;
        // A signal may have come while this waited.
        if !over() {
            return Ok(false);
        }
        self.held.replace(None);
        let storage = self.state.storage();
        storage.delete_alarm().await?;
        storage.delete_all().await?;
        Ok(true)
    }

    /// Everything owed: the log, the imported row, what time changed, the snapshot.
    async fn work(&self) -> Result<()> {
        let now = now();
        let name = self.peek(|object| Some(object.name()));
        let name = match name {
            Some(name) => name,
            None if sql::exists(&self.state.storage())? => self.stored_name()?,
            None => return Ok(()),
        };
        let configuration = configuration::current(&self.env, now).await?;
        self.bring_up(name, &configuration, now)?;
        if self.expire(&configuration, now).await? {
            return Ok(());
        }
        let shipped = self.ship_log(&configuration, now).await;
        let fetched = self.fetch_row(&configuration, now).await;
        self.step(&configuration, now, |object, context| ((), object.wake(context)))?;
        let projected = self.project(&configuration, now).await;
        self.arm(&configuration, now).await?;
        shipped.map(|_| ()).and(fetched).and(projected)
    }

    /// Loads the state, or begins a life; then brings it to the definitions in force.
    fn bring_up(&self, name: CustomerId, configuration: &Configuration, now: Timestamp) -> Result<()> {
        let storage = self.state.storage();
        if self.held.borrow().is_none() {
            sql::create(&storage)?;
            let rows = sql::held(&storage)?;
            let rows = rows.iter().map(|(table, key, body)| (*table, key.as_str(), body.as_str()));
            let loaded = Object::load(name, rows).map_err(|error| Error::Damaged(error.to_string()))?;
            let object = match loaded {
                Some(object) => object,
                None => {
                    let (object, mut writes) = Object::born(name, random_bits());
                    writes.push(Write::put(Table::Meta, NAME, &name));
                    sql::write(&storage, &writes)?;
                    object
                }
            };
            self.held.replace(Some(object));
        }
        let definitions = &configuration.definitions;
        let fitted = self.step(configuration, now, |object, context| {
            let mut writes = Vec::new();
            let missing = object.profile.missing(definitions);
            object.profile.restart(&missing);
            if !missing.is_empty() {
                let walked = sql::walk(&storage, |key, signal| {
                    object.profile.backfill(definitions, &missing, key, signal, context.now);
                });
                if let Err(error) = walked {
                    return (Err(error), Vec::new());
                }
            }
            object.profile.adopt(definitions, &missing, &mut writes);
            (Ok(()), writes)
        })?;
        if fitted.is_err() {
            self.held.replace(None);
        }
        fitted
    }

    fn stored_name(&self) -> Result<CustomerId> {
        let rows =
            sql::query(&self.state.storage(), "SELECT body FROM meta WHERE key = ?", vec![NAME.into()])?;
        let row = rows.first().ok_or_else(|| Error::Damaged("an object without a name".to_owned()))?;
        Ok(serde_json::from_str(sql::text(row, 0)?)?)
    }

    /// One step of the state machine and its transaction. If either fails, the state in memory goes:
    /// the next call loads what is stored.
    fn step<T>(
        &self,
        configuration: &Configuration,
        now: Timestamp,
        step: impl FnOnce(&mut Object, Context<'_>) -> (T, Vec<Write>),
    ) -> Result<T> {
        let context = Context { now, definitions: &configuration.definitions };
        let mut held = self.held.borrow_mut();
        let object = held.as_mut().ok_or_else(|| Error::Damaged("a step without a state".to_owned()))?;
        let (answer, writes) = step(object, context);
        if let Err(error) = sql::write(&self.state.storage(), &writes) {
            *held = None;
            return Err(error);
        }
        Ok(answer)
    }

    fn peek<T: Default>(&self, look: impl FnOnce(&Object) -> T) -> T {
        self.held.borrow().as_ref().map(look).unwrap_or_default()
    }

    /// Ships what the customer has not got, page by page, within the budget. The customer's last
    /// answer, if there was anything to ship.
    async fn ship_log(
        &self,
        configuration: &Rc<Configuration>,
        begun: Timestamp,
    ) -> Result<Option<ShipAnswer>> {
        let mut last = None;
        while now() < begun.plus(SHIP_BUDGET_MS) {
            let Some(behind) = self.peek(|object| object.has_to_ship().then(|| object.shipped()).flatten())
            else {
                break;
            };
            let Some(cookie) = self.peek(|object| object.cookie().map(Some)).flatten() else { break };
            let rows = sql::log_behind(&self.state.storage(), cookie, behind, SHIP_SIGNALS)?;
            let Some(page) = self.peek(|object| object.next_page(rows, SHIP_SIGNALS)) else { break };
            let epoch = page.epoch;
            // Two requests may ship the same page at once: the second changes nothing. The state may have
            // moved while this waited: the step looks at it anew.
            let answer = calls::ship(&self.env, configuration.n(), page).await?;
            self.step(configuration, begun, |object, context| {
                ((), object.on_ship_answer(epoch, &answer, context))
            })?;
            let over = !matches!(answer.outcome, ShipOutcome::Taken { .. });
            last = Some(answer);
            if over {
                break;
            }
        }
        Ok(last)
    }

    /// The imported row of a customer that never asked for it. Signals do not wait for this, readers do.
    async fn fetch_row(&self, configuration: &Rc<Configuration>, now: Timestamp) -> Result<()> {
        let Some(customer) = self.peek(|object| object.wants_row().cloned()) else { return Ok(()) };
        let row = index::adopt_row(&self.env, &customer).await?;
        self.step(configuration, now, |object, context| ((), object.import(row, context)))
    }

    /// Brings KV up to date, at most once a second.
    async fn project(&self, configuration: &Rc<Configuration>, now: Timestamp) -> Result<()> {
        let context = Context { now, definitions: &configuration.definitions };
        let Some(projection) = self.peek(|object| object.projection_due(context)) else { return Ok(()) };
        let version = self.peek(|object| object.profile.version());
        snapshots::put(&self.env, &projection).await?;
        self.step(configuration, now, |object, _| ((), object.projected(version, now)))
    }

    /// Sets the alarm for the nearest thing that is owed.
    async fn arm(&self, configuration: &Configuration, now: Timestamp) -> Result<()> {
        let context = Context { now, definitions: &configuration.definitions };
        let Some(at) = self.peek(|object| object.alarm(context)) else { return Ok(()) };
        if self.armed.get().is_none_or(|armed| at < armed || armed <= now) {
            self.armed.set(Some(at));
            let offset = at.0.saturating_sub(crate::platform::now().0).max(1);
            self.state.storage().set_alarm(offset).await?;
        }
        Ok(())
    }
}

/// Key of the object's own name.
const NAME: &str = "name";

fn json(value: &impl Serialize) -> Result<Response> {
    Ok(Response::from_json(value)?)
}

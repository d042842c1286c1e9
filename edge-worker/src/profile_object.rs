//! The Durable Object of a profile: storage and messages around the state machine in
//! `msci_core::object`. Every step is one transaction; what the step owes to others is carried out
//! afterwards, here or by the alarm, whichever comes first.

mod activations;
mod owed;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use msci_core::collections::Set;
use msci_core::effects::{Table, Write};
use msci_core::ids::{CustomerId, SignalKey};
use msci_core::json;
use msci_core::limits::ACTIVITIES_PER_ANSWER;
use msci_core::object::{
    Claim, CollectAnswer, CollectCall, Context, Drop, Object, Page, Present, Purge, Row, ShipAnswer,
    ShipOutcome, Unlinked, UserOutcome, naming,
};
use msci_core::profile::Imported;
use msci_core::signal::Signal;
use msci_core::time::{SECOND_MS, Timestamp};
use msci_core::token::Use;
use serde::Serialize;
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use self::owed::Fresh;
use crate::calls::{Collected, Envelope, ProfileCall, Seen};
use crate::configuration::{self, Configuration};
use crate::error::{Error, Result};
use crate::platform::{now, random_bits, within};
use crate::storage::profile_tables::{self, Kinds};
use crate::storage::{renewal, sql};

/// How long shipping may hold up an answer; the alarm does the rest.
const SHIP_BUDGET_MS: i64 = 1500;
/// How long a reader waits for the imported row.
const READ_BUDGET_MS: i64 = 1500;
/// When an alarm comes again that could not even begin.
const RETRY_MS: i64 = 5 * SECOND_MS;

/// One profile.
#[durable_object(alarm)]
pub struct ProfileObject {
    state: State,
    env: Env,
    /// The state in memory: a cache of what is stored, thrown away when a commit fails.
    held: RefCell<Option<Object>>,
    /// How often something was written: what was read before is out of date then.
    commits: Cell<u64>,
    /// When the alarm is set for, as far as this instance knows: setting it again costs a write.
    armed: Cell<Option<Timestamp>>,
}

impl DurableObject for ProfileObject {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, held: RefCell::new(None), commits: Cell::new(0), armed: Cell::new(None) }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        // Up to half a megabyte: no text of the runtime's own is made of it.
        let body = request.bytes().await?;
        match self.answer(&body).await {
            Ok(text) => Response::ok(text),
            Err(error) => error.into_response(),
        }
    }

    async fn alarm(&self) -> worker::Result<Response> {
        self.armed.set(None);
        if let Err(error) = self.settle().await {
            worker::console_error!("alarm: {error}");
            // An alarm that throws is dropped by the runtime after a few tries, so it comes back by itself;
            // or with the next request, where not even that can be done.
            if let Err(error) = self.state.storage().set_alarm(RETRY_MS).await {
                worker::console_error!("alarm: {error}");
            }
        }
        Response::empty()
    }
}

impl ProfileObject {
    /// As JSON text.
    async fn answer(&self, body: &[u8]) -> Result<String> {
        let envelope: Envelope = json::from_str(&String::from_utf8_lossy(body))?;
        let name = envelope.name;
        if self.is_there()? || self.comes_back(&envelope).await? {
            self.load(name)?;
        } else if envelope.call.only_asks() {
            // Nothing comes into being by being asked about.
            return envelope.call.answer_of_nobody(name);
        }
        let configuration = self.configuration(envelope.n).await?;
        let now = now();
        self.bring_up(name, &configuration, now)?;
        let c = &configuration;
        match envelope.call {
            ProfileCall::Collect(call) => told(&self.collect(name, &call, c, now).await?),
            ProfileCall::Ship(page) => told(&self.ship(&page, c, now).await?),
            ProfileCall::Read { activities } => told(&self.read(activities, c, now).await?),
            ProfileCall::Import(row) => told(&self.import(row, c, now).await?),
            ProfileCall::Unlink(customer) => told(&self.unlink(customer, c, now).await?),
            ProfileCall::Drop(drop) => told(&self.drop_link(&drop, c, now).await?),
            ProfileCall::Forget => told(&self.forget(c, now).await?),
            ProfileCall::Erase => told(&self.erase(c, now).await?),
            ProfileCall::Purge(purge) => told(&self.purge(&purge, c, now).await?),
            ProfileCall::Erasing => told(&self.peek(Object::is_ending)),
            ProfileCall::Wake => told(&self.follow(c, now).await?),
            ProfileCall::CopyAgain => told(&self.copy_again(c, now).await?),
            ProfileCall::UseToken(used) => told(&self.use_token(&used, c, now).await?),
            ProfileCall::Links => told(&self.peek(Object::links)),
            ProfileCall::Claims => {
                told(&self.peek(|object| object.claims().iter().map(Claim::shown).collect::<Vec<_>>()))
            }
            ProfileCall::Held => {
                let held = self.peek(|object| Some(told(&object.profile.held(&c.definitions))));
                held.unwrap_or_else(|| told(&()))
            }
            ProfileCall::Timeline { behind, limit } => {
                told(&profile_tables::newest(&self.state.storage(), behind, &Kinds::All, limit)?)
            }
            ProfileCall::Consents { behind, limit } => {
                told(&profile_tables::newest(&self.state.storage(), behind, &Kinds::Consents, limit)?)
            }
            ProfileCall::Search(asked) => told(&profile_tables::search(&self.state.storage(), &asked)?),
            ProfileCall::Replay { activation, id } => {
                told(&self.replay(&activation, id.as_deref(), c, now).await?)
            }
        }
    }

    /// The definitions that a call was made with; never older ones than this object has seen.
    async fn configuration(&self, n: u64) -> Result<Rc<Configuration>> {
        let seen = self.peek(|object| object.profile.definitions_version());
        configuration::at_least(&self.env, n.max(seen), now()).await
    }

    /// Takes a batch, and ships it if the cookie is linked, so that the next page is decided with it.
    async fn collect(
        &self,
        name: CustomerId,
        call: &CollectCall,
        configuration: &Rc<Configuration>,
        now: Timestamp,
    ) -> Result<Collected> {
        let present = self.present_of_batch(call)?;
        if profile_tables::is_full(&self.state.storage())? {
            let answer = CollectAnswer::full(call, &present);
            let (tag, version) = (self.peek(Object::tag), self.peek(|object| object.profile.version()));
            return Ok(Collected { answer, customer: name, tag, version, pending: false });
        }
        let mut rows = Vec::new();
        let mut answer = self.step(configuration, now, |object, context| {
            let (answer, writes) = object.collect(call, &present, context);
            if object.has_to_ship() {
                rows = Row::appended(&writes);
            }
            (answer, writes)
        })?;
        let fresh = Fresh { rows, commits: self.commits.get() };
        if self.peek(Object::is_nothing) {
            // Whoever may not be tracked leaves no trace.
            self.held.replace(None);
            self.armed.set(None);
            self.state.storage().delete_all().await?;
            let nobody = String::new();
            return Ok(Collected { answer, customer: name, tag: nobody, version: 0, pending: false });
        }
        // Before anybody is waited for: whatever ends this instance now, the alarm goes on.
        self.arm(configuration, now).await?;
        let shipped = self.ship_log(configuration, now, Some(fresh)).await;
        let (pending, last) = match shipped {
            Ok(last) => (self.peek(Object::has_to_ship), last),
            Err(error) => {
                worker::console_error!("shipping goes on by alarm: {error}");
                (true, None)
            }
        };
        self.arm(configuration, now).await?;
        match last.as_ref().map(|last| &last.outcome) {
            Some(ShipOutcome::Refused(reason)) => {
                answer.user = Some(UserOutcome::Refused(reason.clone()));
                answer.trusted = false;
            }
            // The log went with the person; nothing of this batch is kept.
            Some(ShipOutcome::Erased { .. }) => answer.all_erased(call),
            _ => {}
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
        page: &Page,
        configuration: &Rc<Configuration>,
        now: Timestamp,
    ) -> Result<ShipAnswer> {
        let present = self.present_of(page)?;
        let answer = self.step(configuration, now, |object, context| object.ship(page, &present, context))?;
        self.arm(configuration, now).await?;
        Ok(answer)
    }

    /// Binds a token to the browser that uses it.
    async fn use_token(&self, used: &Use, configuration: &Rc<Configuration>, now: Timestamp) -> Result<bool> {
        let may = self.step(configuration, now, |object, context| object.use_token(used, context.now))?;
        self.arm(configuration, now).await?;
        Ok(may)
    }

    fn present_of_batch(&self, call: &CollectCall) -> Result<Present> {
        let mut held = self.held.borrow_mut();
        let object = held.as_mut().ok_or_else(|| Error::damaged("a batch without a state".to_owned()))?;
        profile_tables::present(&self.state.storage(), call, object)
    }

    fn present_of(&self, page: &Page) -> Result<Set<SignalKey>> {
        let storage = self.state.storage();
        let streams: Set<_> = page.rows.iter().map(|row| row.signal.stream).collect();
        let mut present = Set::default();
        for stream in streams.iter().copied() {
            let signals = page.rows.iter().map(|row| &row.signal).filter(|signal| signal.stream == stream);
            for seq in profile_tables::known(&storage, page.cookie, stream, signals)? {
                present.insert(SignalKey { cookie: page.cookie, stream, seq });
            }
        }
        Ok(present)
    }

    /// What readers see.
    async fn read(
        &self,
        activities: usize,
        configuration: &Rc<Configuration>,
        now: Timestamp,
    ) -> Result<Seen> {
        // Where the customer, or the index, does not answer, what is here is what there is to see.
        let shipped = self.ship_log(configuration, now, None).await.map(drop);
        let fetched = within(READ_BUDGET_MS, self.fetch_row(configuration, now)).await;
        for error in [shipped.err(), fetched.and_then(Result::err)].into_iter().flatten() {
            worker::console_error!("read without: {error}");
        }
        self.prune(configuration, now)?;
        self.step(configuration, now, |object, context| ((), object.wake(context)))?;
        let context = Context { now, definitions: &configuration.definitions };
        let linked = self.peek(|object| object.accepted_link().map(|link| link.customer.id));
        let seen = match (linked, self.peek(|object| object.snapshot(context))) {
            (Some(customer), _) => Seen::Linked(customer),
            (None, None) => Seen::Nothing,
            (None, Some(snapshot)) => {
                let activities = match activities.min(ACTIVITIES_PER_ANSWER) {
                    0 => Vec::new(),
                    limit => profile_tables::newest(&self.state.storage(), None, &Kinds::Activities, limit)?,
                };
                Seen::Profile(Box::new(snapshot), activities)
            }
        };
        self.arm(configuration, now).await?;
        Ok(seen)
    }

    async fn import(&self, row: Imported, configuration: &Rc<Configuration>, now: Timestamp) -> Result<()> {
        self.step(configuration, now, |object, context| ((), object.import(row, context)))?;
        self.arm(configuration, now).await
    }

    /// Takes the link to a customer back: the log folds into the unknown profile again, and the customer
    /// hears of it now, or from the alarm.
    async fn unlink(
        &self,
        customer: CustomerId,
        configuration: &Rc<Configuration>,
        now: Timestamp,
    ) -> Result<Unlinked> {
        let mut outcome = Unlinked::NotLinked;
        self.refold(configuration, now, &|_, _| true, &mut |object, _, writes| {
            let (done, unlinked) = object.unlink(customer);
            writes.extend(unlinked);
            outcome = done;
            done == Unlinked::Done
        })?;
        self.tell_now(configuration, now).await?;
        Ok(outcome)
    }

    /// A linked cookie's object says that the link is gone.
    async fn drop_link(&self, gone: &Drop, configuration: &Rc<Configuration>, now: Timestamp) -> Result<()> {
        let stays = |key: SignalKey, _: &Signal| key.cookie != gone.cookie;
        self.refold(configuration, now, &stays, &mut |object, context, writes| {
            object.drop_link(gone, context.now, writes)
        })?;
        self.arm(configuration, now).await
    }

    /// Purges the log.
    async fn forget(&self, configuration: &Rc<Configuration>, now: Timestamp) -> Result<()> {
        self.step(configuration, now, |object, context| ((), object.forget(context)))?;
        self.tell_now(configuration, now).await
    }

    /// Erases whom this object stands for; its cookies hear of it now, or from the alarm.
    async fn erase(&self, configuration: &Rc<Configuration>, now: Timestamp) -> Result<()> {
        self.step(configuration, now, |object, context| ((), object.erase(random_bits(), context)))?;
        self.tell_now(configuration, now).await
    }

    /// The customer of this cookie was erased: the log goes, or, where it is not theirs any more, what names them.
    async fn purge(&self, purge: &Purge, configuration: &Rc<Configuration>, now: Timestamp) -> Result<()> {
        if self.peek(|object| object.only_unnames(purge)) {
            self.unname(purge, configuration, now)?;
            return self.tell_now(configuration, now).await;
        }
        self.step(configuration, now, |object, context| ((), object.purge(purge, random_bits(), context)))?;
        self.arm(configuration, now).await
    }

    /// Takes from a log what names somebody who was erased.
    pub(super) fn unname(&self, purge: &Purge, configuration: &Configuration, now: Timestamp) -> Result<()> {
        let Some(cookie) = purge.cookie.or(self.peek(Object::cookie)) else { return Ok(()) };
        let users = profile_tables::users(&self.state.storage(), cookie)?;
        let claimed = self.peek(|object| {
            let claims = object.claims();
            let claim = claims.into_iter().find(|claim| claim.customer.id == purge.customer);
            claim.map(|claim| claim.customer.table)
        });
        let table = claimed.filter(|_| purge.table.is_empty());
        let table = table.as_ref().unwrap_or(&purge.table);
        let is_theirs = |auth_id: &str| configuration.names.known(table, auth_id) == purge.customer;
        let named = naming(&users, cookie, purge, &is_theirs);
        let stays = |key: SignalKey, _: &Signal| !named.contains(&key);
        self.refold(configuration, now, &stays, &mut |object, _, writes| object.unname(purge, &named, writes))
    }

    /// Definitions, or time, may have moved a membership; the copies follow.
    async fn follow(&self, configuration: &Rc<Configuration>, now: Timestamp) -> Result<()> {
        self.step(configuration, now, |object, context| ((), object.wake(context)))?;
        self.arm(configuration, now).await
    }

    /// Every copy is made again; answers whose activities belong to this customer.
    async fn copy_again(&self, configuration: &Rc<Configuration>, now: Timestamp) -> Result<Vec<CustomerId>> {
        self.step(configuration, now, |object, context| ((), object.copy_again(context.now)))?;
        self.arm(configuration, now).await?;
        let name = self.peek(|object| Some(object.name()));
        let links = self.peek(Object::links);
        Ok(links.iter().map(|link| link.object).filter(|object| Some(*object) != name).collect())
    }

    /// Retention takes what is too old.
    fn prune(&self, configuration: &Configuration, now: Timestamp) -> Result<()> {
        let context = Context { now, definitions: &configuration.definitions };
        let Some(cutoff) = self.peek(|object| object.prune_due(context)) else { return Ok(()) };
        let oldest = profile_tables::oldest(&self.state.storage(), cutoff)?;
        let stays = |_: SignalKey, signal: &Signal| signal.time >= cutoff || !signal.ages();
        self.refold(configuration, now, &stays, &mut |object, _, writes| object.prune(cutoff, oldest, writes))
    }

    /// Whoever is to hear of what happened here hears it now; who cannot be reached, from the alarm.
    async fn tell_now(&self, configuration: &Rc<Configuration>, now: Timestamp) -> Result<()> {
        self.arm(configuration, now).await?;
        let told = within(SHIP_BUDGET_MS, self.tell(configuration, now)).await;
        if let Some(Err(error)) = told {
            self.note_failure(now);
            worker::console_error!("told later, by alarm: {error}");
        }
        self.arm(configuration, now).await
    }

    /// A step after which, if it says so, the signals of the timeline that stay are folded again, in the
    /// same transaction.
    fn refold(
        &self,
        configuration: &Configuration,
        now: Timestamp,
        stays: &dyn Fn(SignalKey, &Signal) -> bool,
        step: &mut dyn FnMut(&mut Object, Context<'_>, &mut Vec<Write>) -> bool,
    ) -> Result<()> {
        let storage = self.state.storage();
        let done = self.step(configuration, now, |object, context| {
            let mut writes = Vec::new();
            if step(object, context, &mut writes) {
                object.unfold(context, &mut writes);
                let walked = profile_tables::walk(&storage, |key, signal| {
                    if stays(key, signal) {
                        object.profile.fold(context.definitions, key, signal, context.now);
                    }
                });
                if let Err(error) = walked {
                    return (Err(error), Vec::new());
                }
                object.refolded(context, &mut writes);
            }
            (Ok(()), writes)
        })?;
        if done.is_err() {
            self.held.replace(None);
        }
        done
    }

    /// Whether what this object had was put aside when its file was written anew, and is here again: it is called for that.
    async fn comes_back(&self, envelope: &Envelope) -> Result<bool> {
        match envelope.call {
            ProfileCall::Wake => {
                renewal::taken_back(&self.env, &self.state.storage(), envelope.name, || self.is_there()).await
            }
            _ => Ok(false),
        }
    }

    /// Whether anything was ever kept here.
    fn is_there(&self) -> Result<bool> {
        Ok(self.held.borrow().is_some() || profile_tables::exists(&self.state.storage())?)
    }

    /// Loads the state, or begins a life.
    fn load(&self, name: CustomerId) -> Result<()> {
        if self.held.borrow().is_some() {
            return Ok(());
        }
        let storage = self.state.storage();
        profile_tables::migrate(&storage)?;
        let rows = profile_tables::held(&storage)?;
        let rows = rows.iter().map(|(table, key, body)| (*table, key.as_str(), body.as_str()));
        let loaded = Object::load(name, rows).map_err(|error| Error::damaged(error.to_string()))?;
        let object = match loaded {
            Some(object) => object,
            None => {
                let (object, mut writes) = Object::born(name, random_bits());
                writes.push(Write::put(Table::Meta, NAME, &name));
                profile_tables::write(&storage, &writes)?;
                object
            }
        };
        self.held.replace(Some(object));
        Ok(())
    }

    /// Loads the state and brings it to the definitions in force.
    fn bring_up(&self, name: CustomerId, configuration: &Configuration, now: Timestamp) -> Result<()> {
        self.load(name)?;
        let storage = self.state.storage();
        let definitions = &configuration.definitions;
        let fitted = self.step(configuration, now, |object, context| {
            let mut writes = Vec::new();
            let missing = object.profile.missing(definitions);
            object.profile.restart(&missing);
            if !missing.is_empty() {
                let walked = profile_tables::walk(&storage, |key, signal| {
                    object.profile.backfill(definitions, &missing, key, signal, context.now);
                });
                if let Err(error) = walked {
                    return (Err(error), Vec::new());
                }
            }
            object.profile.adopt(definitions, &mut writes);
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
        let row = rows.first().ok_or_else(|| Error::damaged("an object without a name".to_owned()))?;
        Ok(json::from_str(sql::text(row, 0)?)?)
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
        let object = held.as_mut().ok_or_else(|| Error::damaged("a step without a state".to_owned()))?;
        let (answer, writes) = step(object, context);
        self.commit(&mut held, writes, context)?;
        Ok(answer)
    }

    /// The part of a step that is the same whatever it answers.
    fn commit(&self, held: &mut Option<Object>, mut writes: Vec<Write>, context: Context<'_>) -> Result<()> {
        if let Some(object) = held {
            object.queue_moves(context, &mut writes);
            object.keep_unknown_fields(&mut writes);
        }
        let written = profile_tables::write(&self.state.storage(), &writes);
        self.commits.set(self.commits.get().saturating_add(1));
        if written.is_err() {
            *held = None;
        }
        written
    }

    fn peek<T: Default>(&self, look: impl FnOnce(&Object) -> T) -> T {
        self.held.borrow().as_ref().map(look).unwrap_or_default()
    }

    /// Sets the alarm for the nearest thing that is owed.
    async fn arm(&self, configuration: &Configuration, now: Timestamp) -> Result<()> {
        let context = Context { now, definitions: &configuration.definitions };
        let Some(at) = self.peek(|object| object.alarm(context)) else { return Ok(()) };
        if self.armed.get().is_none_or(|armed| at < armed || armed <= now) {
            let offset = at.0.saturating_sub(crate::platform::now().0).max(1);
            self.state.storage().set_alarm(offset).await?;
            self.armed.set(Some(at));
        }
        Ok(())
    }
}

/// Key of the object's own name.
const NAME: &str = "name";

fn told(value: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string(value)?)
}

impl ProfileCall {
    /// Whether this asks for what is there, and changes nothing where nothing is.
    fn only_asks(&self) -> bool {
        match self {
            Self::Collect(call) => call.closed,
            Self::Ship(_) | Self::Import(_) | Self::Drop(_) | Self::Erase | Self::UseToken(_) => false,
            Self::Read { .. }
            | Self::Unlink(_)
            | Self::Forget
            | Self::Purge(_)
            | Self::Erasing
            | Self::Wake
            | Self::CopyAgain
            | Self::Links
            | Self::Claims
            | Self::Held
            | Self::Timeline { .. }
            | Self::Consents { .. }
            | Self::Search(_)
            | Self::Replay { .. } => true,
        }
    }

    /// The answer where nothing ever was.
    fn answer_of_nobody(&self, name: CustomerId) -> Result<String> {
        match self {
            Self::Collect(_) => {
                let answer = CollectAnswer::turned_away();
                told(&Collected { answer, customer: name, tag: String::new(), version: 0, pending: false })
            }
            Self::Read { .. } => told(&Seen::Nothing),
            Self::Unlink(_) => told(&Unlinked::NotLinked),
            Self::Erasing => told(&false),
            Self::Replay { .. } => told(&0),
            Self::CopyAgain
            | Self::Links
            | Self::Claims
            | Self::Timeline { .. }
            | Self::Consents { .. }
            | Self::Search(_) => told(&[(); 0]),
            _ => told(&()),
        }
    }
}

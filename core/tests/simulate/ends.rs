//! Ends: links taken back, logs purged, customers erased, objects that go; and what is expected no
//! more for that.

use std::collections::BTreeMap;

use msci_core::ids::{CookieId, CustomerId, SignalKey};
use msci_core::object::{Drop, Object, Purge, Row, Unlinked, naming};
use msci_core::signal::{Kind, Signal};

use crate::world::{Message, World};

impl World<'_> {
    pub(crate) fn drop_link(&mut self, drop: &Drop) {
        let stays = |key: &SignalKey, _: &Signal| key.cookie != drop.cookie;
        let done = self.refold(drop.customer, stays, |o, c, out| o.drop_link(drop, c.now, out));
        if done.is_some() {
            self.send(|| Message::Dropped(drop.clone()));
        }
    }

    pub(crate) fn purge(&mut self, purge: &Purge) {
        let bits = self.dice.bits();
        let object = self.nodes.get(&purge.object).and_then(|node| node.loaded(purge.object));
        let done = match object {
            None => Some(()),
            Some(object) if object.only_unnames(purge) => self.unname(&object, purge),
            Some(_) => self.step(purge.object, |o, c| ((), o.purge(purge, bits, c))),
        };
        if done.is_some() {
            self.send(|| Message::Purged(purge.clone()));
        }
    }

    fn unname(&mut self, object: &Object, purge: &Purge) -> Option<()> {
        let Some(cookie) = purge.cookie.or(object.cookie()) else { return Some(()) };
        let timeline = self.nodes.get(&purge.object).map(|node| node.timeline.clone()).unwrap_or_default();
        let users = timeline.into_iter().filter(|(key, (_, s))| key.cookie == cookie && s.kind == Kind::User);
        let mut users: Vec<_> = users.map(|(_, (position, signal))| Row { position, signal }).collect();
        users.sort_by_key(|row| row.position);
        let customer = self.customers.iter().find(|customer| customer.id == purge.customer).cloned();
        let theirs = |auth_id: &str| customer.as_ref().is_some_and(|customer| customer.auth_id == auth_id);
        let named = naming(&users, cookie, purge, &theirs);
        let stays = |key: &SignalKey, _: &Signal| !named.contains(key);
        self.refold(purge.object, stays, |o, _, out| o.unname(purge, &named, out))?;
        self.tell_others(purge.object);
        Some(())
    }

    pub(crate) fn unlink(&mut self, cookie: CookieId) {
        let name = self.name_of(cookie);
        let linked =
            self.nodes.get(&name).and_then(|node| node.loaded(name)).and_then(|o| o.accepted_link().cloned());
        let Some(link) = linked else { return };
        self.unlinked.insert(cookie);
        let done = self.refold(
            name,
            |_, _| true,
            |object, _, out| {
                let (outcome, writes) = object.unlink(link.customer.id);
                out.extend(writes);
                outcome == Unlinked::Done
            },
        );
        if done.is_some() {
            self.tell_others(name);
        }
    }

    pub(crate) fn forget(&mut self, cookie: CookieId) {
        let name = self.name_of(cookie);
        if !self.exists(name) {
            return;
        }
        self.unlinked.insert(cookie);
        match self.step(name, |object, context| ((), object.forget(context))) {
            Some(()) => self.tell_others(name),
            None => {
                self.post(Message::Forget(cookie), 500);
            }
        }
    }

    /// Of a linked cookie its customer is erased.
    pub(crate) fn erase(&mut self, name: CustomerId) {
        let Some(node) = self.nodes.get(&name).filter(|node| node.exists()) else { return };
        let link = node.loaded(name).and_then(|object| Some(object.accepted_link()?.customer.id));
        let name = link.unwrap_or(name);
        self.imported.remove(&name);
        let bits = self.dice.bits();
        match self.step(name, |object, context| ((), object.erase(bits, context))) {
            Some(()) => self.tell_others(name),
            None => {
                self.post(Message::Erase(name), 500);
            }
        }
    }

    /// What a log loses is expected nowhere any more; what was purged must not come again.
    pub(crate) fn taken_away(
        &mut self,
        name: CustomerId,
        had: BTreeMap<SignalKey, (u64, Signal)>,
        purges: bool,
        withdraws: bool,
    ) {
        let Some(node) = self.nodes.get(&name) else { return };
        let erased = node.erased_at().filter(|_| purges);
        if purges {
            self.first_seen.remove(&name);
        }
        if let (Some(at), true) = (erased, self.clocks_jump) {
            // What is newer than the erasure by a clock that is behind goes on elsewhere, also where it
            // went elsewhere before.
            let newer = self.made.iter().filter(|(_, made)| made.time >= at);
            self.untold.extend(newer.map(|(id, _)| *id));
        }
        let gone: Vec<_> = had.into_iter().filter(|(key, _)| !node.timeline.contains_key(key)).collect();
        for (key, (_, signal)) in gone {
            self.acknowledged.remove(&(key.stream, key.seq));
            self.gone.insert((key.stream, key.seq), self.sent);
            // By a clock that jumps, something may be newer than the erasure that took it.
            if withdraws || (purges && erased.is_none_or(|at| signal.time < at)) {
                self.forgotten.insert((key.stream, key.seq), key.cookie);
            }
            if purges {
                self.unlinked.insert(key.cookie);
            }
        }
    }

    /// Everything of a node goes. Its cookie begins anew, should it come back.
    pub(crate) fn delete_all(&mut self, name: CustomerId) {
        let Some(node) = self.nodes.get_mut(&name) else { return };
        let had = node.timeline.keys().copied().collect::<Vec<_>>();
        let own = node.held.as_ref().and_then(Object::cookie);
        node.delete_all();
        self.outside.ended(name);
        let alarm = node.alarm.take();
        if let Some((_, id)) = alarm {
            self.take_back(id);
        }
        for key in had {
            self.acknowledged.remove(&(key.stream, key.seq));
            self.gone.insert((key.stream, key.seq), self.sent);
        }
        // It cannot say any more what was purged, or belonged to another cookie: what a client did not
        // see acknowledged, it takes as new.
        self.first_seen.remove(&name);
        let cookies: Vec<CookieId> = self.tabs.iter().map(|tab| tab.cookie).chain(own).collect();
        for cookie in cookies.into_iter().filter(|cookie| self.names.unknown(*cookie) == name) {
            self.unlinked.insert(cookie);
            self.forgotten.retain(|_, of| *of != cookie);
            for tab in self.tabs.iter().filter(|tab| tab.cookie == cookie) {
                self.untold.extend(tab.queue.iter().map(|o| (o.signal.stream, o.signal.seq)));
            }
        }
    }
}

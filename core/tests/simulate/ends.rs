//! Ends: links taken back, logs purged, customers erased, objects that go; and what is expected no
//! more for that.

use std::collections::BTreeMap;

use msci_core::ids::{CookieId, CustomerId, SignalKey};
use msci_core::object::{Drop, Object, Purge, Unlinked};
use msci_core::signal::Signal;

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
        let gone = !self.exists(purge.object);
        if gone || self.step(purge.object, |o, c| ((), o.purge(purge, bits, c))).is_some() {
            self.send(|| Message::Purged(purge.clone()));
        }
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
            if purges && erased.is_none_or(|at| signal.time < at) {
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

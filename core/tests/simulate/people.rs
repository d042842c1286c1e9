//! What people do in their browsers, and what the SDK there does for them: queues that are sent until
//! they are acknowledged, split differently each time.

use msci_core::ids::{CookieId, StreamId};
use msci_core::object::{CollectCall, Offered};
use msci_core::signal::{Kind, Signal, Source};
use serde_json::json;

use crate::world::{Message, World};

/// A tab of a browser: one stream, its unacknowledged signals in order.
pub(crate) struct Tab {
    pub(crate) device: usize,
    pub(crate) cookie: CookieId,
    pub(crate) stream: StreamId,
    pub(crate) next_seq: u64,
    pub(crate) queue: Vec<Offered>,
    /// Who signed in last in this tab. What another tab does is adopted at the next page load.
    pub(crate) user: Option<usize>,
}

pub(crate) struct Device {
    pub(crate) cookie: CookieId,
}

impl World<'_> {
    pub(crate) fn open_tab(&mut self, device: usize) {
        let (cookie, stream) = (self.devices[device].cookie, StreamId::from_bits(self.dice.bits()));
        self.tabs.push(Tab { device, cookie, stream, next_seq: 1, queue: Vec::new(), user: None });
    }

    /// Somebody does something in a tab.
    pub(crate) fn act(&mut self, tab: usize) {
        if self.acts_left == 0 {
            return;
        }
        self.acts_left -= 1;
        match self.dice.below(20) {
            0..=10 => self.signal(tab, None),
            11..=14 => {
                let user = self.dice.below(self.customers.len() as u64) as usize;
                self.signal(tab, Some(user));
            }
            15 => {
                // A logout: a new visitor in this tab.
                let cookie = CookieId::from_bits(self.dice.bits());
                let stream = StreamId::from_bits(self.dice.bits());
                let device = self.tabs[tab].device;
                self.devices[device] = Device { cookie };
                // What was queued keeps its cookie and is sent by a tab that does nothing else any more.
                self.tabs.push(Tab { device, cookie, stream, next_seq: 1, queue: Vec::new(), user: None });
                let fresh = self.tabs.len() - 1;
                self.later(Message::Flush(tab), 1000);
                return self.later(Message::Act(fresh), 3000);
            }
            16 => {
                let device = self.tabs[tab].device;
                self.open_tab(device);
                let opened = self.tabs.len() - 1;
                self.later(Message::Act(opened), 3000);
            }
            17 => {
                let cookie = self.tabs[tab].cookie;
                self.later(Message::Unlink { cookie }, 5000);
            }
            18 => {
                let cookie = self.tabs[tab].cookie;
                self.later(Message::Forget { cookie }, 1000);
            }
            _ => self.later(Message::Flush(tab), 50),
        }
        self.later(Message::Flush(tab), 2000);
        self.later(Message::Act(tab), self.pace);
    }

    pub(crate) fn signal(&mut self, tab: usize, user: Option<usize>) {
        let total = self.dice.below(1000) as f64 / 10.0;
        let tab = &mut self.tabs[tab];
        tab.user = user.or(tab.user);
        let owner = tab.user.map(|user| self.customers[user].id);
        let kind = if user.is_some() { Kind::User } else { Kind::View };
        let fields = json!({ "uri": "/", "properties": { "total": total } });
        let signal = Signal {
            stream: tab.stream,
            seq: tab.next_seq,
            time: self.now,
            kind,
            source: Source::Browser,
            fields: fields.as_object().cloned().unwrap_or_default(),
        };
        self.made_as.insert((tab.stream, tab.next_seq), owner);
        tab.next_seq += 1;
        tab.queue.push(Offered {
            signal,
            customer: user.map(|user| self.customers[user].clone()),
            trusted: true,
        });
    }

    /// Sends what is not acknowledged, perhaps split differently than the last time.
    pub(crate) fn flush(&mut self, tab: usize) {
        let (cookie, mut signals) = (self.tabs[tab].cookie, self.tabs[tab].queue.clone());
        if signals.is_empty() {
            return;
        }
        if self.dice.one_in(3) {
            let keep = 1 + self.dice.below(signals.len() as u64) as usize;
            signals.truncate(keep);
        }
        let call = CollectCall { cookie, root: cookie, signals };
        self.send(|| Message::Collect { tab, call: call.clone(), hops: 0 });
        // No answer in time: once more.
        self.later(Message::Flush(tab), 6000);
    }

    pub(crate) fn answered(&mut self, tab: usize, cookie: CookieId, sent: CookieId, seqs: &[u64]) {
        let stream = self.tabs[tab].stream;
        for seq in seqs {
            // An answer from before the purge says nothing about after it.
            if self.forgotten.contains(&(stream, *seq)) {
                continue;
            }
            let owner = self.made_as.get(&(stream, *seq)).copied().flatten();
            self.acknowledged.insert((stream, *seq), owner);
        }
        self.tabs[tab].queue.retain(|offered| !seqs.contains(&offered.signal.seq));
        let device = self.tabs[tab].device;
        if cookie != sent && self.devices[device].cookie == sent {
            self.devices[device].cookie = cookie;
        }
    }
}

//! What people do in their browsers, and what the SDK there does for them: queues that are sent until
//! they are acknowledged, split differently each time.

use msci_core::ids::{CookieId, CustomerId, StreamId};
use msci_core::limits::QUEUE_DAYS;
use msci_core::object::{CollectCall, Offered};
use msci_core::signal::{Kind, Signal, Source};
use msci_core::time::{DAY_MS, Timestamp};
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

/// How a signal came about.
pub(crate) struct Made {
    /// Who was signed in.
    pub(crate) owner: Option<CustomerId>,
    pub(crate) time: Timestamp,
    pub(crate) ages: bool,
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
        if self.now < self.away_until {
            return self.after_absence(Message::Act(tab));
        }
        self.acts_left -= 1;
        match self.dice.below(44) {
            0..=20 => self.signal(tab, Kind::View, None),
            21..=28 => {
                let user = self.dice.below(self.customers.len() as u64) as usize;
                self.signal(tab, Kind::User, Some(user));
            }
            29 => self.signal(tab, Kind::Consent, None),
            30 | 31 => {
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
            32 | 33 => {
                let device = self.tabs[tab].device;
                self.open_tab(device);
                let opened = self.tabs.len() - 1;
                self.later(Message::Act(opened), 3000);
            }
            34 | 35 => self.later(Message::Unlink(self.tabs[tab].cookie), 5000),
            36 | 37 => self.later(Message::Forget(self.tabs[tab].cookie), 1000),
            38 => {
                let customer = self.dice.below(self.customers.len() as u64) as usize;
                self.later(Message::Erase(self.customers[customer].id), 500);
                if self.dice.one_in(2) {
                    // Who is unlinked and signs up anew may do so before the cookie hears of the erasure.
                    self.later(Message::Unlink(self.tabs[tab].cookie), 1000);
                    self.later(Message::SignIn { tab, customer }, 2000);
                }
            }
            39 => {
                for _ in 0..=self.dice.below(2) {
                    self.later(Message::Erase(self.name_of(self.tabs[tab].cookie)), 10_000);
                }
            }
            40 | 41 if self.absences > 0 => {
                // Everybody goes away. Days decide what of it is too long.
                self.absences -= 1;
                let days = [1, 7, 8, 20, 40, 40, 45, 100, 365, 400][self.dice.below(10) as usize];
                // Just when something expires, or some time that day.
                let rest = if self.dice.one_in(2) { 3000 } else { DAY_MS as u64 };
                self.away_until = self.now.plus(days * DAY_MS + self.dice.below(rest) as i64);
                self.offline = self.dice.one_in(2);
            }
            _ => self.later(Message::Flush(tab), 50),
        }
        self.later(Message::Flush(tab), 2000);
        self.later(Message::Act(tab), self.pace);
    }

    fn after_absence(&mut self, message: Message) {
        let away = self.away_until.0 - self.now.0;
        let after = 1 + self.dice.below(self.pace) as i64;
        self.post(message, away + after);
    }

    pub(crate) fn signal(&mut self, tab: usize, kind: Kind, user: Option<usize>) {
        let total = self.dice.below(1000) as f64 / 10.0;
        let tab = &mut self.tabs[tab];
        tab.user = user.or(tab.user);
        let owner = tab.user.map(|user| self.customers[user].id);
        let fields = match kind {
            Kind::User => {
                let auth_id = user.map(|user| self.customers[user].auth_id.clone());
                json!({ "authId": auth_id, "name": format!("N{total}"), "properties": { "total": total } })
            }
            Kind::Consent => {
                json!({ "purposes": { "ads": if total > 50.0 { "granted" } else { "denied" } } })
            }
            _ => {
                let bucket = if total < 20.0 { "holdout" } else { "treated" };
                let shown = (total.rem_euclid(2.0) < 1.0).then(|| format!("other:x,hero:{bucket}"));
                json!({ "uri": "/", "properties": { "total": total }, "exposures": shown })
            }
        };
        let signal = Signal {
            stream: tab.stream,
            seq: tab.next_seq,
            time: self.now,
            kind,
            source: Source::Browser,
            fields: fields.as_object().cloned().unwrap_or_default(),
        };
        self.made.insert((tab.stream, tab.next_seq), Made { owner, time: self.now, ages: signal.ages() });
        tab.next_seq += 1;
        let customer = user.map(|user| self.customers[user].clone());
        tab.queue.push(Offered { signal, customer, trusted: true });
    }

    /// Sends what is not acknowledged, perhaps split differently than the last time.
    pub(crate) fn flush(&mut self, tab: usize) {
        if self.now < self.away_until && self.offline {
            return self.after_absence(Message::Flush(tab));
        }
        let oldest = self.now.plus(-i64::from(QUEUE_DAYS) * DAY_MS);
        if self.tabs[tab].queue.iter().any(|offered| offered.signal.time < oldest) {
            self.tabs[tab].queue.retain(|offered| offered.signal.time >= oldest);
            self.nobody_said_who(tab);
        }
        let (cookie, mut signals) = (self.tabs[tab].cookie, self.tabs[tab].queue.clone());
        if signals.is_empty() {
            return;
        }
        if self.dice.one_in(3) {
            let keep = 1 + self.dice.below(signals.len() as u64) as usize;
            signals.truncate(keep);
        }
        let call = CollectCall::of(cookie, cookie, signals);
        self.send(|| Message::Collect { tab, call: call.clone() });
        // No answer in time: once more.
        self.later(Message::Flush(tab), 6000);
    }

    /// What was not taken of a tab may have been what said who was there.
    pub(crate) fn nobody_said_who(&mut self, tab: usize) {
        let stream = self.tabs[tab].stream;
        let made = self.made.iter_mut().filter(|(id, _)| id.0 == stream);
        made.for_each(|(_, made)| made.owner = None);
        self.tabs[tab].user = None;
    }

    pub(crate) fn acknowledge(&mut self, tab: usize, given: u64, taken: &[u64]) {
        let stream = self.tabs[tab].stream;
        for id in taken.iter().map(|seq| (stream, *seq)) {
            if self.gone.get(&id).is_none_or(|gone| *gone < given) {
                self.acknowledged.insert(id);
            }
        }
    }

    /// The SDK sends nothing again that has its verdict, and takes another cookieId if it is told to.
    pub(crate) fn answered(
        &mut self,
        tab: usize,
        cookie: CookieId,
        sent: CookieId,
        done: impl Fn(u64) -> bool,
    ) {
        self.tabs[tab].queue.retain(|offered| !done(offered.signal.seq));
        let device = self.tabs[tab].device;
        if cookie != sent && self.devices[device].cookie == sent {
            self.devices[device].cookie = cookie;
        }
    }
}

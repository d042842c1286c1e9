//! Who sends too much. Nothing is stored of anybody: whoever sends has a place in a small table,
//! by a hash that nobody outside knows, and in it stands until when what they sent is paid for. Memory is the same
//! however many there are; two who share one place are told apart by the other.

/// What somebody may send.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// One for each so many microseconds.
    pub every_us: i64,
    /// So many at once.
    pub burst: i64,
}

/// One cookie: a page sends a batch a second at most, and people have tabs.
pub const OF_A_COOKIE: Rate = Rate { every_us: 50_000, burst: 5_000 };
/// One network: an office, a mobile carrier's gateway.
pub const OF_A_NETWORK: Rate = Rate { every_us: 5_000, burst: 6_000 };
/// Wrong tokens of one network: people mistype, programs are set up wrongly.
pub const FAILED_OF_A_NETWORK: Rate = Rate { every_us: 2_000_000, burst: 30 };
/// Requests of one token, or of one person at the console: programs that set up a thousand definitions come through.
pub const OF_A_CALLER: Rate = Rate { every_us: 10_000, burst: 1_000 };
/// Visitors of one network who are new, or come without an id: each of them is one more profile.
pub const NEW_OF_A_NETWORK: Rate = Rate { every_us: 50_000, burst: 1_000 };

/// Tokens of one network that prove nothing: a site that signs badly sends one with each sign-in.
pub const FAULTS_OF_A_NETWORK: Rate = Rate { every_us: 1_000_000, burst: 60 };
/// Tokens that prove nothing about one authId. More than one network may send, so that nobody alone keeps somebody else
/// from signing in.
pub const FAULTS_OF_A_NAME: Rate = Rate { every_us: 200_000, burst: 300 };

/// So much further ahead than anybody can pay is nobody but a clock that has fallen back since, in microseconds. Requests
/// that pass each other are within it.
const FALLEN_BACK_US: i64 = 60_000_000;
/// Places in each half of the table: a power of two.
const PLACES: usize = 2048;

/// Until when each has paid, in microseconds since 1970.
pub struct Buckets {
    rate: Rate,
    seed: u64,
    halves: [Vec<i64>; 2],
}

impl Buckets {
    /// Empty ones; `seed` is unpredictable, so that nobody can aim at somebody else's place.
    pub fn new(rate: Rate, seed: u64) -> Self {
        Self { rate, seed, halves: [vec![0; PLACES], vec![0; PLACES]] }
    }

    /// Whether this one may send at this microsecond.
    pub fn may(&self, who: &[u8], now_us: i64) -> bool {
        let most = self.most(now_us);
        let mut slots = self.halves.iter().zip(self.places(who)).filter_map(|(half, at)| half.get(at));
        slots.any(|until| self.after(*until, now_us) <= most)
    }

    /// Until when it is paid for after one more.
    fn after(&self, until: i64, now_us: i64) -> i64 {
        let ahead = until > self.most(now_us).saturating_add(FALLEN_BACK_US);
        (if ahead { now_us } else { until.max(now_us) }).saturating_add(self.rate.every_us)
    }

    /// The same, and it pays for it. Who may not does not pay for having asked.
    pub fn takes(&mut self, who: &[u8], now_us: i64) -> bool {
        let (takes, most) = (self.may(who, now_us), self.most(now_us));
        let places = self.places(who);
        for (half, at) in places.into_iter().enumerate() {
            let Some(until) = self.halves.get(half).and_then(|half| half.get(at)).copied() else { continue };
            let then = if takes { self.after(until, now_us) } else { until };
            if let Some(until) = self.halves.get_mut(half).and_then(|half| half.get_mut(at)) {
                // No more than full: who shares a place with a flood is not kept out longer.
                *until = then.min(most);
            }
        }
        takes
    }

    /// What was paid for was not used: it is given back.
    pub fn gives_back(&mut self, who: &[u8]) {
        let places = self.places(who);
        for (half, at) in self.halves.iter_mut().zip(places) {
            if let Some(until) = half.get_mut(at) {
                *until = until.saturating_sub(self.rate.every_us);
            }
        }
    }

    /// Until when somebody may have paid at most.
    fn most(&self, now_us: i64) -> i64 {
        now_us.saturating_add(self.rate.every_us.saturating_mul(self.rate.burst))
    }

    fn places(&self, who: &[u8]) -> [usize; 2] {
        let hash = self.hash(who);
        let mask = PLACES as u64 - 1;
        [(hash & mask) as usize, ((hash >> 32) & mask) as usize]
    }

    /// FNV-1a, then mixed, so that each half sees all of it.
    fn hash(&self, who: &[u8]) -> u64 {
        let mut hash = self.seed ^ 0xcbf2_9ce4_8422_2325;
        for byte in who {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash ^ (hash >> 29)
    }
}

/// The network of an address: of IPv6 the first four groups, which is what one subscriber gets. None of this
/// machine's own.
pub fn network(address: &str) -> Option<&str> {
    if address.is_empty() || address.starts_with("127.") || address == "::1" {
        return None;
    }
    let end = address.match_indices(':').nth(3).map_or(address.len(), |(at, _)| at);
    address.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { every_us: 1_000, burst: 10 };

    #[test]
    fn who_sends_too_much_waits_and_nobody_else_does() {
        let mut buckets = Buckets::new(RATE, 7);
        let taken = |buckets: &mut Buckets, who: &str, now, times: usize| {
            (0..times).filter(|_| buckets.takes(who.as_bytes(), now)).count()
        };
        assert_eq!(taken(&mut buckets, "flood", 1_000_000, 1_000), 10);
        assert_eq!(taken(&mut buckets, "flood", 1_002_500, 1_000), 2);
        assert_eq!(taken(&mut buckets, "flood", 2_000_000, 1_000), 10, "who stopped begins anew");
        // A hundred floods fill a twentieth of each half: hardly anybody has both places there.
        for n in 0..100 {
            taken(&mut buckets, &format!("flood {n}"), 2_000_000, 50);
        }
        let quiet = (0..2_000).filter(|n| buckets.takes(format!("visitor {n}").as_bytes(), 2_000_000));
        assert!(quiet.count() >= 1_950);
    }

    #[test]
    fn asking_costs_nothing() {
        let mut buckets = Buckets::new(RATE, 7);
        assert!((0..100).all(|_| buckets.may(b"who", 1_000_000)));
        assert_eq!((0..100).filter(|_| buckets.takes(b"who", 1_000_000)).count(), 10);
        assert!(!buckets.may(b"who", 1_000_000) && buckets.may(b"who", 1_001_000));
    }

    #[test]
    fn what_is_given_back_is_there_for_the_next() {
        let mut buckets = Buckets::new(RATE, 7);
        let taken = |buckets: &mut Buckets| (0..100).filter(|_| buckets.takes(b"who", 1_000_000)).count();
        for _ in 0..100 {
            assert!(buckets.takes(b"who", 1_000_000));
            buckets.gives_back(b"who");
        }
        assert_eq!(taken(&mut buckets), 10);
        buckets.gives_back(b"who");
        assert_eq!(taken(&mut buckets), 1);
    }

    #[test]
    fn a_clock_that_was_ahead_keeps_nobody_out() {
        let mut buckets = Buckets::new(RATE, 7);
        for now in [i64::MIN, i64::MAX, 9_000_000_000] {
            buckets.takes(b"who", now);
        }
        assert_eq!((0..100).filter(|_| buckets.takes(b"who", 1_000_000)).count(), 10);
    }

    #[test]
    fn requests_that_pass_each_other_are_no_clock_that_has_fallen_back() {
        let mut buckets = Buckets::new(RATE, 7);
        assert_eq!((0..100).filter(|_| buckets.takes(b"who", 2_000_000)).count(), 10);
        assert!((0..100).all(|n| !buckets.takes(b"who", 2_000_000 - n * 1000)));
    }

    #[test]
    fn a_network_is_what_one_subscriber_has() {
        for (address, expected) in [
            ("203.0.113.7", Some("203.0.113.7")),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2")),
            ("2001:db8:1:2:9::1", Some("2001:db8:1:2")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("127.0.0.1", None),
            ("::1", None),
            ("", None),
        ] {
            assert_eq!(network(address), expected, "{address}");
        }
    }
}

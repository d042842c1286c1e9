//! What is known of one SDK instance's counter: how far it came and what is missing below. A gap is a
//! known loss (law 4) until the late signal fills it.

use serde::{Deserialize, Serialize};

use crate::ids::CustomerId;

/// Most gap ranges that are kept of one stream; the oldest go first.
const GAPS: usize = 100;

/// Most turns that are kept of one stream; the oldest go first.
const TURNS: usize = 100;

/// High-water mark and gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Highest seq that arrived.
    pub high: u64,
    /// Ranges below it that did not, both ends inclusive.
    pub gaps: Vec<(u64, u64)>,
    /// Where its signals go, by `user` signals that named another customer than this cookie's, in the
    /// order of their numbers. Decided once and recorded, so that a resend goes the same way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<Turn>,
}

/// From a `user` signal on, a stream's signals go to a customer's own cookieId, or come back here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Number of the `user` signal.
    pub from: u64,
    /// Whose cookieId; none is this one.
    pub to: Option<CustomerId>,
}

impl Stream {
    /// Whose cookieId a signal belongs to; none is this one.
    pub fn owner(&self, seq: u64) -> Option<CustomerId> {
        self.turns.iter().rev().find(|turn| turn.from <= seq)?.to
    }

    /// Whether this very signal was decided before.
    pub fn turned_at(&self, seq: u64) -> bool {
        self.turns.iter().any(|turn| turn.from == seq)
    }

    /// From this `user` signal on the stream goes there.
    pub fn turn(&mut self, from: u64, to: Option<CustomerId>) {
        let at = self.turns.partition_point(|turn| turn.from < from);
        self.turns.insert(at, Turn { from, to });
        let surplus = self.turns.len().saturating_sub(TURNS);
        self.turns.drain(..surplus);
    }

    /// Whether a signal arrived, be it still there or purged since.
    pub fn seen(&self, seq: u64) -> bool {
        seq <= self.high && !self.gaps.iter().any(|(from, to)| (*from..=*to).contains(&seq))
    }

    /// A signal arrived.
    pub fn note(&mut self, seq: u64) {
        if seq > self.high {
            if seq > self.high + 1 {
                self.gaps.push((self.high + 1, seq - 1));
                let surplus = self.gaps.len().saturating_sub(GAPS);
                self.gaps.drain(..surplus);
            }
            self.high = seq;
            return;
        }
        let Some(at) = self.gaps.iter().position(|(from, to)| (*from..=*to).contains(&seq)) else { return };
        let (from, to) = self.gaps.remove(at);
        if seq < to {
            self.gaps.insert(at, (seq + 1, to));
        }
        if from < seq {
            self.gaps.insert(at, (from, seq - 1));
        }
    }

    /// How many signals are missing.
    pub fn missing(&self) -> u64 {
        self.gaps.iter().map(|(from, to)| to - from + 1).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn missing_is_what_did_not_arrive_whatever_the_order(order in prop::collection::vec(1_u64..40, 1..60)) {
            let mut stream = Stream::default();
            for seq in &order {
                stream.note(*seq);
            }
            let high = *order.iter().max().unwrap();
            let absent = (1..=high).filter(|seq| !order.contains(seq)).count() as u64;
            prop_assert_eq!(stream.high, high);
            prop_assert_eq!(stream.missing(), absent);
        }
    }
}

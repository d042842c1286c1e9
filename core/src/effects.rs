//! What a step asks of the outside: rows to write, as data. A step decides, the rim writes all of it
//! in one transaction or nothing; a simulator can stop between any two.

use serde::Serialize;

use crate::ids::{CookieId, SignalKey};
use crate::signal::Signal;
use crate::time::Timestamp;

/// Tables of small rows `(key, body)`, body as JSON. The timeline has its own shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// What the object is: its tag, its log, the customer it stands for.
    Meta,
    /// One row: attributes by source, first and last seen, version.
    Profile,
    /// State of a counter.
    Measure,
    /// A segment it is in.
    Membership,
    /// At a cookie's object its link; at a customer's one row per linked cookie.
    Link,
    /// High-water mark and gaps of a stream.
    Stream,
    /// What is owed to the outside: a projection, an unshipped log.
    Outbox,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Meta, Self::Profile, Self::Measure, Self::Membership, Self::Link, Self::Stream, Self::Outbox];

    /// Those whose rows are held in memory: their number depends on definitions and links, not on
    /// history.
    pub const HELD: [Self; 6] =
        [Self::Meta, Self::Profile, Self::Measure, Self::Membership, Self::Link, Self::Outbox];

    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Profile => "profile",
            Self::Measure => "measure",
            Self::Membership => "membership",
            Self::Link => "link",
            Self::Stream => "stream",
            Self::Outbox => "outbox",
        }
    }
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Insert or replace a small row.
    Put {
        /// Where.
        table: Table,
        /// Its key.
        key: String,
        /// Its body, JSON.
        body: String,
    },
    /// Delete a small row.
    Delete {
        /// Where.
        table: Table,
        /// Its key.
        key: String,
    },
    /// Delete all rows of a table.
    Clear(Table),
    /// Append a signal to the timeline. It is never there yet: the step was told what is.
    Append {
        /// Whose log.
        cookie: CookieId,
        /// Its place in that log.
        position: u64,
        /// The signal.
        signal: Signal,
    },
    /// Delete a cookie's signals from the timeline.
    Remove(CookieId),
    /// Delete one signal from the timeline.
    Withdraw(SignalKey),
    /// Delete the signals that retention takes: those older than this, but for consents.
    Prune(Timestamp),
    /// Delete every row of every table, the timeline too. What the object still is follows it.
    Wipe,
}

impl Write {
    /// Insert or replace.
    pub fn put(table: Table, key: &str, body: &impl Serialize) -> Self {
        // Plain data into memory: serialising cannot fail. An empty body would be refused when read.
        let body = serde_json::to_string(body).unwrap_or_default();
        Self::Put { table, key: key.to_owned(), body }
    }

    /// Delete.
    pub fn delete(table: Table, key: &str) -> Self {
        Self::Delete { table, key: key.to_owned() }
    }
}

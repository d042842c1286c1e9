//! Memberships as they change: each change is a value with its instant and its cause, so that what
//! hangs on it (webhooks, the console) never compares two states to find out what happened.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What moved a membership. Exhaustive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A signal of the visitor.
    Signal,
    /// Time alone: something came into a window, or left it.
    Time,
    /// The imported row.
    Import,
    /// A cookie was linked, with all that it had.
    Merge,
    /// Signals were taken away: unlinked, forgotten, erased, or kept for as long as retention says.
    Removal,
    /// The definitions.
    Definition,
}

/// Since when somebody is in a segment, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Membership {
    /// When it was entered, as processed.
    pub since: Timestamp,
    /// By what; unknown of a row that an earlier version wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// A segment entered or left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Its name.
    pub segment: String,
    /// Entered, or left.
    pub entered: bool,
    /// When: of time alone the exact instant, however late the alarm; of all else when it was processed.
    pub at: Timestamp,
    /// By what.
    pub cause: Cause,
}

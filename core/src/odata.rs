//! The read API's decisions (contract §5): an address becomes a question about entity sets, a question
//! becomes SQL or a filter in memory, records become rows. Nothing here reads or writes anything.
//!
//! What an address says never becomes SQL text: names are looked up among the columns that there are,
//! values are parameters.

pub mod address;
pub mod apply;
mod entity;
mod keys;
pub mod memory;
pub mod metadata;
pub mod model;
pub mod question;
pub mod record;
mod search;
pub mod sql;
mod token;

use crate::expr::ExprError;

/// Why a question is not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// HTTP status.
    pub status: u16,
    /// Stable code.
    pub code: &'static str,
    /// Plain words, with the position where there is one.
    pub message: String,
}

impl Fault {
    /// A question that cannot be asked like this.
    pub(crate) fn query(message: impl Into<String>) -> Self {
        Self { status: 400, code: "invalid_query", message: message.into() }
    }

    /// There is no such thing.
    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self { status: 404, code: "resource_not_found", message: message.into() }
    }

    /// A question that would cost too much, and how to ask instead.
    pub fn costly(message: impl Into<String>) -> Self {
        Self { status: 400, code: "query_too_costly", message: message.into() }
    }
}

impl From<ExprError> for Fault {
    fn from(error: ExprError) -> Self {
        Self { status: 400, code: error.code, message: error.to_string() }
    }
}

//! Faults on their way out: a stable code and a plain message for the client, the cause for the log.

use std::borrow::Cow;

use serde_json::json;
use worker::{Response, ResponseBuilder};

/// What a route answers instead of its result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The client's fault; it is told what to do.
    #[error("{code}: {message}")]
    Client {
        /// HTTP status.
        status: u16,
        /// Stable code.
        code: Cow<'static, str>,
        /// Plain words.
        message: Cow<'static, str>,
    },
    /// Something behind this Worker did not answer as it should; the client may try again.
    #[error("{0}")]
    Platform(worker::Error),
    /// An object has more to do than it can; the client should come back later.
    #[error("overloaded")]
    Overloaded,
    /// Something behind this Worker did not answer in time.
    #[error("no answer in time from {0}")]
    Late(&'static str),
    /// Stored data is not what it should be; trying again does not help.
    #[error("{0}")]
    Damaged(String),
}

impl Error {
    /// The client's fault.
    pub(crate) fn client(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::Client { status, code: code.into(), message: message.into() }
    }

    /// 404.
    pub(crate) fn not_found() -> Self {
        Self::client(404, "not_found", "there is nothing at this address")
    }

    /// 405.
    pub(crate) fn method_not_allowed() -> Self {
        Self::client(405, "method_not_allowed", "this address does not answer that method")
    }

    /// The answer; internals go to the log only.
    pub(crate) fn into_response(self) -> worker::Result<Response> {
        let (status, code, message) = match self {
            Self::Client { status, code, message } => (status, code, message),
            Self::Platform(error) => {
                worker::console_error!("unavailable: {error}");
                (503, "unavailable".into(), "something behind did not answer; please try again".into())
            }
            Self::Overloaded => (429, "overloaded".into(), "too much at once; please come back later".into()),
            Self::Late(what) => {
                worker::console_error!("late: {what}");
                (
                    503,
                    "unavailable".into(),
                    "something behind did not answer in time; please try again".into(),
                )
            }
            Self::Damaged(what) => {
                worker::console_error!("damaged: {what}");
                (500, "damaged".into(), "stored data of this profile cannot be read".into())
            }
        };
        let mut builder =
            ResponseBuilder::new().with_status(status).with_header("Cache-Control", "no-store")?;
        match status {
            503 => builder = builder.with_header("Retry-After", "1")?,
            429 => builder = builder.with_header("Retry-After", "5")?,
            _ => {}
        }
        builder.from_json(&json!({ "error": { "code": code, "message": message } }))
    }
}

impl From<worker::Error> for Error {
    /// A database that says of itself that it is damaged will say so again.
    fn from(error: worker::Error) -> Self {
        let text = error.to_string();
        let damaged = ["SQLITE_CORRUPT", "SQLITE_NOTADB"].iter().any(|code| text.contains(code));
        if damaged { Self::Damaged(text) } else { Self::Platform(error) }
    }
}

impl From<serde_json::Error> for Error {
    /// JSON between our own parts that does not fit: stored or sent by another version.
    fn from(error: serde_json::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl From<wasm_bindgen::JsValue> for Error {
    fn from(error: wasm_bindgen::JsValue) -> Self {
        worker::Error::from(error).into()
    }
}

/// Result of a route or a step towards one.
pub(crate) type Result<T> = std::result::Result<T, Error>;

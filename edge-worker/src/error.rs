//! Faults on their way out: a stable code and a plain message for the client, the cause for the log.

use std::borrow::Cow;

use serde_json::json;
use worker::{Response, ResponseBuilder};

/// What a route answers instead of its result. Behind a pointer: there are a thousand places where one is
/// handed on, and each of them would copy it whole.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Error(Box<Fault>);

#[derive(Debug, thiserror::Error)]
enum Fault {
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
        Self(Box::new(Fault::Client { status, code: code.into(), message: message.into() }))
    }

    /// Stored data is not what it should be.
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self(Box::new(Fault::Damaged(what.into())))
    }

    /// No answer in time.
    pub(crate) fn late(what: &'static str) -> Self {
        Self(Box::new(Fault::Late(what)))
    }

    /// An object has more to do than it can.
    pub(crate) fn overloaded() -> Self {
        Self(Box::new(Fault::Overloaded))
    }

    /// Whether something behind this Worker did not answer as it should.
    pub(crate) fn is_of_the_platform(&self) -> bool {
        matches!(*self.0, Fault::Platform(_))
    }

    /// The status it is told with.
    #[cfg(feature = "console")]
    pub(crate) fn status(&self) -> u16 {
        match *self.0 {
            Fault::Client { status, .. } => status,
            Fault::Platform(_) | Fault::Late(_) => 503,
            Fault::Overloaded => 429,
            Fault::Damaged(_) => 500,
        }
    }

    /// What the client is told it is; empty where it is not the client's.
    #[cfg(feature = "console")]
    pub(crate) fn code(&self) -> &str {
        match &*self.0 {
            Fault::Client { code, .. } => code,
            Fault::Platform(_) | Fault::Overloaded | Fault::Late(_) | Fault::Damaged(_) => "",
        }
    }

    /// 404.
    pub(crate) fn not_found() -> Self {
        Self::client(404, "not_found", "there is nothing at this address")
    }

    /// 401, of a console's session that is over.
    #[cfg(feature = "console")]
    pub(crate) fn signed_out() -> Self {
        Self::client(401, "signed_out", "please sign in")
    }

    /// 405.
    pub(crate) fn method_not_allowed() -> Self {
        Self::client(405, "method_not_allowed", "this address does not answer that method")
    }

    /// Status, code and words for the client; internals go to the log only.
    pub(crate) fn told(self) -> (u16, Cow<'static, str>, Cow<'static, str>) {
        match *self.0 {
            Fault::Client { status, code, message } => (status, code, message),
            Fault::Platform(error) => {
                worker::console_error!("unavailable: {error}");
                (503, "unavailable".into(), "something behind did not answer; please try again".into())
            }
            Fault::Overloaded => {
                (429, "overloaded".into(), "too much at once; please come back later".into())
            }
            Fault::Late(what) => {
                worker::console_error!("late: {what}");
                (
                    503,
                    "unavailable".into(),
                    "something behind did not answer in time; please try again".into(),
                )
            }
            Fault::Damaged(what) => {
                worker::console_error!("damaged: {what}");
                (500, "damaged".into(), "stored data of this profile cannot be read".into())
            }
        }
    }

    /// The answer.
    pub(crate) fn into_response(self) -> worker::Result<Response> {
        let (status, code, message) = self.told();
        let mut builder = ResponseBuilder::new()
            .with_status(status)
            .with_header("Cache-Control", "no-store")?
            .with_header("X-Content-Type-Options", "nosniff")?;
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
        if damaged { Self::damaged(text) } else { Self(Box::new(Fault::Platform(error))) }
    }
}

impl From<serde_json::Error> for Error {
    /// JSON between our own parts that does not fit: stored or sent by another version.
    fn from(error: serde_json::Error) -> Self {
        Self::damaged(error.to_string())
    }
}

impl From<wasm_bindgen::JsValue> for Error {
    fn from(error: wasm_bindgen::JsValue) -> Self {
        worker::Error::from(error).into()
    }
}

/// Result of a route or a step towards one.
pub(crate) type Result<T> = std::result::Result<T, Error>;

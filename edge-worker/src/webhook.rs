//! One attempt to deliver a message: signed, to one address and no other, within a time, and whatever
//! comes back is not read beyond its status and headers.

use std::cell::RefCell;

use msci_core::activation::{Outcome, secret_bytes, signature};
use msci_core::config::Activation;
use msci_core::time::{SECOND_MS, Timestamp};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::Env;

use crate::error::Result;
use crate::platform::now;
use crate::{calls, http};

/// How long a receiver may take.
const PATIENCE_MS: u32 = 10 * SECOND_MS as u32;
/// Secrets that an isolate keeps.
const KEPT: usize = 100;

thread_local! {
    static SECRETS: RefCell<Vec<(String, Vec<u8>)>> = const { RefCell::new(Vec::new()) };
}

/// The secret of an activation; none where it was replaced in the meantime. A key names one secret for
/// ever, so what is cached never changes.
async fn secret(env: &Env, activation: &Activation) -> Result<Option<Vec<u8>>> {
    let key = &activation.key;
    let kept =
        SECRETS.with_borrow(|kept| kept.iter().find(|(of, _)| of == key).map(|(_, secret)| secret.clone()));
    if kept.is_some() {
        return Ok(kept);
    }
    let secret = secret_bytes(&calls::webhook_secret(env, key).await?);
    if let Some(secret) = &secret {
        SECRETS.with_borrow_mut(|secrets| {
            if secrets.len() >= KEPT {
                secrets.clear();
            }
            secrets.push((key.clone(), secret.clone()));
        });
    }
    Ok(secret)
}

/// A message on its way.
pub(crate) struct Sending(Option<js_sys::Promise>);

/// Sends a message; its receiver answers later.
///
/// # Errors
/// When it could not even be tried.
pub(crate) async fn send(env: &Env, activation: &Activation, id: &str, body: &str) -> Result<Sending> {
    let Some(secret) = secret(env, activation).await? else { return Ok(Sending(None)) };
    let second = now().0.div_euclid(SECOND_MS);
    let headers = web_sys::Headers::new()?;
    for (name, value) in [
        ("content-type", "application/json"),
        ("webhook-id", id),
        ("webhook-timestamp", &second.to_string()),
        ("webhook-signature", &signature(&secret, id, second, body)),
    ] {
        headers.set(name, value)?;
    }
    let init = web_sys::RequestInit::new();
    init.set_method("POST");
    init.set_headers(&headers);
    init.set_body(&body.into());
    init.set_redirect(web_sys::RequestRedirect::Manual);
    init.set_signal(Some(&web_sys::AbortSignal::timeout_with_u32(PATIENCE_MS)));
    let request = web_sys::Request::new_with_str_and_init(&activation.url, &init)?;
    Ok(Sending(Some(http::fetch_request(&request))))
}

impl Sending {
    /// What became of it.
    pub(crate) async fn outcome(self) -> Outcome {
        let Some(promise) = self.0 else { return Outcome::Unreachable };
        match JsFuture::from(promise).await {
            Ok(response) => answered(response.unchecked_ref(), now()),
            Err(error) if is_late(&error) => Outcome::Late,
            Err(_) => Outcome::Unreachable,
        }
    }
}

fn answered(response: &web_sys::Response, now: Timestamp) -> Outcome {
    if let Some(body) = response.body() {
        // Nobody reads it; how the receiver takes that is its own affair.
        let _ = body.cancel();
    }
    let asked = response.headers().get("retry-after").ok().flatten();
    Outcome::Answered {
        status: response.status(),
        retry_after_ms: asked.and_then(|asked| pause(&asked, now)),
    }
}

/// `Retry-After`: seconds, or a date.
fn pause(asked: &str, now: Timestamp) -> Option<i64> {
    match asked.trim().parse::<i64>() {
        Ok(seconds) => Some(seconds.saturating_mul(SECOND_MS)),
        Err(_) => {
            let at = js_sys::Date::parse(asked);
            at.is_finite().then(|| (at as i64).saturating_sub(now.0))
        }
    }
}

fn is_late(error: &JsValue) -> bool {
    js_sys::Reflect::get(error, &"name".into()).is_ok_and(|name| name == "TimeoutError")
}

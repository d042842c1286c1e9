//! What this isolate counts, and, while somebody watches, the signals that it took. Told to the configuration's object
//! seconds later and after the answer, so no visitor waits for it; what an isolate that ends had not told is lost.

use std::cell::{Cell, RefCell};

use msci_core::ids::CustomerId;
use msci_core::signal::Signal;
use msci_core::stats::{self, Counters, Pages};
use msci_core::time::{SECOND_MS, Timestamp};
use serde_json::{Value, json};
use worker::{Context, Env};

use crate::calls;
use crate::error::Result;
use crate::platform::{now, soon};

/// How long what was counted is kept here.
const KEPT_MS: i64 = 5 * SECOND_MS;
/// And signals, that somebody watches.
const WATCHED_MS: i64 = 250;
/// Most signals that are kept here.
const SIGNALS: usize = 200;
/// Longest text of a signal that is shown.
const SHOWN_BYTES: usize = 200;

thread_local! {
    static COUNTERS: RefCell<Counters> = RefCell::default();
    static PAGES: Cell<Pages> = Cell::default();
    static SIGNALS_SEEN: RefCell<Vec<Value>> = const { RefCell::new(Vec::new()) };
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    /// Until then somebody has taken it on to tell.
    static TELLING: Cell<Timestamp> = const { Cell::new(Timestamp(0)) };
    /// When something was told.
    static TOLD: Cell<Timestamp> = const { Cell::new(Timestamp(0)) };
}

/// Counts something.
pub(crate) fn count(name: &str, n: i64) {
    COUNTERS.with_borrow_mut(|counters| stats::add(counters, name, n));
}

/// Counts how long something took.
pub(crate) fn timed(what: &str, since: Timestamp) {
    COUNTERS.with_borrow_mut(|counters| stats::timed(counters, what, now().0 - since.0));
}

/// A page was decided: in time or not, and so that it is personal or not.
pub(crate) fn page(late: bool, personalised: bool, since: Timestamp) {
    let mut pages = PAGES.get();
    pages.note(late, personalised, now().0 - since.0);
    PAGES.set(pages);
}

/// Whether somebody watches, as the configuration's object said when it was last asked.
pub(crate) fn watched(is: bool) {
    WATCHED.set(is);
}

/// A signal and its verdict, for whoever watches. No text that was typed is in it, and no address's query.
pub(crate) fn seen(signal: &Signal, customer: CustomerId, verdict: &str) {
    if !WATCHED.get() {
        return;
    }
    let short = |text: &str| {
        let end = (0..=SHOWN_BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        text.get(..end.unwrap_or(0)).unwrap_or_default().to_owned()
    };
    let text = |name: &str| signal.fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let uri = text("uri").split(['?', '#']).next().unwrap_or_default();
    let seen = json!({
        "at": signal.time.to_rfc3339(), "type": signal.kind.name(), "name": short(text("name")), "uri": short(uri),
        "verdict": verdict, "customerId": customer,
    });
    SIGNALS_SEEN.with_borrow_mut(|signals| {
        if signals.len() < SIGNALS {
            signals.push(seen);
        }
    });
}

/// After the answer: sees to it that what was counted is told.
pub(crate) fn later(env: &Env, context: &Context) {
    if COUNTERS.with_borrow(Counters::is_empty) && PAGES.get().is_empty() {
        return;
    }
    let wait = if WATCHED.get() { WATCHED_MS } else { KEPT_MS };
    let env = env.clone();
    soon(&TELLING, context, wait, async move {
        if let Err(error) = tell(&env).await {
            worker::console_error!("counters are told later: {error}");
        }
    });
}

/// Asks for the versions of the configuration and of the key ring, and tells what was counted where that is due: pages
/// are decided without a request of their own to the Rust half.
pub(crate) async fn pulse(env: &Env, now: Timestamp) -> Result<(u64, u64)> {
    if now < TOLD.get().plus(KEPT_MS) && TOLD.get() <= now {
        let (n, revision, is) = calls::pulse(env, None).await?;
        watched(is);
        return Ok((n, revision));
    }
    tell(env).await
}

async fn tell(env: &Env) -> Result<(u64, u64)> {
    TOLD.set(now());
    let mut counters = COUNTERS.with_borrow_mut(std::mem::take);
    PAGES.take().tell(&mut counters);
    let signals = SIGNALS_SEEN.with_borrow_mut(std::mem::take);
    let told = (!counters.is_empty()).then_some((&counters, &signals));
    let answer = calls::pulse(env, told).await;
    match &answer {
        Ok((.., is)) => watched(*is),
        Err(_) => COUNTERS.with_borrow_mut(|now| {
            for (name, n) in counters.iter() {
                stats::add(now, name, *n);
            }
        }),
    }
    answer.map(|(n, revision, _)| (n, revision))
}

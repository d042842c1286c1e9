//! Tells the audit log, which the configuration's object keeps. A change is told before it is made: where that fails,
//! it is not made. A read or a refusal that cannot be told goes on, and is told with the next (`audit::Counts`).

use std::cell::{Cell, RefCell};

use msci_core::access::audit::{Counted, Counts, Entry, sent};
use msci_core::time::{SECOND_MS, Timestamp};
use worker::{Context, Env};

use super::Caller;
use crate::calls;
use crate::error::Result;
use crate::platform::soon;

/// How long what was counted waits for more of it.
const GATHER_MS: i64 = 5 * SECOND_MS;

thread_local! {
    static COUNTS: RefCell<Counts> = RefCell::default();
    /// Until then somebody has taken it on to tell.
    static TELLING: Cell<Timestamp> = const { Cell::new(Timestamp(0)) };
}

/// What somebody does.
pub(crate) fn entry(caller: Option<&Caller>, method: &str, route: &str, status: u16) -> Entry {
    let (token, name) = caller.map(|caller| (caller.id.clone(), caller.name.clone())).unwrap_or_default();
    Entry { token, name, method: method.to_owned(), route: route.to_owned(), status }
}

/// Before something is done that is told by itself; answers which entry is waiting for its outcome.
pub(crate) async fn begin(env: &Env, entry: Entry, now: Timestamp) -> Result<u64> {
    let mut due = COUNTS.with_borrow_mut(Counts::take);
    due.push(Counted { at: now, entry, count: None });
    tell(env, due).await
}

/// After it. Where this fails, the entry says that the outcome is not known.
pub(crate) async fn end(env: &Env, id: u64, status: u16) {
    let told = serde_json::json!([id, status]);
    if let Err(error) = calls::passed_on(env, calls::END_AUDIT, &told).await {
        worker::console_error!("the outcome of entry {id} is not in the audit log: {error}");
    }
}

/// A read, or a refusal.
pub(crate) async fn counted(env: &Env, entry: Entry, now: Timestamp) {
    let due = COUNTS.with_borrow_mut(|counts| counts.note(entry, now));
    if let Err(error) = tell(env, due).await {
        worker::console_error!("the audit log is told later: {error}");
    }
}

/// Somebody was not let in, or not let do something.
pub(crate) async fn refused(env: &Env, caller: Option<&Caller>, route: &str, status: u16, now: Timestamp) {
    counted(env, entry(caller, "", route, status), now).await;
}

/// After the answer: sees to it that what was counted is told, also where nobody comes any more.
pub(crate) fn later(env: &Env, context: &Context) {
    if COUNTS.with_borrow(Counts::is_untold) {
        let env = env.clone();
        soon(&TELLING, context, GATHER_MS, async move { rest(&env).await });
    }
}

/// What this isolate counted and has not told yet: before somebody reads the log.
pub(crate) async fn rest(env: &Env) {
    let due = COUNTS.with_borrow_mut(Counts::take);
    if let Err(error) = tell(env, due).await {
        worker::console_error!("the audit log is told later: {error}");
    }
}

async fn tell(env: &Env, due: Vec<Counted>) -> Result<u64> {
    if due.is_empty() {
        return Ok(0);
    }
    let told = calls::tell_audit(env, &sent(&due)).await;
    if told.is_err() {
        COUNTS.with_borrow_mut(|counts| counts.again(due));
    }
    told
}

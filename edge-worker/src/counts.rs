//! What this isolate counts, by name. The sums go to the one object that adds them up, every other second while there is
//! anything to tell, after the answers that they are of. What an isolate ends with untold is lost: these are numbers of
//! operation, no signal's verdict hangs on them.

use std::cell::RefCell;
use std::time::Duration;

use msci_core::collections::Map;
use msci_core::time::{SECOND_MS, Timestamp};
use worker::{Context, Delay, Env};

use crate::calls;
use crate::platform::now;

/// How long counts gather.
const GATHER_MS: u64 = 1000;
/// After that long nobody is about to tell them any more: the request that was has ended.
const GIVEN_UP_MS: i64 = 10 * SECOND_MS;

#[derive(Default)]
struct Counts {
    untold: Map<String, u64>,
    /// Since when somebody is about to tell them.
    telling: Option<Timestamp>,
}

thread_local! {
    static COUNTS: RefCell<Counts> = RefCell::default();
}

/// Counts something. `name` is one of ours; what is behind a `/` is a kind of what is before it.
pub(crate) fn add(name: &str, n: u64) {
    if n > 0 {
        COUNTS.with_borrow_mut(|counts| *counts.untold.get_or_insert_with(name.to_owned(), || 0) += n);
    }
}

/// Tells what was counted, in a second and beside everything else, unless somebody is about to.
pub(crate) fn tell_later(context: &Context, env: Env) {
    let now = now();
    let due = COUNTS.with_borrow_mut(|counts| {
        let idle = counts.telling.is_none_or(|since| since.plus(GIVEN_UP_MS) < now || since > now);
        let due = idle && !counts.untold.is_empty();
        if due {
            counts.telling = Some(now);
        }
        due
    });
    if due {
        context.wait_until(async move {
            Delay::from(Duration::from_millis(GATHER_MS)).await;
            tell(&env).await;
        });
    }
}

async fn tell(env: &Env) {
    let told = COUNTS.with_borrow_mut(|counts| std::mem::take(&mut counts.untold));
    let told: Vec<(String, u64)> = told.iter().map(|(name, n)| (name.clone(), *n)).collect();
    let answer = calls::config_count(env, &told).await;
    COUNTS.with_borrow_mut(|counts| counts.telling = None);
    if let Err(error) = answer {
        worker::console_error!("counts are told later: {error}");
        for (name, n) in &told {
            add(name, *n);
        }
    }
}

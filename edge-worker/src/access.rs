//! Who may use the admin and read API: bearers of a token, and whoever Cloudflare Access vouches for where the settings
//! say so, on the administrator's host where one is set. People come with a session of the console instead
//! (`console/session.rs`). What each may do says one table (`msci_core::access`); the audit log hears of all of it.

mod assertion;
pub(crate) mod audit;

use std::cell::RefCell;

use msci_core::access::token::{self, Token};
use msci_core::access::{Role, Scope};
use msci_core::flood::{Buckets, FAILED_OF_A_NETWORK, OF_A_CALLER, network};
use msci_core::proof::same;
use msci_core::time::{SECOND_MS, Timestamp};
use serde_json::Value;
use worker::{Env, Request};

pub(crate) use assertion::vouched;

use crate::calls;
use crate::configuration::Configuration;
use crate::error::{Error, Result};
use crate::http::header;
use crate::names;
use crate::platform::random_bits;

/// What the built-in Administrator's token is called: in sessions, and in the audit log.
pub(crate) const BUILT_IN: &str = "built-in";

/// Somebody who proved to be somebody.
#[derive(Clone)]
pub(crate) struct Caller {
    /// Whose token.
    pub(crate) id: String,
    /// What people call it.
    pub(crate) name: String,
    pub(crate) role: Role,
    scope: Option<Scope>,
}

impl Caller {
    pub(crate) fn built_in() -> Self {
        let (id, name) = (BUILT_IN.to_owned(), names::VAR_ADMIN_TOKEN.to_owned());
        Self { id, name, role: Role::Administrator, scope: None }
    }

    pub(crate) fn of(token: &Token) -> Self {
        Self { id: token.id.clone(), name: token.name.clone(), role: token.role, scope: token.scope }
    }

    /// Whether this interface is open to them at all.
    pub(crate) fn enters(&self, scope: Scope) -> bool {
        self.scope.is_none_or(|own| own == scope)
    }

    /// Whether they have this role, or one that includes it.
    pub(crate) fn must_be(&self, role: Role) -> Result<()> {
        if self.role >= role {
            return Ok(());
        }
        Err(Error::client(403, "forbidden", format!("this needs the role {}", role.name())))
    }
}

/// Whose request it is.
///
/// # Errors
/// 401 without the right token; 403 where the token is for the other interface; 404 on another host than the
/// administrator's; 429 where a network tried too many.
pub(crate) async fn caller(
    request: &Request,
    env: &Env,
    configuration: &Configuration,
    scope: Scope,
    now: Timestamp,
) -> Result<Caller> {
    at_its_host(request, env)?;
    let given = header(request, "authorization");
    let (scheme, given) = given.split_once(' ').unwrap_or_default();
    let caller = if scheme.eq_ignore_ascii_case("bearer") {
        known(request, env, given.trim(), now).await?
    } else {
        vouched(request, configuration, now).await
    };
    let surface = if scope == Scope::Data { "data" } else { "admin" };
    let Some(caller) = caller else {
        audit::refused(env, None, surface, 401, now).await;
        return Err(Error::client(401, "unauthorized", "send Authorization: Bearer with a valid token"));
    };
    if !caller.enters(scope) {
        audit::refused(env, Some(&caller), surface, 403, now).await;
        return Err(Error::client(403, "forbidden", "this token is for the other interface"));
    }
    Ok(caller)
}

/// Whose token this text is.
///
/// # Errors
/// 429 where its network tried too many that were none.
pub(crate) async fn known(
    request: &Request,
    env: &Env,
    given: &str,
    now: Timestamp,
) -> Result<Option<Caller>> {
    may_try(request, now)?;
    let admin = names::var(env, names::VAR_ADMIN_TOKEN);
    if !admin.is_empty() && same(given, &admin) {
        return Ok(Some(Caller::built_in()));
    }
    if let Some(id) = token::id(given)
        && let Some(token) = kept(env, id, now).await?.filter(|token| token.is(given, now))
    {
        return Ok(Some(Caller::of(&token)));
    }
    failed(request, now);
    Ok(None)
}

/// Whether this network may try a token. Nothing is compared, or asked for, for one that guesses: not even what is
/// right is told apart then.
///
/// # Errors
/// 429 where it may not.
pub(crate) fn may_try(request: &Request, now: Timestamp) -> Result<()> {
    let address = header(request, "cf-connecting-ip");
    let may = network(&address)
        .is_none_or(|network| with(|counts| counts.failed.may(network.as_bytes(), now.micros())));
    let message = "too many wrong tokens came from this network; please come back later";
    if may { Ok(()) } else { Err(Error::client(429, "too_many_attempts", message)) }
}

/// It tried one that was none.
pub(crate) fn failed(request: &Request, now: Timestamp) {
    let address = header(request, "cf-connecting-ip");
    if let Some(network) = network(&address) {
        with(|counts| counts.failed.takes(network.as_bytes(), now.micros()));
    }
}

/// What this isolate counts.
struct Counts {
    failed: Buckets,
    asked: Buckets,
}

thread_local! {
    static COUNTS: RefCell<Option<Counts>> = const { RefCell::new(None) };
    static KEPT: RefCell<Vec<(Timestamp, Token)>> = const { RefCell::new(Vec::new()) };
}

fn with<T>(of: impl FnOnce(&mut Counts) -> T) -> T {
    let fresh = || {
        let bits = random_bits();
        Counts {
            failed: Buckets::new(FAILED_OF_A_NETWORK, bits as u64),
            asked: Buckets::new(OF_A_CALLER, (bits >> 64) as u64),
        }
    };
    COUNTS.with_borrow_mut(|counts| of(counts.get_or_insert_with(fresh)))
}

/// One more request of somebody, as this isolate counts them: a program gone wild leaves the others their share.
///
/// # Errors
/// 429 where there were too many.
pub(crate) fn may_ask(caller: &Caller, now: Timestamp) -> Result<()> {
    let who = format!("{} {}", caller.id, caller.name);
    let may = with(|counts| counts.asked.takes(who.as_bytes(), now.micros()));
    let message = "too many requests with this token; please come back later";
    if may { Ok(()) } else { Err(Error::client(429, "too_many_requests", message)) }
}

/// So long an isolate believes that a token is still there, as it does of the configuration.
const FRESH_MS: i64 = SECOND_MS;
/// So many it knows at a time.
const KEPT_TOKENS: usize = 50;

/// What is kept of a token, as it was within the last second.
pub(crate) async fn kept(env: &Env, id: &str, now: Timestamp) -> Result<Option<Token>> {
    let fresh = |since: Timestamp| now < since.plus(FRESH_MS);
    let held = KEPT.with_borrow(|kept| {
        kept.iter().find(|(since, token)| token.id == id && fresh(*since)).map(|(_, token)| token.clone())
    });
    if held.is_some() {
        return Ok(held);
    }
    let found = calls::token(env, id).await?;
    let digest = found.get(1).and_then(Value::as_str);
    let found = found.get(0).zip(digest).and_then(|(kept, digest)| Token::read(kept, digest));
    KEPT.with_borrow_mut(|kept| {
        kept.retain(|(since, token)| token.id != id && fresh(*since));
        if let Some(token) = found.as_ref().filter(|_| kept.len() < KEPT_TOKENS) {
            kept.push((now, token.clone()));
        }
    });
    Ok(found)
}

/// A token was just removed: nobody is let in by what is remembered of it.
pub(crate) fn forget() {
    KEPT.with_borrow_mut(Vec::clear);
}

/// Lets the request through if it is on the administrator's host, or if none is set.
///
/// # Errors
/// 404 elsewhere.
pub(crate) fn at_its_host(request: &Request, env: &Env) -> Result<()> {
    let host = names::var(env, names::VAR_ADMIN_HOST);
    if host.is_empty() || header(request, "host") == host { Ok(()) } else { Err(Error::not_found()) }
}

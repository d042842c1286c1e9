//! `POST /_msci/collect`: signals in, a verdict for each out (contract §3).

mod judge;

use msci_core::collections::{Map, sorted_by_key};
use msci_core::config::ConsentMode;
use msci_core::consent::Decisions;
use msci_core::ids::{CookieId, CustomerId, StreamId};
use msci_core::limits::BODY_BYTES;
use msci_core::object::{CollectCall, Met, Offered, UserOutcome, Verdict};
use msci_core::signal::Kind;
use msci_core::time::Timestamp;
use msci_core::wire::collect::{self, Batch, Rejection};
use serde::Serialize;
use wasm_bindgen::prelude::*;
use worker::{Env, Request, Response};

use crate::calls::{self, Collected};
use crate::configuration::Configuration;
use crate::cookies::{self, Cookies};
use crate::cors::{self, Origin};
use crate::counting;
use crate::error::{Error, Result};
use crate::flood;
use crate::http::{self, header};
use crate::names;
use crate::page_preview;
use crate::platform::random_bits;

use judge::{Judge, Judged};

/// Most identities that one batch can go to: people at a shared computer sign in as a few.
const IDENTITIES: usize = 4;

#[wasm_bindgen(module = "msci:crawlers")]
extern "C" {
    /// Whether a program says of itself that it is no visitor.
    #[wasm_bindgen(js_name = isCrawler)]
    fn is_crawler(user_agent: &str) -> bool;
}

/// Takes a batch.
pub(crate) async fn post(
    request: Request,
    env: &Env,
    configuration: &Configuration,
    now: Timestamp,
) -> Result<Response> {
    let media = http::media_type(&header(&request, "content-type"));
    if !matches!(media.as_str(), "application/json" | "text/plain" | "") {
        return Err(Error::client(415, "unsupported_media_type", "send application/json or text/plain"));
    }
    if cors::sender_of(&request, configuration) == Origin::Foreign {
        return Err(cors::not_allowed());
    }
    flood::of_network(&request, now)?;
    let body = read_body(&request).await?;
    let mut batch =
        collect::parse(&body, now).map_err(|error| Error::client(400, error.code(), error.to_string()))?;
    cors::with_key(&request, configuration, &batch.key)?;
    let cookies = Cookies::read(&header(&request, "cookie"), configuration, now);
    let named = batch.cookie.or(cookies.id);
    // Who keeps no cookie is somebody new with each page.
    let kept = named.filter(|_| !batch.ephemeral);
    flood::of_visitor(&request, kept, now)?;
    if cookies.void_proof {
        flood::void_proof(&request, now);
    }
    let cookie = named.unwrap_or_else(|| CookieId::from_bits(random_bits()));
    let mut tally = Tally::new(batch.up_to, cookie);
    let refused = if page_preview::viewer(&header(&request, "cookie"), configuration, now).is_some() {
        Some(("preview", "this browser previews the site as somebody else"))
    } else if is_crawler(&header(&request, "user-agent")) {
        Some(("bot", "this program says that it is no visitor"))
    } else {
        let refuses = refuses_tracking(http::says_gpc(&request), &cookies, configuration);
        refuses.then_some(("consent_missing", "the visitor does not want this"))
    };
    if let Some((code, message)) = refused {
        for signal in &batch.signals {
            tally.reject(match signal {
                Ok(incoming) => Rejection::new(incoming.signal.seq, code, message),
                Err(rejection) => rejection.clone(),
            });
        }
        tally.counted();
        return http::json(&tally.answer(&batch, None, Some(tally.cookie)));
    }
    batch.keep_parameters(&configuration.settings().capture.query_parameters);
    if cookies.tcf.is_some_and(|tcf| !tcf.analytics) {
        batch.refuse_activities("consent_missing", "the visitor wants no analytics");
    }
    let judge = Judge::of(&request, configuration, tally.cookie, &cookies, now);
    let last = take(&batch, env, &judge, kept.is_some(), &mut tally).await?;
    tally.counted();
    counting::timed("collect", now);
    respond(&request, &batch, configuration, &cookies, &mut tally, last.as_ref(), now)
}

/// Global Privacy Control, where it is honoured, an opt-out, and what the site's consent platform says count like a
/// denial (law 8).
pub(crate) fn refuses_tracking(gpc: bool, cookies: &Cookies, configuration: &Configuration) -> bool {
    let denied = cookies.tcf.is_some_and(|tcf| !tcf.storage);
    (configuration.settings().consent.honour_gpc && gpc) || cookies.opted_out || denied
}

/// The same, of pages that are personal.
pub(crate) fn refuses_personal(gpc: bool, cookies: &Cookies, configuration: &Configuration) -> bool {
    cookies.tcf.is_some_and(|tcf| !tcf.personalization) || refuses_tracking(gpc, cookies, configuration)
}

async fn read_body(request: &Request) -> Result<Vec<u8>> {
    match header(request, "content-encoding").trim().to_ascii_lowercase().as_str() {
        "" | "identity" => http::body(request, BODY_BYTES).await,
        "gzip" => http::gzip_body(request, BODY_BYTES).await,
        _ => Err(Error::client(415, "unsupported_encoding", "send the body plain or as gzip")),
    }
}

/// Verdicts so far.
struct Tally {
    up_to: u64,
    cookie: CookieId,
    accepted: u64,
    duplicate: u64,
    conflicts: u64,
    rejected: Vec<Rejection>,
    user: Option<UserOutcome>,
    trusted: bool,
    /// Whether this browser may hear of the profile that its signals are in.
    sees: bool,
    /// Highest seq that was taken, and of a `user` signal: what came last decides what the browser hears.
    newest: u64,
    newest_user: u64,
    /// So many signals more are missing than before.
    missing: i64,
}

impl Tally {
    fn new(up_to: u64, cookie: CookieId) -> Self {
        Self {
            up_to,
            cookie,
            accepted: 0,
            duplicate: 0,
            conflicts: 0,
            rejected: Vec::new(),
            user: None,
            trusted: false,
            sees: true,
            newest: 0,
            newest_user: 0,
            missing: 0,
        }
    }

    fn reject(&mut self, rejection: Rejection) {
        self.rejected.push(rejection);
    }

    fn too_many_users(&mut self, signals: &[Offered]) {
        for offered in signals {
            self.reject(Rejection::new(
                offered.signal.seq,
                "too_many_users",
                "one batch names too many users",
            ));
        }
    }

    fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Accepted => self.accepted += 1,
            Verdict::Duplicate => self.duplicate += 1,
            Verdict::Rejected(rejection) => self.reject(rejection.clone()),
            // Counted where it belongs.
            Verdict::Elsewhere(_) => {}
        }
    }

    /// A verdict leaves no signal missing: those that an object did not get are no gap.
    fn counted(&self) {
        let told = self.rejected.iter().filter(|rejection| rejection.seq < self.newest).count() as i64;
        counting::count("accepted", self.accepted.cast_signed());
        counting::count("duplicate", self.duplicate.cast_signed());
        counting::count("conflicts", self.conflicts.cast_signed());
        counting::count("missing", self.missing - if self.missing > 0 { told } else { 0 });
        counting::count("merges", (self.user == Some(UserOutcome::Merged)).into());
        for rejection in &self.rejected {
            counting::count(&format!("rejected {}", rejection.code), 1);
        }
        if let Some(user) = &self.user {
            counting::count(&format!("users {}", user.code()), 1);
        }
    }

    /// The answer's body; `shown` is the cookieId that the browser is told.
    fn answer(&self, batch: &Batch, last: Option<&Collected>, shown: Option<CookieId>) -> Answer<'_> {
        let pending = last.is_some_and(|last| last.pending);
        Answer {
            cookie_id: shown,
            ack: Ack { stream: batch.stream, up_to: self.up_to },
            accepted: self.accepted,
            duplicate: self.duplicate,
            rejected: &self.rejected,
            user: self.user.as_ref().map(|outcome| User { outcome, pending }),
            version: last.filter(|_| self.sees).map(|last| last.version),
            pending,
        }
    }
}

/// Body of a 200 (contract §3).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    cookie_id: Option<CookieId>,
    ack: Ack,
    accepted: u64,
    duplicate: u64,
    rejected: &'a [Rejection],
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "is_false")]
    pending: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ack {
    stream: StreamId,
    up_to: u64,
}

#[derive(Serialize)]
struct User<'a> {
    #[serde(flatten)]
    outcome: &'a UserOutcome,
    #[serde(skip_serializing_if = "is_false")]
    pending: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde calls
fn is_false(truth: &bool) -> bool {
    !truth
}

/// Hands the batch to the cookie's object, and what was rotated to the next cookie's. Whether these are `named` or have
/// paid as newcomers already.
async fn take(
    batch: &Batch,
    env: &Env,
    judge: &Judge<'_>,
    named: bool,
    tally: &mut Tally,
) -> Result<Option<Collected>> {
    let configuration = judge.configuration;
    let Judged { offered: left, mut uses } = judge.batch(batch, env, tally).await?;
    // What a `user` signal does to the ones after it is a matter of their numbers, not of their place.
    let left = sorted_by_key(left, |offered| offered.signal.seq);
    let mut work = vec![CollectCall {
        cookie: tally.cookie,
        root: configuration.names.root(tally.cookie),
        signals: left,
        ephemeral: batch.ephemeral,
        consent: Decisions::new(),
        closed: false,
    }];
    let first = tally.cookie;
    let mut last = None;
    for _ in 0..IDENTITIES {
        let Some(mut call) = work.pop().filter(|call| !call.signals.is_empty()) else { break };
        call.closed = named && !judge.newcomer().takes();
        let paid = named && !call.closed;
        let cookie = call.cookie;
        let name = configuration.names.unknown(cookie);
        let (collected, signals) = calls::collect(env, configuration.n(), name, call).await?;
        let answer = &collected.answer;
        match answer.met {
            Met::Never => return Err(Error::overloaded()),
            Met::Before if paid => judge.newcomer().was_none(),
            Met::Before | Met::Now => {}
        }
        tally.conflicts += answer.conflicts;
        // The others of a rotation begin in the middle of a stream.
        if cookie == first {
            tally.missing += answer.missing;
        }
        let mut elsewhere: Map<CustomerId, Vec<Offered>> = Map::new();
        let (mut newest, mut newest_user) = (0, 0);
        for (offered, verdict) in signals.into_iter().zip(&answer.verdicts) {
            let seq = offered.signal.seq;
            if let Verdict::Elsewhere(customer) = verdict {
                elsewhere.get_or_insert_with(*customer, Vec::new).push(offered);
                continue;
            }
            tally.count(verdict);
            counting::seen(
                &offered.signal,
                collected.customer,
                match verdict {
                    Verdict::Rejected(rejection) => &rejection.code,
                    Verdict::Duplicate => "duplicate",
                    Verdict::Accepted | Verdict::Elsewhere(_) => "accepted",
                },
            );
            newest = newest.max(seq);
            if offered.signal.kind == Kind::User {
                newest_user = newest_user.max(seq);
            }
        }
        // An erased visitor goes on as somebody new, also where all of the batch is older than that.
        let successor = answer.successor.filter(|_| elsewhere.is_empty());
        let next = successor.map(|successor| {
            configuration.names.rotated(configuration.names.root(cookie), cookie, successor).0
        });
        for (customer, signals) in elsewhere {
            // Nobody is named, and nothing is asked, for those who would not have a turn.
            if work.len() >= IDENTITIES {
                tally.too_many_users(&signals);
                continue;
            }
            let (next, root) = configuration.names.rotated(
                answer.root.unwrap_or_else(|| configuration.names.root(cookie)),
                cookie,
                customer,
            );
            uses.follow(env, configuration, &signals, next).await?;
            let consent = answer.consent.clone();
            work.push(CollectCall {
                cookie: next,
                root,
                signals,
                ephemeral: batch.ephemeral,
                consent,
                closed: false,
            });
        }
        if let Some(user) = answer.user.as_ref().filter(|_| newest_user > tally.newest_user) {
            tally.newest_user = newest_user;
            tally.user = Some(if cookie == first { user.clone() } else { rotated(user) });
            tally.trusted = answer.trusted;
        }
        // The browser goes on as whoever its newest signal belongs to.
        if newest > tally.newest {
            tally.newest = newest;
            tally.cookie = next.unwrap_or(cookie);
            last = Some(collected);
        }
    }
    for call in work {
        tally.too_many_users(&call.signals);
    }
    Ok(last)
}

/// After a rotation the browser's news is the new cookieId, whatever that one's object said.
fn rotated(user: &UserOutcome) -> UserOutcome {
    match user {
        UserOutcome::Merged | UserOutcome::Already | UserOutcome::Rotated => UserOutcome::Rotated,
        UserOutcome::Claimed => UserOutcome::Claimed,
        UserOutcome::Refused(reason) => UserOutcome::Refused(reason.clone()),
    }
}

fn respond(
    request: &Request,
    batch: &Batch,
    configuration: &Configuration,
    cookies: &Cookies,
    tally: &mut Tally,
    last: Option<&Collected>,
    now: Timestamp,
) -> Result<Response> {
    // A batch queued under an earlier cookie says nothing about this browser: what a browser may see
    // hangs on its own cookies alone.
    let own = cookies.id.is_none() || batch.cookie.is_none() || batch.cookie == cookies.id;
    let customer = last.map(|last| last.customer).filter(|customer| customer.is_known());
    let proven = own
        && cookies.id.is_some()
        && customer.is_some_and(|customer| gained(tally) || renewed(cookies, customer, tally));
    // Of a customer nobody hears anything who may not see it, not even that it goes on changing.
    tally.sees = customer.is_none() || proven;
    if !own {
        return http::json(&tally.answer(batch, last, cookies.id));
    }
    let response = http::json(&tally.answer(batch, last, Some(tally.cookie)))?;
    let headers = response.headers();
    if last.is_some_and(|last| last.answer.barred) {
        // The SDK removes the id; scripts do not see these.
        for name in [names::COOKIE_PROOF, names::COOKIE_VERSION] {
            headers.append("Set-Cookie", &cookies::expired(name))?;
        }
        return Ok(response);
    }
    let https = http::is_https(request);
    // Of whom nothing was taken nothing is known, and nothing is kept there (law 8); but whoever was erased goes on as
    // somebody new.
    let implied = configuration.settings().consent.mode == ConsentMode::Implied;
    let named = tally.accepted + tally.duplicate > 0 || (implied && cookies.id.is_some());
    // Only what is news: an answer that comes after a `reset()` must not bring the old visitor back.
    if named && cookies.id != Some(tally.cookie) {
        headers.append("Set-Cookie", &cookies::id(tally.cookie, configuration.settings(), https))?;
    }
    let Some(last) = last else { return Ok(response) };
    if !last.tag.is_empty() && tally.sees {
        headers.append("Set-Cookie", &cookies::version(&last.tag, last.version, https))?;
    }
    if proven {
        headers.append("Set-Cookie", &cookies::proof(tally.cookie, last.customer, configuration, now))?;
    } else if cookies.void_proof || cookies.proof.is_some_and(|customer| customer != last.customer) {
        headers.append("Set-Cookie", &cookies::expired(names::COOKIE_PROOF))?;
    }
    Ok(response)
}

/// This batch merged, or showed again that it may.
fn gained(tally: &Tally) -> bool {
    tally.trusted
        && matches!(tally.user, Some(UserOutcome::Merged | UserOutcome::Already | UserOutcome::Rotated))
}

fn renewed(cookies: &Cookies, customer: CustomerId, tally: &Tally) -> bool {
    cookies.proof == Some(customer) && cookies.id == Some(tally.cookie)
}

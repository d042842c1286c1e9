//! Signing in and out. A session is a cookie that only this host's own pages send along, and each form says
//! whose it is: neither another site nor a script of the shop can act in somebody's name.

use maud::{Render as _, html};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::FormData;
use worker::{Env, Request, Response};

use super::ask::Visit;
use super::texts::{layout as pages, session as say};
use super::{Answer, ROOT, layout, parts};
use crate::access::{self, Caller, audit};
use crate::configuration::Configuration;
use crate::error::{Error, Result};
use crate::http::{self, header};
use crate::names;
use crate::platform::random_bits;
use msci_core::access::Scope;
use msci_core::session::{SESSION_MS, Session};
use msci_core::time::{SECOND_MS, Timestamp};

/// The header by which scripts say which session they are of; a form says it in a field.
const FORM: &str = "x-msci-form";

/// Whose request it is: of a session, or of somebody whom Cloudflare Access let in.
pub(super) async fn of(
    request: &Request,
    env: &Env,
    configuration: &Configuration,
    now: Timestamp,
) -> Result<Option<(Session, Caller)>> {
    let cookies = header(request, "cookie");
    let value = cookies.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        (name.trim() == names::COOKIE_SESSION).then(|| value.trim())
    });
    if let Some((value, id)) = value.and_then(|value| Some((value, Session::whose(value)?)))
        && let Some((caller, key)) = signed_in_by(request, env, configuration, id, now).await?
        && let Some(session) = Session::read(value, &key, now)
    {
        return Ok(Some((session, caller)));
    }
    Ok(access::vouched(request, configuration, now)
        .await
        .map(|caller| (Session::elsewhere(&caller.name, &key(configuration, &caller.name)), caller)))
}

/// Whom a session by this token is, and what its MACs are made by. Nobody where the token is gone.
async fn signed_in_by(
    request: &Request,
    env: &Env,
    configuration: &Configuration,
    id: &str,
    now: Timestamp,
) -> Result<Option<(Caller, String)>> {
    if id == access::BUILT_IN {
        let token = names::var(env, names::VAR_ADMIN_TOKEN);
        return Ok((!token.is_empty()).then(|| (Caller::built_in(), key(configuration, &token))));
    }
    access::may_try(request, now)?;
    let token = access::kept(env, id, now).await?;
    if token.is_none() {
        access::failed(request, now);
    }
    let token = token.filter(|token| token.lives(now) && token.scope != Some(Scope::Data));
    Ok(token.map(|token| (Caller::of(&token), key(configuration, &token.digest))))
}

/// What MACs are made by: who has a token, or knows what is kept of it, cannot make a session without signing in.
fn key(configuration: &Configuration, of: &str) -> String {
    configuration.proofs.seal("console", of.as_bytes(), Timestamp(0))
}

/// The page to sign in on, and from there to where somebody wanted to go. A piece of a page that asks has its
/// page loaded again instead.
pub(super) fn ask(request: &Request, path: &str) -> Result<Response> {
    if !header(request, "hx-request").is_empty() {
        let response = layout::html(401, "", html! {})?;
        response.headers().set("HX-Refresh", "true")?;
        return Ok(response);
    }
    let path = if path.starts_with("sign-") { "" } else { path };
    form_to_sign_in(401, path, "")
}

fn form_to_sign_in(status: u16, to: &str, fault: &str) -> Result<Response> {
    layout::alone(
        status,
        &say::TITLE.render(),
        &html! {
            @if !fault.is_empty() { div.note.bad role="alert" { p { (fault) } } }
            form.card method="post" action=(format!("{}{ROOT}sign-in", names::PREFIX)) {
                input type="hidden" name="to" value=(to);
                div.field {
                    label for="token" { (say::TOKEN) }
                    input #token name="token" type="password" autocomplete="current-password" required
                        autofocus aria-describedby="token-help";
                    span.help #token-help {
                        (say::TokenHelp {
                            command: &html! { code { "npm start" } },
                            secret: &html! { code { (names::VAR_ADMIN_TOKEN) } },
                        })
                    }
                }
                button { (say::SIGN_IN) }
            }
        },
    )
}

/// `POST sign-in`
pub(super) async fn sign_in(
    request: &Request,
    env: &Env,
    configuration: &Configuration,
    now: Timestamp,
) -> Result<Response> {
    own_page(request)?;
    let form = fields(request, super::FORM_BYTES).await?;
    let sent = |name: &str| form.get(name).as_string().unwrap_or_default();
    let to = sent("to");
    let known = access::known(request, env, sent("token").trim(), now).await?;
    let by = match known.as_ref().filter(|caller| caller.enters(Scope::Admin)) {
        Some(caller) => signed_in_by(request, env, configuration, &caller.id, now).await?,
        None => None,
    };
    let Some((caller, key)) = by else {
        audit::refused(env, known.as_ref(), "console/sign-in", 403, now).await;
        return form_to_sign_in(403, &to, say::WRONG_TOKEN);
    };
    // Who cannot be told of is not let in.
    audit::begin(env, audit::entry(Some(&caller), "POST", "console/sign-in", 303), now).await?;
    let session = Session::begin(&caller.id, &key, now, random_bits());
    with_cookie(&to, &session.value, SESSION_MS.checked_div(SECOND_MS).unwrap_or(0))
}

/// Asks before.
pub(super) fn leave(visit: &Visit<'_>) -> Answer {
    let body = html! {
        p { (say::ENDS) }
        (parts::form(visit, "sign-out", &html! { button { (pages::SIGN_OUT) } }))
    };
    Answer::Page("sign-out", pages::SIGN_OUT.render(), body)
}

/// `POST sign-out`
pub(super) fn sign_out() -> Result<Response> {
    with_cookie("", "", 0)
}

fn with_cookie(to: &str, value: &str, seconds: i64) -> Result<Response> {
    let response = layout::see(to)?;
    let cookie = format!(
        "{}={value}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Strict",
        names::COOKIE_SESSION
    );
    response.headers().set("Set-Cookie", &cookie)?;
    Ok(response)
}

/// The fields of a form of this session.
///
/// # Errors
/// 403 for any other's.
pub(super) async fn form(request: &Request, session: &Session, limit: usize) -> Result<FormData> {
    own_page(request)?;
    let form = fields(request, limit).await?;
    if session.made(&form.get("form").as_string().unwrap_or_default()) {
        return Ok(form);
    }
    Err(refused(say::OLD_FORM))
}

/// Lets a script of one of this session's pages through.
///
/// # Errors
/// 403 for any other's.
pub(super) fn script(request: &Request, session: &Session) -> Result<()> {
    own_page(request)?;
    if session.made(&header(request, FORM)) {
        return Ok(());
    }
    Err(refused(say::OLD_PAGE))
}

/// Browsers say from where a form is sent; whoever does not is no browser.
fn own_page(request: &Request) -> Result<()> {
    let site = header(request, "sec-fetch-site");
    let origin = header(request, "origin");
    let own = http::url(request)?.origin();
    if matches!(site.as_str(), "" | "same-origin")
        && (origin == own || (origin.is_empty() && !site.is_empty()))
    {
        return Ok(());
    }
    Err(refused(say::FOREIGN_FORM))
}

fn refused(words: &'static str) -> Error {
    Error::client(403, "forbidden", words)
}

async fn fields(request: &Request, limit: usize) -> Result<FormData> {
    // The runtime reads no more than what is announced.
    let length = header(request, "content-length").parse::<usize>();
    if !length.is_ok_and(|length| length <= limit) {
        return Err(Error::client(413, "too_large", say::LARGE_FORM));
    }
    let form = JsFuture::from(request.inner().form_data()?).await;
    let form = form.map_err(|_| Error::client(400, "invalid_form", say::NO_FORM))?;
    Ok(form.unchecked_into())
}

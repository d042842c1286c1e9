//! The console (contract §8): pages for people, written here and escaped by construction. A page knows only
//! what the admin API answers, and changes only what that API takes: it asks the same functions, in this
//! Worker, so every bound and every refusal is the API's. Pages work without scripts; what theirs add they ask
//! the same API for, under [`DATA`].

mod activations;
mod ask;
mod consents;
mod customers;
mod definitions;
mod experiences;
mod home;
mod kinds;
mod layout;
mod live;
mod parts;
mod session;
mod texts;
mod tokens;
mod tracking;
mod work;

use maud::Markup;
use serde_json::{Value, json};
use worker::{Env, Method, Request, Response};

use self::ask::Visit;
use crate::access::{self, Caller, audit};
use crate::configuration::{self, Configuration};
use crate::error::{Error, Result};
use crate::platform::now;
use crate::{admin, assets, http};
use msci_core::access as roles;
use msci_core::session::Session;
use msci_core::time::Timestamp;

/// Root of the console.
pub(crate) const ROOT: &str = "/console/";

/// Behind the root: the admin API, for the scripts of the console's pages, in the session of whoever looks at them.
const DATA: &str = "data/";

/// Largest form, in bytes; and with a file.
const FORM_BYTES: usize = 256 * 1024;
const UPLOAD_BYTES: usize = 32 * 1024 * 1024;

/// What a route makes.
pub(super) enum Answer {
    /// A page: which one, for the navigation; its title; what it shows.
    Page(&'static str, Markup, Markup),
    /// A part of a page, which asked for it.
    Part(Markup),
    /// A page in a frame of another page of the console, which shows this address in a frame of its own.
    Frame(String),
    /// What a script has asked.
    Data(Value),
    /// Something was done, and this address shows it.
    Done(String),
}

/// Where the slash was left out.
pub(crate) fn home() -> Result<Response> {
    layout::see("")
}

/// Answers what stands behind the root.
pub(crate) async fn any(request: Request, env: &Env, path: &str, now: Timestamp) -> Result<Response> {
    access::at_its_host(&request, env)?;
    if let Some(asked) = path.strip_prefix(DATA) {
        return data(request, env, asked, now).await;
    }
    let post = match request.method() {
        Method::Get | Method::Head => false,
        Method::Post => true,
        _ => return Err(Error::method_not_allowed()),
    };
    if let Some(name) = path.strip_prefix("assets/").filter(|_| !post) {
        return assets::file(&request, name);
    }
    let configuration = configuration::current(env, now).await?;
    if post && path == "sign-in" {
        return session::sign_in(&request, env, &configuration, now).await;
    }
    let Some((session, caller)) = session::of(&request, env, &configuration, now).await? else {
        audit::refused(env, None, "console", 401, now).await;
        return session::ask(&request, path);
    };
    if post && path == "sign-out" {
        session::form(&request, &session, FORM_BYTES).await?;
        return session::sign_out();
    }
    if path == live::EVENTS && !post {
        return admin::answer(request, env, &configuration, "live", &caller).await;
    }
    let role = caller.role;
    let answer = match access::may_ask(&caller, now) {
        Ok(()) => page(&request, env, &configuration, path, (session, caller), post).await,
        Err(refused) => Err(refused),
    };
    match answer {
        Ok(Answer::Page(at, title, body)) => layout::page(200, role, at, &title, &body),
        Ok(Answer::Part(body)) => layout::part(body),
        Ok(Answer::Frame(of)) => layout::frame(&of),
        Ok(Answer::Data(value)) => http::json(&value),
        Ok(Answer::Done(to)) => layout::see(&to),
        Err(error) => {
            let (status, _, message) = error.told();
            layout::fault(status, role, &message)
        }
    }
}

/// What the admin API answers, to a script of a page.
async fn data(request: Request, env: &Env, asked: &str, now: Timestamp) -> Result<Response> {
    let configuration = configuration::current(env, now).await?;
    let signed_in = session::of(&request, env, &configuration, now).await?;
    let (session, caller) = signed_in.ok_or_else(Error::signed_out)?;
    if request.method() != Method::Get {
        session::script(&request, &session)?;
    }
    admin::answer(request, env, &configuration, asked, &caller).await
}

async fn page(
    request: &Request,
    env: &Env,
    configuration: &Configuration,
    path: &str,
    whose: (Session, Caller),
    post: bool,
) -> Result<Answer> {
    let mut visit = Visit::new(request, env, configuration, whose)?;
    let parts: Vec<String> = path.split('/').map(http::decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let least = if post { roles::of_form(&parts) } else { roles::of_page(&parts) };
    if let Err(refusal) = visit.caller.must_be(least) {
        audit::refused(env, Some(&visit.caller), "console", refusal.status(), now()).await;
        return Err(refusal);
    }
    if post {
        let limit = if matches!(parts.as_slice(), ["tables", _, "rows"]) { UPLOAD_BYTES } else { FORM_BYTES };
        let form = session::form(request, &visit.session, limit).await;
        if form.as_ref().is_err_and(|error| error.status() == 403) {
            audit::refused(env, Some(&visit.caller), "console", 403, now()).await;
        }
        visit.form = Some(form?);
        return match parts.as_slice() {
            ["tracking"] => tracking::save(&visit).await,
            ["customers", id, "unlink"] => customers::unlink(&visit, id).await,
            ["tree"] => Ok(Answer::Data(tree(&visit))),
            ["tables", name, "rows"] => work::upload(&visit, name).await,
            ["activations", name, "replay"] => activations::replay(&visit, name).await,
            ["jobs", id, "cancel"] => work::cancel(&visit, id).await,
            ["privacy"] => work::erase(&visit).await,
            ["tokens"] => tokens::make(&visit).await,
            ["tokens", id, "delete"] => tokens::remove(&visit, id).await,
            [kind] => definitions::save(&visit, kind, None).await,
            [kind, name] => definitions::save(&visit, kind, Some(name)).await,
            [kind, name, "delete"] => definitions::delete(&visit, kind, name).await,
            _ => Err(Error::not_found()),
        };
    }
    match parts.as_slice() {
        [""] => home::show(&visit).await,
        ["tracking"] => tracking::show(&visit).await,
        ["customers"] => customers::list(&visit).await,
        ["customers", id] => customers::one(&visit, id).await,
        ["jobs"] => work::jobs(&visit).await,
        ["privacy"] => Ok(work::privacy(&visit)),
        ["consents"] => consents::show(&visit).await,
        ["live"] => live::show(&visit).await,
        ["tokens"] => tokens::list(&visit).await,
        ["audit"] => tokens::audit(&visit).await,
        ["pick"] => experiences::pick(&visit).await,
        ["names"] => Ok(Answer::Data(configuration.definitions.nameable())),
        ["sign-out"] => Ok(session::leave(&visit)),
        ["new", kind] => definitions::new(&visit, kind),
        [kind] => definitions::list(&visit, kind).await,
        [kind, name] => definitions::one(&visit, kind, name).await,
        _ => Err(Error::not_found()),
    }
}

/// `POST tree`: a filter as a tree, `{ tree }`; or where its fault stands, `{ fault, at }`.
fn tree(visit: &Visit<'_>) -> Value {
    let of_activities = visit.sent("over") == "activities";
    match visit.configuration.definitions.tree(&visit.sent("filter"), of_activities) {
        Ok(tree) => json!({ "tree": tree }),
        Err(fault) => json!({ "fault": fault.message, "at": fault.at }),
    }
}

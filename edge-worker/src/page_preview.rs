//! The site as somebody else would see it (contract §7). A link that an administrator asked for is worth one
//! visit: it becomes a cookie that this Worker alone reads, and an address without the link's secret. While the
//! cookie lives, pages are decided for whom it names, and nothing of this browser is tracked: the script is
//! served empty, signals are refused, no cookieId is given, no profile is touched.

mod picker;
mod texts;

use msci_core::config::Action;
use msci_core::consent;
use msci_core::json;
use msci_core::page::{Edit, Exposure, HOLDOUT};
use msci_core::persona::Viewer;
use msci_core::snapshot::Snapshot;
use msci_core::time::{SECOND_MS, Timestamp};
use worker::{Env, Request, Response, ResponseBuilder};

use self::texts::banner as say;
use crate::calls::previews::{self, LIFE_MS, LINK, Preview, ROOT};
use crate::calls::{self, Seen};
use crate::configuration::Configuration;
use crate::cookies;
use crate::error::{Error, Result};
use crate::http::{self, header};
use crate::{names, site};

/// What the cookie's seal is for.
const COOKIE: &str = "preview cookie";
/// Behind [`ROOT`]: ends the preview.
const END: &str = "end";
/// Behind [`ROOT`]: the script that pages get instead of the tracking one, which a browser may have at hand.
const SCRIPT: &str = "msci.js";
/// Behind [`ROOT`]: how the line on top of the page looks. A file, since many policies refuse styles that stand in a page.
const STYLE: &str = "preview.css";
const CSS: &str = "#msci-preview{all:initial;position:sticky;top:0;z-index:2147483647;display:block;padding:.5rem 1rem;\
    background:#ffd400;color:#000;font:1rem/1.4 system-ui,sans-serif}\
    #msci-preview a{all:initial;font:inherit;color:#000;text-decoration:underline;cursor:pointer}\
    #msci-preview a:focus-visible{outline:2px solid #000}";

/// How long a page waits for the profile of its viewer, in milliseconds.
pub(crate) const PATIENCE_MS: u32 = 10_000;

/// `GET /_msci/preview/<secret>`: the one visit. `GET /_msci/preview/end`: the browser is itself again.
pub(crate) async fn open(
    request: &Request,
    env: &Env,
    configuration: &Configuration,
    behind: &str,
    now: Timestamp,
) -> Result<Response> {
    if behind == SCRIPT {
        return silence();
    }
    if behind == STYLE {
        let builder = ResponseBuilder::new().with_header("Content-Type", "text/css; charset=utf-8")?;
        return Ok(builder.with_header("Cache-Control", "max-age=600")?.fixed(CSS.into()));
    }
    if behind == picker::SCRIPT {
        return picker::script();
    }
    let origin = http::url(request)?.origin();
    if let Some(seal) = behind.strip_prefix(previews::PICK) {
        return picker::show(request, env, configuration, seal, now).await;
    }
    if behind == END {
        let gone = cookies::expired(names::COOKIE_PREVIEW);
        return redirect(&format!("{origin}/"), &gone);
    }
    let over = || Error::client(410, "link_over", "this link was used, or is older than ten minutes");
    // Without a seal of ours nobody is asked.
    let id = configuration.proofs.unseal(LINK, behind, now).ok_or_else(over)?;
    let id = String::from_utf8(id).map_err(|_| over())?;
    let Preview { viewer, path } = previews::take(env, &id).await?.ok_or_else(over)?;
    let seal =
        configuration.proofs.seal(COOKIE, serde_json::to_string(&viewer)?.as_bytes(), now.plus(LIFE_MS));
    let age = LIFE_MS.div_euclid(SECOND_MS);
    let cookie =
        format!("{}={seal}; Path=/; Max-Age={age}; HttpOnly; Secure; SameSite=Lax", names::COOKIE_PREVIEW);
    redirect(&format!("{origin}{path}"), &cookie)
}

fn redirect(to: &str, cookie: &str) -> Result<Response> {
    Ok(ResponseBuilder::new()
        .with_status(302)
        .with_header("Location", to)?
        .with_header("Cache-Control", "no-store")?
        .with_header("Referrer-Policy", "no-referrer")?
        .with_header("Set-Cookie", cookie)?
        .empty())
}

/// Whom a browser with these cookies sees the site as, while it does.
pub(crate) fn viewer(cookies: &str, configuration: &Configuration, now: Timestamp) -> Option<Viewer> {
    let value = cookies.split(';').find_map(|pair| {
        let value = pair.trim().strip_prefix(names::COOKIE_PREVIEW)?;
        value.strip_prefix('=')
    })?;
    let viewer = String::from_utf8(configuration.proofs.unseal(COOKIE, value, now)?).ok()?;
    json::from_str(&viewer).ok()
}

/// Whether this request comes from a preview.
pub(crate) fn is_on(request: &Request, configuration: &Configuration, now: Timestamp) -> bool {
    viewer(&header(request, "cookie"), configuration, now).is_some()
}

/// What pages are decided with for them.
pub(crate) async fn snapshot(
    env: &Env,
    configuration: &Configuration,
    viewer: &Viewer,
    now: Timestamp,
) -> Result<Snapshot> {
    let definitions = &configuration.definitions;
    let customer = match viewer {
        Viewer::Persona(persona) => return Ok(persona.snapshot(definitions, now)),
        Viewer::Customer(customer) => *customer,
    };
    let seen = match calls::read(env, configuration, customer, 0).await? {
        Seen::Linked(owner) => calls::read(env, configuration, owner, 0).await?,
        seen => seen,
    };
    let mode = configuration.settings().consent.mode;
    Ok(match seen {
        Seen::Profile(snapshot, _)
            if consent::allows(mode, "personalization", &[Some(&snapshot.consent)]) =>
        {
            *snapshot
        }
        Seen::Profile(..) | Seen::Linked(_) | Seen::Nothing => Snapshot::stranger(definitions, now),
    })
}

/// The line on top of the page, and its tracking script exchanged for an empty one.
pub(crate) fn note(viewer: &Viewer, exposures: &[Exposure]) -> Exposure {
    let held: Vec<&str> = exposures
        .iter()
        .filter(|exposure| exposure.bucket == HOLDOUT)
        .map(|exposure| exposure.name.as_str())
        .collect();
    let mut words = say::As { who: &viewer.name() }.to_string();
    if !held.is_empty() {
        words = format!("{words} {}", say::HeldOut { experiences: &held.join(", ") });
    }
    let words = site::attribute(&format!("{words} {}", say::UNTRACKED));
    let end = site::attribute(say::END);
    let at = format!("{}{ROOT}", names::PREFIX);
    let value = format!(
        "<link rel=\"stylesheet\" href=\"{at}{STYLE}\"><div id=\"msci-preview\" role=\"status\">{words} \
         <a href=\"{at}{END}\">{end}</a></div>"
    );
    silenced(edit("body", Action::Prepend, &value, None))
}

fn edit(selector: &str, action: Action, value: &str, name: Option<&str>) -> Edit {
    let (selector, value) = (selector.to_owned(), value.to_owned());
    Edit { selector, action, value, name: name.map(str::to_owned) }
}

/// A page with this edit, and without its tracking script.
fn silenced(first: Edit) -> Exposure {
    let script = format!("{}/{SCRIPT}", names::PREFIX);
    let silent = format!("{}{ROOT}{SCRIPT}", names::PREFIX);
    let changes = vec![
        first,
        edit(&format!("script[src*=\"{script}\"]"), Action::SetAttribute, &silent, Some("src")),
        edit("script", Action::ReplaceText, &silent, Some(&script)),
    ];
    Exposure { name: "preview".to_owned(), bucket: "preview".to_owned(), changes }
}

/// `GET /_msci/msci.js` in a preview: nothing, not even for pages whose script is loaded by another.
pub(crate) fn silence() -> Result<Response> {
    let builder = ResponseBuilder::new()
        .with_header("Content-Type", "text/javascript; charset=utf-8")?
        .with_header("Cache-Control", "no-store")?;
    Ok(builder.fixed(b"// A preview: nothing is tracked.\n".to_vec()))
}

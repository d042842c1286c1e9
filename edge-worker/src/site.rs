//! The site behind, with its HTML personalised on the way. The site's answer passes through byte for
//! byte unless an experience applies, and whatever fails here, the page goes out (law 6).
//!
//! Rust decides, JavaScript waits (`js/site.js`): a promise that Rust waits for costs closures and turns. Of most
//! pages nothing here is asynchronous: [`plan`], [`decide`] and [`answer`] are all. What is left is rare: new
//! definitions ([`prepare`]), and profiles that an object must be asked for ([`ask`]).

mod changes;
pub(crate) mod said;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use msci_core::collections::Map;
use msci_core::config::ConsentMode;
use msci_core::ids::{CookieId, CustomerId};
use msci_core::page::{self, Exposure};
use msci_core::persona::Viewer;
use msci_core::snapshot::Snapshot;
use msci_core::time::{SECOND_MS, Timestamp};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;
use web_sys::Response;
use worker::Env;

use crate::collect::{refuses_personal, refuses_tracking};
use crate::configuration::{self, Configuration};
use crate::cookies::{self, Cookies};
use crate::counting;
use crate::error::Result;
use crate::platform::{now, random_bits};
use crate::reader::{self, Kept, Unsettled};
use crate::storage::snapshots;
use crate::{http, names, page_preview};
pub(crate) use changes::{Changes, attribute};
use changes::{PRIVATE, script};
use said::{Caching, Kind, Wish, headers};

thread_local! {
    /// Requests for pages on their way, by the numbers that JavaScript gives them. Handles, as the bindings make them,
    /// cost more than what is done here.
    static ASKED: RefCell<Map<u32, Rc<Asked>>> = RefCell::default();
}

/// Beyond so many it is looked for those that nobody asks about any more: the runtime forgets a request when its
/// browser goes.
const MANY: usize = 1_000;
/// As long as no request takes.
const LONGEST_MS: i64 = 15 * 60 * SECOND_MS;

fn keep(id: u32, asked: &Rc<Asked>) {
    ASKED.with_borrow_mut(|all| {
        if all.len() >= MANY {
            all.retain(|_, old| asked.now < old.now.plus(LONGEST_MS));
        }
        all.insert(id, Rc::clone(asked));
    });
}

fn kept(id: u32) -> Option<Rc<Asked>> {
    ASKED.with_borrow(|all| all.get(&id).map(Rc::clone))
}

/// What is to be done about a request; none where nothing is, and the site's answer is the answer. Empty where the
/// definitions are to be asked for first, by `prepare`. Else one letter for the page, `w` where the request's conditions
/// are to be left out, and where a profile is needed, how much later than the page's headers it may be, in milliseconds,
/// and behind a colon its key in KV; without a key an object is to be asked.
///
/// `lines`: method, address, and the headers `cookie`, `sec-gpc`, `accept`, `sec-fetch-dest`, `upgrade`,
/// `if-none-match`, `if-modified-since`, `range`.
#[wasm_bindgen]
pub fn plan(id: u32, lines: String) -> Option<String> {
    let asked = Asked::read(now(), lines)?;
    if let Some(configuration) = configuration::fresh(asked.now) {
        asked.plan(configuration);
    }
    let asked = Rc::new(asked);
    keep(id, &asked);
    Some(asked.steps())
}

/// Asks for the definitions, and plans with them. Without any the site is shown as it is.
#[wasm_bindgen]
pub fn prepare(id: u32, env: Env) -> js_sys::Promise {
    let asked = kept(id);
    future_to_promise(async move {
        let Some(asked) = asked else { return Ok(JsValue::UNDEFINED) };
        match configuration::current(&env, asked.now).await {
            Ok(configuration) => asked.plan(configuration),
            Err(error) => worker::console_error!("the site is shown as it is: {error}"),
        }
        Ok(asked.steps().into())
    })
}

/// Decides by what KV has, if it answered. Whether that is enough; else `ask` does.
#[wasm_bindgen]
pub fn decide(id: u32, answered: bool, text: Option<String>) -> bool {
    kept(id).is_none_or(|asked| {
        asked.decide(if answered { snapshots::read(text, asked.shows_fields()) } else { Kept::NoAnswer });
        asked.is_decided()
    })
}

/// Decides by what objects say.
#[wasm_bindgen]
pub fn ask(id: u32, env: Env) -> js_sys::Promise {
    let asked = kept(id);
    future_to_promise(async move {
        if let Some(asked) = asked
            && let Err(error) = asked.ask(&env).await
        {
            worker::console_error!("the page is decided without its profile: {error}");
        }
        Ok(JsValue::UNDEFINED)
    })
}

/// What becomes of the site's answer; none where it stays as it is. Of the request nothing is known after it.
#[wasm_bindgen]
pub fn answer(id: u32, status: u16, content_type: &str, page: &Response, env: &Env) -> Option<String> {
    let asked = ASKED.with_borrow_mut(|all| all.remove(&id))?;
    let plan = asked.plan.get()?;
    let kind = Kind::of(status, content_type);
    match &plan.subject {
        Subject::Visitor(visitor) => asked.personal(kind, page, env, &plan.configuration, visitor),
        Subject::Preview(viewer) => asked.preview(kind, viewer),
        Subject::Gpc => {
            // Unless the site has something to say itself.
            let honours = plan.configuration.settings().consent.honour_gpc;
            (honours && status == 404).then(|| GPC.to_owned())
        }
    }
}

/// The page where the site does not answer: for people, nothing for programs.
#[wasm_bindgen]
pub fn unanswered(id: u32, accept: &str, destination: &str) -> Option<String> {
    ASKED.with_borrow_mut(|all| all.remove(&id));
    (Wish::of(accept, destination, "") != Wish::Other).then(|| {
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>This site does not answer</title>\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <style>body{font:1.1rem/1.6 system-ui;max-width:34rem;margin:15vh auto;padding:0 1rem}</style>\
         <h1>This site does not answer</h1><p>Please try again in a moment.</p></html>"
            .to_owned()
    })
}

/// Lines that `plan` is told.
const LINES: usize = 10;

/// What a browser asked, and what is known by now.
struct Asked {
    now: Timestamp,
    lines: String,
    /// Where each line ends.
    ends: [usize; LINES],
    /// No page is wanted where it is here for what the site says of Global Privacy Control.
    wish: Wish,
    plan: OnceCell<Plan>,
    seen: OnceCell<Seen>,
    /// What KV could not tell.
    unsettled: Cell<Option<Unsettled>>,
}

/// What these definitions make of it.
struct Plan {
    configuration: Rc<Configuration>,
    subject: Subject,
}

enum Subject {
    Visitor(Visitor),
    Preview(Viewer),
    Gpc,
}

struct Visitor {
    cookies: Cookies,
    /// Whose profile decides, where one does.
    name: Option<CustomerId>,
    refuses: bool,
    /// There are experiences that could apply.
    decides: bool,
    /// And show fields.
    shows_fields: bool,
}

/// What is decided, whatever the page is.
struct Seen {
    exposures: Vec<Exposure>,
    /// KV has not held the visitor's last action yet.
    behind: bool,
}

impl Plan {
    /// Whether the page is needed whole, by what is known before it comes.
    fn is_whole(&self, seen: Option<&Seen>) -> bool {
        match &self.subject {
            Subject::Visitor(Visitor { cookies, decides, .. }) => {
                seen.map_or(*decides, |seen| !seen.exposures.is_empty())
                    || cookies.carried.is_some()
                    || self.configuration.settings().inject_script
            }
            Subject::Preview(_) => true,
            Subject::Gpc => false,
        }
    }

    /// Whether a profile is needed.
    fn reads(&self) -> bool {
        match &self.subject {
            Subject::Visitor(visitor) => visitor.decides,
            Subject::Preview(_) => true,
            Subject::Gpc => false,
        }
    }

    fn deadline(&self) -> u32 {
        match self.subject {
            Subject::Visitor(_) | Subject::Gpc => self.configuration.settings().profile_deadline_ms,
            Subject::Preview(_) => page_preview::PATIENCE_MS,
        }
    }
}

impl Asked {
    /// None where nothing is to be done.
    fn read(now: Timestamp, lines: String) -> Option<Self> {
        let (plan, seen, unsettled) = (OnceCell::new(), OnceCell::new(), Cell::new(None));
        // Told once, asked often: it is looked for where lines end once.
        let mut breaks = lines.bytes().enumerate().filter_map(|(at, byte)| (byte == b'\n').then_some(at));
        let ends = std::array::from_fn(|_| breaks.next().unwrap_or(lines.len()));
        let mut asked = Self { now, lines, ends, wish: Wish::Other, plan, seen, unsettled };
        let [method, _, _, _, accept, destination, upgrade, .., range] = asked.lines();
        let is_get = method == "GET" && upgrade.is_empty();
        let wish = Wish::of(accept, destination, range);
        asked.wish = wish;
        (is_get && (wish != Wish::Other || asked.path() == names::GPC)).then_some(asked)
    }

    fn lines(&self) -> [&str; LINES] {
        let mut start = 0;
        self.ends.map(|end| {
            let line = self.lines.get(start..end).unwrap_or_default();
            start = end + 1;
            line
        })
    }

    fn path(&self) -> &str {
        let [_, url, ..] = self.lines();
        http::path(url)
    }

    fn is_https(&self) -> bool {
        let [_, url, ..] = self.lines();
        url.starts_with("https:")
    }

    fn plan(&self, configuration: Rc<Configuration>) {
        let subject = self.subject(&configuration);
        if let Subject::Visitor(Visitor { name: None, decides: true, .. }) = &subject {
            self.see(&configuration, &Snapshot::stranger(&configuration.definitions, self.now), false);
        }
        let _ = self.plan.set(Plan { configuration, subject });
    }

    fn subject(&self, configuration: &Configuration) -> Subject {
        let [_, _, cookie, gpc, ..] = self.lines();
        if self.path() == names::GPC
            && (configuration.settings().consent.honour_gpc || self.wish == Wish::Other)
        {
            return Subject::Gpc;
        }
        if let Some(viewer) = page_preview::viewer(cookie, configuration, self.now) {
            return Subject::Preview(viewer);
        }
        let mut cookies = Cookies::read(cookie, configuration, self.now);
        let refuses = refuses_tracking(gpc == "1", &cookies, configuration);
        let impersonal = refuses_personal(gpc == "1", &cookies, configuration);
        if impersonal {
            cookies.carried = None;
        }
        let candidates = if impersonal {
            Vec::new()
        } else {
            page::candidates(&configuration.definitions, self.path(), self.now)
        };
        let decides = !candidates.is_empty();
        let shows_fields = candidates.iter().any(|experience| experience.shows_fields);
        let name = if decides { reader::name(configuration, &cookies) } else { None };
        Subject::Visitor(Visitor { cookies, name, refuses, decides, shows_fields })
    }

    /// Empty where there is no plan.
    fn steps(&self) -> String {
        let Some(plan) = self.plan.get() else { return String::new() };
        let [.., same, since, _] = self.lines();
        // Tools get what they ask for: a copy of theirs is of the site's own page, since no personal one can be named.
        let less = self.wish == Wish::Page && !(same.is_empty() && since.is_empty());
        let mut steps = String::from(if less && plan.is_whole(self.seen.get()) { WHOLE } else { "-" });
        if !self.is_decided() {
            steps.push_str(&plan.deadline().to_string());
            steps.push(':');
            if let Subject::Visitor(Visitor { name: Some(name), .. }) = plan.subject {
                steps.push_str(&snapshots::key(name));
            }
        }
        steps
    }

    /// Whether there is nothing to wait for but the page.
    fn is_decided(&self) -> bool {
        self.seen.get().is_some() || !self.plan.get().is_some_and(Plan::reads)
    }

    fn shows_fields(&self) -> bool {
        matches!(
            self.plan.get(),
            Some(Plan { subject: Subject::Visitor(Visitor { shows_fields: true, .. }), .. })
        )
    }

    fn see(&self, configuration: &Configuration, snapshot: &Snapshot, behind: bool) {
        let candidates = page::candidates(&configuration.definitions, self.path(), self.now);
        let _ = self.seen.set(Seen { exposures: page::decide(&candidates, snapshot), behind });
    }

    fn decide(&self, kept: Kept) {
        let Some(Plan { configuration, subject: Subject::Visitor(visitor) }) = self.plan.get() else {
            return;
        };
        match reader::at_once(configuration, &visitor.cookies, self.now, kept) {
            Ok(visit) => self.see(configuration, &visit.snapshot, visit.behind),
            Err(rest) => self.unsettled.set(Some(rest)),
        }
    }

    async fn ask(&self, env: &Env) -> Result<()> {
        match self.plan.get() {
            Some(Plan { configuration, subject: Subject::Visitor(visitor) }) => {
                if let Some(rest) = self.unsettled.take() {
                    let visit = rest.of(env, configuration, &visitor.cookies, self.now).await?;
                    self.see(configuration, &visit.snapshot, visit.behind);
                }
            }
            Some(Plan { configuration, subject: Subject::Preview(viewer) }) => {
                let snapshot = page_preview::snapshot(env, configuration, viewer, self.now).await?;
                self.see(configuration, &snapshot, false);
            }
            Some(Plan { subject: Subject::Gpc, .. }) | None => {}
        }
        Ok(())
    }

    /// The page with what is decided for this visitor, and with `_msci` set or renewed on HTML that no shared cache may
    /// keep, never on one that it may. So too the version of the last action, where there is one to be renewed.
    fn personal(
        &self,
        kind: Kind,
        page: &Response,
        env: &Env,
        configuration: &Configuration,
        visitor: &Visitor,
    ) -> Option<String> {
        let Visitor { cookies, refuses, decides, .. } = visitor;
        let settings = configuration.settings();
        if kind == Kind::Other {
            return None;
        }
        let rewritable = kind == Kind::Page;
        let seen = self.seen.get();
        let exposures = match seen {
            Some(seen) if rewritable => seen.exposures.as_slice(),
            _ => &[],
        };
        if *decides {
            counting::page(seen.is_none(), !exposures.is_empty(), self.now);
        }
        let carried = cookies.carried.as_deref().filter(|_| rewritable);
        let redirect = page::redirect(exposures);
        let mut changes = Changes::of(exposures, carried);
        if settings.inject_script && rewritable {
            let [enforced, reported] =
                headers(page, "content-security-policy content-security-policy-report-only");
            changes.head.insert_str(0, &script(env, &[enforced, reported].join(",")));
        }
        let implied = settings.consent.mode == ConsentMode::Implied;
        // Where consent is required nothing is kept in a browser that has no id: it was never granted.
        let keeps = implied || cookies.id.is_some();
        if let Some((exposure, _)) = &redirect {
            if keeps {
                changes.cookies.push(cookies::carried(exposure, self.is_https()));
            }
        } else if carried.is_some() {
            changes.cookies.push(cookies::expired(names::COOKIE_CARRIED));
        }
        let caching = (!changes.personal).then(|| Caching::of(page));
        // There only a cookie that is there already is renewed: the SDK mints it once it is granted.
        if !refuses && keeps && caching.as_ref().is_none_or(Caching::is_private) {
            let id = cookies.id.unwrap_or_else(|| CookieId::from_bits(random_bits()));
            changes.cookies.push(cookies::id(id, settings, self.is_https()));
            if let Some((tag, version)) = &cookies.version
                && seen.is_some_and(|seen| seen.behind)
            {
                changes.cookies.push(cookies::version(tag, *version, self.is_https()));
            }
            // An answer that came after a `reset()` may have left one.
            if cookies.void_proof {
                changes.cookies.push(cookies::expired(names::COOKIE_PROOF));
            }
            if let Some(control) = caching.and_then(Caching::made_private) {
                changes.control = control;
            }
        }
        changes.location = redirect.map(|(_, to)| to);
        changes.told()
    }

    /// The page as the viewer would see it, with a line that says so.
    fn preview(&self, kind: Kind, viewer: &Viewer) -> Option<String> {
        if kind == Kind::Other {
            return None;
        }
        let mut exposures = Vec::new();
        if kind == Kind::Page {
            exposures.extend(self.seen.get().iter().flat_map(|seen| seen.exposures.iter().cloned()));
            exposures.push(page_preview::note(viewer, &exposures));
        }
        let mut changes = Changes::of(&exposures, None);
        PRIVATE.clone_into(&mut changes.control);
        // Not told of by the next page.
        changes.location = page::redirect(&exposures).map(|(_, to)| to);
        changes.told()
    }
}

/// The whole page is asked for, without the request's conditions: the browser's copy may be of another version of it.
const WHOLE: &str = "w";
/// In place of the site's answer: that Global Privacy Control is honoured.
const GPC: &str = "gpc";

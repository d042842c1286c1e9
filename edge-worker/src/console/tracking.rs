//! Web tracking & personalization: whom ids belong to, the script for the site, what its visitors are told.

use maud::{Markup, Render as _, html};
use serde_json::{Value, json};

use super::Answer;
use super::ask::Visit;
use super::layout::to;
use super::parts::{check, choice, code, done, note, number, pairs, shown, text, time};
use super::texts::{common, layout, tracking as say};
use crate::assets;
use crate::error::Result;
use crate::storage::index;
use msci_core::config::{ConsentInput, ConsentMode, Verification};

/// Code that signs an identity token, ready to copy: files of `www/console/tokens`.
const TOKENS: [(&str, &str, &str); 3] =
    [("csharp", "C#", "token.cs"), ("node", "Node.js", "token.mjs"), ("python", "Python", "token.py")];

/// The card that is asked for again by itself.
const ARRIVING: &str = "arriving";

pub(super) async fn show(visit: &Visit<'_>) -> Result<Answer> {
    if visit.asked("part") == ARRIVING {
        return Ok(Answer::Part(arriving(visit).await?));
    }
    page(visit, "").await
}

async fn page(visit: &Visit<'_>, fault: &str) -> Result<Answer> {
    let snippet = visit.get("snippet").await?;
    let body = html! {
        (done(visit))
        @if !fault.is_empty() { (note("bad", &html! { (fault) })) }
        (unverified(visit))
        (claimed(visit).await?)
        (arriving(visit).await?)
        section.card { h2 { (say::SETTINGS) } (settings(visit)) }
        section.card {
            h2 { (say::SCRIPT) }
            p { (say::SCRIPT_HELP) }
            (code("script", say::PLAIN, text(&snippet, "script")))
            (code("gtm", say::GTM, text(&snippet, "gtm")))
            (code("npm", say::NPM, text(&snippet, "npm")))
            (code("wordpress", say::WORDPRESS, text(&snippet, "wordpress")))
        }
        section.card { h2 { (say::VISITORS) } (disclosure(visit)) }
        section.card { h2 { (say::OPTIMIZELY) } div data-optimizely=(visit.caller.role.name()) {} }
    };
    Ok(Answer::Page("tracking", layout::TRACKING.render(), body))
}

/// Stands as long as anyone can claim to be anybody.
fn unverified(visit: &Visit<'_>) -> Markup {
    if visit.configuration.settings().identity.verification == Verification::Required {
        return html! {};
    }
    html! {
        div.note.warn role="status" {
            p {
                strong { (say::OFF) } " " (say::OFF_MEANS)
            }
            details {
                summary { (say::SIGNING) }
                p {
                    (say::SigningHelp {
                        secret: &html! { code { "MSCI_IDENTITY_SECRET" } },
                        call: &html! { code { "MSCI.setUser({ authId, token })" } },
                    })
                }
                @for (id, title, file) in &TOKENS { (code(id, title, &assets::text(file).unwrap_or_default())) }
            }
        }
    }
}

/// How many visitors say who they are without a proof, where one is required.
async fn claimed(visit: &Visit<'_>) -> Result<Markup> {
    let claims = number(&visit.get("customers?kind=claiming&top=1").await?, "count");
    Ok(html! {
        @if claims > 0 {
            div.note { p {
                strong { (say::Claims { number: &claims }) } " "
                (say::ClaimsMean { visitor: &html! { a href=(to("customers?kind=claiming")) { (say::VISITOR) } } })
            } }
        }
    })
}

/// Asked for again by itself, until somebody leaves the page.
async fn arriving(visit: &Visit<'_>) -> Result<Markup> {
    let newest = index::newest(visit.env, 1).await?;
    Ok(html! {
        section.card #arriving hx-get=(to(&format!("tracking?part={ARRIVING}"))) hx-target="this"
            hx-swap="outerHTML" hx-trigger="every 3s" {
            h2 { (say::ARRIVING) }
            @if let Some(activity) = newest.first() {
                p #arrived {
                    strong { (say::YES) } " "
                    (say::Newest {
                        kind: &text(activity, "type"),
                        title: &html! { q { (text(activity, "title")) } },
                        time: &time(activity.get("time")),
                    })
                }
            } @else {
                p { strong { (say::NOT_YET) } " " (say::NOT_YET_HELP) }
            }
        }
    })
}

fn settings(visit: &Visit<'_>) -> Markup {
    let settings = visit.configuration.settings();
    let tables = visit.configuration.definitions.bundle.tables.keys();
    let named = |value: &str, words: &str| (value.to_owned(), words.to_owned());
    let tables: Vec<_> =
        [named("", say::NO_TABLE)].into_iter().chain(tables.map(|name| named(name, name))).collect();
    let table = settings.tracking_table.as_deref().unwrap_or_default();
    let verification = [named("off", say::BELIEVED), named("required", say::REQUIRED)];
    let consent = [named("implied", say::IMPLIED), named("required", say::AGREED)];
    let verifies = if settings.identity.verification == Verification::Off { "off" } else { "required" };
    let listens = |input| settings.consent.inputs.contains(&input);
    let mode = if settings.consent.mode == ConsentMode::Implied { "implied" } else { "required" };
    shown(
        visit,
        "tracking",
        &html! {
            (choice("table", say::TABLE, say::TABLE_HELP, &tables, table))
            (choice("verification", say::VERIFICATION, say::VERIFICATION_HELP, &verification, verifies))
            (choice("consent", say::CONSENT, say::CONSENT_HELP, &consent, mode))
            (check("tcf", say::TCF, listens(ConsentInput::Tcf)))
            (check("google", say::GOOGLE, listens(ConsentInput::GoogleConsentMode)))
            (check("gpc", say::GPC, settings.consent.honour_gpc))
            button { (common::SAVE) }
        },
    )
}

pub(super) async fn save(visit: &Visit<'_>) -> Result<Answer> {
    let table = visit.sent("table");
    let listened = |(field, name)| (visit.sent(field) == "yes").then_some(name);
    let inputs: Vec<_> =
        [("tcf", "tcf"), ("google", "googleConsentMode")].into_iter().filter_map(listened).collect();
    let change = json!({
        "trackingTable": if table.is_empty() { Value::Null } else { table.into() },
        "identity": { "verification": visit.sent("verification") },
        "consent": { "mode": visit.sent("consent"), "honourGpc": visit.sent("gpc") == "yes", "inputs": inputs },
    });
    match visit.call("PUT", "settings", Some(&change)).await {
        Ok(_) => Ok(Answer::Done("tracking?done=saved".to_owned())),
        Err(error) => page(visit, &error.told().2).await,
    }
}

fn disclosure(visit: &Visit<'_>) -> Markup {
    let days = visit.configuration.settings().cookie.max_age_days;
    let cookies = [
        ("_msci", say::CookieId { days: &days }.render()),
        ("__Host-msci_p", say::CookieProof { days: &days }.render()),
        ("_msci_v", say::COOKIE_VERSION.render()),
        ("_msci_x", say::COOKIE_CARRIED.render()),
        ("_msci_optout", say::COOKIE_REFUSAL.render()),
    ];
    let cookies: Vec<_> = cookies.into_iter().map(|(name, words)| (name.to_owned(), words)).collect();
    html! {
        p { (say::COOKIES) }
        (pairs(&cookies))
    }
}

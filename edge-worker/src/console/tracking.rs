//! Web tracking & personalization: whom ids belong to, the script for the site, what its visitors are told.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::Answer;
use super::ask::Visit;
use super::parts::{check, choice, code, done, note, pairs, shown, text, time};
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
        section.card { h2 { "Settings" } (settings(visit)) }
        section.card {
            h2 { "Script" }
            p { "Put it into the head of every page, before other scripts. It loads without holding the page up, and the page works without it." }
            (code("script", "Into the page", text(&snippet, "script")))
            (code("gtm", "Google Tag Manager: a tag of type Custom HTML, on All Pages", text(&snippet, "gtm")))
            (code("npm", "Sites with a bundler: npm install msci-sdk", text(&snippet, "npm")))
            (code("wordpress", "WordPress: a plugin of one file, wp-content/plugins/msci.php", text(&snippet, "wordpress")))
        }
        section.card { h2 { "Tell your visitors" } (disclosure(visit)) }
        section.card { h2 { "Optimizely" } div data-optimizely=(visit.caller.role.name()) {} }
    };
    Ok(Answer::Page("tracking", "Web tracking & personalization".to_owned(), body))
}

/// Stands as long as anyone can claim to be anybody.
fn unverified(visit: &Visit<'_>) -> Markup {
    if visit.configuration.settings().identity.verification == Verification::Required {
        return html! {};
    }
    html! {
        div.note.warn role="status" {
            p {
                strong { "Verification is off. " }
                "Anyone who knows or guesses a customer's id can claim it in their browser, and then sees what your "
                "pages show to that customer. That is good enough to try things out, and not for a shop."
            }
            details {
                summary { "Code that signs a token on your server" }
                p {
                    "When a customer is signed in, your server signs a token with the secret "
                    code { "MSCI_IDENTITY_SECRET" } ", and the page hands it on: "
                    code { "MSCI.setUser({ authId, token })" } ". Then require verification below."
                }
                @for (id, title, file) in &TOKENS { (code(id, title, &assets::text(file).unwrap_or_default())) }
            }
        }
    }
}

/// How many sign-ins came without a proof, where one is required.
async fn claimed(visit: &Visit<'_>) -> Result<Markup> {
    let stats = visit.get("stats").await?;
    let claims =
        stats.get("users").and_then(|users| users.get("claimed")).and_then(Value::as_u64).unwrap_or(0);
    Ok(html! {
        @if claims > 0 {
            div.note { p {
                strong { "Claims: " (claims) ". " }
                "So many sign-ins came without a token that proves them. They made no link: each stands at its "
                a href=(super::layout::to("customers?kind=unknown")) { "unknown visitor" } ", until the same is proven."
            } }
        }
    })
}

/// Asked for again by itself, until somebody leaves the page.
async fn arriving(visit: &Visit<'_>) -> Result<Markup> {
    let newest = index::newest(visit.env, 1).await?;
    Ok(html! {
        section.card #arriving hx-get=(super::layout::to(&format!("tracking?part={ARRIVING}"))) hx-target="this"
            hx-swap="outerHTML" hx-trigger="every 3s" {
            h2 { "Are signals arriving?" }
            @if let Some(activity) = newest.first() {
                p #arrived {
                    strong { "Yes. " } "The newest: " (text(activity, "type")) " " q { (text(activity, "title")) } ", " (time(activity.get("time"))) "."
                }
            } @else {
                p { strong { "Not yet. " } "Open a page of your site that has the script; it shows here within seconds." }
            }
        }
    })
}

fn settings(visit: &Visit<'_>) -> Markup {
    let settings = visit.configuration.settings();
    let tables = visit.configuration.definitions.bundle.tables.keys();
    let named = |value: &str, words: &str| (value.to_owned(), words.to_owned());
    let tables: Vec<_> = [named("", "None: all visitors stay unknown")]
        .into_iter()
        .chain(tables.map(|name| named(name, name)))
        .collect();
    let table = settings.tracking_table.as_deref().unwrap_or_default();
    let verification = [
        named("off", "Off: what the page says is believed"),
        named("required", "Required: only a token that your server signed makes a link"),
    ];
    let consent = [
        named("implied", "Implied: visitors are tracked until they refuse"),
        named("required", "Required: nothing is kept or sent before they agree"),
    ];
    let verifies = if settings.identity.verification == Verification::Off { "off" } else { "required" };
    let listens = |input| settings.consent.inputs.contains(&input);
    let mode = if settings.consent.mode == ConsentMode::Implied { "implied" } else { "required" };
    shown(
        visit,
        "tracking",
        &html! {
            (choice("table", "Identity table", "The imported table whose primary key your site calls a customer by (authId).", &tables, table))
            (choice("verification", "Verification", "Whether a browser has to prove who its visitor is.", &verification, verifies))
            (choice("consent", "Consent", "Whether your law lets you track before somebody agreed. Your consent banner calls MSCI.setConsent().", &consent, mode))
            (check("tcf", "A consent platform asks: IAB Transparency & Consent Framework 2", listens(ConsentInput::Tcf)))
            (check("google", "A consent platform asks: Google Consent Mode 2", listens(ConsentInput::GoogleConsentMode)))
            (check("gpc", "Global Privacy Control counts as a refusal", settings.consent.honour_gpc))
            button { "Save" }
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
        ("_msci", format!("An id of this browser, made at random. {days} days from the last visit.")),
        ("__Host-msci_p", format!("Proof that this browser signed in. No script can read it. {days} days.")),
        ("_msci_v", "Which of the visitor's actions a page has to know already. Two minutes.".to_owned()),
        ("_msci_optout", "Remembers a refusal.".to_owned()),
    ];
    let cookies: Vec<_> =
        cookies.into_iter().map(|(name, words)| (name.to_owned(), html! { (words) })).collect();
    html! {
        p { "These first-party cookies are set, and signals that were not sent yet wait in the browser's own database (IndexedDB)." }
        (pairs(&cookies))
    }
}

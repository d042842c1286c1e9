//! `POST /preview { customerId | persona, uri }`: a link to the site as they would see it, good for one visit.
//! With `pick: true` instead of somebody: the page in a frame of whoever asks, to point at its elements.

use msci_core::json;
use msci_core::persona::{PERSONA_BYTES, Persona, Viewer};
use serde_json::{Value, json};
use worker::{Env, Request, Response};

use super::customers::{invalid, text};
use crate::calls::previews::{self, LIFE_MS, LINK, PICK, Picked, Preview, ROOT};
use crate::calls::{self, Seen};
use crate::configuration::Configuration;
use crate::error::{Error, Result};
use crate::platform::{now, random_bits};
use crate::storage::index;
use crate::{http, names};

/// Longest address of a page, in bytes.
const URI_BYTES: usize = 2048;

/// Makes a link.
pub(super) async fn link(
    request: &Request,
    env: &Env,
    configuration: &Configuration,
    asked: &Value,
) -> Result<Response> {
    let uri = text(asked, "uri").filter(|uri| uri.len() <= URI_BYTES);
    let uri = uri.ok_or_else(|| invalid("send the uri of a page, of at most 2048 bytes"))?;
    let here = http::url(request)?;
    let page = web_sys::Url::new_with_base(uri, &here.href());
    let page = page.map_err(|_| invalid("uri should be an address or a path"))?;
    if !matches!(page.protocol().as_str(), "http:" | "https:") {
        return Err(invalid("uri should be an address of the web"));
    }
    let apart = !names::var(env, names::VAR_ADMIN_HOST).is_empty();
    if apart && page.host() == here.host() {
        return Err(invalid("send the whole address of a page: this host is not the site's"));
    }
    if asked.get("pick") == Some(&Value::Bool(true)) {
        let picked = Picked { path: format!("{}{}", page.pathname(), page.search()), by: here.origin() };
        let expires = now().plus(LIFE_MS);
        let seal = configuration.proofs.seal(PICK, serde_json::to_string(&picked)?.as_bytes(), expires);
        let url = format!("{}{}{ROOT}{PICK}{seal}", page.origin(), names::PREFIX);
        return http::json(&json!({ "url": url, "expires": expires.to_rfc3339() }));
    }
    let viewer = viewer(env, configuration, asked).await?;
    let name = viewer.name();
    let path = format!("{}{}{}", page.pathname(), page.search(), page.hash());
    let (id, expires) = (format!("{:032x}", random_bits()), now().plus(LIFE_MS));
    previews::keep(env, &id, &Preview { viewer, path }, expires).await?;
    let secret = configuration.proofs.seal(LINK, id.as_bytes(), expires);
    let url = format!("{}{}{ROOT}{secret}", page.origin(), names::PREFIX);
    http::json(&json!({ "url": url, "expires": expires.to_rfc3339(), "as": name }))
}

async fn viewer(env: &Env, configuration: &Configuration, asked: &Value) -> Result<Viewer> {
    match (text(asked, "customerId"), asked.get("persona")) {
        (Some(id), None) => {
            let id = id.parse().map_err(|_| Error::not_found())?;
            if !matches!(calls::read(env, configuration, id, 0).await?, Seen::Nothing) {
                return Ok(Viewer::Customer(id));
            }
            // Imported, and never seen on the web: what the row says is all there is.
            let row = index::row_of(env, id).await?;
            let (_, values, segments) = row.ok_or_else(Error::not_found)?;
            let (attributes, segments) = (json::from_value(&values)?, json::from_value(&segments)?);
            sized(Persona { name: id.to_string(), attributes, segments, ..Persona::default() })
        }
        (None, Some(persona)) => {
            let persona = json::from_value(persona);
            sized(persona.map_err(|error| invalid(&format!("persona: {error}")))?)
        }
        _ => Err(invalid("send either customerId or persona")),
    }
}

fn sized(persona: Persona) -> Result<Viewer> {
    if serde_json::to_string(&persona)?.len() > PERSONA_BYTES {
        return Err(invalid(&format!("a persona has at most {PERSONA_BYTES} bytes")));
    }
    Ok(Viewer::Persona(persona))
}

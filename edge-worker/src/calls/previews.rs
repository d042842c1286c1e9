//! Links to the site as somebody else would see it: made in the console, opened once at the edge.

use msci_core::persona::Viewer;
use msci_core::time::SECOND_MS;
use serde::{Deserialize, Serialize};
use worker::Env;

use super::config;
use crate::error::Result;

/// Where links lead, under the prefix; behind it stands the link's secret, or what ends the preview.
pub(crate) const ROOT: &str = "/preview/";
/// How long a link waits, and how long the preview then lasts, in milliseconds.
pub(crate) const LIFE_MS: i64 = 10 * 60 * SECOND_MS;
/// What a link's seal is for.
pub(crate) const LINK: &str = "preview link";

/// Behind [`ROOT`]: a page to point at its elements, as a stranger sees it. Its seal says all there is to know.
pub(crate) const PICK: &str = "pick/";

/// A page that elements are picked on.
#[derive(Serialize, Deserialize)]
pub(crate) struct Picked {
    /// Path and query.
    pub(crate) path: String,
    /// The only origin that may show it in a frame, and is told what was picked: the console's.
    pub(crate) by: String,
}

/// What a link stands for; kept where it can be taken once.
#[derive(Serialize, Deserialize)]
pub(crate) struct Preview {
    /// Whom the site is shown as.
    pub(crate) viewer: Viewer,
    /// Where it begins: path, query and fragment.
    pub(crate) path: String,
}

/// Keeps what a link stands for, until it is taken or expires.
#[cfg(feature = "console")]
pub(crate) async fn keep(
    env: &Env,
    id: &str,
    preview: &Preview,
    expires: msci_core::time::Timestamp,
) -> Result<()> {
    let body = serde_json::to_string(&(id, serde_json::to_string(preview)?, expires))?;
    config(env, "https://config/preview/keep", Some(&body)).await.map(drop)
}

/// Takes what a link stands for: once, however many ask.
#[cfg(feature = "edge")]
pub(crate) async fn take(env: &Env, id: &str) -> Result<Option<Preview>> {
    let kept = config(env, "https://config/preview/take", Some(id)).await?;
    Ok(if kept.is_empty() { None } else { Some(msci_core::json::from_str(&kept)?) })
}

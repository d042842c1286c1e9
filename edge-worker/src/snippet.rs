//! The tracking script, ready to paste.

use serde_json::json;

use crate::assets;
use crate::error::Result;

/// The `<script>` for a page's head, its Google Tag Manager form, and the npm import.
pub(crate) fn forms(key: &str, prefix: &str) -> Result<serde_json::Value> {
    let cfg = json!({
        "ingestionKey": key,
        "endpointUrl": format!("{prefix}/"),
        "autoCapture": { "view": true, "click": true },
    });
    let config = json!({ "src": format!("{prefix}/msci.js"), "name": "MSCI", "cfg": cfg });
    // The loader is one function expression, called with (window, document, configuration).
    let loader = assets::text("loader.js")?;
    let loader = loader.trim().trim_end_matches(';');
    let script = format!("<script>{loader}(window,document,{config});</script>");
    let npm = format!(
        "import {{ MSCI }} from \"msci-sdk\";\n\nconst msci = await MSCI.load({});\n",
        serde_json::to_string_pretty(&cfg)?
    );
    Ok(json!({ "script": script, "gtm": script, "npm": npm }))
}

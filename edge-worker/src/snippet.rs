//! The tracking script, ready to paste.

use serde_json::json;

use crate::assets;
use crate::error::Result;

/// How long a page may be hidden until it is decided, in milliseconds.
const PATIENCE: u32 = 1_000;

/// The `<script>` for a page's head, its Google Tag Manager form, the npm import, and the guard that goes in
/// front of the script where the browser applies decisions.
pub(crate) fn forms(key: &str, prefix: &str) -> Result<serde_json::Value> {
    let cfg = json!({
        "ingestionKey": key,
        "endpointUrl": format!("{prefix}/"),
        "autoCapture": { "view": true, "click": true },
    });
    let config = json!({ "src": format!("{prefix}/msci.js"), "name": "MSCI", "cfg": cfg });
    // Each is one function expression, called with (window, document, configuration).
    let called = |file: &str, with: &str| {
        assets::text(file).map(|function| format!("<script>{function}(window,document,{with});</script>"))
    };
    let config = config.to_string();
    let npm = format!(
        "import {{ MSCI }} from \"msci-sdk\";\n\nconst msci = await MSCI.load({});\n",
        serde_json::to_string_pretty(&cfg)?
    );
    Ok(json!({
        "script": called("loader.js", &config)?,
        "gtm": called("gtm.js", &config)?,
        "npm": npm,
        "wordpress": assets::text("msci.php")?.replace(": 'local'", &format!(": '{key}'")),
        "guard": called("guard.js", &PATIENCE.to_string())?,
    }))
}

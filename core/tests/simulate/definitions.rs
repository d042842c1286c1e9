//! What people configured, in several versions: an object that meets a newer one looks at its
//! timeline again.

use msci_core::config::Bundle;
use msci_core::definitions::Definitions;
use serde_json::json;

/// Versions in order, the first being `n` = 1.
pub(crate) type Versions = Vec<Definitions>;

/// Sets of versions that differ in how long things are kept; a schedule takes one.
pub(crate) fn definitions() -> Vec<Versions> {
    let defaults = json!({});
    let short = json!({ "retention": { "signalDays": 5 }, "cookie": { "maxAgeDays": 40 } });
    let uneven = json!({ "retention": { "signalDays": 90 }, "cookie": { "maxAgeDays": 40 } });
    let few = json!({ "identity": { "maxLinks": 1 } });
    // The last one shortens the retention when it is changed.
    [(&defaults, &defaults), (&short, &short), (&uneven, &uneven), (&few, &few), (&uneven, &short)]
        .into_iter()
        .map(|(settings, later)| versions(settings, later))
        .collect()
}

fn versions(settings: &serde_json::Value, later: &serde_json::Value) -> Versions {
    let views = json!({ "aggregate": "count", "filter": "ActivityType eq 'View'" });
    let total = json!({ "aggregate": "sum", "property": "total" });
    let largest = json!({ "aggregate": "max", "property": "total", "filter": "Properties/total gt 20" });
    let busy = json!({ "aggregate": "count", "filter": "ActivityType eq 'View'", "window": "PT20M" });
    let recent = json!({ "aggregate": "sum", "property": "total", "window": "P3D" });
    let latest = json!({ "aggregate": "last", "property": "total", "window": "P1D" });
    let kinds = json!({ "aggregate": "countDistinct", "property": "total" });
    let within = |time, n| {
        format!("UnifiedActivity/$count($filter=ActivityTime gt now() sub duration'{time}') ge {n}")
    };
    let hero = |text: &str, goal: &str| {
        let change = json!({ "selector": "h1", "action": "setText", "value": text });
        json!({ "pages": ["/"], "changes": [change], "goal": goal })
    };
    let both = json!(["entered", "left"]);
    let tables = json!({ "T": { "primaryKey": "Id", "columns": { "Tier": "string" } } });
    let tells = |segment: &str, on: &serde_json::Value| json!({ "segment": segment, "on": on, "url": "https://receiver.example/", "key": "k" });
    let lately = tells("Lately", &both);
    let bundles = [
        json!({
            "n": 1,
            "settings": settings,
            "tables": tables,
            "measures": { "Views": views, "Total": total, "Busy": busy, "Kinds": kinds },
            "segments": {
                "Often": { "filter": "Measures/Views ge 3" },
                "Lately": { "filter": within("PT2M", 2) },
                "Today": { "filter": within("PT20M", 3) },
                "Newcomers": { "filter": "Measures/Views lt 2" },
                "Both": { "filter": "IsMemberOfSegment('Often') and IsMemberOfSegment('Busy')" },
                "Busy": { "filter": "Measures/Busy ge 2" },
                "Golden": { "filter": "Tier eq 'Gold' or Measures/Views ge 3" },
            },
            "experiences": { "hero": hero("a", "Properties/total gt 70") },
            "activations": {
                "lately": lately, "newcomers": tells("Newcomers", &both), "today": tells("Today", &json!(["left"])),
                "golden": tells("Golden", &both),
            },
        }),
        json!({
            "n": 2,
            "settings": later,
            "tables": tables,
            "measures": { "Views": views, "Largest": largest, "Recent": recent, "Latest": latest },
            "segments": {
                "Often": { "filter": "Measures/Views ge 2" },
                "Lately": { "filter": within("PT2M", 4) },
                "Today": { "filter": within("PT20M", 5) },
                "Newcomers": { "filter": "Measures/Views lt 3" },
                "Golden": { "filter": "Tier eq 'Gold' and Measures/Views le 4" },
                "Rich": { "filter": "Measures/Largest gt 50 and not IsMemberOfSegment('Often')" },
            },
            "experiences": { "hero": hero("b", "Properties/total gt 70") },
            "activations": {
                "lately": lately, "newcomers": tells("Newcomers", &both), "rich": tells("Rich", &both),
                "golden": tells("Golden", &both),
            },
        }),
        json!({
            "n": 3,
            "settings": later,
            "tables": tables,
            "measures": { "Total": total, "Recent": recent, "Busy": busy },
            "segments": {
                "Lately": { "filter": within("P3D", 2) },
                "Spends": { "filter": "Measures/Recent gt 0" },
                "Both": { "filter": "IsMemberOfSegment('Spends') and not IsMemberOfSegment('Lately')" },
            },
            "experiences": { "hero": hero("b", "Properties/total lt 30") },
            "activations": { "lately": lately },
        }),
    ];
    let mut before = Bundle::default();
    let compiled = |bundle| {
        let mut bundle: Bundle = serde_json::from_value(bundle).unwrap();
        bundle.follow(&before);
        before = bundle.clone();
        Definitions::compile(bundle).unwrap()
    };
    bundles.into_iter().map(compiled).collect()
}

//! What is seen without being told: where the page is, and what a visitor's gesture was. What an element
//! says about itself is read by `sdk/js/sdk.js`: attributes, and the text of an element that holds nothing
//! a visitor can write into; never any typed text and never the value of a field.

use crate::facts::Facts;
use crate::json::Writer;

/// Where the visitor is.
#[derive(Debug, Default)]
pub(crate) struct Page {
    uri: String,
    /// The part of the address whose change is a view.
    place: String,
    /// When it was first seen, on the steady clock.
    since: u64,
}

impl Page {
    pub(crate) fn read(history: &str, facts: &Facts) -> Self {
        let mut place = String::new();
        if history != "off" {
            place.push_str(facts.text("path"));
            if history != "path" {
                place.push_str(facts.text("search"));
            }
        }
        Self { uri: facts.uri().into(), place, since: facts.now }
    }

    /// Whether going from `self` to `other` is a view.
    pub(crate) fn leads_to(&self, other: &Self) -> bool {
        self.place != other.place
    }

    /// A view of the page: a signal that is not finished yet.
    pub(crate) fn view(facts: &Facts, previous: Option<&Self>) -> Writer {
        let mut view = signal("view", facts);
        view.copy_all(facts.input, &["uri", "title", "exposures"]);
        view.text("viewType", "page");
        match previous {
            Some(previous) => view.text("previous", &previous.uri),
            None => view.copy("referrer", facts.get("referrer")),
        }
        view
    }

    /// The interaction that a gesture is, if it is one.
    pub(crate) fn gesture(&self, facts: &Facts) -> Option<Writer> {
        let button = facts.get("button").number();
        let sort = match (facts.text("on"), facts.text("key")) {
            ("click", _) => "LClick",
            // A key for the menu is no button.
            ("contextmenu", _) if button.is_some() => "RClick",
            // Of the right button, it comes besides the menu.
            ("auxclick", _) if button == Some(1) => "MClick",
            ("keydown", key) if facts.get("activates").flag() == Some(true) => match key {
                "Enter" => "KEnter",
                // Scrolls where a link has the focus.
                _ if facts.get("link").flag() == Some(true) => return None,
                _ => "KSpace",
            },
            _ => return None,
        };
        let mut action = signal("action", facts);
        action.text("actionType", sort);
        let said = ["name", "target", "elementId", "isOutbound", "coordinates", "uri"];
        action.copy_all(facts.input, &said);
        action.number("elapsedMs", facts.now.saturating_sub(self.since));
        Some(action)
    }
}

/// A signal of this type that happens now.
pub(crate) fn signal(kind: &str, facts: &Facts) -> Writer {
    let mut signal = Writer("{".into());
    signal.number("time", facts.time);
    signal.text("type", kind);
    signal
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Value;

    fn page(history: &str, path: &str, search: &str) -> Page {
        let input = format!(r#"{{"uri":"https://a.example{path}","path":"{path}","search":"{search}"}}"#);
        Page::read(history, &Facts::read(&input))
    }

    #[test]
    fn only_another_place_is_a_view() {
        for (history, path, query) in
            [("path+query", true, true), ("path", true, false), ("off", false, false)]
        {
            let here = page(history, "/a", "");
            assert_eq!(here.leads_to(&page(history, "/b", "")), path);
            assert_eq!(here.leads_to(&page(history, "/a", "?x=1")), query);
            assert!(!here.leads_to(&page(history, "/a", "")));
        }
    }

    #[test]
    fn a_view_has_the_shape_of_the_contract() {
        let input = r#"{"time":5,"uri":"u","title":"t","referrer":"","exposures":"hero:a"}"#;
        assert_eq!(
            Page::view(&Facts::read(input), None).0,
            r#"{"time":5,"type":"view","uri":"u","title":"t","exposures":"hero:a","viewType":"page""#
        );
        let before = Page { uri: "before".into(), ..Page::default() };
        assert_eq!(
            Page::view(&Facts::read(r#"{"time":5,"uri":"u","referrer":"r"}"#), Some(&before)).0,
            r#"{"time":5,"type":"view","uri":"u","viewType":"page","previous":"before""#
        );
    }

    #[test]
    fn a_gesture_has_the_shape_of_the_contract() {
        let input = concat!(
            r#"{"now":112,"time":5,"uri":"https://a.example/","on":"click","name":"Add to cart","#,
            r#""target":"https://b.example/","elementId":"buy","isOutbound":true,"coordinates":"1106X459"}"#
        );
        let page = Page { since: 100, ..Page::default() };
        assert_eq!(
            page.gesture(&Facts::read(input)).unwrap().0,
            concat!(
                r#"{"time":5,"type":"action","actionType":"LClick","name":"Add to cart","target":"https://b.example/","#,
                r#""elementId":"buy","isOutbound":true,"coordinates":"1106X459","uri":"https://a.example/","elapsedMs":12"#
            )
        );
    }

    #[test]
    fn each_gesture_is_one_action_or_none() {
        for (input, sort) in [
            (r#""on":"click","button":0"#, "LClick"),
            (r#""on":"auxclick","button":1"#, "MClick"),
            // The menu stands for it; others go back and forward.
            (r#""on":"auxclick","button":2"#, ""),
            (r#""on":"auxclick","button":3"#, ""),
            (r#""on":"contextmenu","button":2"#, "RClick"),
            (r#""on":"contextmenu","button":0"#, "RClick"),
            (r#""on":"contextmenu","button":-1"#, ""),
            (r#""on":"keydown","key":"Enter","activates":true,"link":true"#, "KEnter"),
            (r#""on":"keydown","key":"Enter","activates":true,"link":false"#, "KEnter"),
            (r#""on":"keydown","key":" ","activates":true,"link":false"#, "KSpace"),
            (r#""on":"keydown","key":" ","activates":true,"link":true"#, ""),
            (r#""on":"keydown","key":"Enter","activates":false"#, ""),
            (r#""on":"wheel""#, ""),
        ] {
            let input = format!("{{{input}}}");
            let action = Page::default().gesture(&Facts::read(&input));
            let action = action.map_or(String::new(), |action| action.0 + "}");
            assert_eq!(Value(&action).get("actionType").text().unwrap_or_default(), sort, "{input}");
        }
    }
}

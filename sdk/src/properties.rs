//! Properties: names with text, numbers and booleans, all of them as JavaScript wrote them.

use crate::json::{Value, Writer};

/// Adds to a signal the `campaign`'s, each name once: those of the signal itself go first.
pub(crate) fn write(campaign: &str, own: Value, signal: &mut Writer) {
    let mut json = Writer("{".into());
    for layer in [Value(campaign), own] {
        let mut parts = layer.parts();
        while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            let name = name.text().unwrap_or_default();
            if layer == own || own.get(name).is_null() {
                json.raw(name, value.0);
            }
        }
    }
    if json.0.len() > 1 {
        signal.raw("properties", &json.0);
        signal.push("}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(campaign: &str, own: &str) -> String {
        let mut signal = Writer::default();
        write(campaign, Value(own), &mut signal);
        signal.0
    }

    #[test]
    fn a_signals_own_lie_on_top_of_the_campaigns() {
        let campaign = r#"{"utm_source":"s","utm_term":"t"}"#;
        assert_eq!(
            written(campaign, r#"{"utm_term":"own","n":1.5e-7,"s\n":""}"#),
            r#""properties":{"utm_source":"s","utm_term":"own","n":1.5e-7,"s\n":""}"#
        );
        assert_eq!(written("", r#"{"x":true}"#), r#""properties":{"x":true}"#);
    }

    #[test]
    fn none_are_not_written() {
        assert_eq!([written("", "{}"), written("{}", "null")], ["", ""]);
    }
}

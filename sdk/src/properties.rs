//! Properties: names with text, numbers and booleans, all of them as JavaScript wrote them.

use crate::json::{Value, Writer};

/// A JSON object, or nothing, of those that are set by the page and sent with every signal.
#[derive(Debug, Default)]
pub(crate) struct Properties(String);

impl Properties {
    /// Sets one, or removes it when the value is `null`.
    pub(crate) fn set(&mut self, name: &str, value: Value) -> Result<(), &'static str> {
        if !value.is_scalar() {
            return Err("invalid_field");
        }
        let mut json = Writer("{".into());
        let mut parts = Value(&self.0).parts();
        while let (Some(known), Some(value)) = (parts.next(), parts.next()) {
            if known.text() != Some(name) {
                json.raw(known.text().unwrap_or_default(), value.0);
            }
        }
        if !value.is_null() {
            json.raw(name, value.0);
        }
        json.push("}");
        self.0 = json.0;
        Ok(())
    }

    /// Adds to a signal, each name once: the `campaign`'s, on top of these the lasting ones, and on top of
    /// all the signal's `own`. What is `null` is absent; anything that is not a property is `invalid_field`.
    pub(crate) fn write(&self, campaign: &str, own: Value, signal: &mut Writer) -> Result<(), &'static str> {
        if !own.is_null() && !own.0.starts_with('{') {
            return Err("invalid_field");
        }
        let layers = [Value(campaign), Value(&self.0), own];
        let mut above = &layers[..];
        let mut json = Writer("{".into());
        while let [layer, rest @ ..] = above {
            above = rest;
            let mut parts = layer.parts();
            while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
                if !value.is_scalar() {
                    return Err("invalid_field");
                }
                let name = name.text().unwrap_or_default();
                if !value.is_null() && above.iter().all(|other| other.get(name).is_null()) {
                    json.raw(name, value.0);
                }
            }
        }
        if json.0.len() > 1 {
            signal.raw("properties", &json.0);
            signal.push("}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(properties: &Properties, own: &str) -> Result<String, &'static str> {
        let mut signal = Writer::default();
        properties.write("", Value(own), &mut signal).map(|()| signal.0)
    }

    #[test]
    fn a_signals_own_lie_on_top_of_the_lasting_ones() {
        let mut properties = Properties::default();
        properties.set("plan", Value("\"gold\"")).unwrap();
        properties.set("n", Value("1")).unwrap();
        assert_eq!(
            written(&properties, r#"{"n":2.5,"x":true,"plan":null,"s\n":""}"#).unwrap(),
            r#""properties":{"plan":"gold","n":2.5,"x":true,"s\n":""}"#
        );
        assert_eq!(written(&properties, "null").unwrap(), r#""properties":{"plan":"gold","n":1}"#);
    }

    #[test]
    fn a_campaigns_lie_below_all_others() {
        let campaign = r#"{"utm_source":"s","utm_medium":"m","utm_term":"t"}"#;
        let mut properties = Properties::default();
        properties.set("utm_medium", Value("1")).unwrap();
        let mut signal = Writer::default();
        properties.write(campaign, Value(r#"{"utm_term":"own","utm_source":null}"#), &mut signal).unwrap();
        assert_eq!(signal.0, r#""properties":{"utm_source":"s","utm_medium":1,"utm_term":"own"}"#);
    }

    #[test]
    fn null_removes_and_what_is_no_property_is_refused() {
        let mut properties = Properties::default();
        properties.set("a", Value("1")).unwrap();
        properties.set("a", Value("null")).unwrap();
        assert_eq!(properties.set("a", Value("{}")), Err("invalid_field"));
        for none in ["{}", "null", r#"{"a":null}"#] {
            assert_eq!(written(&properties, none).unwrap(), "", "none are not written");
        }
        for bad in [r#"{"a":{}}"#, r#"{"a":[1]}"#, "[]", "[1,2]", "\"text\"", "1"] {
            assert_eq!(written(&properties, bad), Err("invalid_field"), "{bad}");
        }
    }
}

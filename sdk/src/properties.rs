//! Properties: names with text, numbers and booleans, all of them as JavaScript wrote them.

use crate::json::{Value, Writer};

/// Names and their values as JSON, in the order given.
#[derive(Debug, Default)]
pub(crate) struct Properties(Vec<(String, String)>);

impl Properties {
    /// Sets one, or removes it when the value is `null`.
    pub(crate) fn set(&mut self, name: &str, value: Value) -> Result<(), &'static str> {
        if !value.is_scalar() {
            return Err("invalid_field");
        }
        self.0.retain(|(known, _)| known != name);
        if !value.is_null() {
            self.0.push((name.into(), value.0.into()));
        }
        Ok(())
    }

    /// Adds them to a signal, with the signal's `own` in their place where the names are the same.
    /// What is `null` is absent, at the top and as a value; anything else that is not a property is
    /// `invalid_field`.
    pub(crate) fn write(&self, own: Value, signal: &mut Writer) -> Result<(), &'static str> {
        if !own.is_null() && !own.0.starts_with('{') {
            return Err("invalid_field");
        }
        if own.parts().next().is_none() && self.0.is_empty() {
            return Ok(());
        }
        signal.raw("properties", "{");
        for (name, json) in &self.0 {
            if own.get(name).is_null() {
                signal.raw(name, json);
            }
        }
        let mut parts = own.parts();
        while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            if !value.is_scalar() {
                return Err("invalid_field");
            }
            if !value.is_null() {
                signal.raw(name.text().unwrap_or_default(), value.0);
            }
        }
        signal.push("}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(properties: &Properties, own: &str) -> Result<String, &'static str> {
        let mut signal = Writer::default();
        properties.write(Value(own), &mut signal).map(|()| signal.0)
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
    fn null_removes_and_what_is_no_property_is_refused() {
        let mut properties = Properties::default();
        properties.set("a", Value("1")).unwrap();
        properties.set("a", Value("null")).unwrap();
        assert_eq!(properties.set("a", Value("{}")), Err("invalid_field"));
        assert_eq!(written(&properties, "{}").unwrap(), "", "none are not written");
        for bad in [r#"{"a":{}}"#, r#"{"a":[1]}"#, "[]", "[1,2]", "\"text\"", "1"] {
            assert_eq!(written(&properties, bad), Err("invalid_field"), "{bad}");
        }
    }
}

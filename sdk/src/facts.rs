//! What goes in: something that happened, with the state of the browser at that moment.

use crate::effects::Call;
use crate::json::{Parts, Value};

/// One input. All of them carry the same facts, whether they are needed or not: reading them costs
/// the browser less than a second protocol would cost bytes.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    input: Value<'a>,
    /// A clock that never jumps, for what is scheduled: milliseconds.
    pub(crate) now: u64,
    /// The wall clock, for what is sent: milliseconds since 1970.
    pub(crate) time: u64,
    guids: Parts<'a>,
}

impl<'a> Facts<'a> {
    pub(crate) fn read(input: &'a str) -> Self {
        let input = Value(input);
        let number = |key| input.get(key).number().unwrap_or_default();
        Self { now: number("now"), time: number("time"), guids: input.get("guids").parts(), input }
    }

    pub(crate) fn get(&self, key: &str) -> Value<'a> {
        self.input.get(key)
    }

    pub(crate) fn text(&self, key: &str) -> &'a str {
        self.get(key).text().unwrap_or_default()
    }

    /// The call that this input is to settle, else 0.
    pub(crate) fn call(&self) -> Call {
        self.get("call").number().unwrap_or_default()
    }

    /// An unused id. There are enough for what one input can ask for.
    pub(crate) fn guid(&mut self) -> String {
        self.guids.next().and_then(Value::text).unwrap_or_default().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_is_used_once() {
        let mut facts = Facts::read(r#"{"guids":["a","b"]}"#);
        assert_eq!([facts.guid(), facts.guid(), facts.guid()], ["a", "b", ""]);
    }
}

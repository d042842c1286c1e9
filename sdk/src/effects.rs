//! What comes out: a JSON array of what the browser is to do, in order; each item is an array of a
//! verb and its arguments. `sdk/js/sdk.js` has a function for each verb.

use crate::json::Writer;

/// A call of the page that waits for its promise to settle.
pub(crate) type Call = u64;

/// The effects of one input.
#[derive(Debug)]
pub(crate) struct Effects(pub(crate) Writer);

impl Effects {
    pub(crate) fn new() -> Self {
        Self(Writer("[".into()))
    }

    /// Begins an effect, whose arguments are written next.
    pub(crate) fn begin(&mut self, verb: &str) -> &mut Writer {
        self.0.item().push("[").quoted(&[verb]);
        &mut self.0
    }

    pub(crate) fn end(&mut self) {
        self.0.push("]");
    }

    /// Begins an effect whose first argument is a call, or another number.
    pub(crate) fn with_call(&mut self, verb: &str, call: Call) -> &mut Writer {
        let out = self.begin(verb);
        out.item().push_number(call);
        out
    }

    /// Names the browser by its cookie, for as long as the site says from now on; or takes the name away.
    pub(crate) fn name(&mut self, cookie_id: &str) {
        self.begin("name").quoted(&[cookie_id]);
        self.end();
    }

    /// Sets or removes the cookie that says so.
    pub(crate) fn opt_out(&mut self, opted_out: bool) {
        self.begin("optOut").item().push(if opted_out { "true" } else { "false" });
        self.end();
    }

    /// Removes what is stored under a key.
    pub(crate) fn remove(&mut self, key: &str) {
        self.begin("store").quoted(&[key]);
        self.end();
    }

    /// Tells the edge to end what this browser may see of a known customer.
    pub(crate) fn end_proof(&mut self) {
        self.begin("endProof");
        self.end();
    }

    /// An input `tick` after so many milliseconds, in place of the one asked for before.
    pub(crate) fn wake(&mut self, ms: u64) {
        self.with_call("wake", ms);
        self.end();
    }

    /// Resolves a call without a value.
    pub(crate) fn done(&mut self, call: Call) {
        self.with_call("resolve", call);
        self.end();
    }

    /// Resolves a call with a JSON value.
    pub(crate) fn resolve(&mut self, call: Call, json: &str) {
        self.with_call("resolve", call).item().push(json);
        self.end();
    }

    /// Resolves a `setUser` that the edge did not decide, or that it refused.
    pub(crate) fn refuse(&mut self, call: Call, reason: &str) {
        let out = self.with_call("resolve", call);
        out.item().push(r#"{"status":"refused""#).text("reason", reason);
        out.push("}");
        self.end();
    }

    pub(crate) fn finish(mut self) -> String {
        self.end();
        self.0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_are_one_json_array() {
        assert_eq!(Effects::new().finish(), "[]");
        let mut effects = Effects::new();
        effects.name("a");
        effects.opt_out(true);
        effects.refuse(7, "why");
        effects.wake(9);
        assert_eq!(
            effects.finish(),
            concat!(
                r#"[["name","a"],["optOut",true],["resolve",7,{"status":"refused","reason":"why"}],"#,
                r#"["wake",9]]"#
            )
        );
    }
}

//! What is said to the edge and what it answers. Only a body that parses as an answer is an
//! acknowledgement; a status alone is not.

use crate::engine::Batch;
use crate::json::{Value, Writer};

/// Writes what the body of `POST /_msci/collect` says of a batch; the rest is the browser's.
pub(crate) fn write_body(body: &mut Writer, batch: &Batch, ephemeral: bool) {
    batch.origin.write(body);
    if ephemeral {
        body.raw("ephemeral", "true");
    }
    body.raw("signals", &batch.signals);
    body.push("}");
}

/// The edge's `200`, with a verdict on each signal of a batch.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) cookie_id: String,
    pub(crate) accepted: u64,
    rejected: Value<'a>,
}

impl<'a> Answer<'a> {
    /// From a parsed body, if it gives a verdict on `count` signals of this stream and on no others.
    pub(crate) fn read(body: Value<'a>, stream: &str, count: u64) -> Option<Self> {
        let number = |key| body.get(key).number();
        let answer = Self {
            cookie_id: body.get("cookieId").text()?.into(),
            accepted: number("accepted")?.saturating_add(number("duplicate")?),
            rejected: body.get("rejected"),
        };
        let verdicts = answer.accepted.saturating_add(answer.rejected().count() as u64);
        (verdicts == count && body.get("ack").get("stream").text() == Some(stream)).then_some(answer)
    }

    /// The seq and code of each signal that was not taken.
    pub(crate) fn rejected(&self) -> impl Iterator<Item = (u64, &'a str)> {
        self.rejected.parts().map(|item| {
            let seq = item.get("seq").number();
            (seq.unwrap_or_default(), item.get("code").text().unwrap_or_default())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::engine::Origin;

    #[test]
    fn a_body_has_the_shape_of_the_contract() {
        let batch = Batch {
            id: 1,
            origin: Rc::new(Origin {
                owner: "o".into(),
                cookie_id: "c".into(),
                stream: "s".into(),
                session: "i".into(),
                session_start: 1,
            }),
            signals: r#"[{"seq":1}]"#.into(),
            retry: 0,
        };
        let mut body = Writer::default();
        write_body(&mut body, &batch, false);
        assert_eq!(
            body.0,
            r#"{"cookieId":"c","stream":"s","session":{"id":"i","start":1},"signals":[{"seq":1}]}"#
        );
    }

    const BODY: &str = r#"{"cookieId":"3f43317e-d1ef-4cd3-9917-2d3342111d1a","ack":{"stream":"s","upTo":5},"accepted":3,"duplicate":1,"rejected":[{"seq":3,"code":"name_missing","message":"…"}],"user":{"status":"merged"},"version":17}"#;

    #[test]
    fn an_answer_is_read() {
        let answer = Answer::read(Value(BODY), "s", 5).unwrap();
        assert_eq!(answer.accepted, 4);
        assert_eq!(answer.rejected().collect::<Vec<_>>(), [(3, "name_missing")]);
    }

    #[test]
    fn what_does_not_account_for_the_batch_acknowledges_nothing() {
        assert!(Answer::read(Value(BODY), "s", 4).is_none());
        assert!(Answer::read(Value(BODY), "s", 6).is_none());
        assert!(Answer::read(Value(BODY), "other", 5).is_none());
        for body in [
            "null",
            "\"<html>captive portal</html>\"",
            "{}",
            r#"{"ok":true}"#,
            r#"{"cookieId":7,"ack":{"stream":"s"},"accepted":5,"duplicate":0,"rejected":[]}"#,
        ] {
            assert!(Answer::read(Value(body), "s", 5).is_none(), "{body}");
        }
    }
}

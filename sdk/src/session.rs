//! A visit: it ends after 30 minutes without a signal, and after 24 hours in any case. The campaign that
//! led to its first page stays with it, and with no other.

use std::mem::take;

use crate::effects::Effects;
use crate::facts::Facts;
const IDLE_MS: u64 = 30 * 60 * 1_000;
const LONGEST_MS: u64 = 24 * 60 * 60 * 1_000;
/// Storage is written again only when it is older than this.
const STORED_MS: u64 = 10_000;
/// Its storage key.
pub(crate) const KEY: &str = "_msci_session";

/// A session as it is stored, shared by all tabs: `{ id, start, last, campaign }`.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) start: u64,
    last: u64,
    /// Properties of its views: a JSON object, or nothing. Before there is a session, what this page would
    /// give to it.
    pub(crate) campaign: String,
}

impl Session {
    /// A page of the site was opened: should it begin a session, its campaign is this one.
    pub(crate) fn land(&mut self, facts: &Facts) {
        self.campaign = facts.get("campaign").0.into();
    }

    /// A signal happens now: goes on with what any tab stored last, else with what this one knows,
    /// else begins anew.
    pub(crate) fn touch(&mut self, facts: &mut Facts, out: &mut Effects) {
        let stored = facts.get("session");
        let number = |key| stored.get(key).number().unwrap_or_default();
        let now = facts.time;
        // A clock that went back ends nothing.
        let over = |start, last| now.saturating_sub(last) > IDLE_MS || now.saturating_sub(start) > LONGEST_MS;
        let (start, mut stored_at) = (number("start"), number("last"));
        match stored.get("id").text() {
            Some(id) if !over(start, stored_at) => {
                let campaign = stored.get("campaign").0.into();
                *self = Self { id: id.into(), start, last: stored_at.max(self.last), campaign };
            }
            // What is stored may be older than what began in this very step.
            _ => {
                stored_at = 0;
                if over(self.start, self.last) {
                    let campaign = if self.id.is_empty() { take(&mut self.campaign) } else { String::new() };
                    *self = Self { id: facts.guid(), start: now, last: now, campaign };
                }
            }
        }
        self.last = self.last.max(now);
        if self.last.saturating_sub(stored_at) >= STORED_MS {
            let json = out.begin("store");
            json.quoted(&[KEY]);
            json.item().push("{").text("id", &self.id);
            json.number("start", self.start);
            json.number("last", self.last);
            if !self.campaign.is_empty() {
                json.raw("campaign", &self.campaign);
            }
            json.push("}");
            out.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Value;

    const A: &str = "aaaaaaaa-0000-4000-8000-000000000000";
    const MINUTE: u64 = 60_000;
    const START: u64 = 1_790_000_000_000;

    fn touch(session: &mut Session, time: u64, stored: &str) -> String {
        let input = format!(r#"{{"time":{time},"guids":["new-{time}"],"session":{stored}}}"#);
        let mut out = Effects::new();
        session.touch(&mut Facts::read(&input), &mut out);
        out.finish()
    }

    fn touched(times: &[u64]) -> Session {
        let mut session = Session::default();
        for time in times {
            touch(&mut session, *time, "null");
        }
        session
    }

    #[test]
    fn a_session_ends_after_thirty_idle_minutes() {
        assert_eq!(touched(&[START, START + 29 * MINUTE, START + 58 * MINUTE]).start, START);
        assert_eq!(touched(&[START, START + 31 * MINUTE]).start, START + 31 * MINUTE);
        assert_eq!(touched(&[START, START - 5 * MINUTE]).start, START, "a clock that went back");
    }

    #[test]
    fn a_session_ends_after_a_day_however_busy() {
        let day: Vec<u64> = (0..=24 * 60).map(|minute| START + minute * MINUTE).collect();
        assert_eq!(touched(&day).start, START);
        let longer = [&day[..], &[START + 24 * 60 * MINUTE + 1]].concat();
        assert_eq!(touched(&longer).start, START + 24 * 60 * MINUTE + 1);
    }

    #[test]
    fn another_tab_goes_on_with_the_session() {
        let mut here = Session::default();
        let stored = touch(&mut here, START, "null");
        assert_eq!(
            stored,
            format!(r#"[["store","_msci_session",{{"id":"new-{START}","start":{START},"last":{START}}}]]"#)
        );
        let stored = format!(r#"{{"id":"{A}","start":{START},"last":{}}}"#, START + 40 * MINUTE);
        touch(&mut here, START + 41 * MINUTE, &stored);
        assert_eq!((here.id.as_str(), here.start), (A, START));
    }

    #[test]
    fn a_session_that_began_in_this_step_is_not_taken_back_by_what_was_stored_before() {
        let mut here = Session::default();
        let stored = format!(r#"{{"id":"{A}","start":{START},"last":{START}}}"#);
        for _ in 0..2 {
            touch(&mut here, START + 31 * MINUTE, &stored);
            assert_eq!(here.start, START + 31 * MINUTE);
        }
    }

    #[test]
    fn the_campaign_of_the_page_that_began_it_stays_with_a_session_and_no_other() {
        let campaign = r#"{"utm_source":"mail"}"#;
        let mut here = Session::default();
        here.land(&Facts::read(&format!(r#"{{"campaign":{campaign}}}"#)));
        let stored = touch(&mut here, START, "null").replace(&format!("new-{START}"), A);
        assert!(stored.contains(&format!(r#""campaign":{campaign}"#)) && here.campaign == campaign);
        // The same visit goes on where another campaign leads.
        let record = Value(&stored).parts().next().and_then(|store| store.parts().nth(2)).unwrap();
        let mut next = Session::default();
        next.land(&Facts::read(r#"{"campaign":{"utm_source":"other"}}"#));
        touch(&mut next, START + MINUTE, record.0);
        assert_eq!(next.campaign, campaign);
        // Another visit on the same page has none.
        for mut page in [here, next] {
            touch(&mut page, START + 40 * MINUTE, record.0);
            assert_eq!((page.start, page.campaign.as_str()), (START + 40 * MINUTE, ""));
        }
    }

    #[test]
    fn storage_is_not_written_on_every_signal() {
        let mut session = Session::default();
        let stored = format!(r#"{{"id":"{A}","start":{START},"last":{START}}}"#);
        assert_eq!(touch(&mut session, START + 9_999, &stored), "[]");
        assert_ne!(touch(&mut session, START + 10_000, &stored), "[]");
    }

    #[test]
    fn junk_is_no_session() {
        for junk in ["7", "{}", r#"{"id":7,"start":1790000000000,"last":1790000000000}"#, "\"text\""] {
            let mut session = Session::default();
            touch(&mut session, START, junk);
            assert_eq!(session.start, START, "{junk}");
        }
    }
}

//! The whole SDK without a browser: inputs in, effects out.

use super::*;
use crate::json::Value;

mod rows;

const A: &str = "aaaaaaaa-0000-4000-8000-000000000000";
const B: &str = "bbbbbbbb-0000-4000-8000-000000000000";
const IMPLIED: &str = r#","holds":true"#;
const REQUIRED: &str = r#","holds":true,"required":true"#;
const ALL: &str = r#"{"storage":"granted","analytics":"granted"}"#;

/// A browser that keeps cookies and storage, and a clock that stands still between inputs.
struct Browser {
    client: Client,
    /// What the page says when it starts.
    rules: &'static str,
    now: u64,
    guids: u64,
    cookies: Vec<(String, String)>,
    storage: Vec<(String, String)>,
    /// The durable queue: owner, number, row.
    rows: Vec<(String, u64, String)>,
    path: &'static str,
    gpc: bool,
    campaign: &'static str,
    effects: Vec<String>,
}

impl Browser {
    fn new(rules: &'static str) -> Self {
        Self {
            client: Client::default(),
            rules,
            now: 1_000,
            guids: 0,
            cookies: Vec::new(),
            storage: Vec::new(),
            rows: Vec::new(),
            path: "/",
            gpc: false,
            campaign: "{}",
            effects: Vec::new(),
        }
    }

    fn started(rules: &'static str) -> Self {
        let mut browser = Self::new(rules);
        browser.initialize();
        browser
    }

    /// A page of the site, and its view.
    fn initialize(&mut self) {
        self.start();
        self.view();
    }

    fn start(&mut self) {
        self.client = Client::default();
        let campaign = self.campaign;
        self.input("start", &format!(r#"{},"barred":{},"campaign":{campaign}"#, self.rules, self.gpc));
    }

    /// Another page of the site, in the same browser.
    fn next_page(&mut self) {
        self.initialize();
    }

    fn call(&mut self, method: &str) {
        self.input(method, r#","call":7"#);
    }

    fn signal(&mut self, signal: &str, properties: &str) {
        self.input("signal", &format!(r#","signal":{signal},"properties":{properties}"#));
    }

    fn view(&mut self) {
        let view =
            format!(r#"{{"type":"view","uri":"{}","time":{}}}"#, self.path, 1_790_000_000_000 + self.now);
        self.signal(&view, "{}");
    }

    fn event(&mut self, name: &str) {
        let time = 1_790_000_000_000 + self.now;
        self.signal(&format!(r#"{{"type":"event","name":"{name}","time":{time}}}"#), "{}");
    }

    fn user(&mut self, id: &str) {
        let user = format!(r#"{{"type":"user","authId":"{id}","time":1790000001000}}"#);
        self.input("signal", &format!(r#","signal":{user},"properties":null,"call":7"#));
    }

    fn consent(&mut self, purposes: &str) {
        self.input("setConsent", &format!(r#","purposes":{purposes}"#));
    }

    fn input(&mut self, what: &str, more: &str) {
        let guids: Vec<String> = (0..4).map(|_| self.guid()).collect();
        let cookie_id = self.cookie_id().map_or("null".to_owned(), |id| format!("\"{id}\""));
        let opted_out = self.cookies.iter().any(|(name, _)| name == "_msci_optout");
        let stored = |key: &str| {
            let found = self.storage.iter().find(|(known, _)| known == key);
            found.map_or("null".to_owned(), |(_, value)| value.clone())
        };
        let (session, consent) = (stored("_msci_session"), stored("_msci_consent"));
        let input = format!(
            r#"{{"in":"{what}","now":{now},"time":{time},"jitter":512,"guids":["{guids}"],"cookieId":{cookie_id},"optedOut":{opted_out},"session":{session},"consent":{consent}{more}}}"#,
            now = self.now,
            time = 1_790_000_000_000 + self.now,
            guids = guids.join(r#"",""#),
        );
        self.effects.clear();
        let effects = self.client.step(&input);
        for effect in Value(&effects).parts() {
            self.carry_out(effect);
            self.effects.push(effect.0.to_owned());
        }
    }

    fn guid(&mut self) -> String {
        self.guids += 1;
        format!("00000000-0000-4000-8000-{:012}", self.guids)
    }

    fn carry_out(&mut self, effect: Value) {
        let args: Vec<Value> = effect.parts().collect();
        match args[0].text().unwrap() {
            "name" => self.set_cookie("_msci", args[1].text().unwrap()),
            "optOut" => self.set_cookie("_msci_optout", if args[1].flag() == Some(true) { "1" } else { "" }),
            "store" => {
                let key = args[1].text().unwrap();
                self.storage.retain(|(known, _)| known != key);
                self.storage.extend(args.get(2).map(|value| (key.to_owned(), value.0.to_owned())));
            }
            "keep" => {
                let (owner, n) = (args[1].text().unwrap(), args[2].number().unwrap());
                self.rows.push((owner.to_owned(), n, args[3].0.to_owned()));
            }
            "drop" => {
                let gone: Vec<_> = args[2].parts().map(|n| n.number().unwrap()).collect();
                self.rows.retain(|(owner, n, _)| owner != args[1].text().unwrap() || !gone.contains(n));
            }
            "purge" => self.rows.clear(),
            _ => {}
        }
    }

    fn set_cookie(&mut self, name: &str, value: &str) {
        self.cookies.retain(|(known, _)| known != name);
        if !value.is_empty() {
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
    }

    fn after(&mut self, ms: u64) {
        self.now += ms;
        self.input("tick", "");
    }

    /// The body of the request that the last input led to.
    fn sent(&self) -> Option<Value<'_>> {
        let sent = self.effects.iter().find(|effect| effect.starts_with(r#"["send""#));
        sent.and_then(|effect| Value(effect).parts().nth(1))
    }

    fn types(&self) -> Vec<String> {
        let signals = self.sent().expect("a request").get("signals");
        signals.parts().map(|s| s.get("type").text().unwrap().to_owned()).collect()
    }

    fn cookie_id(&self) -> Option<&str> {
        self.cookies.iter().find(|(name, _)| name == "_msci").map(|(_, id)| id.as_str())
    }

    /// Answers the last request: everything accepted.
    fn answer(&mut self, cookie_id: Option<&str>, user: &str) {
        let sent = self.effects.iter().find(|effect| effect.starts_with(r#"["send""#)).expect("a request");
        let parts: Vec<Value> = Value(sent).parts().collect();
        let (body, batch) = (parts[1], parts[2].0);
        let cookie_id = cookie_id.unwrap_or(body.get("cookieId").text().unwrap());
        let stream = body.get("stream").0;
        let count = body.get("signals").parts().count();
        let more = format!(
            r#","batch":{batch},"status":200,"answer":{{"cookieId":"{cookie_id}","ack":{{"stream":{stream}}},"accepted":{count},"duplicate":0,"rejected":[],"user":{user}}}"#
        );
        self.input("reply", &more);
    }

    fn settled(&self) -> &str {
        let settled = |effect: &&String| effect.starts_with("[\"re");
        self.effects.iter().find(settled).map_or("", String::as_str)
    }

    fn leaves_no_trace(&self) -> bool {
        self.cookies.is_empty() && self.storage.is_empty() && self.rows.is_empty() && self.sent().is_none()
    }
}

#[test]
fn the_first_page_makes_a_cookie_and_sends_a_view_within_a_second() {
    let mut browser = Browser::started(IMPLIED);
    assert!(browser.sent().is_none());
    assert_eq!(browser.effects.last().unwrap(), r#"["wake",1000]"#);
    browser.after(1_000);
    assert_eq!(browser.types(), ["view"]);
    let body = browser.sent().unwrap();
    assert_eq!(body.get("cookieId").text(), browser.cookie_id());
    assert_eq!(body.get("session").get("start").number(), Some(1_790_000_001_000));
    let view = body.get("signals").parts().next().unwrap();
    assert_eq!((view.get("seq").0, view.get("uri").0), ("1", r#""/""#));
}

#[test]
fn a_cookie_that_is_there_is_kept_and_renewed() {
    let mut browser = Browser::new(IMPLIED);
    browser.cookies.push(("_msci".into(), A.into()));
    browser.initialize();
    assert_eq!(browser.cookie_id(), Some(A));
}

#[test]
fn set_user_is_settled_by_the_answer() {
    let mut browser = Browser::started(IMPLIED);
    browser.user("Loyalty1");
    assert_eq!(browser.types(), ["view", "user"]);
    assert_eq!(browser.settled(), "");
    browser.answer(None, r#"{"status":"merged","pending":true}"#);
    assert_eq!(browser.settled(), r#"["resolve",7,{"status":"merged","pending":true}]"#);
}

#[test]
fn after_a_rotation_everything_is_under_the_new_cookie() {
    let mut browser = Browser::started(IMPLIED);
    browser.user("K2");
    let stream = browser.sent().unwrap().get("stream").0.to_owned();
    browser.answer(Some(B), r#"{"status":"rotated"}"#);
    assert_eq!(browser.cookie_id(), Some(B));
    browser.event("x");
    browser.after(1_000);
    let body = browser.sent().unwrap();
    assert_eq!(body.get("cookieId").text(), Some(B));
    assert_ne!(body.get("stream").0, stream);
    assert_eq!(body.get("signals").parts().next().unwrap().get("seq").0, "1");
}

#[test]
fn reset_begins_anew_even_if_an_old_answer_comes_late() {
    let mut browser = Browser::started(IMPLIED);
    browser.user("K");
    let under_way = browser.effects.clone();
    let before = browser.cookie_id().unwrap().to_owned();
    browser.call("reset");
    let after = browser.cookie_id().unwrap().to_owned();
    assert_ne!(before, after);
    assert!(browser.effects.iter().any(|e| e == r#"["endProof"]"#));
    // The edge's answer sets the cookie of its request again.
    browser.cookies = vec![("_msci".into(), before.clone())];
    browser.effects = under_way;
    browser.answer(Some(&before), r#"{"status":"merged"}"#);
    assert_eq!(browser.cookie_id(), Some(after.as_str()));
    browser.event("x");
    browser.after(1_000);
    let body = browser.sent().unwrap();
    assert_eq!(body.get("cookieId").text(), Some(after.as_str()));
}

#[test]
fn without_required_consent_there_is_no_trace() {
    let mut browser = Browser::started(REQUIRED);
    browser.path = "/two";
    browser.view();
    browser.user("K");
    browser.call("reset");
    browser.input("hidden", "");
    browser.after(60_000);
    assert!(browser.leaves_no_trace() && browser.effects == Vec::<String>::new());
}

#[test]
fn after_the_grant_what_happened_since_is_sent_in_order() {
    let mut browser = Browser::started(REQUIRED);
    browser.event("x");
    browser.user("K");
    browser.consent(ALL);
    assert_eq!(browser.types(), ["consent", "view", "event", "user"]);
    assert!(browser.cookie_id().is_some());
    browser.next_page();
    browser.after(1_000);
    assert_eq!(browser.types(), ["view"], "the next page knows");
}

#[test]
fn c4_each_new_cookie_id_begins_with_what_the_visitor_said_and_when() {
    let mut browser = Browser::started(REQUIRED);
    browser.consent(ALL);
    let said = browser.sent().unwrap().get("signals").parts().next().unwrap().0.to_owned();
    browser.answer(None, "null");
    browser.now += 5_000;
    let told = |browser: &Browser| {
        let signals = browser.sent().expect("a request").get("signals").parts();
        signals
            .filter(|signal| signal.get("type").text() == Some("consent"))
            .map(|s| s.0.to_owned())
            .collect::<Vec<_>>()
    };
    // A logout.
    browser.call("reset");
    assert_eq!(told(&browser), std::slice::from_ref(&said));
    browser.answer(None, "null");
    // Another user.
    browser.user("K2");
    browser.answer(Some(B), r#"{"status":"rotated"}"#);
    assert_eq!(told(&browser), std::slice::from_ref(&said));
    assert_eq!(browser.sent().unwrap().get("cookieId").text(), Some(B));
    browser.answer(None, "null");
    // A page whose cookie is there, and one whose cookie was lost.
    browser.next_page();
    browser.after(1_000);
    assert_eq!(browser.types(), ["view"]);
    browser.answer(None, "null");
    browser.cookies.clear();
    browser.start();
    assert_eq!(told(&browser), [said]);
}

#[test]
fn f35_without_storage_a_grant_is_not_taken_for_withdrawn_by_the_next_step() {
    let mut browser = Browser::started(REQUIRED);
    browser.consent(ALL);
    (browser.storage, browser.cookies) = (vec![], vec![]);
    for _ in 0..2 {
        browser.event("x");
    }
    browser.call("status");
    assert!(browser.effects.join("").contains(r#""queued":4"#), "{:?}", browser.effects);
}

#[test]
fn c4_a_grant_after_a_refusal_tells_the_edge_all_that_holds() {
    let mut browser = Browser::started(REQUIRED);
    browser.consent(ALL);
    browser.answer(None, "null");
    browser.consent(r#"{"storage":"denied"}"#);
    browser.answer(None, "null");
    browser.consent(r#"{"storage":"granted"}"#);
    assert_eq!(browser.types(), ["consent"]);
    let told = browser.sent().unwrap().get("signals").parts().next().unwrap().get("purposes").0;
    assert_eq!(told, ALL, "the cookieId is a new one");
}

#[test]
fn after_a_refusal_what_happened_is_discarded() {
    let mut browser = Browser::started(REQUIRED);
    browser.user("K");
    browser.consent(r#"{"storage":"denied"}"#);
    assert!(browser.settled().contains("consent_missing"));
    browser.after(60_000);
    assert!(browser.leaves_no_trace());
}

#[test]
fn without_send_after_grant_only_what_comes_then_is_sent() {
    let settings = r#"{"consent":{"mode":"required"},"capture":{"sendAfterGrant":false}}"#;
    let mut browser = Browser::started(settings);
    browser.consent(ALL);
    assert_eq!(browser.types(), ["consent"]);
}

#[test]
fn withdrawn_consent_purges_the_queue_and_tells_the_edge() {
    let mut browser = Browser::started(IMPLIED);
    let before = browser.cookie_id().unwrap().to_owned();
    browser.consent(r#"{"storage":"denied"}"#);
    assert_eq!(browser.types(), ["consent"]);
    let stored: Vec<&str> = browser.storage.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!((browser.cookie_id(), stored), (None, vec!["_msci_consent"]));
    // The answer sets the cookie once more.
    browser.cookies.push(("_msci".into(), before.clone()));
    browser.answer(None, "null");
    assert_eq!(browser.cookie_id(), None);
    browser.event("x");
    browser.after(60_000);
    assert!(browser.sent().is_none());
    browser.next_page();
    browser.after(60_000);
    assert!(browser.sent().is_none(), "the next page knows");
    browser.consent(r#"{"storage":"granted"}"#);
    assert_ne!(browser.cookie_id(), Some(before.as_str()), "who comes back is somebody new");
}

#[test]
fn denied_analytics_stop_the_views_and_not_the_user() {
    let mut browser = Browser::started(IMPLIED);
    browser.consent(r#"{"analytics":"denied"}"#);
    assert_eq!(browser.types(), ["consent"], "the view is purged");
    assert_eq!(browser.sent().unwrap().get("signals").parts().next().unwrap().get("seq").0, "1");
    browser.answer(None, "null");
    browser.event("x");
    browser.user("K");
    assert_eq!(browser.types(), ["user"]);
}

#[test]
fn global_privacy_control_leaves_no_trace_whatever_is_granted() {
    let mut browser = Browser::new(IMPLIED);
    browser.gpc = true;
    browser.initialize();
    browser.consent(ALL);
    browser.after(60_000);
    assert!(browser.leaves_no_trace());
}

#[test]
fn c5_what_an_earlier_visit_left_goes_with_global_privacy_control_unless_it_is_a_refusal() {
    for (said, kept) in [(r#"{"analytics":"granted"}"#, 0), (r#"{"analytics":"denied"}"#, 1)] {
        let mut browser = Browser::started(IMPLIED);
        browser.consent(said);
        assert!(!browser.cookies.is_empty() && browser.storage.len() == 2);
        browser.gpc = true;
        browser.start();
        let ends = |browser: &Browser| browser.effects.iter().any(|effect| effect.contains("endProof"));
        assert!(
            ends(&browser) && browser.cookies.is_empty() && browser.rows.is_empty(),
            "{:?}",
            browser.effects
        );
        assert_eq!(browser.storage.len(), kept, "{said}");
        browser.start();
        assert!(!ends(&browser), "once");
    }
}

#[test]
fn an_opt_out_leaves_one_cookie_and_lasts() {
    let mut browser = Browser::started(IMPLIED);
    browser.user("K");
    browser.call("optOut");
    assert!(browser.effects.iter().any(|e| e.contains("opted_out")), "nothing waits for ever");
    assert_eq!((browser.cookies.len(), browser.storage.len()), (1, 0));
    browser.next_page();
    browser.user("K");
    assert!(browser.settled().contains("opted_out"));
    browser.after(60_000);
    assert!(browser.sent().is_none());
    browser.call("optIn");
    browser.event("x");
    browser.after(1_000);
    assert_eq!(browser.types(), ["event"]);
    assert_eq!(browser.cookies.len(), 1);
}

#[test]
fn who_opts_in_again_has_not_said_anything_yet() {
    let mut browser = Browser::started(IMPLIED);
    browser.consent(ALL);
    browser.call("optOut");
    browser.after(1);
    browser.call("optIn");
    browser.event("x");
    browser.after(1_000);
    assert_eq!(browser.types(), ["event"]);
}

/// The properties of each view in the last request.
fn of_views(browser: &Browser) -> Vec<&str> {
    let signals = browser.sent().expect("a request").get("signals").parts();
    signals.filter(|s| s.get("type").text() == Some("view")).map(|s| s.get("properties").0).collect()
}

#[test]
fn a_campaign_goes_with_each_view_of_its_session_and_ends_with_it() {
    let mut browser = Browser::new(IMPLIED);
    browser.campaign = r#"{"utm_source":"mail","utm_term":"tea"}"#;
    browser.initialize();
    browser.signal(r#"{"type":"view","uri":"/by-hand"}"#, r#"{"utm_term":"own"}"#);
    browser.event("x");
    browser.campaign = "{}";
    browser.path = "/two";
    browser.view();
    browser.after(1_000);
    let mail = r#"{"utm_source":"mail","utm_term":"tea"}"#;
    assert_eq!(of_views(&browser), [mail, r#"{"utm_source":"mail","utm_term":"own"}"#, mail]);
    assert_eq!(browser.types(), ["view", "view", "event", "view"]);
    assert_eq!(browser.sent().unwrap().get("signals").0.matches("utm_source").count(), 3, "views only");
    let session = browser.sent().unwrap().get("session").0.to_owned();
    // The next page, and another campaign within the same session.
    browser.campaign = r#"{"utm_source":"other"}"#;
    browser.now += 29 * 60_000;
    browser.next_page();
    browser.after(1_000);
    assert_eq!(
        (of_views(&browser), browser.sent().unwrap().get("session").0),
        (vec![mail], session.as_str())
    );
    // Too late for that session.
    browser.now += 31 * 60_000;
    browser.next_page();
    browser.after(1_000);
    assert_eq!(of_views(&browser), [r#"{"utm_source":"other"}"#]);
    assert_ne!(browser.sent().unwrap().get("session").0, session);
}

#[test]
fn reset_ends_the_session_and_its_campaign() {
    let mut browser = Browser::new(IMPLIED);
    browser.campaign = r#"{"utm_source":"mail"}"#;
    browser.initialize();
    browser.after(1_000);
    let session = browser.sent().unwrap().get("session").get("id").0.to_owned();
    browser.answer(None, "null");
    browser.call("reset");
    browser.view();
    browser.after(1_000);
    assert_eq!(of_views(&browser), ["null"]);
    assert_ne!(browser.sent().unwrap().get("session").get("id").0, session);
}

#[test]
fn a_campaign_waits_for_consent_with_the_view_it_led_to() {
    let mut browser = Browser::new(REQUIRED);
    browser.campaign = r#"{"utm_source":"mail"}"#;
    browser.initialize();
    browser.campaign = "{}";
    browser.path = "/two";
    browser.view();
    assert!(browser.leaves_no_trace());
    browser.consent(ALL);
    assert_eq!(of_views(&browser), [r#"{"utm_source":"mail"}"#; 2]);
    browser.answer(None, "null");
    browser.view();
    browser.after(1_000);
    assert_eq!(of_views(&browser), [r#"{"utm_source":"mail"}"#]);
}

#[test]
fn flush_resolves_when_everything_is_acknowledged() {
    let mut browser = Browser::started(IMPLIED);
    browser.call("flush");
    assert_eq!((browser.types(), browser.settled()), (vec!["view".to_owned()], ""));
    browser.answer(None, "null");
    assert_eq!(browser.settled(), r#"["resolve",7]"#);
    browser.call("flush");
    assert_eq!(browser.settled(), r#"["resolve",7]"#, "nothing to wait for");
}

#[test]
fn decisions_need_consent_to_personalization() {
    let mut browser = Browser::started(IMPLIED);
    browser.call("decisions");
    assert_eq!(browser.effects[0], r#"["decide",7,true]"#);
    browser.consent(r#"{"personalization":"denied"}"#);
    browser.call("decisions");
    assert_eq!(browser.effects[0], r#"["decide",7,false]"#);
}

#[test]
fn teardown_delivers_what_it_can_and_then_nothing() {
    let mut browser = Browser::started(IMPLIED);
    browser.call("teardown");
    assert_eq!(browser.types(), ["view"]);
    browser.after(60_000);
    assert!(browser.effects.is_empty());
}

#[test]
fn no_input_does_harm() {
    let mut browser = Browser::started(IMPLIED);
    for input in ["", "{", "null", "[]", r#"{"in":"call"}"#, r#"{"in":"reply"}"#, r#"{"in":"later"}"#] {
        let effects = browser.client.step(input);
        assert!(effects.starts_with('[') && effects.ends_with(']'), "{input}");
    }
}

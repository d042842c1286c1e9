//! The whole SDK without a browser: inputs in, effects out.

use super::*;

mod rows;

const A: &str = "aaaaaaaa-0000-4000-8000-000000000000";
const B: &str = "bbbbbbbb-0000-4000-8000-000000000000";
const REQUIRED: &str = r#"{"consent":{"mode":"required"}}"#;
const ALL: &str = r#"{"storage":"granted","analytics":"granted"}"#;

/// A browser that keeps cookies and storage, and a clock that stands still between inputs.
struct Browser {
    client: Client,
    now: u64,
    guids: u64,
    cookies: Vec<(String, String)>,
    storage: Vec<(String, String)>,
    /// The durable queue: owner, number, row.
    rows: Vec<(String, u64, String)>,
    path: &'static str,
    gpc: bool,
    hidden: bool,
    campaign: &'static str,
    effects: Vec<String>,
}

impl Browser {
    fn new(settings: &str) -> Self {
        Self {
            client: Client::new(settings),
            now: 1_000,
            guids: 0,
            cookies: Vec::new(),
            storage: Vec::new(),
            rows: Vec::new(),
            path: "/",
            gpc: false,
            hidden: false,
            campaign: "{}",
            effects: Vec::new(),
        }
    }

    fn started(settings: &str) -> Self {
        let mut browser = Self::new(settings);
        browser.initialize();
        browser
    }

    fn initialize(&mut self) {
        self.call("initialize", r#"[{"ingestionKey":"k"}]"#);
    }

    /// Another page of the site, in the same browser.
    fn next_page(&mut self, settings: &str) {
        self.client = Client::new(settings);
        self.initialize();
    }

    fn call(&mut self, method: &str, args: &str) {
        self.input("call", &format!(r#","method":"{method}","args":{args},"call":7"#));
    }

    fn input(&mut self, what: &str, more: &str) {
        let guids: Vec<String> = (0..4).map(|_| self.guid()).collect();
        let cookie: Vec<String> = self.cookies.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let stored = |key: &str| {
            let found = self.storage.iter().find(|(known, _)| known == key);
            found.map_or("null".to_owned(), |(_, value)| value.clone())
        };
        let (session, consent) = (stored("_msci_session"), stored("_msci_consent"));
        let input = format!(
            r#"{{"in":"{what}","now":{now},"time":{time},"jitter":512,"guids":["{guids}"],"uri":"https://a.example{path}","origin":"https://a.example","path":"{path}","search":"","title":"T","cookie":"{cookie}","session":{session},"consent":{consent},"gpc":{gpc},"hidden":{hidden},"campaign":{campaign},"device":{{}}{more}}}"#,
            now = self.now,
            time = 1_790_000_000_000 + self.now,
            guids = guids.join(r#"",""#),
            path = self.path,
            cookie = cookie.join("; "),
            gpc = self.gpc,
            hidden = self.hidden,
            campaign = self.campaign,
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
            "cookie" => {
                let line = args[1].text().unwrap();
                let (name, rest) = line.split_once('=').unwrap();
                let (value, attributes) = rest.split_once(';').unwrap();
                self.cookies.retain(|(known, _)| known != name);
                if !attributes.contains("Max-Age=0") {
                    self.cookies.push((name.to_owned(), value.to_owned()));
                }
            }
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

    fn after(&mut self, ms: u64) {
        self.now += ms;
        self.input("tick", "");
    }

    /// The body of the request that the last input led to.
    fn sent(&self) -> Option<Value<'_>> {
        let sent = self.effects.iter().find(|effect| effect.starts_with(r#"["send""#));
        sent.and_then(|effect| Value(effect).parts().nth(2))
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
        let (body, batch) = (parts[2], parts[3].0);
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
    let mut browser = Browser::started("{}");
    assert!(browser.sent().is_none());
    assert_eq!(browser.effects.last().unwrap(), r#"["wake",1000]"#);
    browser.after(1_000);
    assert_eq!(browser.types(), ["view"]);
    let body = browser.sent().unwrap();
    assert_eq!(body.get("cookieId").text(), browser.cookie_id());
    assert_eq!(body.get("session").get("start").number(), Some(1_790_000_001_000));
    let view = body.get("signals").parts().next().unwrap();
    assert_eq!((view.get("seq").0, view.get("uri").0), ("1", r#""https://a.example/""#));
}

#[test]
fn a_cookie_that_is_there_is_kept_and_renewed() {
    let mut browser = Browser::new("{}");
    browser.cookies.push(("_msci".into(), A.to_uppercase()));
    browser.initialize();
    assert_eq!(browser.cookie_id(), Some(A));
}

#[test]
fn set_user_is_settled_by_the_answer() {
    let mut browser = Browser::started("{}");
    browser.call("setUser", r#"[{"authId":"Loyalty1","email":"a@b.example"}]"#);
    assert_eq!(browser.types(), ["view", "user"]);
    assert_eq!(browser.settled(), "");
    browser.answer(None, r#"{"status":"merged","pending":true}"#);
    assert_eq!(browser.settled(), r#"["resolve",7,{"status":"merged","pending":true}]"#);
}

#[test]
fn after_a_rotation_everything_is_under_the_new_cookie() {
    let mut browser = Browser::started("{}");
    browser.call("setUser", r#"[{"authId":"K2"}]"#);
    let stream = browser.sent().unwrap().get("stream").0.to_owned();
    browser.answer(Some(B), r#"{"status":"rotated"}"#);
    assert_eq!(browser.cookie_id(), Some(B));
    browser.call("trackEvent", r#"[{"name":"x"}]"#);
    browser.after(1_000);
    let body = browser.sent().unwrap();
    assert_eq!(body.get("cookieId").text(), Some(B));
    assert_ne!(body.get("stream").0, stream);
    assert_eq!(body.get("signals").parts().next().unwrap().get("seq").0, "1");
}

#[test]
fn reset_begins_anew_even_if_an_old_answer_comes_late() {
    let mut browser = Browser::started("{}");
    browser.call("setProperty", r#"["plan","gold"]"#);
    browser.call("setUser", r#"[{"authId":"K"}]"#);
    let under_way = browser.effects.clone();
    let before = browser.cookie_id().unwrap().to_owned();
    browser.call("reset", "[]");
    let after = browser.cookie_id().unwrap().to_owned();
    assert_ne!(before, after);
    assert!(browser.effects.iter().any(|e| e == r#"["tell","https://a.example/_msci/reset"]"#));
    // The edge's answer sets the cookie of its request again.
    browser.cookies = vec![("_msci".into(), before.clone())];
    browser.effects = under_way;
    browser.answer(Some(&before), r#"{"status":"merged"}"#);
    assert_eq!(browser.cookie_id(), Some(after.as_str()));
    browser.call("trackEvent", r#"[{"name":"x"}]"#);
    browser.after(1_000);
    let body = browser.sent().unwrap();
    assert_eq!(body.get("cookieId").text(), Some(after.as_str()));
    assert!(body.get("signals").parts().next().unwrap().get("properties").is_null());
}

#[test]
fn without_required_consent_there_is_no_trace() {
    let mut browser = Browser::started(REQUIRED);
    browser.path = "/two";
    browser.input("moved", "");
    browser.call("setUser", r#"[{"authId":"K"}]"#);
    browser.call("reset", "[]");
    browser.input("hidden", "");
    browser.after(60_000);
    assert!(browser.leaves_no_trace() && browser.effects == Vec::<String>::new());
}

#[test]
fn after_the_grant_what_happened_since_is_sent_in_order() {
    let mut browser = Browser::started(REQUIRED);
    browser.call("trackEvent", r#"[{"name":"x"}]"#);
    browser.call("setUser", r#"[{"authId":"K"}]"#);
    browser.call("setConsent", &format!("[{ALL}]"));
    assert_eq!(browser.types(), ["consent", "view", "event", "user"]);
    assert!(browser.cookie_id().is_some());
    browser.next_page(REQUIRED);
    browser.after(1_000);
    assert_eq!(browser.types(), ["view"], "the next page knows");
}

#[test]
fn c4_each_new_cookie_id_begins_with_what_the_visitor_said_and_when() {
    let mut browser = Browser::started(REQUIRED);
    browser.call("setConsent", &format!("[{ALL}]"));
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
    browser.call("reset", "[]");
    assert_eq!(told(&browser), std::slice::from_ref(&said));
    browser.answer(None, "null");
    // Another user.
    browser.call("setUser", r#"[{"authId":"K2"}]"#);
    browser.answer(Some(B), r#"{"status":"rotated"}"#);
    assert_eq!(told(&browser), std::slice::from_ref(&said));
    assert_eq!(browser.sent().unwrap().get("cookieId").text(), Some(B));
    browser.answer(None, "null");
    // A page whose cookie is there, and one whose cookie was lost.
    browser.next_page(REQUIRED);
    browser.after(1_000);
    assert_eq!(browser.types(), ["view"]);
    browser.answer(None, "null");
    browser.cookies.clear();
    browser.next_page(REQUIRED);
    assert_eq!(told(&browser), [said]);
}

#[test]
fn f35_without_storage_a_grant_is_not_taken_for_withdrawn_by_the_next_step() {
    let mut browser = Browser::started(REQUIRED);
    browser.call("setConsent", &format!("[{ALL}]"));
    (browser.storage, browser.cookies) = (vec![], vec![]);
    for _ in 0..2 {
        browser.call("trackEvent", r#"[{"name":"x"}]"#);
    }
    browser.call("status", "[]");
    assert!(browser.settled().contains(r#""queued":4"#), "{}", browser.settled());
}

#[test]
fn c4_a_grant_after_a_refusal_tells_the_edge_all_that_holds() {
    let mut browser = Browser::started(REQUIRED);
    browser.call("setConsent", &format!("[{ALL}]"));
    browser.answer(None, "null");
    browser.call("setConsent", r#"[{"storage":"denied"}]"#);
    browser.answer(None, "null");
    browser.call("setConsent", r#"[{"storage":"granted"}]"#);
    assert_eq!(browser.types(), ["consent"]);
    let told = browser.sent().unwrap().get("signals").parts().next().unwrap().get("purposes").0;
    assert_eq!(told, ALL, "the cookieId is a new one");
}

#[test]
fn after_a_refusal_what_happened_is_discarded() {
    let mut browser = Browser::started(REQUIRED);
    browser.call("setUser", r#"[{"authId":"K"}]"#);
    browser.call("setConsent", r#"[{"storage":"denied"}]"#);
    assert!(browser.settled().contains("consent_missing"));
    browser.after(60_000);
    assert!(browser.leaves_no_trace());
}

#[test]
fn without_send_after_grant_only_what_comes_then_is_sent() {
    let settings = r#"{"consent":{"mode":"required"},"capture":{"sendAfterGrant":false}}"#;
    let mut browser = Browser::started(settings);
    browser.call("setConsent", &format!("[{ALL}]"));
    assert_eq!(browser.types(), ["consent"]);
}

#[test]
fn withdrawn_consent_purges_the_queue_and_tells_the_edge() {
    let mut browser = Browser::started("{}");
    let before = browser.cookie_id().unwrap().to_owned();
    browser.call("setConsent", r#"[{"storage":"denied"}]"#);
    assert_eq!(browser.types(), ["consent"]);
    let stored: Vec<&str> = browser.storage.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!((browser.cookie_id(), stored), (None, vec!["_msci_consent"]));
    // The answer sets the cookie once more.
    browser.cookies.push(("_msci".into(), before.clone()));
    browser.answer(None, "null");
    assert_eq!(browser.cookie_id(), None);
    browser.call("trackEvent", r#"[{"name":"x"}]"#);
    browser.after(60_000);
    assert!(browser.sent().is_none());
    browser.next_page("{}");
    browser.after(60_000);
    assert!(browser.sent().is_none(), "the next page knows");
    browser.call("setConsent", r#"[{"storage":"granted"}]"#);
    assert_ne!(browser.cookie_id(), Some(before.as_str()), "who comes back is somebody new");
}

#[test]
fn denied_analytics_stop_the_views_and_not_the_user() {
    let mut browser = Browser::started("{}");
    browser.call("setConsent", r#"[{"analytics":"denied"}]"#);
    assert_eq!(browser.types(), ["consent"], "the view is purged");
    assert_eq!(browser.sent().unwrap().get("signals").parts().next().unwrap().get("seq").0, "1");
    browser.answer(None, "null");
    browser.call("trackEvent", r#"[{"name":"x"}]"#);
    browser.call("setUser", r#"[{"authId":"K"}]"#);
    assert_eq!(browser.types(), ["user"]);
}

#[test]
fn global_privacy_control_leaves_no_trace_whatever_is_granted() {
    let mut browser = Browser::new("{}");
    browser.gpc = true;
    browser.initialize();
    browser.call("setConsent", &format!("[{ALL}]"));
    browser.after(60_000);
    assert!(browser.leaves_no_trace());
    let mut browser = Browser::started(r#"{"gpc":true}"#);
    browser.after(60_000);
    assert!(browser.leaves_no_trace(), "the edge saw the header");
    let mut browser = Browser::new(r#"{"consent":{"honourGpc":false}}"#);
    browser.gpc = true;
    browser.initialize();
    assert!(browser.cookie_id().is_some());
}

#[test]
fn c5_what_an_earlier_visit_left_goes_with_global_privacy_control_unless_it_is_a_refusal() {
    for (said, kept) in [(r#"{"analytics":"granted"}"#, 0), (r#"{"analytics":"denied"}"#, 1)] {
        let mut browser = Browser::started("{}");
        browser.call("setConsent", &format!("[{said}]"));
        assert!(!browser.cookies.is_empty() && browser.storage.len() == 2);
        browser.gpc = true;
        browser.next_page("{}");
        let end = browser.effects.iter().any(|effect| effect.contains("_msci/reset"));
        assert!(end && browser.cookies.is_empty() && browser.rows.is_empty(), "{:?}", browser.effects);
        assert_eq!(browser.storage.len(), kept, "{said}");
        browser.next_page("{}");
        assert!(!browser.effects.iter().any(|effect| effect.contains("_msci/reset")), "once");
    }
}

#[test]
fn an_opt_out_leaves_one_cookie_and_lasts() {
    let mut browser = Browser::started("{}");
    browser.call("setUser", r#"[{"authId":"K"}]"#);
    browser.call("optOut", "[]");
    assert!(browser.effects.iter().any(|e| e.contains("opted_out")), "nothing waits for ever");
    assert_eq!((browser.cookies.len(), browser.storage.len()), (1, 0));
    browser.next_page("{}");
    browser.call("setUser", r#"[{"authId":"K"}]"#);
    assert!(browser.settled().contains("opted_out"));
    browser.after(60_000);
    assert!(browser.sent().is_none());
    browser.call("optIn", "[]");
    browser.call("trackEvent", r#"[{"name":"x"}]"#);
    browser.after(1_000);
    assert_eq!(browser.types(), ["event"]);
    assert_eq!(browser.cookies.len(), 1);
}

#[test]
fn the_page_may_be_stricter_than_the_site() {
    let mut browser = Browser::new("{}");
    browser.call("initialize", r#"[{"ingestionKey":"k","userConsent":false}]"#);
    assert!(browser.leaves_no_trace());
    browser.call("setConfig", r#"[{"userConsent":true}]"#);
    assert_eq!(browser.types(), ["consent", "view"]);
}

#[test]
fn bad_input_is_rejected_with_a_code_and_sends_nothing() {
    let mut browser = Browser::new("{}");
    for (method, args, code) in [
        ("trackEvent", r#"[{"name":"x"}]"#, "not_initialized"),
        ("initialize", "[{}]", "ingestion_key_missing"),
        ("initialize", r#"[{"ingestionKey":"k","autoCapture":{}}]"#, ""),
        ("initialize", r#"[{"ingestionKey":"k"}]"#, "already_initialized"),
        ("setUser", "[null]", "invalid_user"),
        ("setUser", "[]", "invalid_user"),
        ("setUser", "[{}]", "invalid_user"),
        ("setUser", r#"[{"authId":null}]"#, "authid_invalid"),
        ("setUser", r#"[{"authId":5}]"#, "authid_invalid"),
        ("setUser", r#"[{"authId":"\"Undefined\""}]"#, "authid_invalid"),
        ("setUser", r#"[{"authId":"K","email":5}]"#, "invalid_field"),
        ("trackView", "[{}]", "uri_missing"),
        ("trackAction", "[{}]", "name_missing"),
        ("trackEvent", r#"[{"name":" "}]"#, "name_missing"),
        ("trackEvent", r#"[{"name":"x","properties":{"a":{}}}]"#, "invalid_field"),
        ("setProperty", "[5,1]", "name_missing"),
        ("setConsent", r#"[{"ads":"granted"}]"#, "invalid_consent"),
        ("nonsense", "[]", "unknown_method"),
    ] {
        browser.call(method, args);
        let expected =
            if code.is_empty() { "[\"resolve\",7]".into() } else { format!("[\"reject\",7,\"{code}\"]") };
        assert_eq!(browser.settled(), expected, "{method} {args}");
    }
    browser.after(60_000);
    assert!(browser.sent().is_none());
}

#[test]
fn calls_by_hand_have_the_shape_of_the_contract() {
    let mut browser = Browser::new("{}");
    browser.call("initialize", r#"[{"ingestionKey":"k","autoCapture":{}}]"#);
    browser.call("setProperty", r#"["plan","gold"]"#);
    browser.call("trackView", r#"[{"uri":"/p/1","title":"P","type":"product","properties":{"a":1}}]"#);
    browser.call("trackAction", r#"[{"name":"Buy","type":"Tap","target":"t","elementId":"e"}]"#);
    browser.call("trackEvent", r#"[{"name":"order","version":"1.0.0","properties":{"total":120.5}}]"#);
    browser.after(1_000);
    let time = 1_790_000_001_000_u64;
    let expected = [
        format!(
            r#"{{"seq":1,"time":{time},"type":"view","uri":"https://a.example/p/1","viewType":"product","title":"P","properties":{{"plan":"gold","a":1}}}}"#
        ),
        format!(
            r#"{{"seq":2,"time":{time},"type":"action","uri":"https://a.example/","actionType":"Tap","name":"Buy","target":"t","elementId":"e","properties":{{"plan":"gold"}}}}"#
        ),
        format!(
            r#"{{"seq":3,"time":{time},"type":"event","name":"order","version":"1.0.0","properties":{{"plan":"gold","total":120.5}}}}"#
        ),
    ];
    let sent: Vec<&str> = browser.sent().unwrap().get("signals").parts().map(|signal| signal.0).collect();
    assert_eq!(sent, expected);
}

#[test]
fn another_path_is_one_view_and_the_same_path_none() {
    let mut browser = Browser::started("{}");
    for path in ["/two", "/two", "/"] {
        browser.path = path;
        browser.input("moved", "");
    }
    browser.after(1_000);
    let sent = browser.sent().unwrap().get("signals");
    let previous: Vec<&str> = sent.parts().map(|view| view.get("previous").0).collect();
    assert_eq!(previous, ["null", r#""https://a.example/""#, r#""https://a.example/two""#]);
}

#[test]
fn a_page_that_is_opened_hidden_has_one_view_once_it_is_looked_at() {
    let mut browser = Browser::new("{}");
    browser.hidden = true;
    browser.initialize();
    browser.path = "/two";
    browser.input("moved", "");
    browser.input("hidden", "");
    browser.call("trackEvent", r#"[{"name":"x"}]"#);
    browser.after(1_000);
    assert_eq!(browser.types(), ["event"]);
    browser.answer(None, "null");
    browser.hidden = false;
    for _ in 0..2 {
        browser.input("visible", "");
    }
    browser.after(1_000);
    let signals = browser.sent().unwrap().get("signals");
    let views: Vec<&str> = signals.parts().map(|view| view.get("uri").0).collect();
    assert_eq!(views, [r#""https://a.example/two""#]);
}

#[test]
fn a_page_without_a_configuration_has_no_view_when_it_is_looked_at() {
    let mut browser = Browser::new("{}");
    browser.input("visible", "");
    browser.initialize();
    browser.after(1_000);
    assert_eq!(browser.types(), ["view"]);
}

/// The properties of each view in the last request.
fn of_views(browser: &Browser) -> Vec<&str> {
    let signals = browser.sent().expect("a request").get("signals").parts();
    signals.filter(|s| s.get("type").text() == Some("view")).map(|s| s.get("properties").0).collect()
}

#[test]
fn a_campaign_goes_with_each_view_of_its_session_and_ends_with_it() {
    let mut browser = Browser::new("{}");
    browser.campaign = r#"{"utm_source":"mail","utm_term":"tea"}"#;
    browser.initialize();
    browser.call("trackView", r#"[{"uri":"/by-hand","properties":{"utm_term":"own"}}]"#);
    browser.call("trackEvent", r#"[{"name":"x"}]"#);
    browser.campaign = "{}";
    browser.path = "/two";
    browser.input("moved", "");
    browser.after(1_000);
    let mail = r#"{"utm_source":"mail","utm_term":"tea"}"#;
    assert_eq!(of_views(&browser), [mail, r#"{"utm_source":"mail","utm_term":"own"}"#, mail]);
    assert_eq!(browser.types(), ["view", "view", "event", "view"]);
    assert_eq!(browser.sent().unwrap().get("signals").0.matches("utm_source").count(), 3, "views only");
    let session = browser.sent().unwrap().get("session").0.to_owned();
    // The next page, and another campaign within the same session.
    browser.campaign = r#"{"utm_source":"other"}"#;
    browser.now += 29 * 60_000;
    browser.next_page("{}");
    browser.after(1_000);
    assert_eq!(
        (of_views(&browser), browser.sent().unwrap().get("session").0),
        (vec![mail], session.as_str())
    );
    // Too late for that session.
    browser.now += 31 * 60_000;
    browser.next_page("{}");
    browser.after(1_000);
    assert_eq!(of_views(&browser), [r#"{"utm_source":"other"}"#]);
    assert_ne!(browser.sent().unwrap().get("session").0, session);
}

#[test]
fn reset_ends_the_session_and_its_campaign() {
    let mut browser = Browser::new("{}");
    browser.campaign = r#"{"utm_source":"mail"}"#;
    browser.initialize();
    browser.after(1_000);
    let session = browser.sent().unwrap().get("session").get("id").0.to_owned();
    browser.answer(None, "null");
    browser.call("reset", "[]");
    browser.call("trackView", r#"[{"uri":"/"}]"#);
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
    browser.input("moved", "");
    assert!(browser.leaves_no_trace());
    browser.call("setConsent", &format!("[{ALL}]"));
    assert_eq!(of_views(&browser), [r#"{"utm_source":"mail"}"#; 2]);
    browser.answer(None, "null");
    browser.call("trackView", r#"[{"uri":"/three"}]"#);
    browser.after(1_000);
    assert_eq!(of_views(&browser), [r#"{"utm_source":"mail"}"#]);
}

#[test]
fn a_gesture_is_one_action_unless_the_page_says_no() {
    let gesture = r#","on":"keydown","key":"Enter","activates":true,"name":"Buy","target":"button""#;
    for (capture, actions) in [("true", 1), ("false", 0)] {
        let mut browser = Browser::new("{}");
        let cfg = format!(r#"[{{"ingestionKey":"k","autoCapture":{{"click":{capture}}}}}]"#);
        browser.call("initialize", &cfg);
        browser.input("click", gesture);
        // Of the back button of a mouse.
        browser.input("click", &gesture.replace("keydown", "auxclick"));
        browser.after(1_000);
        assert_eq!(browser.sent().map_or(0, |_| browser.types().len()), actions);
    }
}

#[test]
fn flush_resolves_when_everything_is_acknowledged() {
    let mut browser = Browser::started("{}");
    browser.call("flush", "[]");
    assert_eq!((browser.types(), browser.settled()), (vec!["view".to_owned()], ""));
    browser.answer(None, "null");
    assert_eq!(browser.settled(), r#"["resolve",7]"#);
    browser.call("flush", "[]");
    assert_eq!(browser.settled(), r#"["resolve",7]"#, "nothing to wait for");
}

#[test]
fn decisions_need_consent_to_personalization() {
    let mut browser = Browser::started("{}");
    browser.call("decisions", "[]");
    assert!(browser.effects[0].starts_with(r#"["get",7,"https://a.example/_msci/decisions?uri=","#));
    browser.call("setConsent", r#"[{"personalization":"denied"}]"#);
    browser.call("decisions", "[]");
    assert!(browser.settled().starts_with(r#"["resolve",7,{"known":false"#));
}

#[test]
fn teardown_delivers_what_it_can_and_then_nothing() {
    let mut browser = Browser::started("{}");
    browser.call("teardown", "[]");
    assert_eq!(browser.types(), ["view"]);
    browser.after(60_000);
    assert!(browser.effects.is_empty());
}

#[test]
fn no_input_does_harm() {
    let mut browser = Browser::started("{}");
    for input in ["", "{", "null", "[]", r#"{"in":"call"}"#, r#"{"in":"reply"}"#, r#"{"in":"later"}"#] {
        let effects = browser.client.step(input);
        assert!(effects.starts_with('[') && effects.ends_with(']'), "{input}");
    }
}

//! The durable queue: what is stored when, and what another page makes of it.

use super::*;

impl Browser {
    /// Another page, after the one that there was has ended without a word.
    fn crashed(&mut self) {
        self.initialize();
        self.find_left();
    }

    /// What the hands do at a `load`.
    fn find_left(&mut self) {
        let own = self.client.engine.as_ref().map(|engine| engine.owner().to_owned()).unwrap_or_default();
        let mut owners: Vec<String> = self.rows.iter().map(|row| row.0.clone()).collect();
        owners.dedup();
        for owner in owners.into_iter().filter(|owner| *owner != own) {
            let of = self.rows.iter().filter(|row| row.0 == owner);
            let rows: Vec<String> = of.map(|(_, n, row)| format!("[{n},{row}]")).collect();
            self.input("left", &format!(r#","owner":"{owner}","rows":[{}]"#, rows.join(",")));
        }
    }

    fn owners(&self) -> Vec<&str> {
        self.rows.iter().map(|row| row.0.as_str()).collect()
    }
}

#[test]
fn a_signal_is_stored_until_it_is_acknowledged() {
    let mut browser = Browser::started(IMPLIED);
    browser.signal(r#"{"type":"event","name":"e\"1","time":1790000001000}"#, r#"{"x":1.5e-7}"#);
    assert_eq!(browser.rows.len(), 2);
    let (owner, n, row) = browser.rows[1].clone();
    let row = Value(&row);
    assert_eq!((owner.as_str(), n), (row.get("stream").text().unwrap(), 2));
    assert_eq!(row.get("seq").number(), Some(2));
    assert_eq!(row.get("signal").get("name").text(), Some(r#"e\"1"#));
    assert_eq!(row.get("signal").get("properties").0, r#"{"x":1.5e-7}"#);
    browser.after(1_000);
    assert_eq!(browser.rows.len(), 2, "sent is not acknowledged");
    browser.answer(None, "null");
    assert_eq!(browser.rows, []);
}

#[test]
fn another_page_goes_on_with_what_one_left() {
    let mut browser = Browser::started(IMPLIED);
    browser.signal(r#"{"type":"event","name":"e1","time":1790000001000}"#, r#"{"x":1.5e-7}"#);
    let left = browser.rows.clone();
    browser.crashed();
    let sent = browser.sent().unwrap();
    assert_eq!(sent.get("stream").text(), Some(left[0].0.as_str()));
    assert_eq!(sent.get("session").0, Value(&left[0].2).get("session").0, "under the session of that page");
    let signals: Vec<_> = sent.get("signals").parts().collect();
    let numbers: Vec<_> = signals.iter().map(|signal| signal.get("seq").number()).collect();
    assert_eq!(numbers, [Some(1), Some(2)]);
    assert_eq!(signals[1].get("properties").0, r#"{"x":1.5e-7}"#);
    browser.answer(None, "null");
    assert!(browser.rows.iter().all(|row| row.0 != left[0].0), "{:?}", browser.rows);
    browser.after(1_000);
    assert_eq!(browser.sent().unwrap().get("stream").text(), Some(browser.owners()[0]), "then its own");
}

#[test]
fn f25_what_a_page_still_has_when_it_comes_back_is_not_taken_over_twice() {
    let mut browser = Browser::started(IMPLIED);
    browser.event("e1");
    browser.crashed();
    for _ in 0..2 {
        browser.find_left();
    }
    browser.call("status");
    assert!(browser.effects.join("").contains(r#""queued":3"#), "{:?}", browser.effects);
}

#[test]
fn what_is_left_for_too_long_or_is_no_row_is_dropped_and_counted() {
    let mut browser = Browser::started(IMPLIED);
    browser.rows[0].2 = "7".to_owned();
    browser.event("e1");
    browser.now += 30 * 24 * 60 * 60 * 1_000 + 1;
    browser.crashed();
    assert_eq!(browser.owners().len(), 1, "the new page's view");
    browser.call("status");
    let status = browser.effects.join("");
    for code in ["damaged", "expired"] {
        assert!(status.contains(&format!(r#"{{"code":"{code}","n":1}}"#)), "{status}");
    }
}

#[test]
fn what_is_left_without_leave_is_not_sent() {
    let mut browser = Browser::started(IMPLIED);
    browser.after(10);
    browser.initialize();
    browser.consent(r#"{"analytics":"denied"}"#);
    browser.find_left();
    assert!(browser.rows.iter().all(|(.., row)| row.contains(r#""type":"consent""#)), "{:?}", browser.rows);
}

#[test]
fn withdrawn_storage_leaves_no_row_and_makes_none() {
    let mut browser = Browser::started(REQUIRED);
    browser.consent(ALL);
    assert!(!browser.rows.is_empty());
    browser.consent(r#"{"storage":"denied"}"#);
    assert_eq!(browser.rows, []);
    assert!(
        browser.effects.iter().any(|effect| effect.contains(r#""type":"consent""#)),
        "the edge hears of it"
    );
    browser.after(5_000);
    assert_eq!(browser.rows, []);
}

#[test]
fn f41_what_another_tab_withdraws_holds_here_too() {
    let said = |storage: &str| vec![("_msci_consent".to_owned(), format!(r#"{{"said":{storage}}}"#))];
    let opted_out = ("_msci_optout".to_owned(), "1".to_owned());
    for (settings, cookie, storage) in [
        (IMPLIED, Some(opted_out), vec![]),
        (IMPLIED, None, said(r#"{"storage":"denied"}"#)),
        // Without leave not even the refusal is kept.
        (REQUIRED, None, vec![]),
    ] {
        let mut browser = Browser::started(settings);
        browser.consent(ALL);
        browser.after(1);
        browser.event("e1");
        browser.cookies.extend(cookie);
        browser.storage = storage;
        browser.after(1_000);
        assert_eq!(browser.rows, [], "{settings}");
        assert!(!browser.effects.iter().any(|effect| effect.contains(r#""name":"e1""#)));
        browser.event("e2");
        browser.after(1_000);
        assert!(!browser.effects.iter().any(|effect| effect.contains(r#""name":"e2""#)));
    }
}

#[test]
fn f35_without_cookies_each_batch_says_so() {
    let mut browser = Browser::started(IMPLIED);
    browser.after(1_000);
    assert!(browser.sent().unwrap().get("ephemeral").is_null());
    let mut browser = Browser::started(IMPLIED);
    browser.cookies.clear();
    browser.after(1_000);
    assert_eq!(browser.sent().unwrap().get("ephemeral").flag(), Some(true));
}

#[test]
fn offline_nothing_is_tried() {
    let mut browser = Browser::started(IMPLIED);
    browser.now += 1_000;
    browser.input("tick", r#","offline":true"#);
    assert_eq!(browser.effects, [] as [&str; 0]);
    browser.input("online", "");
    assert!(browser.effects.iter().any(|effect| effect.starts_with(r#"["send""#)));
}

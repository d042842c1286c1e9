//! What may be stored of whom, by what they agreed to (law 8, scenario C4).

use super::*;

fn asking() -> Definitions {
    let bundle = json!({
        "n": 1,
        "settings": { "consent": { "mode": "required" } },
        "measures": { "Views": { "aggregate": "count", "filter": "ActivityType eq 'View'" } },
    });
    Definitions::compile(serde_json::from_value(bundle).unwrap()).unwrap()
}

fn consent(seq: u64, purposes: &serde_json::Value) -> Offered {
    let mut offered = offered(seq, None);
    offered.signal.kind = Kind::Consent;
    offered.signal.time = NOW.plus(seq as i64);
    offered.signal.fields = json!({ "purposes": purposes }).as_object().cloned().unwrap();
    offered
}

fn of_kind(seq: u64, kind: Kind) -> Offered {
    let mut offered = offered(seq, (kind == Kind::User).then(customer));
    offered.signal.kind = kind;
    offered
}

const KINDS: [Kind; 4] = [Kind::View, Kind::Action, Kind::Event, Kind::User];

fn refused(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Rejected(rejection) if rejection.code == "consent_missing")
}

#[test]
fn c4_without_the_grant_that_is_required_nothing_comes_into_being() {
    let definitions = asking();
    let context = Context { now: NOW, definitions: &definitions };
    for kind in KINDS {
        let mut disk = Disk::new(CustomerId::Unknown(1), 1);
        let answer = disk.collect(CookieId::from_bits(1), vec![of_kind(1, kind)], context);
        assert!(answer.barred && refused(&answer.verdicts[0]), "{kind:?}");
        assert_eq!(answer.user, None, "{kind:?} is not acted on");
        assert!(disk.signals.is_empty() && disk.object.is_nothing() && disk.page().is_none());
    }
}

proptest! {
    /// After whatever was decided, in whatever batches, nothing is stored that the decisions so far did not allow; what
    /// the visitor decided always is.
    #[test]
    fn c4_nothing_is_stored_but_what_was_granted_before(
        steps in prop::collection::vec((0..4_usize, 0..3_usize, 0..3_usize, any::<bool>()), 1..30),
    ) {
        let definitions = asking();
        let context = Context { now: NOW, definitions: &definitions };
        let mut disk = Disk::new(CustomerId::Unknown(1), 1);
        let (mut storage, mut analytics) = (None, None);
        let mut batch = Vec::new();
        let mut expected = Vec::new();
        for (place, (kind, said, about, ends)) in steps.into_iter().enumerate() {
            let seq = place as u64 + 1;
            if said > 0 {
                let decision = if said == 1 { "granted" } else { "denied" };
                let purposes = [json!({ "storage": decision }), json!({ "analytics": decision }),
                    json!({ "storage": decision, "analytics": decision })];
                batch.push(consent(seq, &purposes[about]));
                if about != 1 { storage = Some(said == 1); }
                if about != 0 { analytics = Some(said == 1); }
                expected.push(true);
            } else {
                let kind = KINDS[kind];
                // Links have tests of their own.
                let mut offered = of_kind(seq, kind);
                offered.customer = None;
                batch.push(offered);
                expected.push(storage == Some(true) && (kind == Kind::User || analytics == Some(true)));
            }
            if ends {
                let answer = disk.collect(CookieId::from_bits(1), std::mem::take(&mut batch), context);
                for (verdict, allowed) in answer.verdicts.iter().zip(std::mem::take(&mut expected)) {
                    prop_assert_eq!(verdict == &Verdict::Accepted, allowed);
                    prop_assert!(allowed || refused(verdict));
                }
                prop_assert_eq!(answer.barred, storage != Some(true));
            }
        }
    }
}

#[test]
fn c4_what_a_browser_agreed_to_counts_for_the_next_person_at_it_until_they_say_more() {
    let definitions = asking();
    let context = Context { now: NOW, definitions: &definitions };
    let (cookie, mut c) = (CookieId::from_bits(1), Disk::new(CustomerId::Unknown(1), 1));
    let all = json!({ "storage": "granted", "analytics": "granted" });
    c.collect(cookie, vec![consent(1, &all), of_kind(2, Kind::User)], context);
    let mut k = Disk::new(customer().id, 2);
    settle(&mut c, &mut k, context);
    let other = Customer { id: CustomerId::Known(8), table: "T".into(), auth_id: "Loyalty2".into() };
    let next = vec![offered(3, Some(other)), offered(4, None)];
    let answer = c.collect(cookie, next.clone(), context);
    assert_eq!(
        answer.verdicts,
        [Verdict::Elsewhere(CustomerId::Known(8)), Verdict::Elsewhere(CustomerId::Known(8))]
    );
    let mut rotated = Disk::new(CustomerId::Unknown(3), 3);
    let mut collect = |consent, signals| {
        let cookie = CookieId::from_bits(3);
        let call = CollectCall { consent, ..CollectCall::of(cookie, cookie, signals) };
        rotated.object.collect(&call, &Present::default(), context).0
    };
    assert!(collect(Decisions::new(), next.clone()).verdicts.iter().all(refused));
    let taken = collect(answer.consent, next);
    assert_eq!((taken.verdicts, taken.barred), (vec![Verdict::Accepted; 2], false));
    let denied = Decisions::from_iter([("storage".to_owned(), true), ("analytics".to_owned(), true)]);
    let less = collect(denied, vec![consent(5, &json!({ "analytics": "denied" })), offered(6, None)]);
    assert!(refused(&less.verdicts[1]), "what is said under the new cookieId is newer");
}

#[test]
fn c4_a_linked_browser_that_is_asked_later_sends_what_it_held_with_its_grant() {
    let implied = definitions();
    let asking = asking();
    let before = Context { now: NOW, definitions: &implied };
    let context = Context { now: NOW, definitions: &asking };
    let (cookie, mut c) = (CookieId::from_bits(1), Disk::new(CustomerId::Unknown(1), 1));
    c.collect(cookie, vec![of_kind(1, Kind::User)], before);
    let mut k = Disk::new(customer().id, 2);
    settle(&mut c, &mut k, before);
    assert!(refused(&c.collect(cookie, vec![offered(2, None)], context).verdicts[0]));
    let all = json!({ "storage": "granted", "analytics": "granted" });
    let answer = c.collect(cookie, vec![consent(3, &all), offered(4, None)], context);
    assert_eq!(answer.verdicts, [Verdict::Accepted, Verdict::Accepted]);
}

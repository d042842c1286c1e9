use super::*;

fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot {
        customer: CustomerId::Known(7),
        tag: "a1".into(),
        version: 12,
        n: 3,
        valid_until: Some(Timestamp(1_790_000_000_000)),
        auth: Some(("People".into(), "Loyalty1".into())),
        cookie_ids: vec![CookieId::from_bits(1), CookieId::from_bits(2)],
        attributes: Map::new(),
        segments: vec!["gold".into()],
        measures: Map::new(),
        audiences: vec!["hero".into(), "menu".into()],
        bucket_key: "b".into(),
        consent: Map::new(),
        cookie_consent: Map::new(),
        first_seen: Some(Timestamp(1)),
        last_seen: None,
    };
    snapshot.attributes.insert("FirstName".into(), "Zo\u{eb}\n{}".into());
    snapshot
}

/// What a page needs that shows no field.
fn bare(of: &Snapshot) -> Snapshot {
    Snapshot {
        auth: None,
        attributes: Map::new(),
        segments: Vec::new(),
        measures: Map::new(),
        first_seen: None,
        ..of.clone()
    }
}

#[test]
fn what_kv_holds_is_read_in_part_and_whole() {
    let mut snapshot = snapshot();
    for consent in [None, Some(true), Some(false)] {
        if let Some(granted) = consent {
            snapshot.consent.insert(PERSONALIZATION.into(), granted);
        }
        for of in [
            snapshot.clone(),
            Snapshot { valid_until: None, cookie_ids: vec![], audiences: vec![], ..snapshot.clone() },
        ] {
            let kept = of.kept().unwrap();
            assert_eq!(Snapshot::glance(&kept), Some(bare(&of)));
            assert_eq!(json::from_str(&kept).ok(), Some(of));
        }
    }
}

#[test]
fn what_a_line_cannot_say_is_read_whole() {
    let mut decided = snapshot();
    decided.cookie_consent.insert(CookieId::from_bits(1), Decisions::new());
    let odd = Snapshot { audiences: vec!["a,b".into()], ..snapshot() };
    for of in [
        decided,
        odd,
        Snapshot { tag: "a 1".into(), ..snapshot() },
        Snapshot { bucket_key: "a\"b".into(), ..snapshot() },
    ] {
        let kept = of.kept().unwrap();
        assert_eq!(Snapshot::glance(&kept), None);
        assert_eq!(json::from_str(&kept).ok(), Some(of));
    }
}

#[test]
fn a_line_that_is_broken_is_none() {
    let kept = snapshot().kept().unwrap();
    let (line, rest) = kept.strip_prefix(LINE).unwrap().split_once('"').unwrap();
    for at in 0..line.len() {
        let cut = format!("{LINE}{}\"{rest}", &line[..at]);
        if let Some(read) = Snapshot::glance(&cut) {
            // Nothing but the last list is shorter.
            assert_eq!(
                Snapshot { audiences: vec![], ..read },
                Snapshot { audiences: vec![], ..bare(&snapshot()) },
                "{at}"
            );
        }
        assert_eq!(json::from_str(&cut).ok(), Some(snapshot()));
    }
    let json = serde_json::to_string(&snapshot()).unwrap();
    assert_eq!(Snapshot::glance(&json), None);
    assert_eq!(json::from_str(&json).ok(), Some(snapshot()), "as an earlier version wrote it");
}

//! An erased customer's name in logs that are not theirs (scenario G7).

use super::*;

const AT: Timestamp = Timestamp(NOW.0 + 60_000);

fn user(seq: u64, auth_id: Option<&str>, name: &str) -> Offered {
    let named =
        auth_id.map(|auth_id| Customer { auth_id: auth_id.to_owned(), id: id_of(auth_id), ..customer() });
    let mut offered = offered(seq, named);
    offered.signal.kind = Kind::User;
    offered.signal.time = NOW.plus(seq as i64);
    offered.signal.fields = json!({ "authId": auth_id, "name": name }).as_object().cloned().unwrap();
    offered
}

fn id_of(auth_id: &str) -> CustomerId {
    if auth_id == "Loyalty1" { customer().id } else { CustomerId::Known(8) }
}

impl Disk {
    /// What the rim does when an erased customer is heard of.
    fn purge(&mut self, purge: &Purge, context: Context<'_>) {
        if !self.object.only_unnames(purge) {
            let writes = self.object.purge(purge, 3, context);
            return self.write(writes);
        }
        let cookie = purge.cookie.or(self.object.cookie()).unwrap();
        let rows = self.signals.iter().filter(|(of, row)| *of == cookie && row.signal.kind == Kind::User);
        let users: Vec<Row> = rows.map(|(_, row)| row.clone()).collect();
        let named = naming(&users, cookie, purge, &|auth_id| id_of(auth_id) == purge.customer);
        let mut writes = Vec::new();
        let again = self.object.unname(purge, &named, &mut writes);
        self.write(writes);
        if again {
            self.refold(context);
        }
    }

    fn erase(&mut self, context: Context<'_>) -> Vec<Purge> {
        let writes = self.object.erase(5, context);
        self.write(writes);
        std::iter::from_fn(|| {
            let purge = self.object.next_purge()?;
            self.object.purged(&purge);
            Some(purge)
        })
        .collect()
    }

    fn text(&self) -> String {
        let signals: Vec<_> = self.signals.iter().map(|(_, row)| &row.signal).collect();
        let rows: Vec<_> = self.rows.values().collect();
        format!("{} {rows:?}", serde_json::to_string(&signals).unwrap())
    }
}

#[test]
fn g7_a_cookie_that_was_taken_from_a_customer_does_not_name_them_once_they_are_erased() {
    let definitions = definitions();
    let context = Context { now: NOW.plus(1000), definitions: &definitions };
    let (cookie, mut c) = (CookieId::from_bits(1), Disk::new(CustomerId::Unknown(1), 1));
    let mut k = Disk::new(customer().id, 2);
    let nameless = user(1, None, "Visitor");
    c.collect(cookie, vec![nameless, offered(2, None), user(3, Some("Loyalty1"), "Erna")], context);
    c.collect(cookie, vec![user(4, None, "Erna L."), offered(5, None)], context);
    settle(&mut c, &mut k, context);
    assert_eq!(c.unlink(context), Unlinked::Done);
    let drop = c.object.next_drop().unwrap();
    k.drop_link(&drop, context);
    c.object.dropped(&drop);
    // Said again without a proof.
    let claim = Offered { trusted: false, ..user(6, Some("Loyalty1"), "Erna") };
    c.collect(cookie, vec![claim], context);
    assert!(c.text().contains("Erna") && c.object.claims().len() == 1);

    let purges = k.erase(Context { now: AT, definitions: &definitions });
    assert_eq!(
        purges.iter().map(|purge| (purge.object, purge.unlinked)).collect::<Vec<_>>(),
        [(CustomerId::Unknown(1), true)]
    );
    c.purge(&purges[0], context);
    let left: Vec<u64> = c.keys().iter().map(|key| key.seq).collect();
    assert_eq!(left, [1, 2, 5], "what the visitor did, and said before, stays");
    assert!(!c.text().contains("Erna") && !c.text().contains("Loyalty1"), "{}", c.text());
    let seen = c.object.snapshot(context).unwrap();
    assert_eq!(
        (seen.attributes.get("FullName"), seen.measures.get("Views")),
        (Some(&json!("Visitor")), Some(&json!(2)))
    );
    assert!(c.object.claims().is_empty());
    assert!(c.object.is_ending() && !c.object.wants_renewal(context.now), "first the copies follow");
    let again = c.collect(cookie, vec![user(3, Some("Loyalty1"), "Erna")], context);
    assert!(matches!(&again.verdicts[..], [Verdict::Rejected(rejection)] if rejection.code == "erased"));
}

#[test]
fn g7_who_has_the_cookie_by_now_does_not_name_the_erased_customer_either() {
    let definitions = definitions();
    let context = Context { now: NOW.plus(1000), definitions: &definitions };
    let (cookie, mut c) = (CookieId::from_bits(1), Disk::new(CustomerId::Unknown(1), 1));
    let (mut k, mut other) = (Disk::new(customer().id, 2), Disk::new(CustomerId::Known(8), 3));
    c.collect(cookie, vec![offered(1, None), user(2, Some("Loyalty1"), "Erna")], context);
    settle(&mut c, &mut k, context);
    c.unlink(context);
    let drop = c.object.next_drop().unwrap();
    k.drop_link(&drop, context);
    c.object.dropped(&drop);
    c.collect(cookie, vec![user(3, Some("Loyalty2"), "Olga")], context);
    settle(&mut c, &mut other, context);
    assert!(other.text().contains("Erna"), "the whole log is hers now");

    let purges = k.erase(Context { now: AT, definitions: &definitions });
    // Not while something of the log is under way that may still have it.
    c.collect(cookie, vec![offered(4, None)], context);
    let late = c.page().unwrap();
    c.purge(&purges[0], context);
    assert_eq!(c.object.next_purge(), None);
    other.ship(&late, context);
    settle(&mut c, &mut other, context);
    let told = c.object.next_purge().unwrap();
    assert_eq!((told.object, told.cookie), (CustomerId::Known(8), Some(cookie)));
    other.purge(&told, context);
    c.object.purged(&told);
    for disk in [&c, &other] {
        assert!(!disk.text().contains("Erna") && disk.text().contains("Olga"), "{}", disk.text());
    }
    assert_eq!(c.keys(), other.keys());
    assert_eq!(other.object.snapshot(context).unwrap().attributes.get("FullName"), Some(&json!("Olga")));
}

#[test]
fn g7_a_cookie_whose_link_was_refused_is_told_too_and_so_many_are_remembered_and_no_more() {
    let bundle = json!({ "n": 1, "settings": { "identity": { "maxLinks": 1 } } });
    let definitions = Definitions::compile(serde_json::from_value(bundle).unwrap()).unwrap();
    let context = Context { now: NOW.plus(1000), definitions: &definitions };
    let mut k = Disk::new(customer().id, 9);
    for bits in 1..1200 {
        let (cookie, mut c) = (CookieId::from_bits(bits), Disk::new(CustomerId::Unknown(bits), bits));
        c.collect(cookie, vec![user(1, Some("Loyalty1"), "Erna")], context);
        settle(&mut c, &mut k, context);
        assert_eq!(c.object.accepted_link().is_some(), bits == 1);
    }
    assert_eq!(k.object.links().len(), 1);
    let told = k.erase(Context { now: AT, definitions: &definitions });
    assert_eq!((told.len(), told.iter().filter(|purge| purge.unlinked).count()), (1001, 1000));
    // Retention takes the memory with what is remembered.
    let mut k = Disk::new(customer().id, 9);
    let (mut one, mut two) = (Disk::new(CustomerId::Unknown(1), 1), Disk::new(CustomerId::Unknown(2), 2));
    one.collect(CookieId::from_bits(1), vec![user(1, Some("Loyalty1"), "Erna")], context);
    settle(&mut one, &mut k, context);
    two.collect(CookieId::from_bits(2), vec![user(1, Some("Loyalty1"), "Erna")], context);
    settle(&mut two, &mut k, context);
    let days = |days| Context { now: NOW.plus(days * DAY_MS), definitions: &definitions };
    k.object.wake(days(366));
    assert_eq!(k.object.copies.len(), 2);
    k.object.wake(days(369));
    assert_eq!(k.object.copies.len(), 1);
}

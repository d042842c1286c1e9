//! G2: what a browser without a valid token hears does not depend on what is known of anybody. Two systems get the same
//! requests; they differ in what their known customers are, did and are called. Every answer is the same to the byte.
//!
//! What binds the browser is no content: that a cookie is linked, and what its customer refused to have done with it
//! (law 8), is the same in both.

// A test as a whole: what clippy allows inside test functions it does not know here.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::integer_division_remainder_used)]

use std::collections::BTreeMap;

use msci_core::collections::{Map, Set};
use msci_core::config::Bundle;
use msci_core::definitions::Definitions;
use msci_core::effects::{Table, Write};
use msci_core::identity::NameKey;
use msci_core::ids::{CookieId, CustomerId, SignalKey, StreamId};
use msci_core::keys::Ring;
use msci_core::object::{
    CollectAnswer, CollectCall, Context, Customer, Object, Offered, Page, Present, Row, ShipAnswer, Verdict,
};
use msci_core::page;
use msci_core::profile::Imported;
use msci_core::proof::ProofKey;
use msci_core::signal::{Kind, Signal, Source};
use msci_core::snapshot::Snapshot;
use msci_core::stream::Stream;
use msci_core::time::{DAY_MS, Timestamp};
use msci_core::token::{CURVE_CHECKS, Expected, prove};
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp(1_790_000_000_000);
/// Two that were linked before, whose ids somebody has; the rest are anybody's.
const COOKIES: u128 = 5;
/// Key of the names, so that a forger knows them all.
const NAMES: [u8; 32] = [1; 32];
const PEOPLE: [&str; 3] = ["Ada", "Bob", "Nobody"];

fn definitions() -> Definitions {
    let bundle: Bundle = serde_json::from_value(json!({
        "n": 1,
        "settings": { "trackingTable": "People", "identity": { "verification": "required" } },
        "tables": { "People": { "primaryKey": "Id", "columns": { "FirstName": "string", "Tier": "string" } } },
        "measures": { "Views": { "aggregate": "count", "filter": "ActivityType eq 'View'" } },
        "segments": { "Often": { "filter": "Measures/Views ge 2" }, "Gold": { "filter": "Tier eq 'Gold'" } },
        "experiences": {
            "hello": { "audience": "FirstName ne null", "pages": ["/*"], "changes": [
                { "selector": "h1", "action": "setText", "value": "Hello {{ FirstName }}" }] },
            "gold": { "audience": "IsMemberOfSegment('Gold')", "pages": ["/*"], "changes": [
                { "selector": "p", "action": "setText", "value": "Gold" }] },
            "often": { "audience": "IsMemberOfSegment('Often')", "pages": ["/*"], "changes": [
                { "selector": "a", "action": "setText", "value": "Often" }] },
        },
    }))
    .unwrap();
    Definitions::compile(bundle).unwrap()
}

/// An object and what is stored of it.
struct Stored {
    object: Object,
    timeline: BTreeMap<SignalKey, (CookieId, Row)>,
    streams: Map<StreamId, Stream>,
}

impl Stored {
    fn write(&mut self, writes: Vec<Write>) {
        for write in writes {
            match write {
                Write::Append { cookie, position, signal } => {
                    let key = signal.key(cookie);
                    self.timeline.insert(key, (cookie, Row { position, signal }));
                }
                Write::Put { table: Table::Stream, key, body } => {
                    self.streams.insert(key.parse().unwrap(), serde_json::from_str(&body).unwrap());
                }
                Write::Remove(cookie) => self.timeline.retain(|_, (of, _)| *of != cookie),
                Write::Wipe => self.timeline.clear(),
                _ => {}
            }
        }
    }
}

/// A system, by the decisions of this crate and a rim that hands everything on at once.
struct System<'a> {
    definitions: &'a Definitions,
    objects: BTreeMap<CustomerId, Stored>,
    names: NameKey,
    proofs: ProofKey,
    ring: Ring,
    now: Timestamp,
}

/// What a browser sends. Whatever of it could be a proof is none.
#[derive(Clone, Debug)]
enum Asked {
    Collect { cookie: u128, own: bool, seq: u64, says: Says },
    Decide { cookie: u128, proof: String },
    Forget { cookie: u128 },
    Wait { days: i64 },
}

#[derive(Clone, Debug)]
enum Says {
    View(String),
    Consent(bool),
    User { of: usize, token: Option<String> },
}

impl<'a> System<'a> {
    fn new(definitions: &'a Definitions) -> Self {
        let ring = Ring::default().with_built_in("a secret of the site's server", "local");
        let (names, proofs) = (NameKey::new(NAMES), ProofKey::new([2; 32]));
        Self { definitions, objects: BTreeMap::new(), names, proofs, ring, now: NOW }
    }

    fn step<T>(
        &mut self,
        name: CustomerId,
        step: impl FnOnce(&mut Stored, Context<'_>) -> (T, Vec<Write>),
    ) -> T {
        let context = Context { now: self.now, definitions: self.definitions };
        let stored = self.objects.entry(name).or_insert_with(|| {
            let (object, _) = Object::born(name, 3);
            Stored { object, timeline: BTreeMap::new(), streams: Map::new() }
        });
        let (answer, writes) = step(stored, context);
        stored.write(writes);
        answer
    }

    fn collect(&mut self, cookie: CookieId, offered: Vec<Offered>) -> CollectAnswer {
        let name = self.names.unknown(cookie);
        let root = self.names.root(cookie);
        let answer = self.step(name, |stored, context| {
            let there = stored.timeline.values().filter(|(of, _)| *of == cookie);
            let signals = there.map(|(_, row)| ((row.signal.stream, row.signal.seq), row.signal.clone()));
            let present = Present { signals: signals.collect(), streams: stored.streams.clone() };
            let call = CollectCall::of(cookie, root, offered);
            stored.object.collect(&call, &present, context)
        });
        self.ship(name);
        answer
    }

    fn ship(&mut self, name: CustomerId) {
        while let Some(page) = self.next_page(name) {
            let answer = self.take(&page);
            self.step(name, |stored, context| {
                ((), stored.object.on_ship_answer(page.epoch, &answer, 9, context))
            });
        }
    }

    fn next_page(&self, name: CustomerId) -> Option<Page> {
        let stored = self.objects.get(&name)?;
        let (behind, cookie) = (stored.object.shipped()?, stored.object.cookie()?);
        let mut rows: Vec<Row> = stored
            .timeline
            .values()
            .filter(|(of, row)| *of == cookie && row.position > behind)
            .map(|(_, row)| row.clone())
            .collect();
        rows.sort_by_key(|row| row.position);
        stored.object.next_page(rows, 500)
    }

    fn take(&mut self, page: &Page) -> ShipAnswer {
        self.step(page.customer.id, |stored, context| {
            let keys = stored.timeline.values().map(|(cookie, row)| row.signal.key(*cookie));
            let present: Set<SignalKey> = keys.collect();
            stored.object.ship(page, &present, context)
        })
    }

    fn customer(&self, auth_id: &str) -> Customer {
        let id = self.names.known("People", auth_id);
        Customer { id, table: "People".to_owned(), auth_id: auth_id.to_owned() }
    }

    /// The profile that a browser may see, by the rules of the Worker's reader.
    fn seen(&self, cookie: CookieId, proof: &str) -> Snapshot {
        let context = Context { now: self.now, definitions: self.definitions };
        let shown = |name: CustomerId| {
            let snapshot = self.objects.get(&name)?.object.snapshot(context)?;
            snapshot.cookie_ids.contains(&cookie).then_some(snapshot)
        };
        let proven = self.proofs.verify(proof, cookie, self.now).and_then(shown);
        let seen = proven.or_else(|| shown(self.names.unknown(cookie)));
        seen.unwrap_or_else(|| Snapshot::stranger(self.definitions, self.now))
    }

    /// What the browser hears, as text.
    fn answer(&mut self, asked: &Asked) -> String {
        match asked {
            Asked::Wait { days } => {
                self.now = self.now.plus(days * DAY_MS);
                String::new()
            }
            Asked::Forget { cookie } => {
                let name = self.names.unknown(CookieId::from_bits(*cookie));
                self.step(name, |stored, context| ((), stored.object.forget(context)));
                while let Some(gone) = self.objects.get(&name).and_then(|stored| stored.object.next_drop()) {
                    self.step(gone.customer, |stored, context| {
                        let mut writes = Vec::new();
                        stored.object.drop_link(&gone, context.now, &mut writes);
                        ((), writes)
                    });
                    self.step(name, |stored, _| ((), stored.object.dropped(&gone)));
                }
                "forgotten".to_owned()
            }
            Asked::Decide { cookie, proof } => {
                let seen = self.seen(CookieId::from_bits(*cookie), proof);
                let candidates = page::candidates(self.definitions, "/", self.now);
                let decided = page::decide(&candidates, &seen);
                let decided: Vec<Value> =
                    decided.into_iter().map(|one| json!([one.name, one.bucket, one.changes])).collect();
                let name = seen.attributes.get("FirstName");
                json!([seen.customer.is_known(), seen.segments, name, decided]).to_string()
            }
            Asked::Collect { cookie, own, seq, says } => {
                let cookie = CookieId::from_bits(*cookie);
                let (kind, fields, customer) = match says {
                    Says::View(uri) => (Kind::View, json!({ "uri": uri }), None),
                    Says::Consent(granted) => {
                        let decision = if *granted { "granted" } else { "denied" };
                        (Kind::Consent, json!({ "purposes": { "analytics": decision } }), None)
                    }
                    Says::User { of, token } => {
                        let auth_id = PEOPLE[*of];
                        if let Some(token) = token {
                            let normal =
                                msci_core::identity::Normal { nfc: str::to_owned, ignore_case: false };
                            let expected =
                                Expected { auth_id, table: "People", normal, cookie, own_cookie: *own };
                            let proven = prove(token, &self.ring, expected, &mut { CURVE_CHECKS }, self.now);
                            return format!("refused: {}", proven.unwrap_err().code());
                        }
                        (Kind::User, json!({ "authId": auth_id }), Some(self.customer(auth_id)))
                    }
                };
                let fields = fields.as_object().unwrap().clone();
                let stream = StreamId::from_bits(77);
                let signal =
                    Signal { stream, seq: *seq, time: self.now, kind, source: Source::Browser, fields };
                let answer = self.collect(cookie, vec![Offered { signal, customer, trusted: false }]);
                serde_json::to_string(&answer).unwrap()
            }
        }
    }
}

/// What differs: who the known customers are.
#[derive(Clone, Debug)]
struct Content {
    first_name: String,
    gold: bool,
    imports: u64,
    /// Signals of browsers of their own, which the attacker has not.
    elsewhere: usize,
}

fn inhabited<'a>(definitions: &'a Definitions, contents: &[Content; 2]) -> System<'a> {
    let mut system = System::new(definitions);
    for (of, content) in contents.iter().enumerate() {
        let customer = system.customer(PEOPLE[of]);
        let signal = |seq: u64, kind, fields: Value| Signal {
            stream: StreamId::from_bits(of as u128 + 100),
            seq,
            time: NOW.plus(-1_000),
            kind,
            source: Source::Browser,
            fields: fields.as_object().unwrap().clone(),
        };
        let linked = |cookie: u128, views: usize, system: &mut System<'_>| {
            let user = signal(1, Kind::User, json!({ "authId": PEOPLE[of] }));
            let mut offered = vec![Offered { signal: user, customer: Some(customer.clone()), trusted: true }];
            for seq in 0..views as u64 {
                let view = signal(seq + 2, Kind::View, json!({ "uri": "/" }));
                offered.push(Offered { signal: view, customer: None, trusted: false });
            }
            let answer = system.collect(CookieId::from_bits(cookie), offered);
            assert!(answer.verdicts.iter().all(|verdict| *verdict == Verdict::Accepted));
        };
        // The cookie that was stolen has the same log in both systems: it is the attacker's own view.
        linked(of as u128 + 1, 1, &mut system);
        if content.elsewhere > 0 {
            linked(of as u128 + 1_000, content.elsewhere, &mut system);
        }
        for version in 1..=content.imports {
            let tier = if content.gold { "Gold" } else { "None" };
            let values =
                json!({ "FirstName": content.first_name, "Tier": tier }).as_object().unwrap().clone();
            let row = Imported { version, values: values.into_iter().collect() };
            system
                .step(customer.id, |stored, context| ((), stored.object.adopt_row(row, Vec::new(), context)));
        }
    }
    system
}

fn content() -> impl Strategy<Value = Content> {
    ("[A-Z][a-z]{0,5}", any::<bool>(), 0_u64..4, 0_usize..5)
        .prop_map(|(first_name, gold, imports, elsewhere)| Content { first_name, gold, imports, elsewhere })
}

fn forged() -> impl Strategy<Value = String> {
    let claims = format!(r#"{{"sub":"Ada","exp":{}}}"#, NOW.0 / 1000 + 600);
    let signed = |header: &str| {
        let encode = |text: &str| msci_core::base64url::encode(text.as_bytes());
        format!("{}.{}", encode(header), encode(&claims))
    };
    let (hmac, none) = (signed(r#"{"alg":"HS256"}"#), signed(r#"{"alg":"none"}"#));
    prop_oneof![
        "[A-Za-z0-9_-]{43}".prop_map(move |mac| format!("{hmac}.{mac}")),
        Just(format!("{none}.")),
        "[ -~]{0,40}",
    ]
}

fn asked() -> impl Strategy<Value = Asked> {
    let proof = prop_oneof![
        Just(String::new()),
        (0..PEOPLE.len(), "[A-Za-z0-9_-]{43}").prop_map(|(of, mac)| {
            let customer = NameKey::new(NAMES).known("People", PEOPLE[of]);
            format!("{customer}.{}.{mac}", NOW.0 + DAY_MS)
        }),
    ];
    let says = prop_oneof![
        3 => "/[a-z]{0,3}".prop_map(Says::View),
        1 => any::<bool>().prop_map(Says::Consent),
        3 => (0..PEOPLE.len(), prop::option::of(forged())).prop_map(|(of, token)| Says::User { of, token }),
    ];
    prop_oneof![
        8 => (1..=COOKIES, any::<bool>(), 1_u64..30, says)
            .prop_map(|(cookie, own, seq, says)| Asked::Collect { cookie, own, seq, says }),
        4 => (1..=COOKIES, proof).prop_map(|(cookie, proof)| Asked::Decide { cookie, proof }),
        1 => (1..=COOKIES).prop_map(|cookie| Asked::Forget { cookie }),
        1 => (0_i64..3).prop_map(|days| Asked::Wait { days }),
    ]
}

proptest! {
    #[test]
    fn g2_without_a_token_nobody_learns_what_is_known_of_anybody(
        (one, two) in ([content(), content()], [content(), content()]),
        requests in prop::collection::vec(asked(), 1..40),
    ) {
        let definitions = definitions();
        let (mut one, mut two) = (inhabited(&definitions, &one), inhabited(&definitions, &two));
        for asked in &requests {
            let (a, b) = (one.answer(asked), two.answer(asked));
            prop_assert_eq!(a, b, "{:?}", asked);
        }
    }
}

/// The two systems do differ, and a browser with a proof does see it: else the property would say nothing.
#[test]
fn with_a_proof_the_same_requests_tell_the_systems_apart() {
    let definitions = definitions();
    let content = |name: &str, gold| Content { first_name: name.to_owned(), gold, imports: 1, elsewhere: 0 };
    let told = |name: &str, gold| {
        let mut system = inhabited(&definitions, &[content(name, gold), content(name, gold)]);
        let cookie = CookieId::from_bits(1);
        let proof = system.proofs.sign(cookie, system.customer("Ada").id, NOW.plus(1_000));
        system.answer(&Asked::Decide { cookie: 1, proof })
    };
    assert_ne!(told("Ada", true), told("Eve", true));
    assert_ne!(told("Ada", true), told("Ada", false));
    assert!(told("Ada", true).contains("Hello Ada") && told("Ada", true).contains("\"Gold\""));
}

//! What must be true once it is quiet.

use std::collections::{BTreeMap, BTreeSet};

use msci_core::ids::{CookieId, CustomerId, SignalKey};
use msci_core::membership::Cause;
use msci_core::object::{Context, Object};
use msci_core::profile::Profile;
use msci_core::signal::Signal;
use msci_core::snapshot::Snapshot;
use msci_core::time::{DAY_MS, Timestamp};

use crate::copies::is_activity;
use crate::node::Node;
use crate::world::World;

/// Everything as it is on disk.
struct Oracle<'w> {
    world: &'w World<'w>,
    context: Context<'w>,
    objects: BTreeMap<CustomerId, (&'w Node, Object)>,
    /// Signals of the logs, by their objects.
    logs: BTreeMap<CustomerId, (CookieId, BTreeSet<SignalKey>)>,
    /// Linked cookies by customer.
    linked: BTreeMap<CustomerId, BTreeSet<CookieId>>,
    /// No signal is older than this, consents aside.
    cutoff: Timestamp,
}

type Verdict = Result<(), String>;

pub(crate) fn check(world: &World<'_>) -> Verdict {
    let definitions = &world.versions[world.n - 1];
    let retention = &definitions.bundle.settings.retention;
    let mut oracle = Oracle {
        world,
        context: Context { now: world.now, definitions },
        objects: BTreeMap::new(),
        logs: BTreeMap::new(),
        linked: BTreeMap::new(),
        cutoff: world.now.midnight().plus(-DAY_MS * i64::from(retention.signal_days)),
    };
    for (name, node) in &world.nodes {
        let Some(object) = node.loaded(*name) else { continue };
        if let Some(cookie) = object.cookie() {
            oracle.logs.insert(*name, (cookie, node.keys()));
            if let Some(link) = object.accepted_link() {
                oracle.linked.entry(link.customer.id).or_default().insert(cookie);
            }
        }
        oracle.objects.insert(*name, (node, object));
    }
    for (name, (node, object)) in &oracle.objects {
        oracle.settled(*name, node, object).map_err(|violation| format!("{name}: {violation}"))?;
        oracle
            .folded_from_scratch(*name, node, object)
            .map_err(|violation| format!("{name}: {violation}"))?;
        if name.is_known() {
            oracle.union_of_its_links(*name, node).map_err(|violation| format!("{name}: {violation}"))?;
        }
    }
    oracle.exactly_once()?;
    oracle.nobody_is_mixed()?;
    oracle.nobody_erased_is_named()?;
    oracle.copies_equal_objects()?;
    world.check_deliveries()
}

impl Oracle<'_> {
    /// Nothing is owed, nothing is there that should have gone.
    fn settled(&self, name: CustomerId, node: &Node, object: &Object) -> Verdict {
        if object.has_to_ship() || object.next_drop().is_some() || object.next_purge().is_some() {
            return Err("still owes somebody something".to_owned());
        }
        if object.owes_deliveries() {
            return Err("still owes messages".to_owned());
        }
        if object.expires(self.context).is_some_and(|at| at <= self.context.now) {
            return Err("should be gone".to_owned());
        }
        let mut positions: Vec<_> = node.timeline.iter().map(|(key, row)| (key.cookie, row.0)).collect();
        positions.sort_unstable();
        if positions.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("two signals at one position".to_owned());
        }
        let old = |time: Timestamp, ages: bool| ages && time < self.cutoff;
        if node.timeline.values().any(|(_, signal)| old(signal.time, signal.ages())) {
            return Err("a signal is older than the retention".to_owned());
        }
        let Some(erased) = node.erased_at() else { return Ok(()) };
        if !name.is_known() && (object.cookie().is_some() || !node.timeline.is_empty()) {
            return Err("an erased cookie has a log".to_owned());
        }
        if node.timeline.values().any(|(_, signal)| signal.time < erased) {
            return Err("a signal is older than the erasure".to_owned());
        }
        Ok(())
    }

    /// What is kept equals the fold of what is on the timeline.
    fn folded_from_scratch(&self, name: CustomerId, node: &Node, object: &Object) -> Verdict {
        let Context { now, definitions } = self.context;
        let mut woken = object.clone();
        woken.wake(self.context);
        let Some(kept) = woken.snapshot(self.context) else { return Ok(()) };
        let mut fresh = Profile::default();
        if let Some((row, _)) = self.world.imported.get(&name) {
            fresh.import(definitions, row.clone(), now);
        }
        for (key, (_, signal)) in &node.timeline {
            fresh.fold(definitions, *key, signal, now);
        }
        fresh.evaluate(definitions, now, Cause::Signal, &mut Vec::new());
        let outcomes = (woken.profile.outcomes(definitions), fresh.outcomes(definitions));
        if outcomes.0 != outcomes.1 {
            return Err(format!("kept {:?}, from scratch {:?}", outcomes.0, outcomes.1));
        }
        let consents = (object.profile.consent(), fresh.consent());
        let fresh = fresh.snapshot(definitions, name, String::new(), now);
        if (&kept.measures, &kept.segments, &kept.attributes)
            != (&fresh.measures, &fresh.segments, &fresh.attributes)
        {
            return Err(format!(
                "kept {:?} {:?}, from scratch {:?} {:?}",
                kept.measures, kept.segments, fresh.measures, fresh.segments
            ));
        }
        if consents.0 != consents.1 || kept.last_seen != fresh.last_seen {
            return Err("consent or last seen differ from the fold from scratch".to_owned());
        }
        // Of the first visit only the hour stays when the signal goes.
        let erased = node.erased_at();
        let of_log = |cookie: &CookieId| {
            let first = self.world.first_seen.get(&self.world.name_of(*cookie)).copied()?;
            Some(erased.map_or(first, |erased| first.max(erased)))
        };
        let first = kept.cookie_ids.iter().filter_map(of_log).min();
        if kept.first_seen != first {
            return Err(format!("first seen {:?}, should be {first:?}", kept.first_seen));
        }
        Ok(())
    }

    /// A customer has what the logs linked to it have, and lists their cookies.
    fn union_of_its_links(&self, name: CustomerId, node: &Node) -> Verdict {
        let cookies = self.linked.get(&name).cloned().unwrap_or_default();
        let erased = node.erased_at();
        let newer = |key: &&SignalKey| {
            let time = self.world.made.get(&(key.stream, key.seq)).map(|made| made.time);
            erased.is_none() || time >= erased
        };
        let logs = self.logs.values().filter(|(cookie, _)| cookies.contains(cookie));
        let expected: BTreeSet<SignalKey> = logs.flat_map(|(_, keys)| keys).filter(newer).copied().collect();
        let found = node.keys();
        if expected != found {
            let missing: Vec<_> = expected.difference(&found).collect();
            let surplus: Vec<_> = found.difference(&expected).collect();
            return Err(format!("missing {missing:?}, not its own {surplus:?}"));
        }
        let object = self.objects.get(&name).and_then(|(_, object)| object.snapshot(self.context));
        let listed: BTreeSet<_> = object.map(|s| s.cookie_ids.into_iter().collect()).unwrap_or_default();
        if listed != cookies {
            return Err(format!("lists {listed:?}, linked are {cookies:?}"));
        }
        Ok(())
    }

    /// Every acknowledged signal is in one log, once, until something takes it that may; what was purged
    /// is in none.
    fn exactly_once(&self) -> Verdict {
        let mut places: BTreeMap<_, u64> = BTreeMap::new();
        for key in self.logs.values().flat_map(|(_, keys)| keys) {
            *places.entry((key.stream, key.seq)).or_default() += 1;
        }
        for id in &self.world.acknowledged {
            let made = &self.world.made[id];
            if made.ages && made.time < self.cutoff {
                continue;
            }
            match places.get(id) {
                Some(1) => {}
                Some(_) if self.world.untold.contains(id) => {}
                Some(n) => return Err(format!("acknowledged {id:?} is in {n} logs")),
                None => return Err(format!("acknowledged {id:?} is in no log")),
            }
        }
        let back = |id: &&_| places.contains_key(id) && !self.world.untold.contains(id);
        match self.world.forgotten.keys().find(back) {
            Some(id) => Err(format!("{id:?} was purged and is there again")),
            None => Ok(()),
        }
    }

    /// What somebody did while signed in as one customer is never in another's profile (unless an
    /// administrator took it out of the first one's).
    fn nobody_is_mixed(&self) -> Verdict {
        for (name, (node, _)) in self.objects.iter().filter(|(name, _)| name.is_known()) {
            for key in node.timeline.keys().filter(|key| !self.world.unlinked.contains(&key.cookie)) {
                let owner = self.world.made[&(key.stream, key.seq)].owner;
                if owner.is_some_and(|owner| owner != *name) {
                    return Err(format!("{key:?} was done as {owner:?} and is in {name}"));
                }
            }
        }
        Ok(())
    }

    /// No log says who an erased customer was (scenario G7), whether it is theirs, was, or was never to be. From a browser
    /// where they signed up again, what is older may come late: the customer does not take it, the log has it.
    fn nobody_erased_is_named(&self) -> Verdict {
        if self.world.clocks_jump {
            return Ok(());
        }
        for customer in &self.world.customers {
            let erased = self.objects.get(&customer.id).and_then(|(node, _)| node.erased_at());
            let Some(at) = erased else { continue };
            for (name, (node, _)) in &self.objects {
                let names = |signal: &Signal| {
                    signal.fields.get("authId").and_then(|value| value.as_str()) == Some(&customer.auth_id)
                };
                let again: BTreeSet<CookieId> = (node.timeline.iter())
                    .filter(|(_, (_, signal))| names(signal) && signal.time >= at)
                    .map(|(key, _)| key.cookie)
                    .collect();
                let named = node.timeline.iter().find(|(key, (_, signal))| {
                    names(signal) && signal.time < at && !again.contains(&key.cookie)
                });
                if let Some((key, _)) = named {
                    return Err(format!("{key:?} names {}, who was erased, in {name}", customer.auth_id));
                }
            }
        }
        Ok(())
    }

    /// KV and the index hold what the objects hold, of living profiles and of nothing else.
    fn copies_equal_objects(&self) -> Verdict {
        let living: BTreeMap<CustomerId, Snapshot> = self
            .objects
            .iter()
            .filter_map(|(name, (_, object))| Some((*name, timeless(object.snapshot(self.context)?))))
            .collect();
        let rows = &self.world.index.customers;
        let rows = rows.iter().filter_map(|(name, row)| Some((name, row.body.as_ref()?)));
        equal("KV", &living, self.world.kv.iter())?;
        equal("the index", &living, rows)?;
        let mut owners = BTreeMap::new();
        let mut activities = BTreeSet::new();
        for (name, (_, keys)) in &self.logs {
            let link = self.objects[name].1.accepted_link();
            owners.insert(*name, link.map_or(*name, |link| link.customer.id));
            let timeline = &self.objects[name].0.timeline;
            let own = keys.iter().filter(|key| is_activity(timeline[key].1.kind));
            activities.extend(own.map(|key| (*name, key.stream, key.seq)));
        }
        let index = &self.world.index;
        self.outcomes_equal_objects()?;
        let indexed: BTreeMap<_, _> =
            index.cookies.iter().map(|(name, (owner, _))| (*name, *owner)).collect();
        if indexed != owners {
            return Err(format!("owners in the index {indexed:?}, at the objects {owners:?}"));
        }
        // Where retention takes from the index a job of its own does it, by time.
        let listed = index.activities.iter().filter(|(_, time)| **time >= self.cutoff);
        let listed: BTreeMap<_, _> = listed.map(|(key, time)| (*key, *time)).collect();
        if !listed.keys().eq(&activities) {
            let missing: Vec<_> = activities.iter().filter(|key| !listed.contains_key(key)).collect();
            let surplus: Vec<_> = listed.keys().filter(|key| !activities.contains(key)).collect();
            return Err(format!("the index misses activities {missing:?}, has too many {surplus:?}"));
        }
        for name in living.keys() {
            let since = index.customers[name].since;
            let of = |(object, ..): &(CustomerId, _, _)| index.cookies.get(object).map(|row| row.0);
            let joined = listed.iter().filter(|(key, time)| of(key) == Some(*name) && Some(**time) >= since);
            let joined: BTreeSet<_> = joined.map(|((_, stream, seq), _)| (*stream, *seq)).collect();
            let timeline = self.objects[name].0.timeline.iter();
            let own = timeline.filter(|(_, (_, signal))| is_activity(signal.kind));
            if joined != own.map(|(key, _)| (key.stream, key.seq)).collect() {
                return Err(format!("{name}: its activities in the index are not its timeline"));
            }
        }
        Ok(())
    }
}

impl Oracle<'_> {
    /// The index has what became of the living, and of no earlier life of whoever was erased.
    fn outcomes_equal_objects(&self) -> Verdict {
        let outcomes = &self.world.index.outcomes;
        for (name, (node, object)) in &self.objects {
            let living =
                object.snapshot(self.context).map(|_| object.profile.outcomes(self.context.definitions));
            let own = outcomes.get(&(*name, object.tag())).cloned().unwrap_or_default();
            let living = living.unwrap_or_default();
            if own != living {
                return Err(format!("{name}: the index has {own:?}, the object {living:?}"));
            }
            let earlier = outcomes.keys().any(|(of, life)| of == name && *life != object.tag());
            if earlier && node.erased_at().is_some() {
                return Err(format!("{name} was erased, the index has outcomes of an earlier life"));
            }
        }
        Ok(())
    }
}

/// A snapshot without the instant until which it holds: that moves with the clock, not with the profile.
fn timeless(mut snapshot: Snapshot) -> Snapshot {
    snapshot.valid_until = None;
    snapshot
}

fn equal<'s>(
    what: &str,
    living: &BTreeMap<CustomerId, Snapshot>,
    copies: impl Iterator<Item = (&'s CustomerId, &'s Snapshot)>,
) -> Verdict {
    let copies: BTreeMap<_, _> = copies.map(|(name, copy)| (*name, timeless(copy.clone()))).collect();
    for (name, profile) in living {
        match copies.get(name) {
            None => return Err(format!("{name} is not in {what}")),
            Some(copy) if copy != profile => {
                return Err(format!("{what} has {copy:?}, the object {profile:?}"));
            }
            Some(_) => {}
        }
    }
    match copies.keys().find(|name| !living.contains_key(name)) {
        Some(name) => Err(format!("{what} has {name}, which is no profile")),
        None => Ok(()),
    }
}

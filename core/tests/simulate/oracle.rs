//! What must be true once it is quiet.

use std::collections::{BTreeMap, BTreeSet};

use msci_core::ids::{CookieId, CustomerId, SignalKey};
use msci_core::profile::Profile;

use crate::node::Node;
use crate::world::World;

pub(crate) fn check(world: &World<'_>) -> Result<(), String> {
    let mut logs: BTreeMap<CookieId, BTreeSet<SignalKey>> = BTreeMap::new();
    let mut linked: BTreeMap<CustomerId, BTreeSet<CookieId>> = BTreeMap::new();
    for (name, node) in &world.nodes {
        let Some(object) = node.loaded(*name) else { continue };
        let Some(cookie) = object.cookie() else { continue };
        logs.insert(cookie, node.timeline.keys().copied().collect());
        if object.has_to_ship() || object.next_drop().is_some() {
            return Err(format!("{cookie} still owes something"));
        }
        if let Some(link) = object.accepted_link() {
            linked.entry(link.customer.id).or_default().insert(cookie);
        }
        let mut positions: Vec<u64> = node.timeline.values().map(|(position, _)| *position).collect();
        positions.sort_unstable();
        if positions.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(format!("{cookie} has two signals at one position"));
        }
    }
    for (name, node) in &world.nodes {
        folded_from_scratch(world, *name, node)?;
        if !name.is_known() {
            continue;
        }
        let cookies = linked.get(name).cloned().unwrap_or_default();
        let expected: BTreeSet<SignalKey> =
            cookies.iter().filter_map(|cookie| logs.get(cookie)).flatten().copied().collect();
        let found: BTreeSet<SignalKey> = node.timeline.keys().copied().collect();
        if expected != found {
            let missing: Vec<_> = expected.difference(&found).collect();
            let surplus: Vec<_> = found.difference(&expected).collect();
            return Err(format!("customer {name}: missing {missing:?}, not its own {surplus:?}"));
        }
        let listed = node.loaded(*name).and_then(|object| object.snapshot(world.context()));
        let listed: BTreeSet<CookieId> =
            listed.map(|s| s.cookie_ids.into_iter().collect()).unwrap_or_default();
        if listed != cookies {
            return Err(format!("customer {name} lists {listed:?}, linked are {cookies:?}"));
        }
    }
    exactly_once(world, &logs)?;
    if let Some(key) = logs.values().flatten().find(|key| world.forgotten.contains(&(key.stream, key.seq))) {
        return Err(format!("{key:?} was purged and is there again"));
    }
    nobody_is_mixed(world)
}

/// What is kept equals the fold of what is on the timeline.
fn folded_from_scratch(world: &World<'_>, name: CustomerId, node: &Node) -> Result<(), String> {
    let context = world.context();
    let Some(mut object) = node.loaded(name) else { return Ok(()) };
    object.wake(context);
    let Some(kept) = object.snapshot(context) else { return Ok(()) };
    let mut fresh = Profile::default();
    for (key, (_, signal)) in &node.timeline {
        fresh.fold(context.definitions, *key, signal, context.now);
    }
    fresh.evaluate(context.definitions, context.now, &mut Vec::new());
    let fresh = fresh.snapshot(context.definitions, name, String::new(), context.now);
    if (&kept.measures, &kept.segments, &kept.attributes)
        != (&fresh.measures, &fresh.segments, &fresh.attributes)
    {
        return Err(format!(
            "{name}: kept {:?} {:?}, from scratch {:?} {:?}",
            kept.measures, kept.segments, fresh.measures, fresh.segments
        ));
    }
    if (kept.first_seen, kept.last_seen) != (fresh.first_seen, fresh.last_seen) {
        return Err(format!("{name}: first and last seen differ from the fold from scratch"));
    }
    Ok(())
}

/// Every acknowledged signal is in one log, once.
fn exactly_once(world: &World<'_>, logs: &BTreeMap<CookieId, BTreeSet<SignalKey>>) -> Result<(), String> {
    let mut places: BTreeMap<_, u64> = BTreeMap::new();
    for key in logs.values().flatten() {
        *places.entry((key.stream, key.seq)).or_default() += 1;
    }
    for id in world.acknowledged.keys() {
        match places.get(id) {
            Some(1) => {}
            Some(n) => return Err(format!("acknowledged {id:?} is in {n} logs")),
            None => return Err(format!("acknowledged {id:?} is in no log")),
        }
    }
    Ok(())
}

/// What somebody did while signed in as one customer is never in another's profile (unless an
/// administrator took it out of the first one's).
fn nobody_is_mixed(world: &World<'_>) -> Result<(), String> {
    for (name, node) in world.nodes.iter().filter(|(name, _)| name.is_known()) {
        for key in node.timeline.keys().filter(|key| !world.unlinked.contains(&key.cookie)) {
            let owner = world.acknowledged.get(&(key.stream, key.seq)).copied().flatten();
            if owner.is_some_and(|owner| owner != *name) {
                return Err(format!("{key:?} was done as {owner:?} and is in {name}"));
            }
        }
    }
    Ok(())
}

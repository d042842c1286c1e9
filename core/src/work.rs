//! Work done, counted in tests: what a signal costs is measured in predicates tried, filters
//! evaluated and bytes looked at, not in time. Outside tests nothing is counted.

#[cfg(test)]
thread_local! {
    static TRIED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    static EVALUATED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    static LOOKED_AT: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// A predicate is tried on an activity.
pub(crate) fn tried() {
    #[cfg(test)]
    TRIED.set(TRIED.get() + 1);
}

/// A filter is evaluated for a customer.
pub(crate) fn evaluated() {
    #[cfg(test)]
    EVALUATED.set(EVALUATED.get() + 1);
}

/// So many bytes of a text are looked at for parts of it.
#[cfg_attr(not(test), allow(unused_variables))]
pub(crate) fn looked_at(bytes: usize) {
    #[cfg(test)]
    LOOKED_AT.set(LOOKED_AT.get() + bytes as u64);
}

/// Bytes looked at in this thread since this was last asked.
#[cfg(test)]
pub(crate) fn take_bytes() -> u64 {
    LOOKED_AT.take()
}

/// Predicates tried and filters evaluated in this thread since this was last asked.
#[cfg(test)]
pub(crate) fn take() -> (u64, u64) {
    (TRIED.take(), EVALUATED.take())
}

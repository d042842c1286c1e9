//! Faults planted on purpose, to show that the simulator finds such faults. Without the feature
//! `mutants` none exists: the question is a constant.

/// Numbers of the planted faults: 1 to this one.
pub const COUNT: u32 = 64;

#[cfg(feature = "mutants")]
thread_local! {
    static PLANTED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// Plants one fault in this thread; 0 plants none.
#[cfg(feature = "mutants")]
pub fn plant(number: u32) {
    PLANTED.set(number);
}

/// Whether this fault is planted.
#[cfg(feature = "mutants")]
pub(crate) fn planted(number: u32) -> bool {
    PLANTED.get() == number
}

/// Whether this fault is planted: never.
#[cfg(not(feature = "mutants"))]
pub(crate) const fn planted(_number: u32) -> bool {
    false
}

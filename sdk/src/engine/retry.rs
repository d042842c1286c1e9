//! When to try again. Waiting never grows past [`LONGEST_MS`], whoever asks for it, and never shrinks
//! below [`SHORTEST_MS`]: a broken answer can neither silence a page for good nor make it spin.

pub(super) const SHORTEST_MS: u64 = 1_000;
pub(super) const LONGEST_MS: u64 = 300_000;
/// 1 s doubled nine times is past five minutes.
const MOST_DOUBLINGS: u32 = 9;
/// So many tries in a row without any answer, over some eight minutes: it is no blip of the network, but
/// something on the device that does not let this page through.
const MOST_UNANSWERED: u32 = 10;
/// Bodies are whole when they leave. What is refused as no JSON was damaged on the way, unless it is each
/// time.
pub(super) const MOST_DAMAGED: u32 = 2;

/// What an HTTP status means for the signals of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Keep them and try again later.
    Retry,
    /// They will never be taken: count them and go on.
    GiveUp,
    /// Keep them, and send nothing more from this page.
    Pause,
    /// Too many at once: try fewer.
    Halve,
}

/// `0` stands for "no answer at all"; a 2xx comes here only when it acknowledged nothing.
pub(super) fn verdict(status: u64) -> Verdict {
    match status {
        408 | 429 => Verdict::Retry,
        401 | 403 => Verdict::Pause,
        413 => Verdict::Halve,
        400..=499 => Verdict::GiveUp,
        _ => Verdict::Retry,
    }
}

/// Failures since the last success, and the moment before which nothing is sent.
#[derive(Debug, Default)]
pub(super) struct Retry {
    pub(super) attempts: u32,
    not_before: u64,
    /// Failures without any answer, since the last answer.
    unanswered: u32,
    /// The edge said how long to wait.
    asked: bool,
}

impl Retry {
    pub(super) fn wait(&self, now: u64) -> Option<u64> {
        self.not_before.checked_sub(now).filter(|ms| *ms > 0).map(|ms| ms.min(LONGEST_MS))
    }

    /// `jitter` is in 0..=1024. Requests that fail together (the pieces of a last flush) count once.
    pub(super) fn failed(&mut self, status: u64, retry_after: Option<u64>, now: u64, jitter: u64) {
        if self.wait(now).is_none() {
            self.attempts = self.attempts.saturating_add(1);
            self.unanswered = self.unanswered.saturating_add(1);
        }
        if status > 0 {
            self.unanswered = 0;
        }
        self.asked = retry_after.is_some();
        let wait = retry_after.unwrap_or_else(|| {
            let base = SHORTEST_MS << self.attempts.saturating_sub(1).min(MOST_DOUBLINGS);
            (base * (512 + jitter)) >> 10
        });
        self.not_before = now.saturating_add(wait.clamp(SHORTEST_MS, LONGEST_MS));
    }

    /// The network is back: what failed for want of one need not wait any longer.
    pub(super) fn online(&mut self) {
        if self.unanswered > 0 {
            self.not_before = 0;
        }
        self.again();
    }

    /// Whether trying by itself has come to its end.
    pub(super) fn is_blocked(&self) -> bool {
        self.unanswered >= MOST_UNANSWERED
    }

    /// The visitor goes on: that is worth one more try, once the wait is over.
    pub(super) fn again(&mut self) {
        self.unanswered = self.unanswered.min(MOST_UNANSWERED - 1);
    }

    /// Whether the edge asked to be left alone until later, even by a page that goes.
    pub(super) fn is_put_off(&self, now: u64) -> bool {
        self.asked && self.wait(now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_verdict() {
        for (statuses, expected) in [
            (&[0, 200, 204, 302, 408, 429, 500, 502, 503, 504][..], Verdict::Retry),
            (&[400, 404, 405, 410, 415, 422], Verdict::GiveUp),
            (&[401, 403], Verdict::Pause),
            (&[413], Verdict::Halve),
        ] {
            for status in statuses {
                assert_eq!(verdict(*status), expected, "{status}");
            }
        }
    }

    #[test]
    fn waiting_doubles_from_one_second_to_five_minutes() {
        let mut retry = Retry::default();
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..12 {
            retry.failed(503, None, now, 512);
            let wait = retry.wait(now).unwrap();
            waits.push(wait);
            now += wait;
        }
        assert_eq!(waits[..4], [1_000, 2_000, 4_000, 8_000]);
        assert_eq!(waits[9..], [300_000, 300_000, 300_000]);
    }

    #[test]
    fn jitter_spreads_the_wait_and_never_leaves_the_bounds() {
        for (jitter, expected) in [(0, 2_000), (512, 4_000), (1024, 6_000)] {
            let mut retry = Retry { attempts: 2, ..Retry::default() };
            retry.failed(500, None, 10, jitter);
            assert_eq!(retry.wait(10), Some(expected));
        }
        let mut first = Retry::default();
        first.failed(0, None, 0, 0);
        assert_eq!(first.wait(0), Some(SHORTEST_MS));
    }

    #[test]
    fn retry_after_is_honoured_and_capped() {
        for (asked, given) in [(2_000, 2_000), (0, 1_000), (86_400_000, 300_000), (u64::MAX, 300_000)] {
            let mut retry = Retry::default();
            retry.failed(429, Some(asked), 5, 900);
            assert_eq!(retry.wait(5), Some(given));
        }
    }

    #[test]
    fn failures_at_one_moment_count_once() {
        let mut retry = Retry::default();
        for _ in 0..4 {
            retry.failed(503, None, 7, 512);
        }
        assert_eq!(retry.attempts, 1);
    }

    #[test]
    fn coming_online_ends_only_the_wait_for_a_network() {
        let mut retry = Retry::default();
        retry.failed(0, None, 0, 512);
        retry.online();
        assert_eq!(retry.wait(0), None);
        retry.failed(429, Some(60_000), 0, 512);
        retry.online();
        assert_eq!(retry.wait(0), Some(60_000));
    }

    #[test]
    fn f28_without_any_answer_trying_ends_until_the_visitor_goes_on() {
        let mut retry = Retry::default();
        let mut now = 0;
        let mut tries = 0;
        while !retry.is_blocked() {
            retry.failed(0, None, now, 0);
            now += retry.wait(now).unwrap();
            tries += 1;
        }
        assert_eq!(tries, MOST_UNANSWERED);
        retry.again();
        assert!(!retry.is_blocked());
        retry.failed(0, None, now, 0);
        assert!(retry.is_blocked(), "one more try");
        assert!(retry.wait(now).unwrap() > 60_000, "and none within a minute");
        retry.online();
        assert!(!retry.is_blocked() && retry.wait(now).is_none());
        retry.failed(503, None, now, 0);
        for _ in 1..MOST_UNANSWERED {
            now += retry.wait(now).unwrap();
            retry.failed(0, None, now, 0);
        }
        assert!(!retry.is_blocked(), "an answer, whatever it is, shows a way through");
    }

    #[test]
    fn only_who_asked_for_time_is_left_alone_by_a_page_that_goes() {
        let mut retry = Retry::default();
        retry.failed(503, None, 0, 512);
        assert!(!retry.is_put_off(0));
        retry.failed(503, Some(5_000), 0, 512);
        assert!(retry.is_put_off(4_999) && !retry.is_put_off(5_000));
    }
}

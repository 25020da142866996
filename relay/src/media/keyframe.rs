//! When a publisher is asked for a keyframe: the wishes of all receivers are one wish.

use super::time::{MILLISECOND, SECOND};

/// Keyframes cost the publisher's uplink ten ordinary pictures; no more than two a second.
const APART: u64 = 500 * MILLISECOND;
/// A request or the keyframe was lost; encoders need a while, slow links longer.
const AGAIN: u64 = SECOND;

#[derive(Debug, Default)]
pub struct Wish {
    open: bool,
    asked: Option<u64>,
}

impl Wish {
    /// Somebody cannot show the picture.
    pub fn want(&mut self) {
        self.open = true;
    }

    /// A keyframe began.
    pub fn came(&mut self) {
        self.open = false;
    }

    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// When to ask next; `None`: nobody wants one.
    #[must_use]
    pub fn wake(&self, rtt: u64) -> Option<u64> {
        self.open.then(|| {
            self.asked
                .map_or(0, |asked| asked + APART.max(2 * rtt).min(AGAIN))
        })
    }

    /// Whether to ask now, which is then noted.
    pub fn due(&mut self, now: u64, rtt: u64) -> bool {
        let due = self.wake(rtt).is_some_and(|wake| wake <= now);
        if due {
            self.asked = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_receivers_at_once_are_one_request() {
        let mut wish = Wish::default();
        let asked = (0..10)
            .filter(|turn| {
                wish.want();
                wish.due(turn * MILLISECOND, 0)
            })
            .count();
        assert_eq!(asked, 1);
    }

    #[test]
    fn it_is_asked_again_until_it_comes() {
        let mut wish = Wish::default();
        wish.want();
        let asked: Vec<_> = (0..1_600)
            .filter(|ms| wish.due(ms * MILLISECOND, 0))
            .collect();
        assert_eq!(asked, [0, 500, 1_000, 1_500]);
        wish.came();
        assert_eq!(wish.wake(0), None);
        wish.want();
        assert!(
            !wish.due(1_700 * MILLISECOND, 0),
            "the last request is too near"
        );
        assert!(wish.due(2_000 * MILLISECOND, 0));
    }

    #[test]
    fn a_far_publisher_is_given_time() {
        let mut wish = Wish::default();
        wish.want();
        assert!(wish.due(0, 0));
        assert_eq!(wish.wake(400 * MILLISECOND), Some(800 * MILLISECOND));
        assert_eq!(wish.wake(3 * SECOND), Some(SECOND));
    }
}

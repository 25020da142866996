//! `[comet]`.

use super::section::{Key, section};

section! {
    /// Messages to pages: private ones and pipes.
    pub struct Comet {
        /// How long a page may be without its connection and still get all it missed.
        pub window_seconds: u64 = 120,
        /// Messages that wait for one slow connection before it is dropped. It may come back and
        /// gets the rest.
        pub queue: usize = 256,
        /// Private messages that wait for one user; more are refused.
        pub queued_messages: usize = 1_000,
        /// How long a private message waits for its user before it is given up.
        pub keep_hours: u64 = 168,
        /// Messages a second that a page may publish, on average; a burst of five times as many is
        /// taken.
        pub publishes_per_second: u32 = 10,
        /// Pages and devices of one user that may be connected at a time.
        pub sessions_per_user: usize = 16,
        /// Pipes one page may listen to.
        pub pipes_per_session: usize = 64,
        /// Let pages in at `/comet` without a login. They may listen to public pipes and publish to
        /// `web_` ones.
        pub guests: bool = false,
    }
}

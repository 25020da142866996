//! Call ladders: agents on a pretend network and virtual time, the messages and news as text.
#![allow(clippy::unwrap_used, reason = "a story that cannot go on fails")]

mod ladders {
    pub mod clinic;
    pub mod script;

    mod basics;
    mod changes;
    mod dialogs;
    mod early;
    mod forks;
    mod freeswitch;
    mod jssip;
    mod limits;
    mod loss;
    mod outside;
    mod races;
    mod registration;
    mod session_timers;
}

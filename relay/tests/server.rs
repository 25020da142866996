//! The relay from its own front door: real sockets, real media workers, phones on WebSockets.

#![allow(clippy::unwrap_used, reason = "a test that fails here has failed")]

mod server {
    mod api;
    mod api_keys;
    mod calls;
    mod doors;
    mod events;
    mod guessing;
    mod kept;
    mod line;
    mod phone;
    mod private_ca;
    mod process;
    #[path = "../webhooks/receiver.rs"]
    #[allow(dead_code, reason = "the webhooks' own tests use the rest")]
    mod receiver;
    mod renewal;
    mod strangers;
    mod web;
    mod wire;
}

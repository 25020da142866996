//! The relay from its own front door: real sockets, real media workers, phones on WebSockets.

#![allow(clippy::unwrap_used, reason = "a test that fails here has failed")]

mod server {
    mod api;
    mod calls;
    mod doors;
    mod phone;
    mod process;
    mod web;
}

//! The relay from its own front door: real sockets, real media workers, phones on WebSockets.

mod server {
    mod calls;
    mod doors;
    mod phone;
    mod process;
    mod web;
}

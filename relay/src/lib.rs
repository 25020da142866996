//! The relay: SIP over WebSocket, rooms, media forwarding, one binary.
//!
//! A call passes through these rooms, in this order: [`http`] accepts the connection, [`ws`] turns
//! it into frames, [`signal`] owns every SIP state there is (user agent core, registrar, focus) and
//! asks [`media`] for descriptions. Everything worth testing is reachable without a process:
//! [`server::Server`] is the whole relay as a value.

pub mod admin;
pub mod auth;
pub mod backend;
pub mod cli;
pub mod clock;
pub mod comet;
pub mod cometql;
pub mod config;
pub mod events;
pub mod http;
pub mod log;
pub mod media;
pub mod metrics;
pub mod percent;
pub mod server;
pub mod shutdown;
pub mod signal;
pub mod store;
pub mod webhook;
pub mod ws;

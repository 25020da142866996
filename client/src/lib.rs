//! The phone in the page: SIP over WebSocket, WebRTC, and three callbacks.
//!
//! [`phone`] is the whole behaviour as a pure state machine, tested on virtual time. Around it lies
//! a thin shell for the browser (`wasm32` only) with the same API for a Rust page ([`Phone`],
//! [`Call`]) and, with the feature `exports`, for JavaScript.

pub mod phone;

mod bandwidth;
mod options;
mod quality;
mod reason;
mod trim;

#[cfg(target_arch = "wasm32")]
mod api;
#[cfg(all(target_arch = "wasm32", feature = "exports"))]
mod exports;
#[cfg(target_arch = "wasm32")]
mod shell;

#[cfg(target_arch = "wasm32")]
pub use api::{Call, Media, News, Phone};

pub use bandwidth::{Bandwidth, Mode};
pub use options::Options;
pub use phone::{CallState, Direction, Muted, Peer, State};
pub use quality::{Level, Report, Sample};
pub use reason::{By, Cause, Error, Reason};

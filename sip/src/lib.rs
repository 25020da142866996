//! SIP and SDP as state machines. No socket, no clock, no async.
//!
//! Whoever knows this sentence can use the whole crate: feed the [`Agent`] one input (a frame from
//! a connection, a wish of yours, or just the time), then call [`Agent::poll`] until it returns
//! `None`, and come back no later than the last [`Output::WakeAt`] said.
//!
//! Time is a [`Time`] the caller owns; randomness is a seed the caller gives. The same code runs
//! in a browser, in the relay and in tests on virtual time.

pub mod agent;
pub mod digest;
pub mod entropy;
pub mod header;
pub mod message;
pub mod sdp;
pub mod time;
pub mod uri;

pub use agent::{Agent, Output};
pub use message::{Headers, Message, Method, Request, Response, Status};
pub use time::{Millis, Time};
pub use uri::Uri;

//! Messages from a clinic's web site to the browsers of the people who are logged in there.
//!
//! Pure: frames and time in, frames and events out. No socket, no clock, no async.
//!
//! Two ends and what lies between them:
//!
//! - [`Hub`](hub::Hub) is the relay's end: who listens to what, what they have not had yet, who is
//!   here. It owns the offsets.
//! - [`Session`](session::Session) is a page's end: it says what it has when it comes back, drops
//!   what it had already, and asks again for what was not answered.
//! - [`wire`] is what they say to each other, a JSON object a frame. A message's body passes as it
//!   was given: checked once, never parsed into values and printed anew.
//!
//! The promise: a page that comes back within the window gets each message once and in order, or
//! is told that there is a gap. See `hub/model.rs` for the test that tries to break it.

mod body;
pub mod hub;
pub mod json;
mod message;
mod name;
mod position;
pub mod session;
pub mod wire;

pub use body::{BadBody, Body};
pub use message::{Message, MessageId};
pub use name::{Kind, MAX_NAME, PRIVATE, is_event, is_pipe};
pub use position::{BadPosition, Position};

/// The longest body taken, in bytes. What needs more belongs on the web server, with a message that
/// says where.
pub const MAX_BODY: usize = 65_535;

/// The longest frame a page may send: a body and the few names around it.
pub const MAX_FRAME: usize = MAX_BODY + 4_096;

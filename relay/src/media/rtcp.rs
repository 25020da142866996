//! RTCP as the relay reads and writes it: compound packets (RFC 3550 section 6), feedback
//! (RFC 4585, RFC 5104), reduced size (RFC 5506). Transport-wide feedback is in
//! [`transport_cc`].

pub mod read;
pub mod transport_cc;
pub mod write;

pub use read::{Block, Item, items};
pub use write::Writer;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;

/// Feedback message types (the count field) of [`TRANSPORT_FEEDBACK`].
const NACK: u8 = 1;
const TRANSPORT_CC: u8 = 15;
/// And of [`PAYLOAD_FEEDBACK`].
const PLI: u8 = 1;
const FIR: u8 = 4;
const APPLICATION: u8 = 15;

//! Messages from a clinic's web site to the browsers of the people who are logged in there.
//!
//! Pure: frames and time in, frames and events out. No socket, no clock, no async.

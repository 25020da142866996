//! The relay.

pub mod media;

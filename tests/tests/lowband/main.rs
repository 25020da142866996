//! Visits over bad links.

mod emulator;
mod slow;
mod speech;

//! Visits over bad links.

mod button;
mod emulator;
mod slow;
mod speech;
